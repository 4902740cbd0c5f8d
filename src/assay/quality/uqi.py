"""Universal quality index."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.boxes import universal
from assay.ops.windowstats import box_sums
from assay.types import Scale, ScoreCard

SIDE = 8  # Wang & Bovik 2002, section III; img_qi.m
STRIP = 1 << 20  # pixels worked on at once, so that memory stays small
ROUNDING = 1e-3  # squared sums of grey levels: what 8-bit pixels as float32 leave where there is exactly nothing


@carded(
    ScoreCard(
        name="uqi",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=-1, best=1, usual=(0.2, 1)),
        paper="Wang & Bovik 2002, doi:10.1109/97.995823",
        min_side=SIDE,
        map="uqi_map",
    )
)
def uqi(x: Tensor, *, ref: Tensor) -> Tensor:
    """Universal quality index: loss of correlation, shift of brightness and change of contrast in small windows.

    x, ref: N×C×H×W, sRGB, at least 8×8; float in [0, 1], or uint8 for 8-bit pixels as they are. In 8×8 windows of
    equal weight, as the authors' img_qi.m, mean over the channels. It has no constants, so nearly flat windows count as much
    as any: `ssim` is its successor.
    Returns N scores, 1 when equal, the same for both orders of the pictures.  Raises BadInput.

    >>> x = torch.rand(1, 3, 16, 16)
    >>> uqi(x, ref=x)
    tensor([1.])
    """
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    h, w = (n - SIDE + 1 for n in x.shape[2:])
    total = universal(x, ref)
    total = _total(x, ref) if total is None else total
    return (total / (h * w * x.shape[1])).to(torch.float32 if x.dtype == torch.uint8 else x.dtype)


def _total(x: Tensor, ref: Tensor) -> Tensor:
    """The definition: the sum of the index over all windows and channels."""
    h = x.shape[2] - SIDE + 1
    step = max(1, STRIP // x.shape[3])
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for channel in range(x.shape[1]):
        for top in range(0, h, step):
            rows = slice(top, min(top + step, h) + SIDE - 1)
            total = total + _quality(x[:, channel, rows], ref[:, channel, rows]).sum((1, 2))
    return total


def uqi_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """The index of every window, N×(H-7)×(W-7), mean over the channels: 1 is alike, dark is damaged."""
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    return torch.stack([_quality(a, b).float() for a, b in zip(x.unbind(1), ref.unbind(1), strict=True)]).mean(0)


def _quality(x: Tensor, ref: Tensor) -> Tensor:
    """Every window of N×H×W, in float64: variances are differences of sums that may be a million times larger."""
    x, ref = (t.double() if t.dtype == torch.uint8 else 255 * t.double() for t in (x, ref))
    area = SIDE * SIDE
    sx, sr, squares, both = (box_sums(t, SIDE) for t in (x, ref, x * x + ref * ref, x * ref))
    product, energy = sx * sr, sx.square() + sr.square()
    covariance, variance = area * both - product, area * squares - energy
    variance = torch.where(variance > ROUNDING, variance, 0)
    some = (variance > 0) & (energy > ROUNDING)
    full = 4 * covariance * product / torch.where(some, variance * energy, 1)
    bright = energy > ROUNDING  # flat in both: only brightness can differ; black in both: equal
    light = torch.where(bright, 2 * product / torch.where(bright, energy, 1), 1)
    return torch.where(some, full, light)
