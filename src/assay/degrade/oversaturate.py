"""Garish colour."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, grey, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="oversaturate",
        version="1",
        takes=("image",),
        knob="gain",
        levels=(20, 40, 80, 150, 300),
        unit="%",
        paper="textbook",
    )
)
def oversaturate(x: Tensor, *, gain: float = 80.0) -> Tensor:
    """Garish: colours are pushed away from grey until channels clip.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    A one-channel picture has no colour and comes back as it is.
    gain: of colour, 0..1000 % of each sRGB value's distance from the pixel's luma (BT.601); 0 changes nothing.
    Raises BadInput.

    >>> import torch
    >>> oversaturate(torch.tensor([0.6, 0.5, 0.5]).view(1, 3, 1, 1), gain=100).flatten()
    tensor([0.6701, 0.4701, 0.4701])
    """
    pixels = opened(x)
    more = within("gain", gain, 0, 1000, "%") / 100
    return closed(pixels + more * (pixels - grey(pixels)), like=x)
