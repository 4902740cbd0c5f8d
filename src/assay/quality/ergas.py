"""Relative dimensionless global error in synthesis."""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colourspaces import power
from assay.ops.pairs import products
from assay.types import BadInput, CannotAssess, Scale, ScoreCard


@carded(
    ScoreCard(
        name="ergas",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=inf, best=0, usual=(10, 0)),
        paper="Wald 2000, Quality of high resolution synthesised images: is there a simple criterion?",
        map="ergas_map",
    )
)
def ergas(x: Tensor, *, ref: Tensor, ratio: float = 4) -> Tensor:
    """ERGAS: the error of every channel relative to its mean, as remote sensing reports it.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are.
    ratio: how many times finer the sharp image is than the one it was made from; the score is 100 / ratio · relative error.
    Returns N scores, 0 when equal.  Raises BadInput, or CannotAssess where a channel of ref is black: its mean divides.

    >>> import torch
    >>> x = torch.full((1, 3, 8, 8), 0.5)
    >>> ergas(x + 0.05, ref=x)
    tensor([2.5000])
    """
    if not ratio > 0:
        raise BadInput(f"ratio must be above 0; got {ratio}.")
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    bytes_ = x.dtype == torch.uint8
    mean = ref.sum(dim=(2, 3)) / (255.0 * ref.shape[2] * ref.shape[3]) if bytes_ else ref.mean(dim=(2, 3))
    _lit(mean)
    error = products(x, ref).diagonal(dim1=1, dim2=2).float() if bytes_ else (x - ref).square().mean(dim=(2, 3))
    return 100 / ratio * power((error / mean.square()).mean(1), 0.5)


def ergas_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Squared error of every pixel over the squared mean of its channel, N×H×W, mean over the channels; 0 is equal."""
    x, ref = check.images(x=x, ref=ref)
    mean = ref.mean(dim=(2, 3), keepdim=True)
    _lit(mean)
    return ((x - ref) / mean).square().mean(1)


def _lit(mean: Tensor) -> None:
    if bool((mean <= 0).any()):
        raise CannotAssess("ERGAS divides by the mean of every channel of ref, and one is black.")
