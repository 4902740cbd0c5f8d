"""IL-NIQE with a model of our own, fitted on photographs that are free to use; it ships with the package."""

from __future__ import annotations

from functools import cache
from math import inf

from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.ops.ilniqe import Model, maps, scores
from assay.types import Scale, ScoreCard, Weights

SIDE = 32  # below, 524×524 pixels are all interpolation
MODEL = Weights(
    file="il_niqe_assay.safetensors",
    sha256="d18039adb73ce3b2043be2205f0e274e7a095077b9cf0f0faf930fd2cf4c174a",
    license="Apache-2.0",
    recipe="recipes/il_niqe_assay.py",
)


@carded(
    ScoreCard(
        name="il_niqe-assay",
        version="1",
        takes=("image",),
        scale=Scale(worst=inf, best=0, usual=(30, 10)),
        paper="Zhang, Zhang & Bovik 2015, doi:10.1109/TIP.2015.2426416 (own fit)",
        weights=(MODEL,),
        min_side=SIDE,
        map="il_niqe_assay_map",
    )
)
def il_niqe_assay(x: Tensor) -> Tensor:
    """How far contrast, colour, edges and frequencies stray from those of good photographs: IL-NIQE with a free model.

    x: N×C×H×W, sRGB; uint8, or float in [0, 1]. Statistics, size and direction are those of il_niqe. The numbers are not:
    165 other photographs, and their less sharp blocks too; it minds noise more and blur less.
    Returns N distances, lower is better.  Raises BadInput, and CannotAssess with fewer than two textured blocks of 6×6.
    Not differentiable: shapes of distributions are looked up, and 8-bit pixels are rounded after each resizing.
    """
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return scores(x, model())


def il_niqe_assay_map(x: Tensor) -> Tensor:
    """The distance of each of 6×6 blocks, N×6×6: higher looks less natural; 0 where a flat block was left out."""
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return maps(x, model())


@cache
def model() -> Model:
    """The fitted model, float64."""
    return Model.diagonal(**weights.load_safetensors(MODEL))
