"""Changing size exactly as the tools did that published methods were defined with."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Bicubic (a = -1/2) stretched by 2 against aliasing and normalised: MATLAB's imresize(x, 0.5), on x[2i-3 .. 2i+4].
TAPS = torch.tensor([-3, -9, 29, 111, 111, 29, -9, -3], dtype=torch.float64) / 256


def halve(x: Tensor) -> Tensor:
    """Half the size of N×C×H×W, as MATLAB's imresize(x, 0.5) does before any rounding; H and W even.

    Beyond the border it mirrors with the edge repeated. Keeps dtype and device; differentiable.
    """
    n, c, h, w = x.shape
    if h % 2 or w % 2:
        raise ValueError(f"halve takes even sides; got {w}×{h} (width×height)")
    taps = TAPS.to(x)
    x = x.reshape(n * c, 1, h, w)[:, :, _mirror(h, x.device)][..., _mirror(w, x.device)]
    x = F.conv2d(F.conv2d(x, taps.view(1, 1, -1, 1), stride=(2, 1)), taps.view(1, 1, 1, -1), stride=(1, 2))
    return x.reshape(n, c, h // 2, w // 2)


def _mirror(n: int, device: torch.device) -> Tensor:
    """Where the samples -3 .. n+2 come from: … 2 1 0 | 0 1 2 … n-1 | n-1 n-2 …"""
    i = torch.arange(-3, n + 3, device=device) % (2 * n)
    return torch.where(i < n, i, 2 * n - 1 - i)
