"""A learned judge of portraits: the whole picture and the face in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import inf

import torch
from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.nets.portrait import SIDE, Portrait, shrunk
from assay.ops.localstats import statistics
from assay.ops.views import views
from assay.types import Face, Scale, ScoreCard, Weights

MODEL = Weights(
    file="portrait_assay.safetensors",
    sha256="5adbce2a4da4dbf775564bd133b76016ed0388a4496536773235646131d29a75",
    license="Apache-2.0; trained on official portraits (MIT repository), begun from assay_q and fiqa_assay",
    recipe="recipes/portrait.py",
)
MARGIN = 0.4  # of the face's view, as fiqa-assay has it


@carded(
    ScoreCard(
        name="portrait-assay",
        version="1",
        takes=("face",),
        scale=Scale(worst=-inf, best=inf, unit="JOD", usual=(-2.5, 2.5)),
        paper="own; after Sun et al. 2024 (DN-PIQA), arXiv:2405.08555; labels are no people's",
        weights=(MODEL,),
    )
)
@torch.no_grad()
def portrait_assay(image: Tensor, faces: Sequence[Face]) -> Tensor:
    """Which of several pictures of one scene is the better portrait: the whole picture and the face in it, judged together.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it; each is judged as the portrayed one.
    Scores compare inside one scene only (shots, edits or files of one portrait): of two, the one that is 1 higher is
    preferred with 84 %. Across scenes they say little, as in DN-PIQA. The labels were the consensus of full-reference metrics
    on damaged portraits, half of it over the whole picture and half over the face, not people's opinions; the official DN-PIQA
    (174 M parameters) is not part of Assay.
    Not differentiable: it compares, and was not made to be optimised against.
    Returns N scores, higher is better.  Raises BadInput, and CannotAssess for a face under 24 pixels or outside the picture.
    """
    image = check.faces(image, faces)
    if not faces:
        return image.new_zeros(0)
    net = model().to(image.device)
    whole = statistics(shrunk(image[None].float()))
    return torch.cat([net(whole, statistics(views(image, [f], side=SIDE, margin=MARGIN).float())) for f in faces]).to(image.dtype)


@cache
def model() -> Portrait:
    net = Portrait()
    net.load_state_dict({k: v.float() for k, v in weights.load_safetensors(MODEL).items()})
    return net.eval().requires_grad_(False)
