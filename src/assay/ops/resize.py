"""Changing size exactly as the tools did that published methods were defined with."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.ops.filters import mirrored

TAPS = (-3, -9, 29, 111, 111, 29, -9, -3)  # /256: the bicubic kernel, a = -1/2, stretched by 2 and normalised


def halve(x: Tensor) -> Tensor:
    """Half the size of float N×C×H×W, as MATLAB's imresize(x, 0.5) does before any rounding; H and W even.

    Bicubic with antialiasing: sample i comes from x[2i-3 … 2i+4]; beyond the border x is mirrored, its edge twice.
    """
    n, c, h, w = x.shape
    if h % 2 or w % 2:
        raise ValueError(f"halve takes even sides; got {w}×{h} (width×height)")
    taps = torch.tensor(TAPS, dtype=x.dtype, device=x.device) / 256
    x = mirrored(x.reshape(n * c, 1, h, w), 3, 3, edge="twice")
    x = F.conv2d(F.conv2d(x, taps.view(1, 1, -1, 1), stride=(2, 1)), taps.view(1, 1, 1, -1), stride=(1, 2))
    return x.reshape(n, c, h // 2, w // 2)
