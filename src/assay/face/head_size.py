"""Size of the head."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component, curve
from assay.ops.pose import chin_distance
from assay.types import Face, Finding, Scale, ScoreCard


@carded(
    ScoreCard(
        name="head_size",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def head_size(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Head size: whether the head fills the right part of the picture's height.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100, 100 at 0.45, and raw: the distance from eyes to chin as a share of the picture's height.
    OFIQ: HeadSize, same mapping. There the chin is a landmark, here it is where the mean head has it.
    Raises BadInput.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    sizes = [chin_distance(face) / image.shape[1] for face in faces]
    return [component(x, "heights", value(x)) for x in sizes]


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(abs(x - 0.45), 0, 0.05, h=200, a=1, s=-1)
