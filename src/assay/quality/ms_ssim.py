"""Structural similarity at five scales."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colour import grey
from assay.ops.filters import halved
from assay.ops.moments import similarity, ssim_mean
from assay.types import BadInput, Scale, ScoreCard

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang 2003, section 3.2; their sum is 1.0001
SIDE = 176  # 11 · 2⁴: the window of 11 fits the fifth scale
LEAST = 1e-8  # keeps the slope of |v|^w finite at v = 0


@carded(
    ScoreCard(
        name="ms_ssim",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=-1, best=1, usual=(0.6, 1)),
        paper="Wang, Simoncelli & Bovik 2003, doi:10.1109/ACSSC.2003.1292216",
        min_side=SIDE,
        map="ms_ssim_map",
    )
)
def ms_ssim(x: Tensor, *, ref: Tensor, variant: Literal["product", "weighted_sum"] = "product") -> Tensor:
    """Multi-scale structural similarity: how alike the pictures look from near to far.

    x, ref: N×C×H×W, sRGB, at least 176×176; float in [0, 1], or uint8 for 8-bit pixels as they are.
    Contrast and structure count at every scale, brightness only at the coarsest; each scale halves the picture by 2×2 means.
    variant:
      "product"      the paper's weighted product, mean over the channels: what piq, piqa and pytorch-msssim give;
      "weighted_sum" the weighted mean on grey: what the published calibration values were made with.
    A scale that is negative as a whole (a picture turned negative) keeps its sign: sign(v)·|v|^w.
    Returns N scores, 1 when equal.  Raises BadInput.

    >>> x = torch.rand(1, 3, 192, 192)
    >>> ms_ssim(x, ref=x)
    tensor([1.])
    """
    if variant not in ("product", "weighted_sum"):
        raise BadInput(f"variant must be product or weighted_sum; got {variant!r}.")
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    if variant == "weighted_sum":
        x, ref = grey(x), grey(ref)
    scales = []
    for i in range(len(WEIGHTS)):
        last = i == len(WEIGHTS) - 1
        scales.append(ssim_mean(x, ref, structure=not last))
        if not last:
            x, ref = halved(x), halved(ref)
    values = torch.stack(scales, dim=-1)  # N×C×5
    weights = torch.tensor(WEIGHTS).to(values)
    if variant == "weighted_sum":
        return ((values * weights).sum(-1) / weights.sum()).mean(1)
    return (values.sign() * values.abs().clamp(min=LEAST) ** weights).prod(-1).mean(1)


def ms_ssim_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity around every pixel, N×H×W: the five scales, enlarged, in a weighted mean; 1 is alike, dark is damaged."""
    x, ref = check.images(x=x, ref=ref, min_side=SIDE)
    size, total = x.shape[2:], torch.zeros(())
    for i, weight in enumerate(WEIGHTS):
        alike = similarity(x, ref, structure=i < len(WEIGHTS) - 1).mean(1, keepdim=True)
        total = total + weight / sum(WEIGHTS) * F.interpolate(alike, size=size, mode="bilinear")
        x, ref = halved(x), halved(ref)
    return total[:, 0]
