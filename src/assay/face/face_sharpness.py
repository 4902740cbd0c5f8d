"""Sharpness of a face."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.face_components import MODEL, said
from assay.ops.component import OWN, component, curve
from assay.ops.facedetail import detail, middle
from assay.types import Face, Finding, Scale, ScoreCard

LARGEST = 200.0  # pixels between the eyes: the largest faces it learned from
HALF, WIDTH = 2.0, 0.5  # pixels of blur where the value is 50, and how fast it falls


@carded(
    ScoreCard(
        name="face_sharpness",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=OWN,
        weights=(MODEL,),
    )
)
def face_sharpness(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Sharpness: how little the face is blurred, in pixels of the picture as it is.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100 (92 at a blur of 0.8 px, 50 at 2 px), and raw in px: the σ of the Gaussian blur that its detail
    looks like. A tiny net reads it off the detail in four octaves; 0.5 is as sharp as a reduced photograph.
    OFIQ: Sharpness. There a forest on 26 measurements of the same kind votes; its files are not ours, and neither are its raw
    values or mapping. Like there, an enlarged picture counts as blurred.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture.
    Not differentiable: it answers with findings, whose numbers are plain.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(middle(image, face), face) for face in faces]


@torch.no_grad()
def _one(y: Tensor, face: Face) -> Finding:
    size = y.new_tensor([face.eye_distance]).clamp(max=LARGEST).log()
    sigma = float(said(torch.cat([detail(y), size])[None], "blur").exp2())
    return component(sigma, "px", value(sigma))


def value(x: float) -> float:
    """The mapping from the measurement to 0…100."""
    return 100 - curve(x, HALF, WIDTH)
