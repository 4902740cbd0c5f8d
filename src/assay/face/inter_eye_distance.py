"""Distance between the eyes."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component, curve
from assay.ops.pose import pose
from assay.types import CannotAssess, Face, Finding, Scale, ScoreCard

MOST = 80.0  # degrees: beyond, one eye hides the other


@carded(
    ScoreCard(
        name="inter_eye_distance",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def inter_eye_distance(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Inter-eye distance: how many pixels there are between the eyes, as if the face looked straight ahead.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100 (50 at 70 px, 95 at 129 px), and raw in px: the distance divided by the cosine of yaw.
    OFIQ: InterEyeDistance, same formula. There the eyes are the middle of the corners of the lids, here the points of the detector.
    Raises BadInput, and CannotAssess where the face is in profile (yaw over 80°).
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(face) for face in faces]


def _one(face: Face) -> Finding:
    yaw = pose(face)[0]
    if abs(yaw) > MOST:
        raise CannotAssess(f"This face is turned by {abs(yaw):.0f}°, so the distance between its eyes cannot be told.")
    distance = face.eye_distance / cos(radians(yaw))
    return component(distance, "px", value(distance))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(x, 70, 20)
