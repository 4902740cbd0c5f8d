"""Frosted glass."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, dice, opened, shuffled, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="glass",
        version="1",
        takes=("image",),
        knob="reach",
        levels=(1, 2, 4, 7, 12),
        unit="px",
        paper="after glass blur of ImageNet-C, Hendrycks & Dietterich 2019, arXiv:1903.12261",
    )
)
def glass(x: Tensor, *, reach: float = 2.0, seed: int = 0) -> Tensor:
    """Seen through frosted glass: each pixel comes from a random place nearby, so edges fray.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    reach: farthest displacement along each axis, 0..64 px; 0 changes nothing. Every displacement is as likely.
    seed: of the displacements; one seed displaces alike at every level.  Raises BadInput.

    >>> glass(torch.full((1, 3, 8, 8), 0.5), reach=3).unique()
    tensor([0.5000])
    """
    pixels = opened(x)
    within("reach", reach, 0, 64, "px")
    h, w = x.shape[-2:]
    moves = torch.rand(2, h, w, generator=dice(seed)).mul_(2).sub_(1).mul_(reach).round_().long()
    return closed(shuffled(pixels, torch.arange(h)[:, None] + moves[0], torch.arange(w) + moves[1]), like=x)
