"""Gradient magnitude similarity deviation on several scales."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.gradients import LUMA, YIQ, gradient_deviation, gradient_map, means, root
from assay.types import Scale, ScoreCard

WEIGHTS = (0.096, 0.596, 0.289, 0.019)  # Zhang 2017, from the finest scale
T, MASK = 170.0, 0.5  # Zhang 2017: the constant of GMSD, and the share of the masking term
CHROMA, SPAN, DECAY = 0.01, 0.32, 15.0  # Zhang 2017: β1, β2 and β3 of the colour term
SIDE = 17  # two values a side on the coarsest scale


@carded(
    ScoreCard(
        name="ms_gmsd",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0.5, best=0, usual=(0.2, 0)),
        paper="Zhang, Sander & Bermak 2017, doi:10.1109/ICASSP.2017.7952357",
        min_side=SIDE,
        map="ms_gmsd_map",
    )
)
def ms_gmsd(x: Tensor, *, ref: Tensor, colour: bool = False) -> Tensor:
    """Multi-scale gradient magnitude similarity deviation: how unevenly edges of all sizes were damaged.

    x, ref: N×C×H×W, sRGB, at least 17×17; float in [0, 1], or uint8 for 8-bit pixels as they are.
    colour: also count how far hues went astray where edges are intact (MS-GMSDc); grey pictures have none.
    Returns N scores, 0 when equal.  Raises BadInput.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> ms_gmsd(x, ref=x)
    tensor([0.])
    """
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    a, b = (means(t, 1, YIQ if colour else LUMA) for t in (x, ref))
    chroma = root((a[:, 1:] - b[:, 1:]).square().mean((2, 3)).sum(1))
    a, b = a[:, :1], b[:, :1]
    total = torch.zeros_like(a[:, 0, 0, 0])
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            a, b = _halved(a), _halved(b)
        total = total + weight * gradient_deviation(a, b, operator="prewitt", constant=T, mask=MASK).square()
    edges = root(total)
    if not colour:
        return edges
    trust = 2 / (1 + SPAN * torch.exp(-DECAY * edges)) - 1
    return trust * edges + (1 - trust) * CHROMA * chroma


def ms_gmsd_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity of the edges, N×H×W, mean over the four scales with the weights of the score; 1 is alike, dark is damaged."""
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    a, b = (means(t, 1, LUMA) for t in (x, ref))
    total = torch.zeros_like(a)
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            a, b = _halved(a), _halved(b)
        alike = gradient_map(a, b, operator="prewitt", constant=T, mask=MASK)
        total = total + weight * F.interpolate(alike, size=total.shape[2:], mode="nearest")
    return total[:, 0]


def _halved(y: Tensor) -> Tensor:
    """Means of 2×2, zero beyond an odd side."""
    h, w = y.shape[-2:]
    return F.avg_pool2d(F.pad(y, (0, w % 2, 0, h % 2)), 2)
