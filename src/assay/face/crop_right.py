"""Room at the right edge."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component, curve, large_enough
from assay.types import Face, Finding, Scale, ScoreCard


@carded(
    ScoreCard(
        name="crop_right",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def crop_right(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Crop at the right: whether the face has room to the right edge of the picture.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100 (50 at 0.9), and raw in eye distances: from the eye on the left of the picture to the
    right edge. A face that is cut through its outer eye reads 1.
    OFIQ: RightwardCropOfTheFaceImage, same formula.
    Raises BadInput.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    room = [(image.shape[2] - face.points[0][0]) / face.eye_distance for face in map(large_enough, faces)]
    return [component(x, "eye distances", value(x)) for x in room]


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(x, 0.9, 0.1)
