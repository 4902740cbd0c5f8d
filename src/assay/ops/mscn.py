"""Local contrast, normalised: what natural-scene statistics are taken of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 3
FLAT = 1e-9 * 255  # |x-μ| below this is rounding noise whose sign means nothing; 8-bit texture lies far above


def window() -> Tensor:
    """The seven weights of the Gaussian, σ = 7/6, summing to 1."""  # Mittal 2013: fspecial('gaussian', 7, 7/6)
    i = torch.arange(-REACH, REACH + 1, dtype=torch.float64)
    w = torch.exp(-(i**2) / (2 * (7 / 6) ** 2))
    return w / w.sum()


def mscn(x: Tensor) -> tuple[Tensor, Tensor]:
    """The contrast (x-μ)/(σ+1) and the local deviation σ of N×1×H×W luminance on 0..255; the border is repeated.

    μ and σ are a Gaussian-weighted mean and deviation. Give it float64: where the picture is flat the contrast is exactly
    0, and in float32 its rounding noise would not be.
    """
    mu = _smooth(x)
    sigma = (_smooth(x * x) - mu * mu).abs().sqrt()
    d = x - mu
    return torch.where(d.abs() < FLAT, 0, d / (sigma + 1)), sigma


def _smooth(x: Tensor) -> Tensor:
    w = window().to(x)
    x = F.pad(x, (REACH,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(x, w.view(1, 1, -1, 1)), w.view(1, 1, 1, -1))
