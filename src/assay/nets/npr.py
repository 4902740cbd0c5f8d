"""The classifier of NPR: the first half of a ResNet-50 over differences of neighbouring pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

GAIN = 2 / 3  # networks/resnet.py of the release


def residual(x: Tensor, down: int = 0, across: int = 0) -> Tensor:
    """…×H×W, sides even: each pixel of a 2×2 cell less the cell's first one. The cells begin at row `down`, column `across`."""
    x = x[..., down : x.shape[-2] - down, across : x.shape[-1] - across]
    return x - x[..., ::2, ::2].repeat_interleave(2, -2).repeat_interleave(2, -1)


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions added to their input; parameters named as torchvision names them."""

    def __init__(self, inside: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        same = stride == 1 and inside == 4 * width
        self.downsample = None if same else nn.Sequential(nn.Conv2d(inside, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        y = relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))
        return relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


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
