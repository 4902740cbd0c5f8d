"""Normalised Laplacian pyramid distance."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.luma import levels
from assay.ops.pyramid import BURT, laplacian
from assay.ops.shared import shared
from assay.types import Scale, ScoreCard

# NLP_dist.m: per band a constant, and weights of the neighbours above, below, left, right and two to the right.
# MATLAB convolves, so a weight in row 3, column 4 of its 5×5 tables belongs to the neighbour on the left.
CONSTANTS = (0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782)
UP = (0.1015, 0.0837, 0.0467, 0, 0, 0)
DOWN = (0.1011, 0.0757, 0.0477, 0, 0, 0)
LEFT = (0.1460, 0.1846, 0.2243, 0.2616, 0.2552, 0.0717)
RIGHT = (0.1493, 0.1986, 0.2138, 0.2503, 0.2598, 0.2215)
FAR_LEFT = (0.0072, 0, 0, 0, 0, 0)


@carded(
    ScoreCard(
        name="nlpd",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=float("inf"), best=0, usual=(0.6, 0)),
        paper="Laparra, Ballé, Berardino & Simoncelli 2016, doi:10.2352/ISSN.2470-1173.2016.16.HVEI-103",
        map="nlpd_map",
    )
)
def nlpd(x: Tensor, *, ref: Tensor, rounded: bool = False) -> Tensor:
    """Normalised Laplacian pyramid distance: how different contrasts look after the eye has adapted to their surroundings.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are. Measured on grey, in six bands.
    rounded: grey to whole 8-bit levels first, as MATLAB's rgb2gray makes it; tiny distances are then up to a third larger.
    Returns N distances, 0 when equal; it hardly matters which of the two is the reference.  Raises BadInput.

    >>> x = torch.rand(1, 3, 64, 64)
    >>> nlpd(x, ref=x)
    tensor([0.])
    """
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    bands = zip(_normalised(x, rounded), _normalised(ref, rounded), strict=True)
    means = torch.stack([(a - b).square().mean((1, 2, 3)) for a, b in bands], 1)
    differ = means > 0  # equal bands: 0, with gradient 0 rather than infinite
    return torch.where(differ, torch.where(differ, means, 1).sqrt(), 0).mean(1)


def nlpd_map(x: Tensor, *, ref: Tensor, rounded: bool = False) -> Tensor:
    """How different contrasts look, N×H×W: the mean over the six bands of |difference|, coarse ones enlarged; 0 is alike."""
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    bands = [(a - b).abs() for a, b in zip(_normalised(x, rounded), _normalised(ref, rounded), strict=True)]
    return torch.cat([F.interpolate(band, size=x.shape[2:], mode="nearest") for band in bands], 1).mean(1)


@shared
def _normalised(x: Tensor, rounded: bool) -> list[Tensor]:
    bands = laplacian(levels(x, rounded) / 255, len(CONSTANTS), BURT, "twice", 2.0)
    return [_divided(band, i) for i, band in enumerate(bands)]


def _divided(band: Tensor, i: int) -> Tensor:
    """Every coefficient over a constant plus the weighted sizes of its neighbours; none beyond the border."""
    h, w = band.shape[-2:]
    size = F.pad(band.abs(), (2, 1, 1, 1))
    around = CONSTANTS[i] + LEFT[i] * size[..., 1:-1, 1 : 1 + w] + RIGHT[i] * size[..., 1:-1, 3 : 3 + w]
    if UP[i]:
        around = around + UP[i] * size[..., :h, 2 : 2 + w] + DOWN[i] * size[..., 2:, 2 : 2 + w]
    if FAR_LEFT[i]:
        around = around + FAR_LEFT[i] * size[..., 1:-1, :w]
    return band / around
