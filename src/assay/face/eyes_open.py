"""Open eyes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.face_components import MODEL, said
from assay.ops.component import OWN, component, curve
from assay.ops.eyelids import OPEN, eyes
from assay.ops.facemask import canvas, region
from assay.types import Face, Finding, Scale, ScoreCard

WIDEST = 1.5 * OPEN  # beyond what the net has learned, it is not believed


@carded(
    ScoreCard(
        name="eyes_open",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=OWN,
        weights=(MODEL,),
    )
)
def eyes_open(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Eyes open: how far the lids of both eyes are apart.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100 (50 at 0.02), and raw: the gap between the lids as a share of the distance from eyes to
    chin, mean of both eyes. A tiny net reads it off profiles of the aligned eyes; it learned on open eyes whose lids were drawn
    down by a warp. It errs often: it tells eyes shut by a warp from
    open ones, but hardly real lids of small faces (docs/face-components.md), so nothing else here relies on it.
    OFIQ: EyesOpen, same unit and mapping. There landmarks of the lids are measured, and the smaller gap counts.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture.
    Not differentiable: it answers with findings, whose numbers are plain.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(canvas(image, face)) for face in faces if region(image, face).any()]


@torch.no_grad()
def _one(pixels: Tensor) -> Finding:
    gap = min(WIDEST, max(0.0, float(said(eyes(pixels), "eyes").mean())))
    return component(gap, "eye-chin distances", value(gap))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(x, 0.02, 0.01)
