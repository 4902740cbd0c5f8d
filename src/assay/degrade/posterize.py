"""Posterization."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, opened, whole
from assay.types import AlterCard


@carded(
    AlterCard(
        name="posterize",
        version="1",
        takes=("image",),
        knob="bits",
        levels=(6, 5, 4, 3, 2),
        unit="bits",
        paper="textbook: uniform quantisation without dither",
    )
)
def posterize(x: Tensor, *, bits: float = 4) -> Tensor:
    """Too few brightness levels: smooth skies break into steps.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    bits: per channel, whole, 1..8; 8 leaves bytes as they are. Levels are evenly spaced sRGB values from black to white, no dither.
    The gradient is passed straight through the rounding.  Raises BadInput.

    >>> import torch
    >>> posterize(torch.tensor([[[[0.0, 0.3, 0.6, 1.0]]]]), bits=1)
    tensor([[[[0., 0., 1., 1.]]]])
    """
    pixels = opened(x)
    top = 2 ** whole("bits", bits, 1, 8, "bits") - 1
    step = (pixels * top).round() / top - pixels
    return closed(pixels + step.detach(), like=x)
