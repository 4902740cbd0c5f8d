"""Mean deviation similarity index."""

from __future__ import annotations

from math import pi
from typing import Literal

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.gradients import LHM, edges_and_hues, means, root, step_of
from assay.types import BadInput, Scale, ScoreCard

Variant = Literal["sum", "mult"]
ALPHA = 0.6  # share of the edges in the sum: Nafchi 2016, section III
GAMMA, BETA = 0.2, 0.1  # exponents of edges and hues in the product
SIDE = 2  # the deviation needs two values


@carded(
    ScoreCard(
        name="mdsi",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=1, best=0, usual=(0.5, 0)),
        paper="Nafchi, Shahkolaei, Hedjam & Cheriet 2016, doi:10.1109/ACCESS.2016.2604042",
        min_side=SIDE,
        map="mdsi_map",
    )
)
def mdsi(x: Tensor, *, ref: Tensor, variant: Variant = "sum") -> Tensor:
    """Mean deviation similarity index: how unevenly edges and colours were damaged.

    x, ref: N×C×H×W, sRGB, at least 2×2; float in [0, 1], or uint8 for 8-bit pixels as they are. Shrunk first, so that the
    short side is about 256. variant: "sum" joins edges and colours by a weighted sum (the paper's choice), "mult" by a product.
    Returns N scores, 0 when equal, 0.3 for plain damage. Swapping the pictures changes the score a little.  Raises BadInput.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> mdsi(x, ref=x)
    tensor([0.])
    """
    size, turned = _joined(x, ref, variant)
    if bool(turned.any()):
        size = _power(size, 0.25)
        away = _modulus(size * torch.cos(pi / 4 * turned), size * torch.sin(pi / 4 * turned))
    else:
        half = root(size)
        quarter = (1 - size) / ((1 + half) * (1 + root(half)))  # 1 - ⁴√size; a mean of exact zeros is 0, one of ones need not be 1
        away = (quarter - quarter.mean((1, 2), keepdim=True)).abs()
    return _power(away.mean((1, 2)), 0.25)


def mdsi_map(x: Tensor, *, ref: Tensor, variant: Variant = "sum") -> Tensor:
    """Joined similarity of edges and colours in the shrunk picture, N×h×w; 1 is alike, dark is damaged."""
    size, turned = _joined(x, ref, variant)
    return size * torch.cos(pi * turned)


def _joined(x: Tensor, ref: Tensor, variant: Variant) -> tuple[Tensor, Tensor]:
    """Modulus and angle/π of the joined similarity: powers of negative numbers are complex, as in MATLAB. N×h×w each."""
    if variant not in ("sum", "mult"):
        raise BadInput(f"variant must be sum or mult; got {variant!r}.")
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    step = step_of(x)
    edges, hues = edges_and_hues(means(x, step, LHM), means(ref, step, LHM))  # as 1 - similarity
    if variant == "sum":
        both = 1 - (ALPHA * edges + (1 - ALPHA) * hues)
        return both.abs(), (both < 0).to(both)
    edges, hues = 1 - edges, 1 - hues
    return _power(edges.abs(), GAMMA) * _power(hues.abs(), BETA), GAMMA * (edges < 0).to(edges) + BETA * (hues < 0).to(hues)


def _power(v: Tensor, exponent: float) -> Tensor:
    """v to the power of `exponent`, with gradient 0 instead of infinity at 0."""
    some = v > 0
    if bool(some.all()):
        return v.sqrt().sqrt() if exponent == 0.25 else v**exponent
    return torch.where(some, torch.where(some, v, 1) ** exponent, 0)


def _modulus(re: Tensor, im: Tensor) -> Tensor:
    """How far each complex number is from their mean, with gradient 0 at the mean itself."""
    re, im = (t - t.mean((1, 2), keepdim=True) for t in (re, im))
    here = (re == 0) & (im == 0)
    return torch.where(here, 0, torch.hypot(torch.where(here, 1, re), im))
