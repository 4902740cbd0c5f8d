"""Harsh contrast."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, grey, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="high_contrast",
        version="1",
        takes=("image",),
        knob="gain",
        levels=(10, 25, 50, 90, 160),
        unit="%",
        paper="textbook",
    )
)
def high_contrast(x: Tensor, *, gain: float = 50.0) -> Tensor:
    """Harsh: every value moves away from the picture's mean brightness, until shadows and highlights clip.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    gain: of contrast, 0..1000 % of each sRGB value's distance from the mean luma; 0 changes nothing.
    Raises BadInput.

    >>> import torch
    >>> high_contrast(torch.tensor([[[[0.3, 0.7]]]]), gain=50)
    tensor([[[[0.2000, 0.8000]]]])
    """
    pixels = opened(x)
    more = within("gain", gain, 0, 1000, "%") / 100
    mean = grey(pixels).mean(dim=(1, 2, 3), keepdim=True)
    return closed(pixels + more * (pixels - mean), like=x)
