"""Speckle."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, dice, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="speckle",
        version="1",
        takes=("image",),
        knob="sigma",
        levels=(2, 5, 10, 20, 40),
        unit="%",
        paper="textbook: multiplicative noise, as of coherent light",
    )
)
def speckle(x: Tensor, *, sigma: float = 10.0, seed: int = 0) -> Tensor:
    """Noise that grows with brightness: each value is multiplied by a random factor near 1.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    sigma: standard deviation of the factor, 0..200 %; 0 changes nothing. seed: of the factors; the grain is the same at every level.
    Raises BadInput.

    >>> speckle(torch.zeros(1, 3, 4, 4), sigma=40).max()
    tensor(0.)
    """
    pixels = opened(x)
    within("sigma", sigma, 0, 200, "%")
    grain = torch.randn(x.shape[1:], generator=dice(seed)).to(pixels)
    return closed(pixels * (1 + sigma / 100 * grain), like=x)
