"""JPEG compression."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import recoded, whole
from assay.types import AlterCard, BadInput


@carded(
    AlterCard(
        name="jpeg",
        version="1",
        takes=("image",),
        knob="quality",
        levels=(90, 70, 50, 30, 15, 7),
        unit="quality",
        paper="ITU-T T.81; quality as libjpeg scales its tables",
    )
)
def jpeg(x: Tensor, *, quality: float = 50, subsampling: str = "4:2:0") -> Tensor:
    """Saved as a JPEG and opened again: 8-px blocks, ringing at edges, coarse colour.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    quality: whole, 1..100, as libjpeg and Pillow take it; lower is worse. subsampling: "4:2:0" (as most files have it), "4:2:2", "4:4:4".
    Not differentiable. float pictures are rounded to 8 bits first.  Raises BadInput, and CannotAssess where Pillow lacks the codec.

    >>> import torch
    >>> grey = torch.full((1, 1, 8, 8), 128, dtype=torch.uint8)
    >>> torch.equal(jpeg(grey, quality=7), grey)
    True
    """
    if subsampling not in ("4:2:0", "4:2:2", "4:4:4"):
        raise BadInput(f"subsampling must be 4:2:0, 4:2:2 or 4:4:4; got {subsampling}.")
    return recoded(x, format="JPEG", quality=whole("quality", quality, 1, 100), subsampling=subsampling)
