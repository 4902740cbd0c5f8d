"""Colour of the skin."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component, curve
from assay.ops.facemask import canvas, cheeks, region
from assay.types import CannotAssess, Face, Finding, Scale, ScoreCard

A, B = (5, 25), (5, 35)  # the box of skin colours
TO_XYZ = ((0.43605, 0.38508, 0.14309), (0.22249, 0.71689, 0.06062), (0.01393, 0.0971, 0.71419))  # linear sRGB, white of D50
WHITE = (0.964221, 1, 0.825211)


@carded(
    ScoreCard(
        name="natural_colour",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def natural_colour(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Natural colour: whether the cheeks have a colour that skin can have.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100, 100 for 5 ≤ a* ≤ 25 and 5 ≤ b* ≤ 35, and raw: the distance of the cheeks' mean colour
    from that box in CIELAB (D50), 100 where a* or b* is negative. a and b stand in data.
    OFIQ: NaturalColour, same formula; it gives a grey picture 100, which here has no answer.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture,
    and for a picture without colour.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(canvas(image, face), face, region(image, face)) for face in faces]


def _one(pixels: Tensor, face: Face, inside: Tensor) -> Finding:
    if torch.equal(pixels[0], pixels[1]) and torch.equal(pixels[1], pixels[2]):
        raise CannotAssess("The picture is grey, so whether its colours are natural has no answer.")
    seen = torch.cat([pixels[:, down, across][:, inside[down, across]] for down, across in cheeks(face)], dim=1)
    if not seen.shape[1]:
        raise CannotAssess("The cheeks of this face lie outside the picture, so their colour has no answer.")
    a, b = _ab(seen.double().mean(1) / 255)
    off = hypot(max(0, A[0] - a, a - A[1]), max(0, B[0] - b, b - B[1])) if a >= 0 and b >= 0 else 100.0
    return component(off, "CIELAB", value(off), a=a, b=b)


def _ab(rgb: Tensor) -> tuple[float, float]:
    """CIELAB a* and b* of one sRGB colour."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = torch.tensor(TO_XYZ, dtype=torch.float64) @ linear / torch.tensor(WHITE, dtype=torch.float64)
    x, y, z = torch.where(xyz > 216 / 24389, xyz ** (1 / 3), (24389 / 27 * xyz + 16) / 116).tolist()
    return 500 * (x - y), 200 * (y - z)


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(x, 0, 10, h=200, a=1, s=-1)
