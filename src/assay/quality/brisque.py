"""BRISQUE with the model its authors released."""

from __future__ import annotations

from functools import cache
from math import inf

import torch
from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.ops.brisque import features
from assay.ops.svr import Ranges, Svr, predict, read_model, read_ranges
from assay.types import Scale, ScoreCard, Weights

LICENSE = "The University of Texas at Austin (LIVE): free for any use with its notice and citation"
RELEASE = "https://raw.githubusercontent.com/utlive/BRISQUE/2e2a5ac04cd4b73ac0f5867de5b974581fa2d4d2/MATLAB/"
MODEL = Weights(
    file="brisque_allmodel",
    sha256="8b04d6045f1b27261610c8ab1730fdcc14ec80bfab0f1ab5f703bbc2927314de",
    license=LICENSE,
    url=RELEASE + "allmodel",
)
RANGES = Weights(
    file="brisque_allrange",
    sha256="e47d753d96b631e1aa2dbac8c4e51ade767f2def8ce678c7130b6b3f90ee915f",
    license=LICENSE,
    url=RELEASE + "allrange",
)


@carded(
    ScoreCard(
        name="brisque",
        version="1",
        takes=("image",),
        scale=Scale(worst=inf, best=-inf, usual=(80, 10)),
        paper="Mittal, Moorthy & Bovik 2012, doi:10.1109/TIP.2012.2214050",
        weights=(MODEL, RANGES),
        min_side=32,
    )
)
def brisque(x: Tensor) -> Tensor:
    """BRISQUE: the rating people would give, learned from statistics of local contrast; about 0 (good) to 100 (bad).

    x: N×C×H×W, sRGB; uint8, or float in [0, 1]. Colour becomes luminance as in MATLAB's rgb2gray: rounded where the
    pixels are 8-bit values (also when given as floats), not rounded where they are finer.
    Not differentiable: the shapes of distributions are looked up on a grid.
    Returns N scores, lower is better; very good and very bad pictures lie outside 0 to 100. Trained on JPEG, JPEG 2000,
    noise, blur and lost packets. Exactly flat pixels have no contrast here, where the released code counts the signs of
    its rounding noise: with less than 1 % of them the two agree to 0.05, with many they may differ by some points.
    Raises BadInput, CannotAssess for a flat picture, MissingWeights without the official files.
    """
    (x,) = check.images(x=x, min_side=32, keep_uint8=True)
    model, ranges = official()
    out = x.dtype if x.is_floating_point() else torch.float32
    return torch.stack([predict(features(one), model, ranges) for one in x]).to(out)


@cache
def official() -> tuple[Svr, Ranges]:
    """The released regression and the ranges its features were scaled by."""
    model, ranges = (weights.find(w, instead="niqe-assay").read_text("ascii") for w in (MODEL, RANGES))
    return read_model(model), read_ranges(ranges)
