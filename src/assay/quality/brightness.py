"""Brightness: the mean tone."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.photo import luma, strips
from assay.types import Scale, ScoreCard


@carded(
    ScoreCard(
        name="brightness",
        version="1",
        takes=("image",),
        scale=Scale(worst=0, best=255, unit="8-bit steps", usual=(15, 90)),
        paper="textbook; luma of ITU-R BT.601",
    )
)
def brightness(x: Tensor) -> Tensor:
    """Brightness: the mean tone of the picture; it describes a picture rather than judges it.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8.
    Not differentiable: pixels are rounded to 1/64 of an 8-bit step.
    Returns N scores in 8-bit steps: the mean of luma, 0 for black and 255 for white. Higher counts as better because
    very dark pictures hide what they show; night and snow have other means and are right.  Raises BadInput.
    Not differentiable: luma is rounded to 1/64 of an 8-bit step.

    >>> brightness(torch.ones(1, 3, 8, 8))
    tensor([255.])
    """
    (x,) = check.images(x=x, keep_uint8=True)
    pixels = x.shape[2] * x.shape[3]
    sums = [sum(luma(strip).sum(dtype=torch.float64) for strip in strips(one)) for one in x]
    return torch.stack([torch.as_tensor(total / pixels) for total in sums]).float()
