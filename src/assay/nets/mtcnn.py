"""MTCNN, the three-stage face detector of Zhang et al. 2016 (arXiv:1604.02878), with the parameters of facenet-pytorch.

A tiny net slides over a pyramid of the picture and proposes squares; a second refines them; a third adds five points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, linear, max_pool2d, pad, prelu

from assay import weights
from assay.ops.detections import Boxes, face, kept
from assay.types import Face, Weights

RELEASE = "https://raw.githubusercontent.com/timesler/facenet-pytorch/master/data/"
LICENSE = "MIT (facenet-pytorch; parameters of Zhang et al. 2016)"
PROPOSE = Weights("pnet.pt", "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f", LICENSE, url=RELEASE + "pnet.pt")
REFINE = Weights("rnet.pt", "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86", LICENSE, url=RELEASE + "rnet.pt")
DECIDE = Weights("onet.pt", "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d", LICENSE, url=RELEASE + "onet.pt")
STEP = 0.709  # from one size of the pyramid to the next
THRESHOLDS = (0.6, 0.7, 0.7)  # of the three stages, as released
SEEN = 12  # pixels: the square that the first net looks at
BATCH = 256  # crops at a time, so that memory stays small


@torch.inference_mode()
def detect(picture: Tensor, confidence: float, smallest: float) -> list[Face]:
    """The faces of one picture, 3×H×W. Raises MissingWeights without the three files."""
    x = ((picture[None].float() if picture.dtype == torch.uint8 else picture[None].float() * 255) - 127.5) / 128
    boxes = _proposed(x, smallest)
    for file, side in ((REFINE, 24), (DECIDE, 48)):
        if not len(boxes):
            return []
        score, shift, points = _judged(x, boxes, weights.load_pth(file, instead="assay"), side)
        good = score > THRESHOLDS[1 if side == 24 else 2]
        boxes, score, shift, points = boxes[good], score[good], shift[good], points[good]
        moved = _moved(boxes, shift, 1)
        if side == 24:
            boxes = _square(moved[kept(boxes, score, limit=0.7)])
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2] + 1
    points = np.stack([points[:, :5], points[:, 5:]], axis=2) * size[:, None] + corner[:, None] - 1
    stay = kept(moved, score, limit=0.7, of="smaller")
    return [face(moved[i], points[i], score[i]) for i in stay if score[i] >= confidence]


def _proposed(x: Tensor, smallest: float) -> Boxes:
    """Squares that may hold a face, from every size of the pyramid."""
    p = weights.load_pth(PROPOSE, instead="assay")
    found = [np.zeros((0, 9))]
    scale = SEEN / max(smallest, SEEN)
    while min(x.shape[2:]) * scale >= SEEN:
        size = [int(n * scale + 1) for n in x.shape[2:]]
        small = interpolate(x, size, mode="area")
        y = prelu(conv2d(small, p["conv1.weight"], p["conv1.bias"]), p["prelu1.weight"])
        y = max_pool2d(y, 2, ceil_mode=True)
        for i in (2, 3):
            y = prelu(conv2d(y, p[f"conv{i}.weight"], p[f"conv{i}.bias"]), p[f"prelu{i}.weight"])
        score = conv2d(y, p["conv4_1.weight"], p["conv4_1.bias"]).softmax(1)[0, 1]
        shift = conv2d(y, p["conv4_2.weight"], p["conv4_2.bias"])[0]
        rows, columns = torch.where(score >= THRESHOLDS[0])
        at = torch.stack([columns, rows], dim=1).double()
        corners = torch.cat([(2 * at + 1) / scale, (2 * at + SEEN) / scale], dim=1).floor()
        all_of_it = torch.cat([corners, shift[:, rows, columns].T, score[rows, columns, None]], dim=1).double().numpy()
        found.append(all_of_it[kept(all_of_it, all_of_it[:, 8], limit=0.5, most=2000)])
        scale *= STEP
    boxes = np.concatenate(found)
    boxes = boxes[kept(boxes, boxes[:, 8], limit=0.7, most=2000)]
    return _square(_moved(boxes[:, :4], boxes[:, 4:8], 0))


def _judged(x: Tensor, boxes: Boxes, p: dict[str, Tensor], side: int) -> tuple[NDArray[np.float64], ...]:
    """For every box the score, the correction of its corners and (third net only) five points, as parts of the box."""
    crops = torch.cat([_crop(x, box, side) for box in np.trunc(boxes)])
    parts = [(_second if side == 24 else _third)(crops[i : i + BATCH], p) for i in range(0, len(crops), BATCH)]
    score, shift, points = (torch.cat(t).double().numpy() for t in zip(*parts, strict=True))
    return score, shift, points


def _second(y: Tensor, p: dict[str, Tensor]) -> Sequence[Tensor]:
    for i in (1, 2, 3):
        y = prelu(conv2d(y, p[f"conv{i}.weight"], p[f"conv{i}.bias"]), p[f"prelu{i}.weight"])
        y = max_pool2d(y, 3, 2, ceil_mode=True) if i < 3 else y
    y = prelu(linear(y.permute(0, 3, 2, 1).flatten(1), p["dense4.weight"], p["dense4.bias"]), p["prelu4.weight"])
    score, shift = (linear(y, p[f"dense5_{i}.weight"], p[f"dense5_{i}.bias"]) for i in (1, 2))
    return score.softmax(1)[:, 1], shift, y.new_zeros(len(y), 10)


def _third(y: Tensor, p: dict[str, Tensor]) -> Sequence[Tensor]:
    for i in (1, 2, 3, 4):
        y = prelu(conv2d(y, p[f"conv{i}.weight"], p[f"conv{i}.bias"]), p[f"prelu{i}.weight"])
        y = max_pool2d(y, 3 if i < 3 else 2, 2, ceil_mode=True) if i < 4 else y
    y = prelu(linear(y.permute(0, 3, 2, 1).flatten(1), p["dense5.weight"], p["dense5.bias"]), p["prelu5.weight"])
    score, shift, points = (linear(y, p[f"dense6_{i}.weight"], p[f"dense6_{i}.bias"]) for i in (1, 2, 3))
    return score.softmax(1)[:, 1], shift, points


def _crop(x: Tensor, box: Boxes, side: int) -> Tensor:
    """The box as a square of `side` pixels; what lies outside the picture is middle grey."""
    h, w = x.shape[2:]
    left, top, right, bottom = int(box[0]) - 1, int(box[1]) - 1, int(box[2]), int(box[3])
    inside = x[:, :, max(0, top) : min(h, bottom), max(0, left) : min(w, right)]
    if not inside.numel():
        return x.new_zeros(1, 3, side, side)
    return interpolate(pad(inside, (max(0, -left), max(0, right - w), max(0, -top), max(0, bottom - h))), (side, side), mode="area")


def _moved(boxes: Boxes, shift: NDArray[np.float64], more: int) -> Boxes:
    """Boxes with their corners corrected by parts of their sides; the release counts a side one pixel longer from its second net on."""
    size = boxes[:, 2:4] - boxes[:, :2] + more
    return np.asarray(boxes[:, :4] + shift * np.tile(size, 2))


def _square(boxes: Boxes) -> Boxes:
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    corner = (boxes[:, :2] + boxes[:, 2:]) / 2 - side / 2
    return np.concatenate([corner, corner + side], axis=1)
