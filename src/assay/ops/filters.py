"""Windowed means, borders and reductions by means."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def gaussian(size: int, sigma: float) -> Tensor:
    """The `size` weights of a Gaussian window, float64, summing to 1."""
    i = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    w = torch.exp(-(i**2) / (2 * sigma**2))
    return w / w.sum()


def windowed(x: Tensor, weights: Tensor) -> Tensor:
    """Weighted means of float N×C×H×W over every square window that lies inside: N×C×(H-n+1)×(W-n+1)."""
    w = weights.to(x)
    n, c, height, width = x.shape
    x = x.reshape(n * c, 1, height, width)
    x = F.conv2d(F.conv2d(x, w.view(1, 1, -1, 1)), w.view(1, 1, 1, -1))
    return x.reshape(n, c, *x.shape[2:])


def mirrored(x: Tensor, before: int, after: int, *, edge: Literal["once", "twice"]) -> Tensor:
    """Add mirrored rows and columns on both sides; any dtype.

    edge="once": … 2 1 |0 1 2 …, NumPy's and torch's "reflect"; "twice": … 1 0 |0 1 2 …, MATLAB's "symmetric".
    """
    skip = 1 if edge == "once" else 0
    for dim in (-2, -1):
        size = x.shape[dim]
        if max(before, after) + skip > size:  # the mirror image is mirrored again
            places = np.pad(np.arange(size), (before, after), mode="reflect" if skip else "symmetric")
            x = x.index_select(dim, torch.from_numpy(places).to(x.device))
            continue
        head, tail = x.narrow(dim, skip, before), x.narrow(dim, size - skip - after, after)
        x = torch.cat([head.flip(dim), x, tail.flip(dim)], dim)
    return x


def halved(x: Tensor) -> Tensor:
    """Means of 2×2 pixels, uint8 to float32 in [0, 1]; the last row or column of an odd size counts twice."""
    h, w = x.shape[-2:]
    rows = x if h % 2 == 0 else torch.cat([x, x[..., -1:, :]], dim=-2)
    x = rows if w % 2 == 0 else torch.cat([rows, rows[..., -1:]], dim=-1)
    quarter = 1 / (4 * 255) if x.dtype == torch.uint8 else 1 / 4
    a, b, c, d = (x[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
    return torch.add(torch.add(a * quarter, b, alpha=quarter), torch.add(c * quarter, d, alpha=quarter))


def thinned(x: Tensor, step: int) -> Tensor:
    """Every `step`-th pixel of float N×C×H×W after a step×step mean, as MATLAB's imfilter(…, 'symmetric') and x(1:f:end, 1:f:end)."""
    return F.avg_pool2d(mirrored(x, (step - 1) // 2, step // 2, edge="twice"), step, stride=step)
