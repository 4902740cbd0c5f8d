"""Canny's edges as MATLAB has found them since R2011a: `edge(y, "canny")` with nothing else said."""

from __future__ import annotations

from math import ceil, sqrt

import torch
import torch.nn.functional as F
from scipy.ndimage import label
from torch import Tensor

from assay.ops.filters import gaussian, separable

SIGMA = sqrt(2)  # this and the next four: what MATLAB's edge takes by itself
TAPS = 8 * ceil(SIGMA)  # an even number: edges lie half a pixel towards the upper left; R2017 takes 13 instead
QUIET = 0.7  # the share of pixels that are no strong edges
RATIO = 0.4  # of the lower threshold to the higher
BINS = 64  # in which the higher one is looked up


def canny(y: Tensor) -> Tensor:
    """Where edges are, H×W bool, of H×W float64. The pixels of the border are none.

    A pixel is one if it is as steep as its two neighbours along the gradient, between which is interpolated, and is steeper than
    the higher threshold or reached over pixels that are steeper than the lower one.
    """
    across, down = _slopes(y)
    steep = torch.hypot(across, down)
    steep /= steep.max().clamp_min(torch.finfo(y.dtype).tiny)
    counts = torch.histc((steep * (BINS - 1) + 0.5).floor(), BINS, 0, BINS)
    high = (int((counts.cumsum(0) <= QUIET * y.numel()).sum()) + 1) / BINS
    ridge = _ridge(across, down, steep, RATIO * high)
    parts, _ = label(ridge.cpu().numpy(), torch.ones(3, 3, dtype=torch.int8).numpy())
    part = torch.from_numpy(parts).to(y.device)
    strong = torch.zeros(int(part.max()) + 1, dtype=torch.bool, device=y.device)
    strong[part[ridge & (steep > high)].long()] = True
    return strong[part]


def _slopes(y: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of the smoothed picture to the right and downwards; its border is repeated outside."""
    smooth = gaussian(TAPS, SIGMA)
    (slope,) = torch.gradient(smooth)
    slope = -slope / slope.clamp_min(0).sum()  # as a correlation, growing to the right
    wide = F.pad(y[None, None], (TAPS // 2 - 1, TAPS // 2) * 2, mode="replicate")
    return separable(wide, smooth, slope)[0, 0], separable(wide, slope, smooth)[0, 0]


def _ridge(across: Tensor, down: Tensor, steep: Tensor, low: float) -> Tensor:
    """Which pixels steeper than `low` are no less steep than what lies before and behind them along the gradient."""
    inner = torch.zeros_like(steep, dtype=torch.bool)
    inner[1:-1, 1:-1] = steep[1:-1, 1:-1] > low
    at = inner.flatten().nonzero()[:, 0]
    dx, dy, flat = across.flatten()[at], down.flatten()[at], steep.flatten()
    right, below = dx.sign().long(), dy.sign().long() * steep.shape[1]
    level = dx.abs() >= dy.abs()
    aside = torch.where(level, dy / dx, dx / dy).abs()
    ahead = torch.ones_like(aside, dtype=torch.bool)
    for side in (1, -1):
        straight, corner = at + side * torch.where(level, right, below), at + side * (right + below)
        ahead &= flat[at] >= (1 - aside) * flat[straight] + aside * flat[corner]
    out = torch.zeros_like(inner)
    out.view(-1)[at[ahead]] = True
    return out
