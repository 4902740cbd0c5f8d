"""Changing size exactly as the tools did that published methods were defined with."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.ops.filters import mirrored, separable

TAPS = (-3, -9, 29, 111, 111, 29, -9, -3)  # /256: the bicubic kernel, a = -1/2, stretched by 2 and normalised


def halve(x: Tensor) -> Tensor:
    """Half the size of float N×C×H×W, as MATLAB's imresize(x, 0.5) does before any rounding; H and W even.

    Bicubic with antialiasing: sample i comes from x[2i-3 … 2i+4]; beyond the border x is mirrored, its edge twice.
    """
    h, w = x.shape[-2:]
    if h % 2 or w % 2:
        raise ValueError(f"halve takes even sides; got {w}×{h} (width×height)")
    taps = torch.tensor(TAPS, dtype=x.dtype, device=x.device) / 256
    return separable(mirrored(x, 3, 3, edge="twice"), taps, taps, step=2)
