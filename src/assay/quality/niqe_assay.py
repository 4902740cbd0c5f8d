"""NIQE with a model of our own, fitted on photographs that are free to use; it ships with the package."""

from __future__ import annotations

from math import inf

from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.ops.niqe import SIDE, maps, scores
from assay.types import Scale, ScoreCard, Weights

MODEL = Weights(
    file="niqe_assay.safetensors",
    sha256="e8c458037f1d06c2fbe8b645347e4bdc68677f6376c3fa3d3c4e9d8c4e6a7cbe",
    license="Apache-2.0",
    recipe="recipes/niqe_assay.py",
)


@carded(
    ScoreCard(
        name="niqe-assay",
        version="1",
        takes=("image",),
        scale=Scale(worst=inf, best=0, usual=(12, 2.5)),
        paper="Mittal, Soundararajan & Bovik 2013, doi:10.1109/LSP.2012.2227726 (own fit)",
        weights=(MODEL,),
        min_side=SIDE,
        map="niqe_assay_map",
    )
)
def niqe_assay(x: Tensor) -> Tensor:
    """How far local contrast strays from that of 165 good photographs: NIQE with a free model, which works offline.

    x: N×C×H×W, sRGB; uint8, or float in [0, 1]. Luminance, blocks and direction are those of niqe; the numbers are close
    to niqe's but not the same, because the photographs are others.
    Not differentiable: the shapes of distributions are looked up on a grid.
    Returns N distances, lower is better.  Raises BadInput, and CannotAssess with fewer than two textured blocks.

    >>> import torch
    >>> grain = torch.rand(1, 1, 192, 192, generator=torch.Generator().manual_seed(0))
    >>> bool(niqe_assay(grain) > 10)  # noise is far from any photograph
    True
    """
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return scores(x, *model())


def niqe_assay_map(x: Tensor) -> Tensor:
    """The distance of every 96×96 block, N×h×w: higher looks less natural; 0 where a flat block was left out."""
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return maps(x, *model())


def model() -> tuple[Tensor, Tensor]:
    """Mean (36) and covariance (36×36) of the fitted blocks, float64."""
    tensors = weights.load_safetensors(MODEL)
    return tensors["mu"], tensors["cov"]
