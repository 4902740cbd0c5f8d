"""Nothing before the face."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from assay import check
from assay.catalog import carded
from assay.ops.component import OWN, component
from assay.ops.facemask import canvas, plain_skin, region
from assay.types import Face, Finding, Scale, ScoreCard

BLOCK = 8  # canvas pixels: the colours of blocks are compared
FAR = 3.0  # spreads of the face's own skin in colour and brightness
LEAST = (20.0, 1.5, 1.5)  # spreads no smaller than this: 8-bit steps of brightness, % of red and of blue


@carded(
    ScoreCard(
        name="face_occlusion_prevention",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(50, 95)),
        paper=OWN,
    )
)
def face_occlusion_prevention(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Occlusion: how much of the face is skin, and not a mask, a hand, a microphone or hair.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns for each face 100 (1 − raw), and raw: the share of the face that does not look like its own skin, by the colour of
    8×8 blocks of the aligned face; eyes, brows and mouth are left out.
    OFIQ: FaceOcclusionPrevention, same unit and mapping. There a net marks what covers a face; here hard shadows and beards
    count in part, and a hand does not. Faces with nothing before them read 0.0…0.3, and
    a large cover reads like a small one, because it becomes what the skin is compared with: docs/face-components.md.
    Raises BadInput, and CannotAssess for eyes under 20 px apart or a face that lies mostly outside the picture.
    Not differentiable: blocks are skin or not.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(canvas(image, face), region(image, face)) for face in faces]


def _one(pixels: Tensor, inside: Tensor) -> Finding:
    where = avg_pool2d((inside & plain_skin()).float()[None], BLOCK)[0] > 0.9
    rgb = avg_pool2d(pixels.float(), BLOCK)[:, where]
    light = rgb.mean(0)
    colour = torch.stack([light, 100 * rgb[0] / (3 * light + 8), 100 * rgb[2] / (3 * light + 8)])
    middle = colour.median(1, keepdim=True).values
    off = (colour - middle).abs()
    spread = torch.maximum(1.4826 * off.median(1, keepdim=True).values, off.new_tensor(LEAST)[:, None])
    share = float(((off / spread).square().sum(0).sqrt() > FAR).float().mean())
    return component(share, "share", value(share))


def value(x: float) -> float:
    """OFIQ's mapping from the measurement to 0…100."""
    return 100 * (1 - x)
