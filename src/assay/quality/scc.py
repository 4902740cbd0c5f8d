"""Spatial correlation coefficient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.boxes import correlations
from assay.ops.filters import mirrored
from assay.types import BadInput, Scale, ScoreCard

Flat = Literal["alike", "zero"]
WINDOW = 8  # pixels, as in sewar and torchmetrics
LEAST = 1e-6  # variance in 8-bit units below which a window is flat; that of whole numbers is 1/64 at least
ROWS = 256


@carded(
    ScoreCard(
        name="scc",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=-1, best=1, usual=(0, 1)),
        paper="Zhou, Civco & Silander 1998, doi:10.1080/014311698215973",
        map="scc_map",
    )
)
def scc(x: Tensor, *, ref: Tensor, flat: Flat = "alike") -> Tensor:
    """Spatial correlation: how much of the fine detail is still in its place.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are. Per channel: a 3×3 Laplacian, border
    mirrored, then the correlation of both within 8×8 pixels around every pixel, zero outside.
    flat: what windows without detail in both pictures count, "alike" 1, or "zero" as in sewar and torchmetrics, where
    a copy of a picture with even areas scores below 1. Detail in one picture only always counts 0.
    Returns N means over pixels and channels, 1 when equal.  Raises BadInput.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> scc(x, ref=x)
    tensor([1.])
    """
    if flat not in ("alike", "zero"):
        raise BadInput(f"flat must be alike or zero; got {flat!r}.")
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    total = correlations(x, ref, float(flat == "alike"))
    score: Tensor = (_total(x, ref, flat) if total is None else total) / x[0].numel()
    return score.to(torch.float32 if x.dtype == torch.uint8 else x.dtype)


def _total(x: Tensor, ref: Tensor, flat: Flat) -> Tensor:
    """The definition: the sum of the correlations of each picture."""
    x, ref = (t / 255 if t.dtype == torch.uint8 else t for t in (x, ref))
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for plane in _planes(x, ref, flat):
        for strip in plane:
            total = total + strip.sum((1, 2, 3))
    return total


def scc_map(x: Tensor, *, ref: Tensor, flat: Flat = "alike") -> Tensor:
    """The correlation around every pixel, N×H×W, mean over the channels; 1 is detail in its place. The score is its mean."""
    x, ref = check.images(x=x, ref=ref)
    planes = [torch.cat(list(plane), dim=2) for plane in _planes(x, ref, flat)]
    return torch.cat(planes, dim=1).mean(1).to(x.dtype)


def _planes(x: Tensor, ref: Tensor, flat: Flat) -> Iterator[Iterator[Tensor]]:
    """For every channel the correlations in strips from top to bottom, N×1×rows×W float64."""
    if flat not in ("alike", "zero"):
        raise BadInput(f"flat must be alike or zero; got {flat!r}.")
    for channel in range(x.shape[1]):
        a, b = (mirrored(t[:, channel : channel + 1], 1, 1, edge="twice") for t in (x, ref))
        yield (_correlations(a, b, top, flat) for top in range(0, x.shape[2], ROWS))


def _correlations(x: Tensor, ref: Tensor, top: int, flat: Flat) -> Tensor:
    """Those of the windows of ROWS rows, from planes with a frame of one pixel."""
    a, b = _detail(x, top), _detail(ref, top)
    ma, mb = _mean(a), _mean(b)
    va, vb, ab = _mean(a * a) - ma * ma, _mean(b * b) - mb * mb, _mean(a * b) - ma * mb
    in_a, in_b = va > LEAST, vb > LEAST
    both = in_a & in_b
    there = ab / torch.where(both, va * vb, 1).sqrt()
    return torch.where(both, there, (~in_a & ~in_b).to(ab) if flat == "alike" else 0)


def _detail(x: Tensor, top: int) -> Tensor:
    """The Laplacian, float64 in 8-bit units, of the rows that the windows of rows top… see, zero outside the picture."""
    last = x.shape[2] - 2
    first, end = max(0, top - WINDOW // 2), min(last, top + ROWS + WINDOW // 2 - 1)
    part = x[:, :, first : end + 2].double() * 255
    centre = part[:, :, 1:-1, 1:-1]
    high = 9 * centre - F.avg_pool2d(part, 3, stride=1, divisor_override=1)
    above = WINDOW // 2 - (top - first)
    below = min(top + ROWS, last) + WINDOW // 2 - 1 - end
    return F.pad(high, (WINDOW // 2, WINDOW // 2 - 1, above, below))


def _mean(x: Tensor) -> Tensor:
    return F.avg_pool2d(F.avg_pool2d(x, (WINDOW, 1), stride=1), (1, WINDOW), stride=1)
