"""How much each pixel of a forged face was altered, and how alike two such maps are (after FakeLocator, arXiv:2001.09598)."""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = 8 / 255  # less than this is a codec's noise
HIGH = 0.99  # quantile of the differences that counts as wholly altered


def target(fake: Tensor, real: Tensor) -> Tensor:
    """What the map of a forgery should be, 0 to 1: C×H×W each in [0, 1], aligned → H×W.  0 everywhere where they are equal."""
    d = (fake - real).abs().mean(0)
    return (d / d.flatten().quantile(HIGH).clamp_min(FLOOR)).clamp(0, 1)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of two maps, the figure of the paper; 0 where one of them is empty.  …×H×W → …"""
    a, b = a.flatten(-2), b.flatten(-2)
    both = a.norm(dim=-1) * b.norm(dim=-1)
    return torch.where(both > 0, (a * b).sum(-1) / both.clamp_min(1e-12), torch.zeros_like(both))


def weighted_l1(told: Tensor, wanted: Tensor, more: float = 4.0) -> Tensor:
    """Mean absolute error in which altered pixels count up to five times: weight 1 + 4·wanted."""
    return ((told - wanted).abs() * (1 + more * wanted)).mean()
