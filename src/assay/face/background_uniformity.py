"""Calm behind the head."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component, curve
from assay.ops.facemask import background_shown, erode, luminance, sobel, surroundings
from assay.types import CannotAssess, Face, Finding, Scale, ScoreCard

ERODED = 4  # pixels, side of the square
FEWEST = 500  # pixels, half a hundredth of the view


@carded(
    ScoreCard(
        name="background_uniformity",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def background_uniformity(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Background: how even it is behind the head.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100, and raw in 8-bit steps: the mean gradient (Sobel) of the luminance of the background.
    OFIQ: BackgroundUniformity, same formula. There a net tells background from hair and clothes; here it is what lies outside an
    ellipse around head and hair and above the shoulders, so wide hair or raised hands count as background.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture,
    and where next to no background shows.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(image, face) for face in faces]


def _one(image: Tensor, face: Face) -> Finding:
    seen = erode(background_shown(image, face), ERODED)
    if int(seen.sum()) < FEWEST:
        raise CannotAssess("Next to no background shows beside this head, so how even it is has no answer.")
    rise = float(sobel(luminance(surroundings(image, face)).float())[seen].mean())
    return component(rise, "8-bit steps", value(rise))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(x, 10, 100, h=190, a=1, s=-1)
