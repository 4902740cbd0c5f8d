"""Peak signal-to-noise ratio with contrast sensitivity and masking."""

from __future__ import annotations

from math import inf

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.hvs import BLOCK, hvs_decibel, hvs_map
from assay.types import Scale, ScoreCard


@carded(
    ScoreCard(
        name="psnr_hvs_m",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=inf, unit="dB", usual=(20, 50)),
        paper="Ponomarenko, Silvestri, Egiazarian, Carli, Astola & Lukin 2007, Between-coefficient contrast masking of DCT bases",
        min_side=BLOCK,
        map="psnr_hvs_m_map",
    )
)
def psnr_hvs_m(x: Tensor, *, ref: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of what is seen: errors that the detail of their block hides count less.

    x, ref: N×C×H×W, sRGB, at least 8×8; float in [0, 1], or uint8 for 8-bit pixels as they are. On grey
    (MATLAB's rgb2gray, not rounded), in 8×8 blocks side by side from the upper left corner; a rest at the right and below is
    left out, as by the authors. Each coefficient is eased by what the block's own detail can hide, weighted as in psnr_hvs.
    Returns N scores in dB; inf when equal (the authors' program says 100000).  Raises BadInput.

    >>> import torch
    >>> x = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    >>> round(float(psnr_hvs_m(x + 1, ref=x)), 2)
    44.0
    """
    x, ref = check.images(x=x, ref=ref, min_side=BLOCK, keep_uint8=True)
    return hvs_decibel(x, ref, masked=True)


def psnr_hvs_m_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """The weighted squared error of every 8×8 block, N×⌊H/8⌋×⌊W/8⌋; 0 is equal. The score is -10 log10 of its mean."""
    x, ref = check.images(x=x, ref=ref, min_side=BLOCK, keep_uint8=True)
    return hvs_map(x, ref, masked=True)
