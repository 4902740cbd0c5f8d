"""Vignetting."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import centred, closed, corner, opened, to_linear, to_srgb, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="vignette",
        version="1",
        takes=("image",),
        knob="stops",
        levels=(0.5, 1, 2, 3, 4.5),
        unit="stops",
        paper="textbook: the cos⁴ law of illumination",
    )
)
def vignette(x: Tensor, *, stops: float = 2.0) -> Tensor:
    """Dark corners: light falls off from the centre outwards by the cos⁴ law of a wide lens.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    stops: lost in the corners, 0..10, in linear light; 0 changes nothing.  Raises BadInput.

    >>> import torch
    >>> vignette(torch.full((1, 1, 5, 5), 0.5), stops=1)[0, 0, 2]
    tensor([0.4194, 0.4771, 0.5000, 0.4771, 0.4194])
    """
    pixels = opened(x)
    if within("stops", stops, 0, 10, "stops") > 0 and corner(x) > 0:
        down, right = centred(pixels)
        wide = 2 ** (stops / 2) - 1  # tan² of the angle to the corner, since cos⁴ = 1 / (1 + tan²)²
        fall = (1 + wide * (down**2 + right**2) / corner(x) ** 2) ** -2
        pixels = to_srgb(to_linear(pixels) * fall)
    return closed(pixels, like=x)
