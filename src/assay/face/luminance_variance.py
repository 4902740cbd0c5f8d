"""Contrast of the face."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sin

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component
from assay.ops.facemask import shares
from assay.types import Face, Finding, Scale, ScoreCard

LEVELS = torch.arange(256, dtype=torch.float64) / 255


@carded(
    ScoreCard(
        name="luminance_variance",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def luminance_variance(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Luminance variance: whether the face has contrast, and not too much of it.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100 (100 at 1/60), and raw: the variance of the luminance of the face in linear light, where 1
    is white.
    OFIQ: LuminanceVariance, same formula. There the region is the hull of 98 landmarks, here the mean outline of faces laid on five points.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(shares(image, face)) for face in faces]


def _one(share: Tensor) -> Finding:
    x = float(share @ (LEVELS - share @ LEVELS).square())
    return component(x, "of white²", value(x))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return 100 * sin(pi * 60 * x / (60 * x + 1))
