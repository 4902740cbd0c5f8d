"""Low contrast."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, grey, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="low_contrast",
        version="1",
        takes=("image",),
        knob="loss",
        levels=(10, 25, 50, 70, 85),
        unit="%",
        paper="textbook",
    )
)
def low_contrast(x: Tensor, *, loss: float = 50.0) -> Tensor:
    """Flat and dull: every value moves towards the picture's mean brightness.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    loss: of contrast, 0..100 % of each sRGB value's distance from the mean luma; 0 changes nothing, 100 leaves an even grey.
    Raises BadInput.

    >>> import torch
    >>> low_contrast(torch.tensor([[[[0.0, 1.0]]]]), loss=50)
    tensor([[[[0.2500, 0.7500]]]])
    """
    pixels = opened(x)
    keep = 1 - within("loss", loss, 0, 100, "%") / 100
    mean = grey(pixels).mean(dim=(1, 2, 3), keepdim=True)
    return closed(pixels * keep + mean * (1 - keep), like=x)
