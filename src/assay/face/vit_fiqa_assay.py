"""Face utility by a small vision transformer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.nets.vit_fiqa import SMALL, ViTFIQA
from assay.ops.align import chips
from assay.types import Face, Scale, ScoreCard, Weights

MODEL = Weights(
    file="vit_fiqa_assay.safetensors",
    sha256="cee81389b3ad876eafa443e8876b9a036ea12c53845a8cb8fca51dd409189c38",
    license="Apache-2.0; trained on official portraits under the MIT licence, one picture of each person",
    recipe="recipes/vit_fiqa.py",
)


@carded(
    ScoreCard(
        name="vit-fiqa-assay",
        version="1",
        takes=("face",),
        differentiable=True,
        scale=Scale(worst=-1, best=1, usual=(0, 0.6)),
        paper="Atzori et al. 2025 (ViT-FIQA), arXiv:2508.13957; net, data and the recogniser behind its labels are our own",
        weights=(MODEL,),
    )
)
def vit_fiqa_assay(image: Tensor, faces: Sequence[Face]) -> Tensor:
    """How well a face matcher will do on a face: a small transformer that learned when a recogniser is sure.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    Returns N scores, the expected certainty ratio: about 0 where nothing of the person is left, higher is better.
    It was trained on few people and on damage made by us, and judges utility, not beauty; docs/face-utility.md says how much
    discarding by it helps, beside other scores.  Raises BadInput; CannotAssess where a face cannot be aligned.
    """
    image = check.faces(image, faces, keep_uint8=True)
    views = chips(image, faces, side=SMALL.side).float()
    quality: Tensor = net().to(image.device)(views)[0] if len(views) else views.new_zeros(0)
    return quality


@cache
def net() -> ViTFIQA:
    """The shipped net, without its recognising head."""
    body = ViTFIQA(SMALL, recognises=False)
    body.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.load_safetensors(MODEL).items()})
    return body.eval().requires_grad_(False)
