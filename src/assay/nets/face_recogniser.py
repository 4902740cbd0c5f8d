"""A small recogniser: aligned faces in, directions out; faces of one person point the same way.

Fixed filters describe where edges lie and which way they go; one learned matrix makes a direction of that: the discriminant of many
made views of one portrait each of 271 people (recipes/face_recogniser.py). So few people teach no deep net, and the SFace loss, tried
on top, gained nothing on others. It is a yardstick for
quality scores and cloaks, not a means of identification: docs/face-recogniser.md says how often it errs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, normalize, pad, relu

from assay import weights
from assay.ops.filters import gaussian, windowed
from assay.types import BadInput, Weights

MODEL = Weights(
    file="face_recogniser.safetensors",
    sha256="8fda4e3a021f86225a906e39e043b3d5721dcb00de0a28e430229f9f765ee04d",
    license="Apache-2.0; trained on official portraits under the MIT licence, one picture of each person",
    recipe="recipes/face_recogniser.py",
)
SIDE = 64  # pixels of the net's chip; the template of ops/align.py, without margin
SIZE = 128  # numbers of an embedding
LUMA = (0.299, 0.587, 0.114)  # BT.601
WINDOW, SIGMA, CALM = 25, 6.0, 0.03  # of local normalisation: larger than an eye, smaller than a face
CELLS = (10, 8, 6)  # a side, at full, half and quarter size
KINDS = 10  # slopes in four directions and curvature, rising and falling
FEATURES = KINDS * sum(n * n for n in CELLS)  # 2000
SAME = 0.55  # mean likeness of two groups of faces from which they are one person: chosen on ORL, 95 % of pairs so joined belong
FLOOR = 1e-3  # keeps the slope of the square root finite where there is nothing


class FaceRecogniser(nn.Module):
    """N×C×64×64 in [0, 1] → N×128, not normalised.  `features` and `head` are apart, so that the head alone can be repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(FEATURES))  # what an average face has
        self.centre: Tensor
        self.head = nn.Linear(FEATURES, SIZE, bias=False)

    def features(self, chips: Tensor) -> Tensor:
        """N×2000: how the face differs from an average one, which is what the head sees."""
        return edges(seen(chips)) - self.centre

    def forward(self, chips: Tensor) -> Tensor:
        found: Tensor = self.head(self.features(chips))
        return found


def seen(chips: Tensor) -> Tensor:
    """Luma, its light and contrast evened out over a sixth of the face, within an oval: N×1×64×64.

    Colour is dropped, because light and cameras change it more than people do; what lies beside the face is no part of it.
    """
    y = chips if chips.shape[1] == 1 else (chips * chips.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    half = WINDOW // 2
    taps = gaussian(WINDOW, SIGMA)
    near = windowed(pad(torch.cat([y, y.square()], 1), (half,) * 4, mode="reflect"), taps)
    sigma = ((near[:, 1:] - near[:, :1].square()).clamp_min(0) + CALM**2).sqrt()
    return (y - near[:, :1]) / sigma * oval().to(y)


@cache
def oval() -> Tensor:
    """1 on the face, 0 beside it, over four pixels: an ellipse about the middle of the template, from forehead to chin."""
    line = (torch.arange(SIDE, dtype=torch.float64) + 0.5) / SIDE
    x, y = (line[None] - 0.5) / 0.38, (line[:, None] - 0.57) / 0.52
    return ((1 - (x.square() + y.square()).sqrt()) * 10 + 0.5).clamp(0, 1)


def edges(y: Tensor) -> Tensor:
    """Where edges and spots of three sizes lie, and which way they go: N×1×64×64 → N×2000.

    Slopes in four directions and the curvature, each split into its rising and its falling half, are summed in overlapping cells;
    square roots keep the strongest from deciding alone. After histograms of oriented gradients (Dalal & Triggs 2005).
    """
    out = []
    for level, cells in enumerate(CELLS):
        small = avg_pool2d(y, 2**level) if level else y
        found = conv2d(pad(small, (3, 3, 3, 3)), bank().to(y))
        grid = windows(cells, small.shape[-1]).to(y)
        summed = grid @ torch.cat([relu(found), relu(-found)], dim=1) @ grid.T
        out.append(normalize((summed + FLOOR).sqrt().flatten(1)) * cells)
    return torch.cat(out, dim=1)


@cache
def bank() -> Tensor:
    """5×1×7×7: a Gaussian's slope in four directions, and its curvature; each filter's weights sum to 1 in absolute value."""
    sigma = 1.2
    i = torch.arange(-3, 4, dtype=torch.float64)
    y, x = torch.meshgrid(i, i, indexing="ij")
    bell = torch.exp(-(x.square() + y.square()) / (2 * sigma**2))
    slopes = [(x * math.cos(k * math.pi / 4) + y * math.sin(k * math.pi / 4)) * bell for k in range(4)]
    spot = (x.square() + y.square() - 2 * sigma**2) * bell
    found = torch.stack([*slopes, spot - spot.mean()])
    return (found / found.abs().sum((1, 2), keepdim=True))[:, None]


@cache
def windows(cells: int, side: int) -> Tensor:
    """cells×side: Gaussian windows side by side, each summing to 1."""
    step = side / cells
    centre = (torch.arange(cells, dtype=torch.float64)[:, None] + 0.5) * step
    near = torch.exp(-((torch.arange(side) + 0.5 - centre) / (0.6 * step)).square() / 2)
    return near / near.sum(1, keepdim=True)


def embed(chips: Tensor, *, model: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The direction of each face: N×D, of length 1; the product of two is their likeness.

    chips: N×C×S×S floats in [0, 1] of the template of ops.align.chips, without margin, S at least 64. Differentiable.
    model: another recogniser to ask instead: it gets N×3×112×112 in [−1, 1], RGB, as ArcFace takes them, and gives N×D.
    Raises BadInput.
    """
    if chips.ndim != 4 or chips.shape[1] not in (1, 3) or chips.shape[2] != chips.shape[3] or chips.shape[2] < SIDE:
        raise BadInput(f"chips must be N×1×S×S or N×3×S×S with S at least {SIDE} (assay.ops.align.chips); got {tuple(chips.shape)}.")
    if model is None:
        return normalize(recogniser().to(chips.device)(sized(chips, SIDE).float()))
    return normalize(model(sized(chips.expand(-1, 3, -1, -1), 112).float() * 2 - 1).flatten(1))


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """How alike the faces of two embeddings are, −1 to 1, row by row: their cosine."""
    return (normalize(a) * normalize(b)).sum(-1)


def sized(chips: Tensor, side: int) -> Tensor:
    """The same view with that many pixels a side."""
    if chips.shape[-1] == side:
        return chips
    return interpolate(chips, [side, side], mode="bilinear", antialias=True, align_corners=False)


@cache
def recogniser() -> FaceRecogniser:
    """The shipped net."""
    net = FaceRecogniser()
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.load_safetensors(MODEL).items()})
    return net.eval().requires_grad_(False)
