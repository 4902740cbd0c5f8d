"""Motion blur."""

from __future__ import annotations

from math import ceil, cos, radians, sin

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, convolved, opened, to_linear, to_srgb, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="motion_blur",
        version="1",
        takes=("image",),
        knob="length",
        levels=(3, 7, 15, 31, 61),
        unit="px",
        paper="textbook: a straight path at even speed",
    )
)
def motion_blur(x: Tensor, *, length: float = 15.0, angle: float = 20.0) -> Tensor:
    """The camera moved during the exposure: everything is drawn out along one straight line.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    length: of the path, 0..256 px; 0 changes nothing. angle: of the path in degrees, anticlockwise from horizontal.
    Light adds linearly.  Raises BadInput.

    >>> lamp = torch.zeros(1, 1, 5, 9)
    >>> lamp[..., 2, 4] = 1
    >>> (motion_blur(lamp, length=4, angle=0)[0, 0] > 0.01).sum(dim=1)
    tensor([0, 0, 5, 0, 0])
    """
    pixels = opened(x)
    within("angle", angle, -360, 360, "degrees")
    if within("length", length, 0, 256, "px") > 0:
        pixels = to_srgb(convolved(to_linear(pixels), path(length, angle)))
    return closed(pixels, like=x)


def path(length: float, angle: float, *, fine: int = 16) -> Tensor:
    """A straight path through the middle, sum 1: `fine` points a pixel, each shared among its four neighbours."""
    reach = ceil(length / 2) + 1
    count = fine * ceil(length)
    along = ((torch.arange(count, dtype=torch.float64) + 0.5) / count - 0.5) * length
    down, right = reach - along * sin(radians(angle)), reach + along * cos(radians(angle))
    kernel = torch.zeros(2 * reach + 1, 2 * reach + 1, dtype=torch.float64)
    for row, tall in ((down.floor(), 1 - down.frac()), (down.floor() + 1, down.frac())):
        for column, wide in ((right.floor(), 1 - right.frac()), (right.floor() + 1, right.frac())):
            kernel.index_put_((row.long(), column.long()), tall * wide, accumulate=True)
    return kernel / kernel.sum()
