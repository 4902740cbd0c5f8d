"""Fits the second look at what the face finder proposes: a face, or something like one?

    python recipes/face_check.py DATA labels.json --out src/assay/weights/face_check.safetensors

A logistic regression on the histograms of gradients that settle the points (Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177) and on the
net's own logit. Faces: what the finder proposes on the portraits for training where the labels have a face, at many sizes, half of them
cut close to the face, blurred, darkened and compressed. No faces: what else it proposes there, and on photographs in which two
detectors saw none. About 3 minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from assay.degrade.jpeg import jpeg
from assay.io.decode import read
from assay.nets import face_points
from assay.nets.face_finder import LOOSE, proposals, settled
from assay.ops.detections import overlap
from face_finder_data import FACES, SCENES, part

SIDES = (40, 60, 90, 140, 220, 360)  # pixels of the shorter side that pictures are brought to: faces from 20 to 200
SCENE_SIDES = (120, 220, 320, 480, 640)
DECAY = 3e-3  # of the weights
SHIFT = 0.6  # towards finding: a face in a hundred more is worth a false alarm more in a hundred proposals that are none


def seen(picture: Tensor, boxes: np.ndarray[Any, Any]) -> tuple[list[Tensor], list[bool]]:
    """What is proposed in a picture, 3×H×W: its features, and whether it meets one of the boxes. What half meets one is left out."""
    rows, truth = [], []
    for face in proposals(picture, LOOSE, 16):
        far = float(overlap(np.array(face.box), boxes).max()) if len(boxes) else 0.0
        if 0.1 < far < 0.4:
            continue
        grey = picture.float().mean(0, keepdim=True) / 255
        rows.append(face_points.evidence(grey, settled(grey, face)))
        truth.append(far >= 0.4)
    return rows, truth


def varied(x: Tensor, side: int, rng: np.random.Generator) -> tuple[Tensor, float]:
    """A picture of that side, mirrored, blurred, darkened or compressed; and the scale."""
    scale = side / min(x.shape[1:])
    x = interpolate(x[None].float(), scale_factor=scale, mode="bilinear", antialias=True, align_corners=False)[0]
    if rng.random() < 0.3:
        x = torch.from_numpy(gaussian_filter(x.numpy(), (0, *[rng.uniform(0.3, 1.5)] * 2)))
    x = (255 * (x / 255).clamp(0, 1) ** rng.uniform(0.5, 2)).round().clamp(0, 255)
    if rng.random() < 0.3:
        x = x.mean(0, keepdim=True).expand(3, -1, -1).contiguous()
    y = x.to(torch.uint8)
    if rng.random() < 0.4 and min(y.shape[1:]) >= 16:
        y = jpeg(y[None], quality=int(rng.integers(25, 90)))[0]
    return y, scale


def close(x: Tensor, box: np.ndarray[Any, Any], rng: np.random.Generator) -> tuple[Tensor, np.ndarray[Any, Any]]:
    """A picture cut at up to 0.4 of the face's height from its box, and the box in it."""
    reach = rng.uniform(0, 0.4, 4) * (box[3] - box[1])
    left, top = (max(0, int(v)) for v in box[:2] - reach[:2])
    right, bottom = (int(v) for v in box[2:] + reach[2:])
    return x[:, top:bottom, left:right], box - [left, top, left, top]


def collected(data: Path, labels: dict[str, Any], wanted: str, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    rows, truth = [], []
    for folder in (FACES[0], *SCENES):
        for path in sorted((data / folder).rglob("*")):
            key = str(path.relative_to(data))
            if key not in labels or part(path) != wanted or (folder != FACES[0] and labels[key]):
                continue
            picture = read(path).pixels.expand(3, -1, -1)
            boxes = np.array([f["box"] for f in labels[key]]).reshape(-1, 4)
            sides = rng.choice(SIDES, 4, replace=False) if folder == FACES[0] else SCENE_SIDES
            for side in sides:
                near = len(boxes) == 1 and rng.random() < 0.5
                cut, at = close(picture, boxes[0], rng) if near else (picture, boxes)
                x, scale = varied(cut, int(side), rng)
                some, which = seen(x, np.atleast_2d(at) * scale)
                rows += some
                truth += which
    return torch.stack(rows), torch.tensor(truth)


def fitted(x: Tensor, truth: Tensor) -> Tensor:
    """The weights, both classes counting the same."""
    w = torch.zeros(x.shape[1], requires_grad=True)
    each = torch.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
    wheel = torch.optim.LBFGS([w], max_iter=300, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        wheel.zero_grad()
        loss = (each * binary_cross_entropy_with_logits(x @ w, truth.float(), reduction="none")).sum() + DECAY * w[:-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    wheel.step(step)  # type: ignore[no-untyped-call]
    return w.detach()


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("labels", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    torch.set_num_threads(1)
    labels = json.loads(given.labels.read_text("utf-8"))
    rng = np.random.default_rng(0)
    x, truth = collected(given.data, labels, "train", rng)
    w = fitted(x, truth)
    w[-1] += SHIFT
    y, which = collected(given.data, labels, "interval", rng)
    for name, a, t in (("training", x, truth), ("choosing", y, which)):
        p, net = (a @ w).sigmoid(), a[:, -2].sigmoid()
        told = [f"{float((q[t] > 0.5).float().mean()):.3f} of faces, {float((q[~t] > 0.5).float().mean()):.3f} of others" for q in (net, p)]
        print(f"{name}: {int(t.sum())} faces, {int((~t).sum())} others; above one half by the net {told[0]}; checked {told[1]}", flush=True)
    save_file({"weights": w.half()}, given.out)
    print(f"{given.out}: {given.out.stat().st_size} bytes; weight of the net's logit {float(w[-2]):.2f}")


if __name__ == "__main__":
    main()
