"""The teacher from which the winner of the VQualA 2025 challenge learned, with its released parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import inf
from pathlib import Path

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.imagenet import standardised
from assay.nets.swin import SwinFIQA
from assay.ops.views import views
from assay.types import Face, Scale, ScoreCard, Weights
from assay.weights import others

PLUS, FIRST = (  # Dropbox holds both, and nobody has published what they weigh: their names and shapes alone can be checked
    Weights(
        file=file,
        sha256="unpublished",
        license="Apache-2.0 by the authors' readme; the repository holds no licence file",
        url="https://github.com/sunwei925/Efficient-FIQA#pre-trained-models",
    )
    for file in ("Swin_B_plus_checkpoint.pt", "Swin_B_checkpoint.pt")
)
SIDE = 448  # config_SwinB.py of the release
MARGIN = 0.3  # FFHQ's crops, 4 eye distances or 3.6 times eye to mouth, are 1.26 to 1.30 of the recognition template


@carded(
    ScoreCard(
        name="efficient_fiqa_teacher",
        version="1",
        takes=("face",),
        differentiable=True,
        scale=Scale(worst=-inf, best=inf, usual=(0.13, 0.75)),  # 98 % of data_file/gfiqa_results.csv, raw_score: a teacher's own
        paper="Sun et al. 2025 (Efficient-FIQA), arXiv:2507.15709",
        weights=(PLUS, FIRST),
    )
)
def efficient_fiqa_teacher(image: Tensor, faces: Sequence[Face], *, file: str = "") -> Tensor:
    """Efficient-FIQA's teacher: how well a face looks, as the large net says from which efficient_fiqa learned; slow.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it.
    file: a checkpoint of the authors, or the state dict of a net trained with their code; "" looks for Swin_B_plus_checkpoint.pt,
    which also learned from faces that Swin_B_checkpoint.pt had labelled, in ASSAY_WEIGHTS; the other is had by its path.
    Returns N scores, about 0 (poor) to 1 (good). Each face is cut out as FFHQ does, upright, and brought to 448×448; that takes
    seconds on one core.  Raises BadInput, MissingWeights, and CannotAssess for a face under 24 pixels.
    """
    image = check.faces(image, faces)
    net = load(others.place(PLUS, file, instead="fiqa-assay")).to(image.device, image.dtype)
    return torch.cat([image.new_zeros(0), *(net(standardised(views(image, [f], side=SIDE, margin=MARGIN))) for f in faces)])


@cache
def load(path: Path) -> SwinFIQA:
    """The net with the parameters of a file: a state dict, plain or under "model_state_dict", and nothing but tensors."""
    with torch.device("meta"):  # 87 million numbers need no first values
        net = SwinFIQA()
    return others.filled(net, others.tensors(path), path, "Swin-B with its two-layer head")
