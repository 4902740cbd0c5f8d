"""ResNet-50: He et al. 2016, arXiv:1512.03385, by torchvision's names."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

DEPTHS, WIDTH = (3, 4, 6, 3), 64


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions added to their input."""

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


class ResNet50(nn.Module):
    """N×3×H×W as `imagenet.standardised` gives them → N×classes; 23,508,032 parameters before the last layer."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, WIDTH, 7, 2, 3, bias=False), nn.BatchNorm2d(WIDTH)
        inside = WIDTH
        for level, depth in enumerate(DEPTHS):
            width = WIDTH << level
            blocks = [Bottleneck(inside if i == 0 else 4 * width, width, 2 if level and i == 0 else 1) for i in range(depth)]
            setattr(self, f"layer{level + 1}", nn.Sequential(*blocks))
            inside = 4 * width
        self.fc = nn.Linear(inside, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = max_pool2d(relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for level in range(1, 5):
            x = getattr(self, f"layer{level}")(x)
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]
