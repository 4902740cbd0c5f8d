"""A small recogniser: aligned faces in, directions out; faces of one person point the same way.

Trained by recipes/face_recogniser.py with the SFace loss on one portrait each of a few hundred people, so it is a yardstick for
quality scores and cloaks, not a means of identification: docs/face-recogniser.md says how often it errs.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, pad

from assay import weights
from assay.ops.filters import gaussian, windowed
from assay.types import BadInput, Weights

MODEL = Weights(
    file="face_recogniser.safetensors",
    sha256="",
    license="Apache-2.0; trained on official portraits under the MIT licence, one picture of each person",
    recipe="recipes/face_recogniser.py",
)
SIDE = 64  # pixels of the net's chip; the template of ops/align.py, without margin
SIZE = 128  # numbers of an embedding
LUMA = (0.299, 0.587, 0.114)  # BT.601
WINDOW, SIGMA, CALM = 25, 6.0, 0.03  # of local normalisation: larger than an eye, smaller than a face


class Step(nn.Module):
    """Two 3×3 convolutions added to their input (He et al. 2016), the first of which may halve the sides."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        same = inputs == outputs and stride == 1
        self.skip = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.body(x)


class FaceRecogniser(nn.Module):
    """N×C×64×64 in [0, 1] → N×128, not normalised.  `features` and `head` are apart, so that the head alone can be repeated."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        one, two, three, four = widths
        self.body = nn.Sequential(
            nn.Conv2d(2, one, 3, 2, 1, bias=False),
            nn.BatchNorm2d(one),
            nn.PReLU(one),
            Step(one, one),
            Step(one, two, 2),
            Step(two, two),
            Step(two, three, 2),
            Step(three, three),
            Step(three, four, 2),
            nn.BatchNorm2d(four),
        )
        self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(four * 16, SIZE), nn.BatchNorm1d(SIZE, affine=False))

    def features(self, chips: Tensor) -> Tensor:
        """N×2048: what the head sees."""
        return self.body(seen(chips)).flatten(1)

    def forward(self, chips: Tensor) -> Tensor:
        return self.head(self.features(chips))


def seen(chips: Tensor) -> Tensor:
    """Luma standardised as a whole, and locally, within an oval: N×2×64×64.

    Colour is dropped, because light and cameras change it more than people do; what lies beside the face is no part of it.
    """
    if chips.shape[1] == 1:
        y = chips
    else:
        y = (chips * chips.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    mean = y.mean((2, 3), keepdim=True)
    whole = (y - mean) / (y.var((2, 3), keepdim=True, unbiased=False) + CALM**2).sqrt()
    half = WINDOW // 2
    taps = gaussian(WINDOW, SIGMA)
    near = windowed(pad(torch.cat([y, y.square()], 1), (half,) * 4, mode="reflect"), taps)
    sigma = ((near[:, 1:] - near[:, :1].square()).clamp_min(0) + CALM**2).sqrt()
    return torch.cat([whole, (y - near[:, :1]) / sigma], dim=1) * oval().to(y)


@cache
def oval() -> Tensor:
    """1 on the face, 0 beside it, over four pixels: an ellipse about the middle of the template, from forehead to chin."""
    line = (torch.arange(SIDE, dtype=torch.float64) + 0.5) / SIDE
    x, y = (line[None] - 0.5) / 0.38, (line[:, None] - 0.57) / 0.52
    return ((1 - (x.square() + y.square()).sqrt()) * 10 + 0.5).clamp(0, 1)


def embed(chips: Tensor, *, model: str | Path | None = None) -> Tensor:
    """The direction of each face: N×D, of length 1; the product of two is their likeness.

    chips: N×C×S×S floats in [0, 1] of the template of ops.align.chips, without margin, S at least 64. Differentiable.
    model: the path of another recogniser as TorchScript (.pt): it is given N×3×112×112 in [−1, 1], RGB, as ArcFace takes them.
    Raises BadInput.
    """
    if chips.ndim != 4 or chips.shape[1] not in (1, 3) or chips.shape[2] != chips.shape[3] or chips.shape[2] < SIDE:
        raise BadInput(f"chips must be N×1×S×S or N×3×S×S with S at least {SIDE} (assay.ops.align.chips); got {tuple(chips.shape)}.")
    if model is None:
        return normalize(recogniser().to(chips.device)(sized(chips, SIDE).float()))
    net = foreign(str(model), str(chips.device))
    return normalize(net(sized(chips.expand(-1, 3, -1, -1), 112).float() * 2 - 1).flatten(1))


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


@cache
def foreign(path: str, device: str) -> torch.nn.Module:
    """Somebody else's recogniser."""
    if not Path(path).is_file():
        raise BadInput(f"there is no recogniser at {path}; wanted a TorchScript file.")
    net: torch.nn.Module = torch.jit.load(path, map_location=device).eval()
    return net
