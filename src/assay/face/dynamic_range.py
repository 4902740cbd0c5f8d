"""Tones of the face."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component
from assay.ops.facemask import shares
from assay.types import Face, Finding, Scale, ScoreCard


@carded(
    ScoreCard(
        name="dynamic_range",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def dynamic_range(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Dynamic range: how many tones the face is drawn in.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face 12.5 times raw, and raw in bits: the entropy of the luminance of the face, 8 bits at most.
    OFIQ: DynamicRange, same formula. There the region is the hull of 98 landmarks, here the mean outline of faces laid on five points.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(shares(image, face)) for face in faces]


def _one(share: Tensor) -> Finding:
    x = float(-torch.special.xlogy(share, share).sum()) / log(2)
    return component(x, "bits", value(x))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return 12.5 * x
