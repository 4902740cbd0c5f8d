"""Underexposure: areas drowned in black."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.photo import areas, luma
from assay.types import Scale, ScoreCard

BLACK = 5.0  # 8-bit steps; as far from 0 as `overexposure` stays from 255


@carded(
    ScoreCard(
        name="underexposure",
        version="1",
        takes=("image",),
        scale=Scale(worst=100, best=0, unit="% of area", usual=(30, 0)),
        paper="Gonzalez & Woods 2018, section 9.3: a morphological opening keeps areas and drops points",
        map="underexposure_map",
    )
)
def underexposure(x: Tensor) -> Tensor:
    """Underexposure: the share of the picture drowned in black, in areas rather than points.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8.
    Not differentiable: it counts pixels beyond a threshold.
    Returns N scores in % of all pixels. A pixel counts when it lies in a square of black pixels (luma of 5 of 255
    or less) as wide as 1/128 of the shorter side (3 pixels at least). Black borders and a night sky count too.

    >>> underexposure(torch.zeros(1, 3, 8, 8))
    tensor([100.])
    """
    return underexposure_map(x).mean(dim=(1, 2)) * 100


def underexposure_map(x: Tensor) -> Tensor:
    """N×H×W: 1 where the picture is drowned in black, else 0."""
    (x,) = check.images(x=x, keep_uint8=True)
    return torch.stack([areas(one, lambda strip: luma(strip) <= BLACK) for one in x])
