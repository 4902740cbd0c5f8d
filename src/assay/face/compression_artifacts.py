"""Compression of a face."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.face_components import MODEL, said
from assay.ops.component import OWN, component, curve
from assay.ops.facedetail import detail, grid, middle
from assay.types import Face, Finding, Scale, ScoreCard


@carded(
    ScoreCard(
        name="compression_artifacts",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=OWN,
        weights=(MODEL,),
    )
)
def compression_artifacts(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Compression: how little the face has suffered from being saved as JPEG.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100, and raw: the structural similarity to the face before it was saved, as a tiny net
    guesses it from the 8×8 grid and the coefficients lost on it. Once a picture was resized the grid is gone, and with it most
    of what is measured here; of other formats it sees little.
    OFIQ: CompressionArtifacts, same unit and mapping. There a net of its own guesses the similarity from an aligned face.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture.
    Not differentiable: it answers with findings, whose numbers are plain.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(middle(image, face)) for face in faces]


@torch.no_grad()
def _one(y: Tensor) -> Finding:
    kept = 1 - float(said(torch.cat([grid(y), detail(y)[:6]])[None], "compression").exp())
    kept = min(1.0, max(0.0, kept))
    return component(kept, "SSIM", value(kept))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(x, 0.3308, 0.092, h=1, a=-0.0278, s=103)
