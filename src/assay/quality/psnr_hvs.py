"""Peak signal-to-noise ratio with contrast sensitivity."""

from __future__ import annotations

from math import inf

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.hvs import BLOCK, hvs_decibel, hvs_map
from assay.types import Scale, ScoreCard


@carded(
    ScoreCard(
        name="psnr_hvs",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=inf, unit="dB", usual=(20, 50)),
        paper="Egiazarian, Astola, Ponomarenko, Lukin, Battisti & Carli 2006, New full-reference quality metrics based on HVS",
        min_side=BLOCK,
        map="psnr_hvs_map",
    )
)
def psnr_hvs(x: Tensor, *, ref: Tensor) -> Tensor:
    """Peak signal-to-noise ratio weighted by how well people see each spatial frequency.

    x, ref: N×C×H×W, sRGB, at least 8×8; float in [0, 1], or uint8 for 8-bit pixels as they are. On grey
    (MATLAB's rgb2gray, not rounded), in 8×8 blocks side by side from the upper left corner; a rest at the right and below is
    left out, as by the authors. Every frequency counts as much as it is seen.
    Returns N scores in dB; inf when equal (the authors' program says 100000).  Raises BadInput.

    >>> import torch
    >>> x = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    >>> round(float(psnr_hvs(x + 1, ref=x)), 2)
    44.0
    """
    x, ref = check.images(x=x, ref=ref, min_side=BLOCK, keep_uint8=True)
    return hvs_decibel(x, ref, masked=False)


def psnr_hvs_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """The weighted squared error of every 8×8 block, N×⌊H/8⌋×⌊W/8⌋; 0 is equal. The score is -10 log10 of its mean."""
    x, ref = check.images(x=x, ref=ref, min_side=BLOCK, keep_uint8=True)
    return hvs_map(x, ref, masked=False)
