"""Laplacian pyramids with five taps, and the borders their authors gave them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from assay.ops.filters import mirrored, separable
from assay.ops.shared import shared

Taps = tuple[float, float, float]  # the middle one, and those one and two places away
Edge = Literal["once", "twice"]  # whether the border counts once or twice where the picture is mirrored

BINOMIAL: Taps = (6 / 16 * 2**0.5, 4 / 16 * 2**0.5, 1 / 16 * 2**0.5)  # namedFilter('binom5'): sums to √2 per direction
BURT: Taps = (0.4, 0.25, 0.05)  # Burt & Adelson 1983, a = 0.4


@shared
def laplacian(x: Tensor, count: int, taps: Taps, edge: Edge, gain: float = 1.0) -> list[Tensor]:
    """`count` bands of N×1×H×W from fine to coarse: what each halving loses, and last what is left.

    edge="once": Simoncelli's buildLpyr, whose borders reflect, also those of the doubled picture;
    edge="twice": Mertens' laplacian_pyramid, as in NLP_dist, whose doubling repeats the last sample.
    """
    bands = []
    for _ in range(count - 1):
        low = halve(x, taps, edge)
        bands.append(x - double(low, x.shape[-2:], taps, edge, gain))
        x = low
    return [*bands, x]


def halve(x: Tensor, taps: Taps, edge: Edge) -> Tensor:
    """Every second sample of N×1×H×W after a low-pass, the first one kept."""
    middle, near, far = taps
    w = torch.tensor([far, near, middle, near, far], dtype=x.dtype, device=x.device)
    return separable(mirrored(x, 2, 2, edge=edge), w, w, step=2)


def double(x: Tensor, size: torch.Size, taps: Taps, edge: Edge, gain: float = 1.0) -> Tensor:
    """Zeros between the samples of N×1×h×w, then a low-pass, times `gain` in each direction: N×1×H×W of `size`."""
    return _doubled(_doubled(x, -2, size[0], taps, edge, gain), -1, size[1], taps, edge, gain)


def _doubled(x: Tensor, dim: int, size: int, taps: Taps, edge: Edge, gain: float) -> Tensor:
    middle, near, far = (gain * t for t in taps)
    n = x.shape[dim]
    before = x.narrow(dim, 1 if edge == "once" and n > 1 else 0, 1)
    after = x.narrow(dim, n - 2 if edge == "once" and size % 2 and n > 1 else n - 1, 1)
    wide = torch.cat([before, x, after], dim)
    even = far * (wide.narrow(dim, 0, n) + wide.narrow(dim, 2, n)) + middle * x
    odd = near * (x + wide.narrow(dim, 2, n))
    both = torch.stack([even, odd], dim % x.ndim + 1).flatten(dim % x.ndim, dim % x.ndim + 1)
    return both.narrow(dim, 0, size)
