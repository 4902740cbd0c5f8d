"""Grey from colour."""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.298936021293775, 0.587043074451121, 0.114020904255103)  # MATLAB's rgb2gray: row Y of the inverse NTSC matrix


def grey(x: Tensor) -> Tensor:
    """N×C×H×W to N×1×H×W as MATLAB's rgb2gray does: 8-bit pixels give rounded 8-bit grey, floats are not rounded."""
    if x.shape[1] == 1:
        return x
    r, g, b = LUMA
    if x.dtype == torch.uint8:
        y = (x[:, :1] * r).add_(x[:, 1:2], alpha=g).add_(x[:, 2:], alpha=b)
        return y.add_(0.5).to(torch.uint8)  # positive, so cutting the fraction off rounds
    return r * x[:, :1] + g * x[:, 1:2] + b * x[:, 2:]
