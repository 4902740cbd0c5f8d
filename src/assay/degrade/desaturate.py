"""Faded colour."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, grey, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="desaturate",
        version="1",
        takes=("image",),
        knob="loss",
        levels=(15, 30, 50, 75, 100),
        unit="%",
        paper="textbook",
    )
)
def desaturate(x: Tensor, *, loss: float = 50.0) -> Tensor:
    """Colours fade towards grey of the same luma.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    A one-channel picture has no colour and comes back as it is.
    loss: of colour, 0..100 % of each sRGB value's distance from the pixel's luma (BT.601); 0 changes nothing, 100 leaves grey.
    Raises BadInput.

    >>> import torch
    >>> desaturate(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1), loss=100).flatten()
    tensor([0.2990, 0.2990, 0.2990])
    """
    pixels = opened(x)
    keep = 1 - within("loss", loss, 0, 100, "%") / 100
    return closed(pixels * keep + grey(pixels) * (1 - keep), like=x)
