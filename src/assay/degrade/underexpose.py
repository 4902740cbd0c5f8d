"""Underexposure."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, opened, to_linear, to_srgb, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="underexpose",
        version="1",
        takes=("image",),
        knob="stops",
        levels=(0.25, 0.75, 1.5, 2.5, 4),
        unit="stops",
        paper="textbook: one stop is a factor of two in linear light",
    )
)
def underexpose(x: Tensor, *, stops: float = 1.0) -> Tensor:
    """Too little light: everything is darker, and shadows sink to black.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    stops: how much less light, 0..10; each is a factor of two in linear light. 0 changes nothing.
    Raises BadInput.

    >>> import torch
    >>> underexpose(torch.tensor([[[[0.2, 0.5, 0.9]]]]), stops=1)
    tensor([[[[0.1360, 0.3608, 0.6604]]]])
    """
    pixels = opened(x)
    if within("stops", stops, 0, 10, "stops") > 0:
        pixels = to_srgb(to_linear(pixels) * 2**-stops)
    return closed(pixels, like=x)
