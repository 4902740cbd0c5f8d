"""SqueezeNet 1.1's convolutions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.nets.imagenet import TORCHVISION, Parameters
from assay.types import Weights

SIDE = 17  # torchvision: min_size
CHANNELS = (64, 128, 256, 384, 384, 512, 512)
FIRES = (((3, 4), True), ((6, 7), True), ((9,), True), ((10,), False), ((11,), False), ((12,), False))  # places, pooled before

IMAGENET = Weights(
    file="squeezenet1_1-b8a52dc0.pth",
    sha256="b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
    license=TORCHVISION,
    url="https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
)


def features(x: Tensor, p: Parameters) -> Iterator[Tensor]:
    """The seven layers that LPIPS looks at, of N×3×H×W, one after the other: Iandola 2016, arXiv:1602.07360."""
    x = F.conv2d(x, p["features.0.weight"], p["features.0.bias"], stride=2).relu_()
    yield x
    for places, pooled in FIRES:
        if pooled:
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        for place in places:
            x = _fire(x, p, f"features.{place}.")
        yield x


def _fire(x: Tensor, p: Parameters, at: str) -> Tensor:
    """Few channels, then many by 1×1 and by 3×3 beside one another."""
    x = F.conv2d(x, p[at + "squeeze.weight"], p[at + "squeeze.bias"]).relu_()
    near = F.conv2d(x, p[at + "expand1x1.weight"], p[at + "expand1x1.bias"])
    wide = F.conv2d(x, p[at + "expand3x3.weight"], p[at + "expand3x3.bias"], padding=1)
    return torch.cat([near, wide], 1).relu_()
