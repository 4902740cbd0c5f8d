"""AlexNet's convolutions, the one-column version of 2014."""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from assay.nets.imagenet import TORCHVISION, Parameters
from assay.types import Weights

SIDE = 31  # the smallest side that leaves a pixel after both poolings
CHANNELS = (64, 192, 384, 256, 256)

IMAGENET = Weights(
    file="alexnet-owt-7be5be79.pth",
    sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    license=TORCHVISION,
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
)


def features(x: Tensor, p: Parameters) -> Iterator[Tensor]:
    """The five rectified layers of N×3×H×W, one after the other: Krizhevsky 2014, arXiv:1404.5997."""
    for place, stride, pad in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
        if place in (3, 6):
            x = F.max_pool2d(x, 3, 2)
        x = F.conv2d(x, p[f"features.{place}.weight"], p[f"features.{place}.bias"], stride, pad).relu_()
        yield x
