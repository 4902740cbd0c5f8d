"""Colour cast."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, opened, to_linear, to_srgb, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="colour_cast",
        version="1",
        takes=("image",),
        knob="mired",
        levels=(10, 20, 40, 80, 160),
        unit="mired",
        paper="Planckian locus: Kim et al. 2002, US patent 7024034",
    )
)
def colour_cast(x: Tensor, *, mired: float = 40.0) -> Tensor:
    """Wrong white balance: a daylight setting under light that is too warm (orange) or too cool (blue).

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    A one-channel picture has no colour and comes back as it is.
    mired: how much warmer the light is than 6500 K, in millionths of 1/K, -100..350; below 0 is cooler, 0 changes nothing.
    40 is 5200 K, 160 is 3200 K (a halogen lamp); white keeps its luminance and clips where a channel overflows.
    Raises BadInput.

    >>> r, g, b = colour_cast(torch.full((1, 3, 1, 1), 0.5), mired=80).flatten()
    >>> bool(r > g > b)
    True
    """
    pixels = opened(x)
    if within("mired", mired, -100, 350, "mired") and x.shape[1] == 3:
        gains = lamp(1e6 / 6500 + mired) / lamp(1e6 / 6500)
        gains = gains / (gains * torch.tensor([0.2126, 0.7152, 0.0722])).sum()  # luminance of sRGB: BT.709
        pixels = to_srgb(to_linear(pixels) * gains.to(pixels).view(3, 1, 1))
    return closed(pixels, like=x)


def lamp(mired: float) -> Tensor:
    """Linear sRGB of a black body of luminance 1, 25000..1667 K (40..600 mired)."""
    m = mired / 1000  # thousands over K, as the cubics have it
    # x of the locus, Kim et al. 2002; their powers of ten are folded into m.
    if m > 0.25:
        x = -0.2661239 * m**3 - 0.2343589 * m**2 + 0.8776956 * m + 0.179910
    else:
        x = -3.0258469 * m**3 + 2.1070379 * m**2 + 0.2226347 * m + 0.240390
    if m > 1 / 2.222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif m > 0.25:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    xyz = torch.tensor([x / y, 1, (1 - x - y) / y], dtype=torch.float64)
    # XYZ to linear sRGB, IEC 61966-2-1.
    to_rgb = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    return torch.tensor(to_rgb, dtype=torch.float64) @ xyz
