"""AVIF compression."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import recoded, whole
from assay.types import AlterCard, BadInput


@carded(
    AlterCard(
        name="avif",
        version="1",
        takes=("image",),
        knob="quality",
        levels=(70, 50, 35, 20, 5),
        unit="quality",
        paper="AV1 Image File Format 1.1, as libavif writes it",
    )
)
def avif(x: Tensor, *, quality: float = 50, subsampling: str = "4:2:0") -> Tensor:
    """Saved as AVIF and opened again: clean edges, large flat areas, detail washed out.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    quality: whole, 0..100, as libavif takes it; lower is worse. subsampling: "4:2:0", "4:2:2", "4:4:4".
    Not differentiable. float pictures are rounded to 8 bits first.  Raises BadInput, and CannotAssess where Pillow lacks the codec.

    >>> import torch
    >>> avif(torch.full((1, 3, 32, 32), 0.5), quality=20).shape
    torch.Size([1, 3, 32, 32])
    """
    if subsampling not in ("4:2:0", "4:2:2", "4:4:4"):
        raise BadInput(f"subsampling must be 4:2:0, 4:2:2 or 4:4:4; got {subsampling}.")
    return recoded(x, format="AVIF", quality=whole("quality", quality, 0, 100), subsampling=subsampling, speed=8)
