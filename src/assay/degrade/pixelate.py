"""Mosaic."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d

from assay.catalog import carded
from assay.ops.degrading import closed, opened, whole
from assay.types import AlterCard


@carded(
    AlterCard(
        name="pixelate",
        version="1",
        takes=("image",),
        knob="block",
        levels=(2, 4, 8, 16, 32),
        unit="px",
        paper="textbook",
    )
)
def pixelate(x: Tensor, *, block: float = 8) -> Tensor:
    """A mosaic: square blocks of one colour, as used to hide faces.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    block: side of a block, whole, 1..1024 px, counted from the top left; 1 changes nothing. Means of the sRGB values.
    Raises BadInput.

    >>> import torch
    >>> pixelate(torch.eye(4)[None, None], block=2)[0, 0]
    tensor([[0.5000, 0.5000, 0.0000, 0.0000],
            [0.5000, 0.5000, 0.0000, 0.0000],
            [0.0000, 0.0000, 0.5000, 0.5000],
            [0.0000, 0.0000, 0.5000, 0.5000]])
    """
    pixels = opened(x)
    side = whole("block", block, 1, 1024, "px")
    h, w = x.shape[2:]
    tall, wide = min(side, h), min(side, w)
    means = avg_pool2d(pixels, (tall, wide), ceil_mode=True, count_include_pad=False)  # blocks cut by the edge: mean of what is there
    tiles = means.repeat_interleave(tall, dim=2)[..., :h, :].repeat_interleave(wide, dim=3)[..., :w]
    return closed(tiles, like=x)
