"""Pitch of the head."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component
from assay.ops.pose import pose
from assay.types import Face, Finding, Scale, ScoreCard


@carded(
    ScoreCard(
        name="head_pose_pitch",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def head_pose_pitch(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Pitch: how far the face is turned up or down.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face 100 cos², 100 when it is 0°, and raw in degrees: above 0 it looks up.
    OFIQ: HeadPosePitch, same mapping. There a net of 62 parameters measures the pose, here five points on a rigid head.
    Raises BadInput, and CannotAssess where the points lie on one spot.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(pose(face)[1]) for face in faces]


def _one(angle: float) -> Finding:
    return component(angle, "degrees", value(angle))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return 100 * max(0.0, cos(radians(x))) ** 2
