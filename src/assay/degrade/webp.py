"""WebP compression."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import recoded, whole
from assay.types import AlterCard


@carded(
    AlterCard(
        name="webp",
        version="1",
        takes=("image",),
        knob="quality",
        levels=(80, 50, 25, 10, 1),
        unit="quality",
        paper="RFC 9649, lossy (VP8), as libwebp writes it",
    )
)
def webp(x: Tensor, *, quality: float = 50) -> Tensor:
    """Saved as lossy WebP and opened again: blocks smoothed over, texture gone.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    quality: whole, 0..100, as libwebp takes it; lower is worse. Colour is always 4:2:0.
    Not differentiable. float pictures are rounded to 8 bits first.  Raises BadInput, and CannotAssess where Pillow lacks the codec.

    >>> import torch
    >>> webp(torch.full((1, 3, 32, 32), 0.5), quality=10).shape
    torch.Size([1, 3, 32, 32])
    """
    return recoded(x, format="WEBP", quality=whole("quality", quality, 0, 100), method=4)
