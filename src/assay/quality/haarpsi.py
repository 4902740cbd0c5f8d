"""Haar wavelet-based perceptual similarity index."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.gradients import LUMA, YIQ, means
from assay.ops.haar import ALPHA, haar_sums, similarities
from assay.types import Scale, ScoreCard

STEP = 2  # halved first, for the distance people look from: Reisenhofer 2018, section 3
TINY = 1e-9  # pictures without any edge weigh nothing; they count as alike


@carded(
    ScoreCard(
        name="haarpsi",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.3, 1)),
        paper="Reisenhofer, Bosse, Kutyniok & Wiegand 2018, doi:10.1016/j.image.2017.11.001",
        map="haarpsi_map",
    )
)
def haarpsi(x: Tensor, *, ref: Tensor) -> Tensor:
    """Haar wavelet similarity: how alike fine and coarse edges and colours are, where edges are strong.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are. Halved first.
    Returns N scores, 1 when equal; 0.7 is plain damage.  Raises BadInput.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> round(float(haarpsi(x, ref=x)), 2)
    1.0
    """
    a, b = _prepared(x, ref)
    inside, weight = haar_sums(a, b)
    same = torch.sigmoid(torch.tensor(ALPHA, dtype=torch.float64, device=a.device))
    mean = (inside + TINY * same) / (weight + TINY)
    return (torch.logit(mean) / ALPHA).square().to(a.dtype)


def haarpsi_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity at every second pixel, N×⌈H/2⌉×⌈W/2⌉, mean over directions and colour; 1 is alike, dark is damaged."""
    return similarities(*_prepared(x, ref))[0].mean(1)


def _prepared(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    mix = LUMA if x.shape[1] == 1 else YIQ
    return means(x, STEP, mix), means(ref, STEP, mix)
