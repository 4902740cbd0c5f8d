"""Lost blocks."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, dice, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="block_loss",
        version="1",
        takes=("image",),
        knob="share",
        levels=(0.2, 1, 3, 10, 30),
        unit="%",
        paper="textbook: lost macroblocks of a transmission",
    )
)
def block_loss(x: Tensor, *, share: float = 10.0, block: int = 16, seed: int = 0) -> Tensor:
    """Data lost on the way: some square blocks are gone and left grey.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    share: of blocks lost, 0..100 %, rounded up to whole blocks; 0 changes nothing. block: side, 1..1024 px.
    seed: of the places; those of a low level are among those of a higher.  Raises BadInput.

    >>> int((block_loss(torch.zeros(1, 1, 64, 64), share=25) > 0).sum()) == 4 * 16 * 16
    True
    """
    pixels = opened(x)
    within("block", block, 1, 1024, "px")
    h, w = x.shape[2:]
    rows, columns = ceil(h / block), ceil(w / block)
    lost = torch.randperm(rows * columns, generator=dice(seed)) < ceil(within("share", share, 0, 100, "%") / 100 * rows * columns)
    holes = lost.view(rows, columns).repeat_interleave(block, dim=0)[:h].repeat_interleave(block, dim=1)[:, :w]
    return closed(pixels.masked_fill(holes.to(x.device), 0.5), like=x)
