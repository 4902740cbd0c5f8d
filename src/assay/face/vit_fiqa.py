"""ViT-FIQA with the authors' parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from math import inf
from pathlib import Path

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.vit_fiqa import Shape, ViTFIQA
from assay.ops.align import chips
from assay.types import BadInput, Face, Scale, ScoreCard, Weights
from assay.weights import others

OFFICIAL = Weights(
    file="model.pt",
    sha256="unpublished",
    license="CC BY-NC 4.0",
    url="https://drive.google.com/drive/folders/1CZVZnZbnoNaxk_xHhIHU5yLRi7Iqa1jP",
)
HEAD = 64  # channels of one attention head, in both sizes that the authors trained
NAMES = {"patch_embed.proj.": "patch_embed.", "qs_token": "quality_token", "head_qs.": "quality."}


@carded(
    ScoreCard(
        name="vit_fiqa",
        version="1",
        takes=("face",),
        differentiable=True,
        scale=Scale(worst=-inf, best=inf, usual=(0, 1)),  # of the ratio it was trained on; no scores are published
        paper="Atzori et al. 2025 (ViT-FIQA), arXiv:2508.13957",
        weights=(OFFICIAL,),
    )
)
def vit_fiqa(image: Tensor, faces: Sequence[Face], *, file: str = "") -> Tensor:
    """ViT-FIQA: how well a face matcher will do on a face, by the transformer that the authors released for research.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each, for the 112×112 template.
    file: model.pt of the authors' token model, small or base, or one trained with their code; "" looks in vit_fiqa in ASSAY_WEIGHTS.
    Returns N scores, the expected certainty ratio, not bounded; higher is better.
    Raises BadInput, MissingWeights; CannotAssess where a face cannot be aligned.
    """
    image = check.faces(image, faces, keep_uint8=True)
    net = load(others.place(OFFICIAL, file, instead="vit-fiqa-assay", folder="vit_fiqa")).to(image.device)
    views = chips(image, faces, side=net.shape.side).float()
    quality: Tensor = net(views)[0] if len(views) else views.new_zeros(0)
    return quality


@cache
def load(path: Path) -> ViTFIQA:
    """The net with the parameters of a file; its depth and widths are read from them.  Raises BadInput."""
    kept = {renamed(k): v for k, v in others.tensors(path).items()}
    try:
        net = ViTFIQA(_shape(kept))
    except (KeyError, IndexError, ValueError) as e:
        raise BadInput(f"{path} does not hold the parameters of a ViT-FIQA that reads a quality token: {e!r}") from e
    return others.filled(net, kept, path, "a ViT-FIQA that reads a quality token")


def renamed(name: str) -> str:
    """A parameter's name in the release as it is called here."""
    for theirs, ours in NAMES.items():
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return re.sub(r"^(blocks\.\d+\.)mlp\.", r"\1", name)


def _shape(kept: dict[str, Tensor]) -> Shape:
    width, _, patch, _ = kept["patch_embed.weight"].shape
    depth = 1 + max(int(k.split(".")[1]) for k in kept if k.startswith("blocks."))
    return Shape(patch=patch, width=width, depth=depth, heads=width // HEAD, embedding=len(kept["feature.0.weight"]))
