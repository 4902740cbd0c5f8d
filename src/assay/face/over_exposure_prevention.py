"""Burnt out skin."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component
from assay.ops.facemask import shares
from assay.types import Face, Finding, Scale, ScoreCard

BRIGHT = 247  # of 255, in linear light


@carded(
    ScoreCard(
        name="over_exposure_prevention",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def over_exposure_prevention(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Over-exposure: how little of the face is burnt out to white.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100 (50 at a share of 0.01), and raw: the share of the face whose luminance is 247…255 of 255.
    OFIQ: OverExposurePrevention, same formula. There the region is the hull of 98 landmarks, here the mean outline of faces laid on five
    points, and what covers a face is not left out.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(shares(image, face)) for face in faces]


def _one(share: Tensor) -> Finding:
    x = float(share[BRIGHT:].sum())
    return component(x, "share", value(x))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return 1 / (x + 0.01)
