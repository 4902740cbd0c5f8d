"""Gaussian noise."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, dice, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="gaussian_noise",
        version="1",
        takes=("image",),
        knob="sigma",
        levels=(2, 5, 10, 20, 40),
        unit="8-bit steps",
        paper="textbook: white Gaussian noise, clipped",
    )
)
def gaussian_noise(x: Tensor, *, sigma: float = 10.0, seed: int = 0) -> Tensor:
    """White noise of even strength on every channel, as the denoising literature has it.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    sigma: standard deviation, 0..255 8-bit steps; 0 changes nothing. seed: of the noise; the grain is the same at every level.
    Raises BadInput.

    >>> grain = gaussian_noise(torch.full((1, 3, 64, 64), 0.5), sigma=10)
    >>> round(float(grain.std() * 255))
    10
    """
    pixels = opened(x)
    within("sigma", sigma, 0, 255, "8-bit steps")
    grain = torch.randn(x.shape[1:], generator=dice(seed)).to(pixels)
    return closed(pixels + sigma / 255 * grain, like=x)
