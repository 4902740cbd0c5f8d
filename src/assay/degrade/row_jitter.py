"""Row jitter."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, dice, opened, shuffled, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="row_jitter",
        version="1",
        takes=("image",),
        knob="reach",
        levels=(1, 2, 4, 8, 16),
        unit="px",
        paper="textbook: a lost line clock, as of a worn video tape",
    )
)
def row_jitter(x: Tensor, *, reach: float = 4.0, seed: int = 0) -> Tensor:
    """Every row slipped sideways by itself, so upright edges fray.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    reach: farthest slip, 0..512 px, rounded to whole ones; 0 changes nothing. Every slip is as likely.
    seed: of the slips; one seed slips alike at every level.  Raises BadInput.

    >>> stripes = torch.rand(1, 1, 8, 1).expand(1, 1, 8, 8)
    >>> torch.equal(row_jitter(stripes, reach=4), stripes)
    True
    """
    pixels = opened(x)
    within("reach", reach, 0, 512, "px")
    h, w = x.shape[2:]
    slips = torch.rand(h, 1, generator=dice(seed)).mul_(2).sub_(1).mul_(reach).round_().long()
    return closed(shuffled(pixels, torch.arange(h)[:, None], torch.arange(w) + slips), like=x)
