"""Peak signal-to-noise ratio of the luma."""

from __future__ import annotations

from math import inf
from typing import Literal

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.mse import decibel
from assay.ops.pairs import products
from assay.types import BadInput, Scale, ScoreCard

Luma = Literal["studio", "full"]
# BT.601 luma from RGB in [0, 1]: 16 to 235 of 255 as in MATLAB's rgb2ycbcr, or 0 to 255. The offset of 16 cancels.
WEIGHTS: dict[str, tuple[float, float, float]] = {
    "studio": (65.481 / 255, 128.553 / 255, 24.966 / 255),
    "full": (0.299, 0.587, 0.114),
}


@carded(
    ScoreCard(
        name="psnr_y",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=inf, unit="dB", usual=(20, 50)),
        paper="ITU-R BT.601-7; Huynh-Thu & Ghanbari 2008, doi:10.1049/el:20080522",
        map="psnr_y_map",
    )
)
def psnr_y(x: Tensor, *, ref: Tensor, luma: Luma = "studio") -> Tensor:
    """Peak signal-to-noise ratio of the brightness alone, as papers on super-resolution report it.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are. Grey is taken as R = G = B.
    luma:
      "studio" Y of MATLAB's rgb2ycbcr, 16 to 235, not rounded, against a peak of 255;
      "full"   Y from 0 to 255, which gives 1.32 dB less: what pyiqa calls psnry.
    Returns N scores in dB; inf when equal.  Raises BadInput.

    >>> grey = torch.zeros(1, 3, 8, 8)
    >>> psnr_y(grey + 0.1, ref=grey, luma="full")
    tensor([20.])
    """
    weights = _weights(luma, x)
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    if x.dtype == torch.uint8:  # whole numbers, so that nothing is lost where the terms cancel
        weights = weights if x.shape[1] == 3 else weights.sum().view(1)
        return decibel(weights @ products(x, ref) @ weights).float()
    return decibel(_squares(x, ref, weights).mean(dim=(1, 2)))


def psnr_y_map(x: Tensor, *, ref: Tensor, luma: Luma = "studio") -> Tensor:
    """Squared error of the luma of every pixel, N×H×W; 0 is equal. The score is -10 log10 of its mean."""
    weights = _weights(luma, x)
    x, ref = check.images(x=x, ref=ref)
    return _squares(x, ref, weights)


def _weights(luma: Luma, x: Tensor) -> Tensor:
    if luma not in WEIGHTS:
        raise BadInput(f"luma must be studio or full; got {luma!r}.")
    return torch.tensor(WEIGHTS[luma], dtype=torch.float64, device=x.device)


def _squares(x: Tensor, ref: Tensor, weights: Tensor) -> Tensor:
    d = x - ref  # luma is linear: that of the difference is the difference of the lumas
    y = torch.einsum("nchw,c->nhw", d, weights.to(d)) if d.shape[1] == 3 else d[:, 0] * weights.sum().to(d)
    return y.square()
