"""Peak signal-to-noise ratio with block effects."""

from __future__ import annotations

from math import inf, log2

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.mse import decibel
from assay.types import Scale, ScoreCard

BLOCK = 8  # JPEG's
LUMA = (0.299, 0.587, 0.114)  # BT.601


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
    To the mean squared error comes the block effect of x: by how much the squared steps across the borders of blocks exceed
    those elsewhere, times log 8 / log of the shorter side.
    Returns N scores in dB. A copy scores inf, even of a picture that has blocks of its own.  Raises BadInput.

    >>> grey = torch.zeros(1, 3, 16, 16)
    >>> psnr_b(grey + 0.1, ref=grey)
    tensor([20.])
    """
    x, ref = (_luma(t) for t in check.images(x=x, ref=ref, min_side=BLOCK + 1))
    error = (x - ref).square().mean(dim=(1, 2))
    return torch.where(error > 0, decibel(error + _block_effect(x)), inf)


def _luma(x: Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x[:, 0]
    r, g, b = LUMA
    return r * x[:, 0] + g * x[:, 1] + b * x[:, 2]


def _block_effect(y: Tensor) -> Tensor:
    """Yim 2011, section III-A, each kind of step divided by its true number; peers divide by that of one border more."""
    inside, borders, steps, places = torch.zeros_like(y[:, 0, 0]), torch.zeros_like(y[:, 0, 0]), 0, 0
    for dim in (1, 2):
        d = y.diff(dim=dim).square()
        at = d.narrow(dim, BLOCK - 1, d.shape[dim] - BLOCK + 1)[(slice(None),) * dim + (slice(None, None, BLOCK),)]
        borders = borders + at.sum((1, 2))
        inside = inside + d.sum((1, 2)) - at.sum((1, 2))
        steps, places = steps + at[0].numel(), places + d[0].numel() - at[0].numel()
    excess: Tensor = borders / steps - inside / places
    return excess.clamp_min(0) * (log2(BLOCK) / log2(min(y.shape[1:])))
