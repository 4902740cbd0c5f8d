"""Overexposure: areas burnt out to white."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.photo import areas, luma
from assay.types import Scale, ScoreCard

WHITE = 250.0  # 8-bit steps; five steps of slack, because compression moves clipped pixels a little


@carded(
    ScoreCard(
        name="overexposure",
        version="1",
        takes=("image",),
        scale=Scale(worst=100, best=0, unit="% of area", usual=(20, 0)),
        paper="Gonzalez & Woods 2018, section 9.3: a morphological opening keeps areas and drops points",
        map="overexposure_map",
    )
)
def overexposure(x: Tensor) -> Tensor:
    """Overexposure: the share of the picture burnt out to white, in areas rather than glints.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8.
    Not differentiable: it counts pixels beyond a threshold.
    Returns N scores in % of all pixels. A pixel counts when it lies in a square of burnt pixels (luma of 250 of 255
    or more) as wide as 1/128 of the shorter side (3 pixels at least), so glints and lamps' cores do not.
    A white studio background or a page of text counts too: the pixels do not tell it from a burnt sky.

    >>> overexposure(torch.ones(1, 3, 8, 8))
    tensor([100.])
    """
    return overexposure_map(x).mean(dim=(1, 2)) * 100


def overexposure_map(x: Tensor) -> Tensor:
    """N×H×W: 1 where the picture is burnt out to white, else 0."""
    (x,) = check.images(x=x, keep_uint8=True)
    return torch.stack([areas(one, lambda strip: luma(strip) >= WHITE) for one in x])
