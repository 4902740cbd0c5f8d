"""Finds faces: a small net that looks at a picture in a few sizes and says for every place whether a face is centred there.

Single-shot, one scale of features (stride 8) with context from strides 16 and 32; what is larger than its range it meets
again in a smaller copy of the picture. After CenterNet (Zhou et al. 2019, arXiv:1904.07850) and YuNet (Wu et al. 2023,
doi:10.1007/s11633-023-1423-y). Trained by recipes/face_finder.py.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

from assay import check, weights
from assay.nets import blazeface, face_points, lbp, mtcnn, rfb
from assay.nets.face_points import settled
from assay.ops import layers
from assay.ops.detections import face, kept
from assay.ops.resize import averaged
from assay.ops.shared import shared
from assay.types import BadInput, Face, Weights

MODEL = Weights(
    file="face_finder.safetensors",
    sha256="ecd8dc5232c0f5b70bff8bed05567010412af143d26870076ce892bd4537ff76",
    license="Apache-2.0; trained on official portraits (MIT) and free photographs",
    recipe="recipes/face_finder.py",
)
STRIDE = 8  # pixels between the places that answer
LEAST = 10.0  # pixels: the smallest face the net was made for
LEVEL = 0.25  # from one size of the picture to the next; the net's range is wider, so neighbours overlap
WHOLE = 96  # pixels: a copy of that side shows faces larger than the picture as well
FIT = 64  # pixels: side of the last copy
GRID = 32  # pixels: sides the net takes are multiples of it
TILE, REACH = 1024, 128  # pixels looked at in one go, and how far beyond its edge a tile sees; farther context hardly matters
MARGIN = 32  # pixels of middle grey around a small copy, so that half a face at its edge has room
SAME = 0.4  # overlap from which two boxes are one face
MOST = 500  # faces in one picture
LOOSE = 0.3  # confidence of the net from which a second look is worth it
SURE = 0.65  # confidence above which no second look is taken
TURNS = (2, 1, 3)  # quarter turns of the second look
Values = NDArray[np.float64]


class Step(nn.Sequential):
    """A depthwise and a pointwise convolution."""

    def __init__(self, c: int, d: int, stride: int = 1, k: int = 3) -> None:
        depth = nn.Conv2d(c, c, k, stride, k // 2, groups=c, bias=False)
        super().__init__(
            depth, nn.BatchNorm2d(c), nn.ReLU(inplace=True), nn.Conv2d(c, d, 1, bias=False), nn.BatchNorm2d(d), nn.ReLU(inplace=True)
        )
        self.adds = stride == 1 and c == d

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + y if self.adds else y


class FaceFinder(nn.Module):
    """N×3×H×W in [-1, 1], sides multiples of 32 → N×15×H/8×W/8: logit, shift of centre (2), logarithm of size (2), points (10)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)),
            *(nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)),
            *(Step(32, 32), Step(32, 64, 2), Step(64, 64), Step(64, 64)),
        )
        self.middle = nn.Sequential(Step(64, 128, 2), Step(128, 128), Step(128, 128), Step(128, 128))
        self.deep = nn.Sequential(Step(128, 128, 2), Step(128, 128, k=5), Step(128, 128, k=5))
        self.narrow = nn.Conv2d(128, 64, 1)
        self.joined = nn.Sequential(Step(64, 64), Step(64, 64))
        self.head = nn.Conv2d(64, 15, 1)

    def forward(self, x: Tensor) -> Tensor:
        near = self.stem(x)
        middle = self.middle(near)
        context = middle + interpolate(self.deep(middle), scale_factor=2.0, mode="nearest")
        found: Tensor = self.head(self.joined(near + interpolate(self.narrow(context), scale_factor=2.0, mode="nearest")))
        return found


def decoded(raw: Tensor) -> Tensor:
    """N×15×h×w as the net gives it → N×15×h×w: logit, then centre x, y, width, height and ten numbers of points, in pixels."""
    h, w = raw.shape[2:]
    y, x = (STRIDE * (torch.arange(n, dtype=raw.dtype, device=raw.device) + 0.5) for n in (h, w))
    at = torch.stack([x.expand(h, w), y[:, None].expand(h, w)])
    centre = at + STRIDE * raw[:, 1:3]
    size = 16 * raw[:, 3:5].clamp(-3, 4).exp()
    points = centre.repeat(1, 5, 1, 1) + raw[:, 5:15] * size.repeat(1, 5, 1, 1)
    return torch.cat([raw[:, :1], centre, size, points], dim=1)


@torch.inference_mode()
def find(images: Tensor, *, confidence: float = 0.5, smallest: float = 20, turned: bool = True, model: str = "assay") -> list[list[Face]]:
    """The faces of every picture, largest first, each with a box and five points: N×C×H×W, uint8 or float in [0, 1].

    confidence: what to leave out, 0 to 1.
    smallest: height in pixels of the smallest face worth finding; halving it costs four times the time. Smaller ones may be found.
    turned: where no face is sure, look again at the picture turned by a half and by a quarter to both sides, and keep the
        surest view. Points are named as in an upright face: of one upside down, the first eye lies on the right.
    model: "assay" (shipped), or official files: "mtcnn", "rfb-320", "blazeface"; or "lbp", scikit-image's cascade.
    Raises BadInput, and MissingWeights without the files of that model.
    """
    if model not in MODELS:
        raise BadInput(f"model must be one of {', '.join(MODELS)}; got {model!r}.")
    if not 0 < confidence < 1:
        raise BadInput(f"confidence must lie between 0 and 1; got {confidence}.")
    if not smallest >= LEAST / 2:
        raise BadInput(f"smallest must be at least {LEAST / 2:.0f} pixels; got {smallest}.")
    (images,) = check.images(images=images, keep_uint8=True)
    found = (_looked_at(picture.expand(3, -1, -1), confidence, smallest, turned, model) for picture in images)
    return [sorted(faces, key=lambda f: (-f.size, f.box)) for faces in found]


@shared
def _looked_at(picture: Tensor, confidence: float, smallest: float, turned: bool, model: str) -> list[Face]:
    """Upright, and where no face is sure, the turn in which the surest is seen."""
    look = MODELS[model]
    upright = look(picture, confidence, smallest)
    if not turned or _surest(upright) >= SURE:
        return upright
    looks = [(turn, look(picture.rot90(turn, (1, 2)), confidence, smallest)) for turn in TURNS]
    turn, best = max(looks, key=lambda seen: _surest(seen[1]))
    if _surest(best) <= _surest(upright):
        return upright
    return [_turned_back(f, turn, picture.shape[1], picture.shape[2]) for f in best]


def _surest(faces: list[Face]) -> float:
    return max((f.confidence for f in faces), default=0.0)


def _turned_back(face: Face, turn: int, height: int, width: int) -> Face:
    """Where a face lies in the picture that was found in its copy, turned by that many quarters."""

    def back(x: float, y: float) -> tuple[float, float]:
        return {1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[turn]

    (a, b), (c, d) = back(*face.box[:2]), back(*face.box[2:])
    return Face((min(a, c), min(b, d), max(a, c), max(b, d)), tuple(back(*p) for p in face.points), face.confidence)


def detect(picture: Tensor, confidence: float, smallest: float) -> list[Face]:
    """The faces of one picture, 3×H×W: what the net proposes, its points settled, looked at once more (face_points)."""
    found = proposals(picture, min(LOOSE, confidence), smallest)
    if not found:
        return []
    grey = picture.float().mean(0, keepdim=True) / (255 if picture.dtype == torch.uint8 else 1)
    looked = [face_points.checked(grey, settled(grey, f)) for f in found]
    return [f for f in looked if f.confidence >= confidence]


def proposals(picture: Tensor, confidence: float, smallest: float) -> list[Face]:
    """The faces of one picture, 3×H×W, with the points that the net of this file gives."""
    net, (h, w), scale = network(picture.device), picture.shape[1:], LEAST / smallest
    scores, places = [], []
    while True:
        size = (max(1, round(h * scale)), max(1, round(w * scale)))
        level = averaged(picture[None], size) if size != (h, w) else picture[None]
        for corner, tile, inner in tiles(level):
            score, place = _answers(net, tile, inner, confidence)
            place[:, [0, 2, 3, 4, 5, 6]] += corner
            scores.append(score)
            places.append(place * (w / size[1], h / size[0]))
        if max(size) <= WHOLE:
            return _faces(np.concatenate(scores), np.concatenate(places))
        scale = max(scale * LEVEL, FIT / max(h, w))


def tiles(level: Tensor) -> Iterator[tuple[tuple[int, int], Tensor, tuple[int, int, int, int]]]:
    """Pieces of a picture the net can be shown, in [-1, 1] and with a margin of middle grey.

    Each with the place of its corner in the picture, and left, top, right, bottom of the part for which it answers.
    """
    h, w = level.shape[2:]
    margin = MARGIN if max(h, w) <= 2 * WHOLE else 0
    for top in range(0, h, TILE):
        for left in range(0, w, TILE):
            y, x = max(0, top - REACH), max(0, left - REACH)
            piece = level[:, :, y : top + TILE + REACH, x : left + TILE + REACH]
            n, m = piece.shape[2:]
            piece = piece.float() / 127.5 - 1 if piece.dtype == torch.uint8 else piece.float() * 2 - 1
            across, down = (margin + -(k + 2 * margin) % GRID for k in (m, n))
            piece = pad(piece, (margin, across, margin, down))
            right, bottom = (start - first + TILE if start + TILE < n else 1 << 30 for start, first, n in ((left, x, w), (top, y, h)))
            yield (x - margin, y - margin), piece, (left - x, top - y, right, bottom)


def raw_answers(net: FaceFinder, tile: Tensor) -> Tensor:
    """What the net says of one tile: by kernels where they can, and else by its definition."""
    if not layers.can(tile):
        return net(tile.contiguous(memory_format=torch.channels_last))  # type: ignore[no-any-return]
    parts = _layers(net)
    near = layers.run(parts["stem"], tile[0].permute(1, 2, 0))
    middle = layers.run(parts["middle"], near)
    context = middle + twice(layers.run(parts["deep"], middle))
    found = layers.run([*parts["joined"], *parts["head"]], near + twice(layers.run(parts["narrow"], context)))
    return found.permute(2, 0, 1)[None]


def twice(x: Tensor) -> Tensor:
    """H×W×C at twice the size."""
    return x.repeat_interleave(2, 0).repeat_interleave(2, 1)


@cache
def _layers(net: FaceFinder) -> dict[str, list[layers.Layer]]:
    """The layers of a net whose norms are folded in."""

    def of(part: nn.Module) -> list[layers.Layer]:
        if isinstance(part, nn.Conv2d):
            return [layers.layer(part, relu=False)]
        if isinstance(part, Step):
            own, mix = (m for m in part if isinstance(m, nn.Conv2d))
            return [layers.layer(mix, own=own, adds=part.adds)]
        found: list[layers.Layer] = []
        for m in part.children():
            found += [layers.layer(m)] if isinstance(m, nn.Conv2d) else of(m) if isinstance(m, Step) else []
        return found

    return {name: of(part) for name, part in net.named_children()}


def _answers(net: FaceFinder, tile: Tensor, inner: tuple[int, int, int, int], confidence: float) -> tuple[Values, Values]:
    """Scores, and centre, size and five points as pairs of numbers, of the places that stand out among their neighbours."""
    raw = decoded(raw_answers(net, tile))[0]
    logit = raw[0]
    standing = (logit > math.log(confidence / (1 - confidence))) & (logit == max_pool2d(logit[None], 3, 1, 1)[0])
    rows, columns = torch.where(standing)
    x, y = (STRIDE * (t + 0.5) for t in (columns, rows))
    mine = (x >= inner[0]) & (x < inner[2]) & (y >= inner[1]) & (y < inner[3])
    found = raw[:, rows[mine], columns[mine]].T.double().cpu()
    best = found[:, 0].argsort(descending=True, stable=True)[: 4 * MOST]
    return found[best, 0].sigmoid().numpy(), found[best, 1:].reshape(-1, 7, 2).numpy()


def _faces(scores: Values, places: Values) -> list[Face]:
    """Each face once: the surest of the boxes that overlap."""
    boxes = np.concatenate([places[:, 0] - places[:, 1] / 2, places[:, 0] + places[:, 1] / 2], axis=1)
    return [face(boxes[i], places[i, 2:], scores[i]) for i in kept(boxes, scores, limit=SAME, most=MOST)]


@cache
def network(device: torch.device) -> FaceFinder:
    """The shipped net, its batch norms folded into its convolutions."""
    net = FaceFinder()
    net.load_state_dict({k: v.float() for k, v in weights.load_safetensors(MODEL).items()})
    for part in [m for m in net.eval().modules() if isinstance(m, nn.Sequential)]:
        for i, (one, other) in enumerate(itertools.pairwise(list(part))):
            if isinstance(one, nn.Conv2d) and isinstance(other, nn.BatchNorm2d):
                part[i], part[i + 1] = fuse_conv_bn_eval(one, other), nn.Identity()
    net.requires_grad_(False).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net


MODELS: dict[str, Callable[[Tensor, float, float], list[Face]]] = {
    "assay": detect,
    "mtcnn": mtcnn.detect,
    "rfb-320": rfb.detect,
    "blazeface": blazeface.detect,
    "lbp": lbp.detect,
}
