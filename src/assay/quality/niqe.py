"""NIQE with the parameters its authors released."""

from __future__ import annotations

from functools import cache
from math import inf

import torch
from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.ops.niqe import SIDE, maps, scores
from assay.types import Scale, ScoreCard, Weights

# modelparameters.mat of the 2012 release, at the address of its authors.
OFFICIAL = Weights(
    file="niqe_modelparameters.mat",
    sha256="fa2aa4d12dd9595c3fb6bf8b4e1a15c79d5d1469238d0901c88dead195be578d",
    license="The University of Texas at Austin (LIVE): free for any use with its notice and citation",
    url="https://raw.githubusercontent.com/utlive/niqe/d80aead297ff48b0254c39806f3a277b3ecbfc8d/modelparameters.mat",
)


@carded(
    ScoreCard(
        name="niqe",
        version="1",
        takes=("image",),
        scale=Scale(worst=inf, best=0, usual=(12, 2.5)),
        paper="Mittal, Soundararajan & Bovik 2013, doi:10.1109/LSP.2012.2227726",
        weights=(OFFICIAL,),
        min_side=SIDE,
        map="niqe_map",
    )
)
def niqe(x: Tensor) -> Tensor:
    """Natural image quality evaluator: how far local contrast strays from that of 125 good photographs.

    x: N×C×H×W, sRGB; uint8, or float in [0, 1]. Colour becomes luminance as in MATLAB's rgb2gray: rounded where the
    pixels are 8-bit values (also when given as floats), not rounded where they are finer.
    Not differentiable: the shapes of distributions are looked up on a grid.
    Returns N distances, lower is better. Pixels beyond the last whole 96×96 block do not count, nor do flat blocks.
    Raises BadInput, CannotAssess with fewer than two textured blocks, MissingWeights without the official file.
    """
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return scores(x, *official())


def niqe_map(x: Tensor) -> Tensor:
    """The distance of every 96×96 block, N×h×w: higher looks less natural; 0 where a flat block was left out."""
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return maps(x, *official())


@cache
def official() -> tuple[Tensor, Tensor]:
    """Mean (36) and covariance (36×36) of the released model, float64."""
    from scipy.io import loadmat

    model = loadmat(str(weights.find(OFFICIAL, instead="niqe-assay")))
    return torch.from_numpy(model["mu_prisparam"]).double().flatten(), torch.from_numpy(model["cov_prisparam"]).double()
