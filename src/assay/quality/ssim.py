"""Structural similarity, in each of the meanings it has in use."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colour import grey
from assay.ops.filters import mirrored, thinned
from assay.ops.moments import SIZE, Window, ssim_each, ssim_mean
from assay.types import BadInput, Scale, ScoreCard

Variant = Literal["gaussian", "grey", "wang", "box", "padded"]
SIDE = 11  # the Gaussian window must fit


@carded(
    ScoreCard(
        name="ssim",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=-1, best=1, usual=(0.4, 1)),
        paper="Wang, Bovik, Sheikh & Simoncelli 2004, doi:10.1109/TIP.2003.819861",
        min_side=SIDE,
        map="ssim_map",
    )
)
def ssim(x: Tensor, *, ref: Tensor, variant: Variant = "gaussian") -> Tensor:
    """Structural similarity: how alike the local brightness, contrast and pattern are.

    x, ref: N×C×H×W, sRGB, at least 11×11; float in [0, 1], or uint8 for 8-bit pixels as they are.
    variant:
      "gaussian" 11×11 Gaussian window, σ 1.5, inside the picture, mean over the channels: what scikit-image with the
                 paper's settings, piq without downsampling, piqa and pytorch-msssim give;
      "grey"     the same on grey: the paper of 2004;
      "wang"     on grey, after shrinking so that the short side is about 256: the authors' ssim.m of 2009;
      "box"      7×7 windows of equal weight, sample covariance: the defaults of scikit-image and Fast-SSIM;
      "padded"   "gaussian" with the border mirrored: torchmetrics, kornia, OpenCV.
    Returns N scores, 1 when equal; a picture turned negative scores below 0.  Raises BadInput.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> ssim(x, ref=x)
    tensor([1.])
    """
    x, ref, window = _prepared(x, ref, variant)
    if variant == "padded":
        x, ref = (_framed(t, window) for t in (x, ref))
    return ssim_mean(x, ref, window=window).mean(1)


def ssim_map(x: Tensor, *, ref: Tensor, variant: Variant = "gaussian") -> Tensor:
    """Similarity around every pixel, N×H×W, mean over the channels; 1 is alike, dark is damaged.

    Windows at the border see the picture mirrored. The score leaves them out (all variants but "padded"); it is the mean of
    the rest. "wang" gives a value per pixel of the shrunk picture.
    """
    x, ref, window = _prepared(x, ref, variant)
    return ssim_each(_framed(x, window), _framed(ref, window), window=window).mean(1)


def _prepared(x: Tensor, ref: Tensor, variant: Variant) -> tuple[Tensor, Tensor, Window]:
    """Both pictures as the variant sees them, and its window."""
    if variant not in ("gaussian", "grey", "wang", "box", "padded"):
        raise BadInput(f"variant must be gaussian, grey, wang, box or padded; got {variant!r}.")
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    if variant in ("grey", "wang"):
        x, ref = grey(x), grey(ref)
    if variant == "wang":
        x, ref = _shrunk(x), _shrunk(ref)
    return x, ref, "box" if variant == "box" else "gaussian"


def _shrunk(x: Tensor) -> Tensor:
    step = max(1, int(min(x.shape[2:]) / 256 + 0.5))  # ssim.m of 2009: f = max(1, round(min(M, N) / 256))
    if step == 1:
        return x
    return thinned(x.float() / 255 if x.dtype == torch.uint8 else x, step)


def _framed(x: Tensor, window: Window) -> Tensor:
    reach = SIZE[window] // 2
    return mirrored(x, reach, reach, edge="once")
