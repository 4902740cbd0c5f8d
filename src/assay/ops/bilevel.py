"""Learns how much each of several training losses should weigh, from what they do to another loss.

Inner problem: parameters θ follow Σ λₖ ℓₖ(θ). Outer problem: λ shall make a loss L small after one such step,
θ' = θ − rate · (∇ Σ λₖ ℓₖ(θ) + decay · θ). Because dθ'/dλₖ = −rate · ∇ℓₖ(θ), the slope of L in λₖ is −rate · ∇ℓₖ(θ) · ∇L(θ'): a task
gains weight when its own step helps. The products with all ∇ℓₖ come from two more looks at the losses, on both sides of θ along
∇L(θ'), so no second derivative is needed and the cost does not grow with the number of tasks.
Source: DARTS (Liu et al. 2019, arXiv:1806.09055, eq. 7 and 8); for task weights BLADES (arXiv:2507.22824).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

REACH = 0.01  # DARTS: how far from θ the losses are looked at, as the length of the difference


def hypergradient(
    params: Sequence[Tensor],
    losses: Callable[[], Tensor],
    outer: Callable[[], Tensor],
    weights: Tensor,
    *,
    rate: float,
    decay: float = 0.0,
    reach: float = REACH,
) -> Tensor:
    """The slope of the outer loss after one weighted step, in each of the K weights.

    params: leaves that `losses` and `outer` read; they are moved meanwhile and left exactly as they were.
    losses: gives the K training losses, outer: the one that counts; the same each time they are called (no dropout).
    weights: K; rate, decay: of the step.
    Returns K numbers; zeros where the outer loss is flat.
    """
    home = [p.detach().clone() for p in params]
    try:
        slope = torch.autograd.grad((weights.detach() * losses()).sum(), params, allow_unused=True)
        with torch.no_grad():
            for p, g in zip(params, slope, strict=True):
                p.sub_(rate * (decay * p if g is None else g + decay * p))
        ahead = torch.autograd.grad(outer(), params, allow_unused=True)
        length = torch.sqrt(sum((g.double().square().sum() for g in ahead if g is not None), torch.zeros((), dtype=torch.float64)))
        if length == 0:
            return torch.zeros_like(weights)
        step = reach / float(length)
        with torch.no_grad():
            high, low = (_looked(params, home, ahead, side * step, losses) for side in (1, -1))
        return -rate * (high - low).to(weights) / (2 * step)
    finally:
        _put(params, home)


def _looked(
    params: Sequence[Tensor], home: Sequence[Tensor], along: Sequence[Tensor | None], step: float, losses: Callable[[], Tensor]
) -> Tensor:
    """The losses beside θ."""
    _put(params, [h if d is None else h + step * d for h, d in zip(home, along, strict=True)])
    return losses().double()


@torch.no_grad()
def _put(params: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for p, v in zip(params, values, strict=True):
        p.copy_(v)
