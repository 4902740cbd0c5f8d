"""What the ImageNet backbones share: how they want their pixels, and where their parameters come from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from assay import weights
from assay.types import Weights

Parameters = Mapping[str, Tensor]  # by the names of torchvision's state dict

TORCHVISION = "BSD-3-Clause (torchvision), trained on ImageNet"  # licence of the parameter files
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision: of ImageNet's pixels in [0, 1]
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # Zhang 2018, ScalingLayer of the release: the same for [-1, 1]


def standardised(x: Tensor) -> Tensor:
    """Float N×C×H×W in [0, 1] as torchvision trained its nets with; grey becomes three equal channels."""
    return _affine(x, MEAN, STD)


def lpips_scaled(x: Tensor) -> Tensor:
    """The same as LPIPS does it: first to [-1, 1], then with constants rounded to three digits."""
    return _affine(2 * x - 1, SHIFT, SCALE)


@lru_cache(maxsize=8)
def parameters(w: Weights, device: torch.device, dtype: torch.dtype, instead: str = "") -> Parameters:
    """The convolutions of one of torchvision's files.  Raises MissingWeights, which names `instead`."""
    loaded = weights.load_pth(w, only="features.", instead=instead)
    return {name: t.to(device=device, dtype=dtype) for name, t in loaded.items()}


def _affine(x: Tensor, shift: tuple[float, ...], scale: tuple[float, ...]) -> Tensor:
    s, m = (torch.tensor(v, dtype=x.dtype, device=x.device).view(1, 3, 1, 1) for v in (shift, scale))
    return (x - s) / m
