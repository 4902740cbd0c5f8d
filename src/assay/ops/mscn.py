"""Local contrast, normalised: what natural-scene statistics are taken of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.ops.filters import gaussian, windowed

REACH = 3
FLAT = 1e-9 * 255  # |x-μ| below this is rounding noise whose sign means nothing; 8-bit texture lies far above


def window() -> Tensor:
    """The seven weights of the Gaussian, from left to right."""
    return gaussian(2 * REACH + 1, 7 / 6)  # Mittal 2013, eq. 2, and computequality.m of the release


def mscn(x: Tensor) -> tuple[Tensor, Tensor]:
    """The contrast (x-μ)/(σ+1) and the local deviation σ of N×1×H×W luminance on 0..255; the border is repeated.

    μ and σ are a Gaussian-weighted mean and deviation. Give it float64: where the picture is flat the contrast is exactly
    0, and in float32 its rounding noise would not be.
    """
    mu, square = (windowed(F.pad(v, (REACH,) * 4, mode="replicate"), window()) for v in (x, x * x))
    sigma = (square - mu * mu).abs().sqrt()
    d = x - mu
    return torch.where(d.abs() < FLAT, 0, d / (sigma + 1)), sigma
