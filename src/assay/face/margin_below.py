"""Room below the face."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component, curve, large_enough
from assay.ops.pose import chin_distance
from assay.types import Face, Finding, Scale, ScoreCard


@carded(
    ScoreCard(
        name="margin_below",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def margin_below(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Margin below: whether the face has room to the lower edge of the picture.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100 (50 at 1.8), and raw: from the eyes to the lower edge, in distances from eyes to chin.
    OFIQ: MarginBelowOfTheFaceImage, same mapping. There the chin is a landmark, here it is where the mean head has it.
    Raises BadInput.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    room = [_room(image.shape[1], face) for face in map(large_enough, faces)]
    return [component(x, "eye-chin distances", value(x)) for x in room]


def _room(height: int, face: Face) -> float:
    eyes = (face.points[0][1] + face.points[1][1]) / 2
    return (height - eyes) / chin_distance(face)


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(x, 1.8, 0.1)
