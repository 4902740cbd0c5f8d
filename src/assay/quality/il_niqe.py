"""IL-NIQE with the model its authors released."""

from __future__ import annotations

from functools import cache
from math import inf

import torch
from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.ops.ilniqe import Model, maps, scores
from assay.types import Scale, ScoreCard, Weights

SIDE = 32  # below, 524×524 pixels are all interpolation
OFFICIAL = Weights(
    file="ilniqe_templateModel.mat",
    sha256="14f4919a630498d732bbf11837d894d45a57f89c9ed84bea98851147290ce93c",
    license="none stated by its authors (The Hong Kong Polytechnic University, The University of Texas at Austin)",
    url="https://raw.githubusercontent.com/milestonesvn/ILNIQE/873632165aa52ad228da54df23349667d47dabb6/templateModel.mat",
)


@carded(
    ScoreCard(
        name="il_niqe",
        version="1",
        takes=("image",),
        scale=Scale(worst=inf, best=0, usual=(80, 20)),
        paper="Zhang, Zhang & Bovik 2015, doi:10.1109/TIP.2015.2426416",
        weights=(OFFICIAL,),
        min_side=SIDE,
        map="il_niqe_map",
    )
)
def il_niqe(x: Tensor) -> Tensor:
    """IL-NIQE: how far local contrast, colour, edges and frequencies stray from those of good photographs.

    x: N×C×H×W, sRGB; uint8, or float in [0, 1]. Every picture is brought to 524×524 as MATLAB's imresize does: 8-bit pixels
    (also when given as floats) are rounded on the way. Ports that do not round differ by up to 5.
    Returns N mean distances of the textured blocks out of 6×6, lower is better.
    Raises BadInput, CannotAssess with fewer than two textured blocks, MissingWeights without the official file.
    Not differentiable: shapes of distributions are looked up, and 8-bit pixels are rounded after each resizing.
    """
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return scores(x, official())


def il_niqe_map(x: Tensor) -> Tensor:
    """The distance of each of 6×6 blocks, N×6×6: higher looks less natural; 0 where a flat block was left out."""
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return maps(x, official())


@cache
def official() -> Model:
    """The released model, float64."""
    from scipy.io import loadmat

    mu, cov, mean, vectors = loadmat(str(weights.find(OFFICIAL, instead="il_niqe-assay")))["templateModel"][0]
    return Model(*(torch.from_numpy(t).double() for t in (mean.ravel(), vectors, mu.ravel(), cov)))
