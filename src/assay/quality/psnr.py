"""Peak signal-to-noise ratio."""

from __future__ import annotations

from math import inf

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.mse import psnr_of
from assay.types import Scale, ScoreCard


@carded(
    ScoreCard(
        name="psnr",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=inf, unit="dB", usual=(20, 50)),
        paper="Huynh-Thu & Ghanbari 2008, doi:10.1049/el:20080522",
        map="psnr_map",
    )
)
def psnr(x: Tensor, *, ref: Tensor) -> Tensor:
    """Peak signal-to-noise ratio: how small the mean squared error is.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are.
    Returns N scores in dB over all channels together; inf when equal.  Raises BadInput on a wrong shape or range.

    >>> import torch
    >>> grey = torch.zeros(1, 3, 8, 8)
    >>> psnr(grey + 0.1, ref=grey)
    tensor([20.])
    """
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    return psnr_of(x, ref)


def psnr_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Squared error of every pixel, N×H×W, mean over the channels; 0 is equal. The score is -10 log10 of its mean."""
    x, ref = check.images(x=x, ref=ref)
    return (x - ref).square().mean(1)
