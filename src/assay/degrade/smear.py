"""Smeared detail."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from assay.catalog import carded
from assay.ops.degrading import closed, grey, mirrored, opened, whole
from assay.types import AlterCard


@carded(
    AlterCard(
        name="smear",
        version="1",
        takes=("image",),
        knob="radius",
        levels=(1, 2, 3, 5, 8),
        unit="px",
        paper="Kuwahara, Hachimura, Eiho & Kinoshita 1976, doi:10.1007/978-1-4684-0769-3_13",
    )
)
def smear(x: Tensor, *, radius: float = 3.0) -> Tensor:
    """Detail painted over, as by heavy noise reduction: edges stay, texture becomes flat daubs (Kuwahara filter).

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    radius: 0..32 whole px; each pixel takes the mean of the calmest of the four squares, radius + 1 px wide,
    that have it in a corner. 0 changes nothing.  Raises BadInput.

    >>> dots = torch.zeros(1, 1, 12, 12)
    >>> dots[..., ::6, ::6] = 1
    >>> smear(dots, radius=2).max() < 0.2
    tensor(True)
    """
    pixels = opened(x)
    side = whole("radius", radius, 0, 32, "px") + 1
    if side == 1:
        return closed(pixels, like=x)
    luma = grey(pixels)
    means = squares(torch.cat([pixels, luma, luma.square()], dim=1), side)
    unrest = means[:, -1:] - means[:, -2:-1].square()
    h, w = x.shape[-2:]
    best, out = unrest[..., :h, :w], means[:, :-2, :h, :w]
    for top, left in ((0, side - 1), (side - 1, 0), (side - 1, side - 1)):
        here = unrest[..., top : top + h, left : left + w]
        calmer = here < best
        best, out = torch.where(calmer, here, best), torch.where(calmer, means[:, :-2, top : top + h, left : left + w], out)
    return closed(out, like=x)


def squares(x: Tensor, side: int) -> Tensor:
    """Means over all squares of `side` px that touch the picture: `side` - 1 more rows and columns than it has."""
    wide = mirrored(x, down=(side - 1, side - 1), across=(side - 1, side - 1))
    return avg_pool2d(avg_pool2d(wide, (side, 1), stride=1), (1, side), stride=1)
