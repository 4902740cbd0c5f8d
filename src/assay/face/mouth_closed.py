"""A closed mouth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import OWN, component, curve
from assay.ops.facemask import aligned, canvas, cheeks, region
from assay.ops.pose import CHIN
from assay.types import CannotAssess, Face, Finding, Scale, ScoreCard

DARK = 0.3  # of the cheeks' brightness: below lies the inside of a mouth
PALE = 0.55  # of the cheeks' redness: below are teeth
SIDES = 14  # canvas pixels to both sides of the middle of the mouth
UP, DOWN = 19, 51  # canvas pixels above and below the corners that are looked at
NEAR = (-8, 22)  # where a gap must begin, from the corners down
RED = 8.0  # 8-bit steps: keeps the redness of black finite


@carded(
    ScoreCard(
        name="mouth_closed",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=OWN,
    )
)
def mouth_closed(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Mouth closed: how little of teeth and the inside of the mouth shows between the lips.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100 (97 when closed, 50 at 0.2), and raw: the height of the gap between the lips as a share
    of the distance from eyes to chin. The gap is the longest run of rows, in the middle of the mouth, that are far darker than the
    cheeks or far less red; pale lips and grey beards can pass for teeth, teeth in warm light for lips.
    OFIQ: MouthClosed, same unit and mapping. There landmarks of the lips are measured.
    Raises BadInput, and CannotAssess for eyes under 20 px apart, a face that lies mostly outside the picture, or one without colour.
    Not differentiable: it counts rows.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(canvas(image, face), face, region(image, face)) for face in faces]


def _one(pixels: Tensor, face: Face, inside: Tensor) -> Finding:
    rgb = pixels.float()
    bright = rgb.mean(0)
    red = (rgb[0] - (rgb[1] + rgb[2]) / 2) / (bright + RED)
    skin = [(bright[square][inside[square]], red[square][inside[square]]) for square in cheeks(face)]
    light, hue = (torch.cat(parts).median() for parts in zip(*skin, strict=True))
    if not hue > 0:
        raise CannotAssess("The skin of this face has no colour to tell lips from teeth by.")
    points = aligned(face)
    x, y = ((points[3][i] + points[4][i]) // 2 for i in (0, 1))
    rows, columns = slice(max(0, y - UP), y + DOWN), slice(max(0, x - SIDES), x + SIDES)
    gap = (bright[rows, columns] < DARK * light) | (red[rows, columns] < PALE * hue)
    height = _longest((gap.float().mean(1) > 0.5).tolist(), UP + NEAR[0], UP + NEAR[1])
    eyes, mouth = ((points[i][1] + points[i + 1][1]) / 2 for i in (0, 3))
    share = height / (CHIN * max(1.0, mouth - eyes))
    return component(share, "eye-chin distances", value(share))


def _longest(rows: list[bool], first: int, last: int) -> int:
    """The longest run of true that begins before `last`, ends after `first` and before the end: lips close it on both sides."""
    best = begin = 0
    for i, on in enumerate(rows):
        if on and (i == 0 or not rows[i - 1]):
            begin = i
        if not on and i and rows[i - 1] and begin <= last and i >= first:
            best = max(best, i - begin)
    return best


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(x, 0.2, 0.06, a=1, s=-1)
