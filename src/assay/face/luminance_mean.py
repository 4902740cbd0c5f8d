"""Brightness of the face."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component, curve
from assay.ops.facemask import shares
from assay.types import Face, Finding, Scale, ScoreCard


@carded(
    ScoreCard(
        name="luminance_mean",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def luminance_mean(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Luminance: whether the face is neither too dark nor too bright.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face a value of 0…100 (over 95 from 0.35 to 0.65), and raw: the mean luminance of the face in linear light,
    where 1 is white.
    OFIQ: LuminanceMean, same formula. There the region is the hull of 98 landmarks, here the mean outline of faces laid on five points.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(shares(image, face)) for face in faces]


def _one(share: Tensor) -> Finding:
    x = float(share @ torch.arange(256.0, dtype=torch.float64)) / 255
    return component(x, "of white", value(x))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return curve(x, 0.2, 0.05) * (1 - curve(x, 0.8, 0.05, h=1))
