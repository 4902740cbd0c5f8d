"""Haze."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, opened, to_linear, to_srgb, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="haze",
        version="1",
        takes=("image",),
        knob="loss",
        levels=(2, 6, 15, 35, 65),
        unit="%",
        paper="Koschmieder's law: Narasimhan & Nayar 2002, doi:10.1023/A:1016328200723",
    )
)
def haze(x: Tensor, *, loss: float = 15.0, airlight: float = 80.0) -> Tensor:
    """A veil of fog, even over the picture: its own light is dimmed, and white light is laid over it.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    loss: of transmission, 0..100 % in linear light; 0 changes nothing, 100 shows nothing but fog.
    airlight: how bright the fog itself is, 0..100 % of white in linear light.
    Raises BadInput.

    >>> import torch
    >>> haze(torch.zeros(1, 1, 1, 1, dtype=torch.uint8), loss=100, airlight=100)
    tensor([[[[255]]]], dtype=torch.uint8)
    """
    pixels = opened(x)
    veil = within("loss", loss, 0, 100, "%") / 100
    fog = within("airlight", airlight, 0, 100, "%") / 100
    if veil > 0:
        pixels = to_srgb(to_linear(pixels) * (1 - veil) + fog * veil)
    return closed(pixels, like=x)
