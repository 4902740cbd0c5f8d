"""VGG16's convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch.nn.functional as F
from torch import Tensor

from assay.nets.imagenet import TORCHVISION, Parameters
from assay.types import Weights

SIDE = 16  # four poolings
CHANNELS = (64, 128, 256, 512, 512)
STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))  # places of the convolutions in torchvision's list

IMAGENET = Weights(
    file="vgg16-397923af.pth",
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    license=TORCHVISION,
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
)


def features(x: Tensor, p: Parameters, *, pool: Callable[[Tensor], Tensor] | None = None) -> Iterator[Tensor]:
    """relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3 of N×3×H×W, one after the other: Simonyan & Zisserman 2015, arXiv:1409.1556.

    pool: halves between the stages, in place of the net's own maximum of 2×2.
    """
    for stage, places in enumerate(STAGES):
        if stage:
            x = pool(x) if pool else F.max_pool2d(x, 2)
        for place in places:
            x = F.conv2d(x, p[f"features.{place}.weight"], p[f"features.{place}.bias"], padding=1).relu_()
        yield x
