"""Defocus blur."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, convolved, opened, to_linear, to_srgb, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="defocus",
        version="1",
        takes=("image",),
        knob="radius",
        levels=(1, 2, 4, 7, 12),
        unit="px",
        paper="textbook: the circle of confusion",
    )
)
def defocus(x: Tensor, *, radius: float = 4.0) -> Tensor:
    """The lens out of focus: every point becomes an even disc, bright points most visibly.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    radius: of the disc, 0..128 px; 0 changes nothing. The disc's rim is antialiased; light adds linearly.
    Raises BadInput.

    >>> lamp = torch.zeros(1, 1, 9, 9)
    >>> lamp[..., 4, 4] = 1
    >>> int((defocus(lamp, radius=2) > 0.1).sum())
    21
    """
    pixels = opened(x)
    if within("radius", radius, 0, 128, "px") > 0:
        pixels = to_srgb(convolved(to_linear(pixels), disc(radius)))
    return closed(pixels, like=x)


def disc(radius: float, *, fine: int = 8) -> Tensor:
    """An even disc, sum 1; pixels on the rim count by the share of them (`fine`² points each) that lies inside."""
    reach = ceil(radius)
    side = 2 * reach + 1
    points = (torch.arange(side * fine, dtype=torch.float64) + 0.5) / fine - side / 2
    inside = (points[:, None] ** 2 + points**2 <= radius**2).double()
    kernel = inside.view(side, fine, side, fine).mean(dim=(1, 3))
    return kernel / kernel.sum()
