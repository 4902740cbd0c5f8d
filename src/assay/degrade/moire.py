"""Moiré."""

from __future__ import annotations

from math import cos, pi, radians, sin

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import centred, closed, opened, within
from assay.types import AlterCard

BEND = 1.5  # periods by which the fringes bend over half the longer side: a screen is seldom seen quite head on


@carded(
    AlterCard(
        name="moire",
        version="1",
        takes=("image",),
        knob="amplitude",
        levels=(3, 6, 12, 24, 48),
        unit="8-bit steps",
        paper="textbook: the beat of a screen's pixel grid with the camera's",
    )
)
def moire(x: Tensor, *, amplitude: float = 12.0, period: float = 24.0, angle: float = 20.0) -> Tensor:
    """Photographed off a screen: curved coloured fringes lie over the picture.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    amplitude: of the fringes in each channel where it is mid-grey, 0..128 8-bit steps; 0 changes nothing. They dim and brighten
    what is there: twice as strong in white (where their crests clip), and none in black.
    period: of the fringes in the centre, 2..1000 px. angle: of the way across them in degrees, anticlockwise from horizontal.
    Red, green and blue are a third of a period apart, as the stripes of a screen's pixels.
    Raises BadInput.

    >>> round(float(moire(torch.full((1, 3, 96, 96), 0.5), amplitude=16).max() * 255 - 127.5))
    16
    """
    pixels = opened(x)
    strength = within("amplitude", amplitude, 0, 128, "8-bit steps") / 127.5
    within("period", period, 2, 1000, "px")
    turn = radians(within("angle", angle, -360, 360, "degrees"))
    down, right = centred(pixels)
    along, across = right * cos(turn) - down * sin(turn), right * sin(turn) + down * cos(turn)
    waves = along / period + BEND * (across / (max(x.shape[2:]) / 2)) ** 2
    thirds = torch.arange(3, dtype=pixels.dtype, device=x.device).view(3, 1, 1) / 3
    fringes = torch.cos(2 * pi * (waves - (thirds if x.shape[1] == 3 else 1 / 3)))
    return closed(pixels * (1 + strength * fringes), like=x)
