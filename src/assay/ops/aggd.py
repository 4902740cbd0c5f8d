"""The asymmetric generalised Gaussian: a shape, and a width for each side of zero."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))  # neighbours to the right, below, and on both diagonals; Mittal 2013, eq. 7


def moments(blocks: Tensor) -> Tensor:
    """Sums over …×h×w blocks: …×5×5, for the block itself and its products with four shifted copies.

    The five of each: Σ|p|, Σp² where p < 0, Σp² where p > 0, and how many are < 0 and > 0. A copy is shifted circularly
    inside its block, as the released code does.
    """
    p = torch.stack([blocks, *(blocks * blocks.roll(s, (-2, -1)) for s in SHIFTS)], dim=-3)
    left, right, square = p < 0, p > 0, p * p
    sums = (p.abs(), square * left, square * right, left, right)
    return torch.stack([s.sum((-2, -1), dtype=p.dtype) for s in sums], dim=-1)


def fit(moments: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Shape α, widths β of the left and right side, and mean, from …×5 moments of `count` samples each (count broadcasts).

    NaN where one side has no sample.
    """
    size, left2, right2, n_left, n_right = moments.unbind(-1)
    left, right = (left2 / n_left).sqrt(), (right2 / n_right).sqrt()
    ratio = left / right
    flatness = (size / count) ** 2 / ((left2 + right2) / count)
    wanted = flatness * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    alpha, spread, lift = (t.to(wanted) for t in _tables())
    i = nearest(wanted)
    left, right = left * spread[i], right * spread[i]
    return torch.where(wanted.isnan(), wanted, alpha[i]), left, right, (right - left) * lift[i]


def nearest(wanted: Tensor) -> Tensor:
    """Index of the shape on the grid whose ratio lies nearest, the first where two are equally near."""
    ratio = ratios().to(wanted)
    near = torch.searchsorted(ratio, wanted.nan_to_num().contiguous()).unsqueeze(-1) + torch.arange(-2, 2, device=wanted.device)
    near = near.clamp(0, len(ratio) - 1)
    return near.gather(-1, (ratio[near] - wanted.nan_to_num().unsqueeze(-1)).square().argmin(-1, keepdim=True)).squeeze(-1)


@cache
def grid() -> Tensor:
    """The shapes tried: 0.2, 0.201, … 10."""  # estimateaggdparam.m of the release
    return 0.2 + 0.001 * torch.arange(9801, dtype=torch.float64)


@cache
def ratios() -> Tensor:
    """Γ(2/α)² / (Γ(1/α) Γ(3/α)) on the grid; it grows with α."""
    a = grid()
    return (2 * torch.lgamma(2 / a) - torch.lgamma(1 / a) - torch.lgamma(3 / a)).exp()


@cache
def _tables() -> tuple[Tensor, Tensor, Tensor]:
    """α, √(Γ(1/α)/Γ(3/α)) from deviation to width, and Γ(2/α)/Γ(1/α) from widths to mean."""
    a = grid()
    return a, ((torch.lgamma(1 / a) - torch.lgamma(3 / a)) / 2).exp(), (torch.lgamma(2 / a) - torch.lgamma(1 / a)).exp()
