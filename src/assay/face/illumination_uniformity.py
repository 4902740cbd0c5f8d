"""Light from both sides."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.component import PAPER, component
from assay.ops.facemask import cheeks, light, region
from assay.types import CannotAssess, Face, Finding, Scale, ScoreCard


@carded(
    ScoreCard(
        name="illumination_uniformity",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=PAPER,
    )
)
def illumination_uniformity(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Illumination: whether both cheeks get the same light.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face 100 x^0.3, and raw: the share that the brightness histograms of both cheeks have in common. In data stand
    left and right, the mean luminance of the cheek on the left and on the right of the picture (of white, in linear light).
    OFIQ: IlluminationUniformity, same formula.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture.
    Not differentiable: the value is a whole number, as in the standard.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(light(image, face), face, region(image, face)) for face in faces]


def _one(canvas: Tensor, face: Face, inside: Tensor) -> Finding:
    shares, means = [], []
    for square in cheeks(face):
        seen = canvas[square][inside[square]]
        if not len(seen):
            raise CannotAssess("One cheek of this face lies outside the picture, so the light on both cannot be compared.")
        shares.append(torch.bincount(seen, minlength=256).double() / len(seen))
        means.append(float(seen.double().mean()) / 255)
    common = float(torch.minimum(*shares).sum())
    return component(common, "share", value(common), left=means[0], right=means[1])


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return float(100 * x**0.3)
