"""The student that won the VQualA 2025 challenge on the quality of faces, with its released parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from math import inf
from pathlib import Path

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.edgenext import EdgeNeXtFIQA
from assay.nets.imagenet import standardised
from assay.ops.views import views
from assay.types import BadInput, Face, Scale, ScoreCard, Weights
from assay.weights import others

BLOB = "854595a01cf81afa99d83b91e84fc67018ba69a2"  # Git's name of the file in ckpts/ at commit 0e63bc7: no sha256 is published
STUDENT = Weights(
    file="EdgeNeXt_XXS_checkpoint.pt",
    sha256=f"unpublished; git hash-object gives {BLOB}",
    license="Apache-2.0 by the authors' readme; the repository holds no licence file",
    url="https://github.com/sunwei925/Efficient-FIQA/raw/main/ckpts/EdgeNeXt_XXS_checkpoint.pt",
)
SIDE = 352  # the paper's; test.py of the release
MARGIN = 0.3  # FFHQ's crops, 4 eye distances or 3.6 times eye to mouth, are 1.26 to 1.30 of the recognition template


@carded(
    ScoreCard(
        name="efficient_fiqa",
        version="1",
        takes=("face",),
        differentiable=True,
        scale=Scale(worst=-inf, best=inf, usual=(0.13, 0.73)),  # 98 % of data_file/gfiqa_results.csv, GFIQA-20k
        paper="Sun et al. 2025 (Efficient-FIQA), arXiv:2507.15709",
        weights=(STUDENT,),
    )
)
def efficient_fiqa(image: Tensor, faces: Sequence[Face], *, file: str = "") -> Tensor:
    """Efficient-FIQA: how well a face looks, as a small net says that learned it from a large one; the challenge's winner.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it.
    file: EdgeNeXt_XXS_checkpoint.pt of the authors, or one trained with their code; "" looks for theirs in ASSAY_WEIGHTS.
    Returns N scores, about 0 (poor) to 1 (good). The release judges pictures that show one face; here each face is cut out
    as FFHQ does, upright.  Raises BadInput, MissingWeights, and CannotAssess for a face under 24 pixels.
    """
    image = check.faces(image, faces)
    net = load(others.place(STUDENT, file, instead="fiqa-assay") if file else found()).to(image.device, image.dtype)
    return torch.cat([image.new_zeros(0), *(net(standardised(views(image, [f], side=SIDE, margin=MARGIN))) for f in faces)])


def found() -> Path:
    """The authors' file in ASSAY_WEIGHTS, its content checked."""
    content = (path := others.place(STUDENT, instead="fiqa-assay")).read_bytes()
    if hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() != BLOB:
        raise BadInput(f"{path} is not the file that the authors released (Git names that {BLOB}). Give file=PATH to use it all the same.")
    return path


@cache
def load(path: Path) -> EdgeNeXtFIQA:
    """The net with the parameters of a file: a plain state dict, or the training script's, under "model_state_dict"."""
    return others.filled(EdgeNeXtFIQA(), others.tensors(path), path, "EdgeNeXt-XXS with its two-layer head")
