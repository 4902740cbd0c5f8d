"""Gaussian blur."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import blurred, closed, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="gaussian_blur",
        version="1",
        takes=("image",),
        knob="sigma",
        levels=(0.5, 1, 2, 4, 8),
        unit="px",
        paper="textbook; type 1 of KADID-10k, Lin, Hosu & Saupe 2019, doi:10.1109/QoMEX.2019.8743252",
    )
)
def gaussian_blur(x: Tensor, *, sigma: float = 2.0) -> Tensor:
    """The picture softened by a Gaussian: fine detail goes first, edges stay where they are.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    sigma: standard deviation, 0..64 px; 0 changes nothing. Works on the sRGB values, as the quality data sets do.
    Raises BadInput.

    >>> import torch
    >>> edge = torch.tensor([0.0, 0, 0, 1, 1, 1]).expand(1, 1, 6, 6)
    >>> gaussian_blur(edge, sigma=1)[0, 0, 0]
    tensor([0.0047, 0.0586, 0.3005, 0.6995, 0.9414, 0.9953])
    """
    pixels = opened(x)
    if within("sigma", sigma, 0, 64, "px") > 0:
        pixels = blurred(pixels, sigma)
    return closed(pixels, like=x)
