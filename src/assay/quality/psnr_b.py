"""Peak signal-to-noise ratio with block effects."""

from __future__ import annotations

from math import inf, log2

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.luma import levels
from assay.ops.mse import decibel
from assay.types import Scale, ScoreCard

BLOCK = 8  # JPEG's


@carded(
    ScoreCard(
        name="psnr_b",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=inf, unit="dB", usual=(20, 50)),
        paper="Yim & Bovik 2011, doi:10.1109/TIP.2010.2061859",
        min_side=BLOCK + 1,
    )
)
def psnr_b(x: Tensor, *, ref: Tensor) -> Tensor:
    """Peak signal-to-noise ratio that also counts steps between the 8×8 blocks of JPEG against the picture.

    x, ref: N×C×H×W, sRGB, at least 9×9, blocks from the upper left corner; float in [0, 1], or uint8. On luma, not rounded.
    To the mean squared error comes the block effect of x: by how much the mean squared step across the borders of blocks
    exceeds that elsewhere, times log 8 / log of the shorter side. Means are over the pairs of pixels that exist; sewar and
    torchmetrics divide by H·W/8-1 pairs where there are H·(W/8-1), and so give up to 0.2 dB more on 512×512.
    Returns N scores in dB, inf for a copy (by the formula even a copy pays for its own blocks).  Raises BadInput.

    >>> grey = torch.zeros(1, 3, 16, 16)
    >>> psnr_b(grey + 0.1, ref=grey)
    tensor([20.])
    """
    x, ref = check.images(x=x, ref=ref, min_side=BLOCK + 1, keep_uint8=True)
    y, wanted = (levels(t)[:, 0] for t in (x, ref))
    error = (y - wanted).square().mean(dim=(1, 2))
    return torch.where(error > 0, decibel((error + _block_effect(y)) / 255**2), inf)


def _block_effect(y: Tensor) -> Tensor:
    """Yim 2011, section III-A: the excess of the mean squared step at borders over that inside blocks, N."""
    at_borders, inside, borders, places = torch.zeros_like(y[:, 0, 0]), torch.zeros_like(y[:, 0, 0]), 0, 0
    for steps in (y.diff(dim=1).square(), y.mT.diff(dim=1).square()):
        here = steps[:, BLOCK - 1 :: BLOCK]
        at_borders, borders = at_borders + here.sum((1, 2)), borders + here[0].numel()
        inside, places = inside + steps.sum((1, 2)) - here.sum((1, 2)), places + steps[0].numel() - here[0].numel()
    excess: Tensor = at_borders / borders - inside / places
    return excess.clamp_min(0) * (log2(BLOCK) / log2(min(y.shape[1:])))
