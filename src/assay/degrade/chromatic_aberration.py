"""Chromatic aberration."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, corner, magnified, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="chromatic_aberration",
        version="1",
        takes=("image",),
        knob="shift",
        levels=(0.5, 1, 2, 4, 8),
        unit="px",
        paper="textbook: lateral chromatic aberration",
    )
)
def chromatic_aberration(x: Tensor, *, shift: float = 2.0) -> Tensor:
    """Colour fringes that grow towards the corners: the lens draws red larger and blue smaller than green.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    A one-channel picture has no colour and comes back as it is.
    shift: of red outwards, and of blue inwards, in the corners, 0..64 px and at most a quarter of the way to the centre; 0 changes nothing.
    Raises BadInput.

    >>> chromatic_aberration(torch.full((1, 3, 8, 8), 0.5), shift=1).mean()
    tensor(0.5000)
    """
    pixels = opened(x)
    part = within("shift", shift, 0, 64, "px") / max(corner(x), 1)
    within("shift", shift, 0, max(corner(x), 1) / 4, f"px in a picture of {x.shape[3]}×{x.shape[2]}")
    if shift > 0 and x.shape[1] == 3:
        red, green, blue = pixels[:, 0:1], pixels[:, 1:2], pixels[:, 2:3]
        pixels = torch.cat([magnified(red, 1 + part), green, magnified(blue, 1 - part)], dim=1)
    return closed(pixels, like=x)
