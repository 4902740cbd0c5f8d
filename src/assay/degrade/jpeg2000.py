"""JPEG 2000 compression."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import opened, recoded, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="jpeg2000",
        version="1",
        takes=("image",),
        knob="ratio",
        levels=(10, 20, 40, 80, 160),
        unit=": 1",
        paper="ISO/IEC 15444-1, as OpenJPEG writes it: the irreversible 9/7 wavelet",
    )
)
def jpeg2000(x: Tensor, *, ratio: float = 40.0) -> Tensor:
    """Saved as JPEG 2000 and opened again: soft smudges, and ripples beside edges; no blocks.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    ratio: raw bytes for one byte of the file, 1..1000. Headers need some 100 bytes, so tiny pictures end up flat.
    Not differentiable. float pictures are rounded to 8 bits first.  Raises BadInput, and CannotAssess where Pillow lacks the codec.

    >>> import torch
    >>> jpeg2000(torch.full((1, 3, 32, 32), 0.5), ratio=20).shape
    torch.Size([1, 3, 32, 32])
    """
    rate = within("ratio", ratio, 1, 1000)
    return recoded(
        x,
        format="JPEG2000",
        quality_mode="rates",
        quality_layers=[rate],
        irreversible=True,
        num_resolutions=resolutions(min(opened(x).shape[2:])),
    )


def resolutions(side: int) -> int:
    """Wavelet levels plus one: six, OpenJPEG's default, or as many as the shorter side can be halved."""
    return max(1, min(6, side.bit_length()))
