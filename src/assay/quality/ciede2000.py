"""CIEDE2000 colour difference."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colourspaces import differences, strips
from assay.types import Scale, ScoreCard

ROWS = 64  # so few that the planes at work stay near the processor


@carded(
    ScoreCard(
        name="ciede2000",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=100, best=0, unit="ΔE00", usual=(10, 0)),
        paper="Sharma, Wu & Dalal 2005, doi:10.1002/col.20070",
        map="ciede2000_map",
    )
)
def ciede2000(x: Tensor, *, ref: Tensor) -> Tensor:
    """CIEDE2000: the mean difference of colour to the eye; 1 is just noticeable between two large patches.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are. Seen under D65, k_L = k_C = k_H = 1.
    The gradient is right almost everywhere: where two hues lie opposite the formula itself jumps (Sharma 2005), unseen by it.
    Returns N means of ΔE00 over the pixels, 0 when equal.  Raises BadInput.

    >>> grey = torch.full((1, 3, 8, 8), 0.5)
    >>> ciede2000(grey, ref=grey)
    tensor([0.])
    """
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for a, b in strips(x, ref, rows=ROWS):
        total = total + differences(a, b).double().sum((1, 2))
    score: Tensor = total / (x.shape[2] * x.shape[3])
    return score if x.dtype == torch.float64 else score.float()


def ciede2000_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """ΔE00 of every pixel, N×H×W; 0 is the same colour, 1 just noticeable, 10 another colour."""
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    return torch.cat([differences(a, b) for a, b in strips(x, ref, rows=ROWS)], dim=1)
