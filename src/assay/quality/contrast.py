"""Contrast: the tonal range in use."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.photo import luma, strips
from assay.types import Scale, ScoreCard


@carded(
    ScoreCard(
        name="contrast",
        version="1",
        takes=("image",),
        scale=Scale(worst=0, best=255, unit="8-bit steps", usual=(60, 200)),
        paper="van der Walt et al. 2014, scikit-image's is_low_contrast, doi:10.7717/peerj.453",
    )
)
def contrast(x: Tensor) -> Tensor:
    """Contrast: how much of the range from black to white the picture uses, without the extreme 1 % at each end.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8.
    Not differentiable: percentiles are read from a histogram of rounded levels.
    Returns N scores in 8-bit steps: the 99th minus the 1st percentile of luma, 0 for a flat image, 255 at most.
    Fog, haze and a picture taken far too dark read low; a night scene may do so and be right.

    >>> contrast(torch.linspace(0, 1, 256).expand(1, 1, 8, 256))
    tensor([251.])
    """
    (x,) = check.images(x=x, keep_uint8=True)
    return torch.stack([_range(one) for one in x])


def _range(x: Tensor) -> Tensor:
    tones = torch.zeros(256, dtype=torch.int64, device=x.device)
    for strip in strips(x):
        tones += torch.bincount(luma(strip).round().to(torch.uint8).flatten(), minlength=256)
    share = tones.cumsum(0) / tones.sum()
    low, high = (int((share < q).sum()) for q in (0.01, 0.99))
    return x.new_tensor(high - low, dtype=torch.float32)
