"""Zoom blur."""

from __future__ import annotations

from math import ceil, log2

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, corner, magnified, opened, to_linear, to_srgb, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="zoom_blur",
        version="1",
        takes=("image",),
        knob="zoom",
        levels=(0.5, 1.5, 4, 10, 20),
        unit="%",
        paper="type of ImageNet-C, Hendrycks & Dietterich 2019, arXiv:1903.12261",
    )
)
def zoom_blur(x: Tensor, *, zoom: float = 4.0) -> Tensor:
    """The camera moved forwards during the exposure: sharp in the centre, drawn out towards the corners.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    zoom: how much larger things are at the end of the exposure, 0..100 %; 0 changes nothing.
    Light adds linearly.  Raises BadInput.

    >>> import torch
    >>> zoom_blur(torch.full((1, 3, 16, 16), 0.5), zoom=10).mean()
    tensor(0.5000)
    """
    pixels = opened(x)
    if within("zoom", zoom, 0, 100, "%") > 0:
        light = to_linear(pixels)
        doublings = ceil(log2(corner(x) * zoom / 100 + 1))  # so many that the path has a sample per pixel in the corners
        for i in range(doublings):  # the mean over 2^k zooms in even ratios is k means over two
            light = (light + magnified(light, (1 + zoom / 100) ** (2**i / 2**doublings)).clamp(0, 1)) / 2
        pixels = to_srgb(light)
    return closed(pixels, like=x)
