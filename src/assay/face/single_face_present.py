"""One face alone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component
from assay.types import CannotAssess, Face, Finding, Scale, ScoreCard


@carded(
    ScoreCard(
        name="single_face_present",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def single_face_present(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Single face: whether the face is alone, or much larger than any other.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face 100 when it is alone, 0 when another is as large or larger, and raw: the area of the largest other face as a
    share of its own.
    OFIQ: SingleFacePresent, same formula; there it is asked of the largest face only. Every face that was found counts, so all
    must be handed over together.
    Raises BadInput.
    Not differentiable: the value is a whole number, as in the standard.
    """
    check.faces(image, faces, keep_uint8=True)
    areas = [max(0.0, f.box[2] - f.box[0]) * max(0.0, f.box[3] - f.box[1]) for f in faces]
    if not all(areas):
        raise CannotAssess("A face has an empty box, so the sizes of the faces cannot be compared.")
    return [_one(area, areas[:i] + areas[i + 1 :]) for i, area in enumerate(areas)]


def _one(area: float, others: Sequence[float]) -> Finding:
    share = max(others, default=0.0) / area
    return component(share, "share", value(share))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return 100 * (1 - x)
