"""The classifier of NPR: the first half of a ResNet-50 over differences of neighbouring pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from assay.nets.resnet50 import Bottleneck

GAIN = 2 / 3  # networks/resnet.py of the release


def residual(x: Tensor, down: int = 0, across: int = 0) -> Tensor:
    """…×H×W, sides even: each pixel of a 2×2 cell less the cell's first one. The cells begin at row `down`, column `across`."""
    x = x[..., down : x.shape[-2] - down, across : x.shape[-1] - across]
    return x - x[..., ::2, ::2].repeat_interleave(2, -2).repeat_interleave(2, -1)


class NPR(nn.Module):
    """1,437,761 parameters; N×3×H×W as `imagenet.standardised` gives them, sides even and at least 8 → N logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Bottleneck(64, 64), Bottleneck(256, 64), Bottleneck(256, 64))
        self.layer2 = nn.Sequential(Bottleneck(256, 128, 2), *(Bottleneck(512, 128) for _ in range(3)))
        self.fc1 = nn.Linear(512, 1)

    def forward(self, x: Tensor, down: int = 0, across: int = 0) -> Tensor:
        y = max_pool2d(relu(self.bn1(self.conv1(GAIN * residual(x, down, across)))), 3, 2, 1)
        return self.fc1(self.layer2(self.layer1(y)).mean((2, 3)))[:, 0]  # type: ignore[no-any-return]


def mean_over_cells(net: NPR, x: Tensor) -> Tensor:
    """N×3×H×W of any size from 10 pixels up → N logits: the mean over the four places where cells may begin."""
    x = x[..., : x.shape[-2] // 2 * 2, : x.shape[-1] // 2 * 2]
    return torch.stack([net(x, i, j) for i in (0, 1) for j in (0, 1)]).mean(0)
