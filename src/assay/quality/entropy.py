"""Entropy of the grey levels."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colour import grey
from assay.types import Scale, ScoreCard


@carded(
    ScoreCard(
        name="entropy",
        version="1",
        takes=("image",),
        scale=Scale(worst=0, best=8, unit="bit", usual=(4, 7.5)),
        paper="Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x",
    )
)
def entropy(x: Tensor) -> Tensor:
    """Entropy: how evenly the 256 grey levels are used, in bits; it describes a picture rather than judges it.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8. Colour becomes luminance as in MATLAB's rgb2gray, rounded to 8 bits.
    Higher counts as better because flat, foggy and badly exposed pictures use few levels; but noise raises it too, and a
    good picture of a plain subject has little. Where pixels lie does not matter.
    Returns N scores, 0 to 8.  Raises BadInput on a wrong shape or range.

    >>> float(entropy(torch.tensor([[[[0, 85], [170, 255]]]], dtype=torch.uint8)))
    2.0
    """
    (x,) = check.images(x=x, keep_uint8=True)
    out = x.dtype if x.is_floating_point() else torch.float32
    levels = x if x.dtype == torch.uint8 else (x.clamp(0, 1) * 255).round().to(torch.uint8)
    return torch.stack([_bits(one) for one in grey(levels)]).to(out)


def _bits(levels: Tensor) -> Tensor:
    count = levels.flatten().bincount(minlength=256).double()
    p = count[count > 0] / count.sum()
    return (p * -p.log2()).sum()
