"""Blockiness: the 8×8 grid that JPEG and early video leave."""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.photo import luma
from assay.types import Scale, ScoreCard

SIDE = 8  # pixels, the block of JPEG, MPEG-1/2 and H.263
BUSY = 10.0  # 8-bit steps: beside a larger step a block border is hidden, so such places tell nothing
MOST = 1 << 20  # pixels looked at in each direction
EDGE = 40.0  # 8-bit steps: a jump this large is the picture's own


@carded(
    ScoreCard(
        name="blockiness",
        version="1",
        takes=("image",),
        min_side=24,
        scale=Scale(worst=inf, best=0, unit="8-bit steps", usual=(4, 0.1)),
        paper="after Wang, Sheikh & Bovik 2002, doi:10.1109/ICIP.2002.1038064",
        map="blockiness_map",
    )
)
def blockiness(x: Tensor) -> Tensor:
    """Blockiness: how much the picture jumps at the borders of 8×8 blocks, beyond what it does beside them.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8; 24 pixels at least.
    Not differentiable: pixels are rounded to 1/64 of an 8-bit step, and busy places are left out by a threshold.
    Returns N scores in 8-bit steps of luma: the extra jump at block borders, mean of both directions. 0: no grid.
    The grid may start anywhere (the best of the 8 phases is taken), so a cropped JPEG reads like the whole. Once
    resized or turned by an odd angle, a grid no longer has a period of 8 and goes unseen.

    >>> blockiness(torch.full((1, 3, 64, 64), 0.5))
    tensor([0.])
    """
    (x,) = check.images(x=x, keep_uint8=True, min_side=24)
    return torch.stack([torch.stack([_extra(one, axis)[0] for axis in (-2, -1)]).mean() for one in x])


def blockiness_map(x: Tensor) -> Tensor:
    """N×H×W: the extra jump at each pixel of the found grid's lines, in 8-bit steps; 0 between them.

    The columns and rows that carry it tell the grid's phase.
    """
    (x,) = check.images(x=x, keep_uint8=True, min_side=24)
    out = torch.zeros(len(x), *x.shape[2:], device=x.device)
    for one, plane in zip(x, out, strict=True):
        for axis in (-2, -1):
            strength, phase = _extra(one, axis)
            if strength > 0:
                jumps, counted = _jumps(luma(one), axis)
                lines = (jumps * counted).clamp_min(0).movedim(axis, 0)[phase::SIDE]
                target = plane.movedim(axis, 0)[phase + 2 :: SIDE][: len(lines)]
                torch.maximum(target, lines, out=target)
    return out


def _extra(x: Tensor, axis: int) -> tuple[Tensor, int]:
    """By how much the mean extra jump of the strongest phase exceeds the next best, and that phase."""
    hop = max(1, x.shape[1] * x.shape[2] // MOST)  # lines along the jumps; a regular sample of a large photo will do
    jumps, counted = _jumps(luma(x[:, :, ::hop] if axis == -2 else x[:, ::hop]), axis)
    across = -3 - axis  # the other axis
    each = torch.stack([(jumps * counted).sum(across), counted.sum(across)], 1).double()
    sums = torch.cat([each, each.new_zeros(-len(each) % SIDE, 2)]).view(-1, SIDE, 2).sum(0)
    mean = sums[:, 0] / sums[:, 1].clamp_min(1)
    phase = int(mean.argmax())
    others = mean.roll(-phase)[2:7].max()  # not its two neighbours: beside a jump one reads low by half of it
    return (mean[phase] - others).clamp_min(0).float(), phase


def _jumps(y: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """How much more |step| there is between two pixels than on both sides; and where that tells anything."""
    step = y.diff(dim=axis).abs_()
    n = step.shape[axis] - 2
    before, here, after = (step.narrow(axis, i, n) for i in range(3))
    counted = (torch.maximum(before, after) < BUSY).logical_and_(here < EDGE)
    return here - (before + after).mul_(0.5), counted
