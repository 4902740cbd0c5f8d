"""EfficientNet-B4: Tan & Le 2019, arXiv:1905.11946, by the names and with the borders of efficientnet_pytorch.

That package fixes the zeros around each convolution by the size that the net was made for, 380, whatever is put in; released nets
learned with these.
"""

from __future__ import annotations

from math import ceil

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, pad, silu

MADE_FOR, EPS, SQUEEZE = 380, 1e-3, 4  # pixels; of the norms; the squeezing's share of a block's input
STEM, HEAD = 48, 1792  # channels: 32 and 1280, times 1.4, in eights
# blocks, kernel, stride, expansion, channels: EfficientNet-B0's stages, 1.8 times as many blocks and 1.4 times as wide
STAGES = ((2, 3, 1, 1, 24), (4, 3, 2, 6, 32), (4, 5, 2, 6, 56), (6, 3, 2, 6, 112), (6, 5, 1, 6, 160), (8, 5, 2, 6, 272), (2, 3, 1, 6, 448))


class Bordered(nn.Conv2d):
    """A convolution whose output is as large as its input over the stride, at the size that the net was made for."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, side: int, groups: int = 1) -> None:
        super().__init__(inside, outside, kernel, stride, groups=groups, bias=False)
        around = max(0, (ceil(side / stride) - 1) * stride + kernel - side)
        self.border = (around // 2, around - around // 2) * 2

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad(x, self.border))


class Block(nn.Module):
    """Wider, each channel by itself, each channel weighed by what all hold, narrower; added to the input where it fits."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, expansion: int, side: int) -> None:
        super().__init__()
        wide, few = inside * expansion, max(1, inside // SQUEEZE)
        self.expands, self.adds = expansion > 1, stride == 1 and inside == outside
        if self.expands:
            self._expand_conv, self._bn0 = nn.Conv2d(inside, wide, 1, bias=False), nn.BatchNorm2d(wide, EPS)
        self._depthwise_conv, self._bn1 = Bordered(wide, wide, kernel, stride, side, wide), nn.BatchNorm2d(wide, EPS)
        self._se_reduce, self._se_expand = nn.Conv2d(wide, few, 1), nn.Conv2d(few, wide, 1)
        self._project_conv, self._bn2 = nn.Conv2d(wide, outside, 1, bias=False), nn.BatchNorm2d(outside, EPS)

    def forward(self, x: Tensor) -> Tensor:
        y = silu(self._bn0(self._expand_conv(x))) if self.expands else x
        y = silu(self._bn1(self._depthwise_conv(y)))
        y = self._se_expand(silu(self._se_reduce(adaptive_avg_pool2d(y, 1)))).sigmoid() * y
        out: Tensor = self._bn2(self._project_conv(y))
        return x + out if self.adds else out


class Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        side, at, blocks = ceil(MADE_FOR / 2), STEM, []
        self._conv_stem, self._bn0 = Bordered(3, STEM, 3, 2, MADE_FOR), nn.BatchNorm2d(STEM, EPS)
        for count, kernel, stride, expansion, channels in STAGES:
            for i in range(count):
                blocks.append(Block(at, channels, kernel, 1 if i else stride, expansion, side))
                at, side = channels, side if i else ceil(side / stride)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = nn.Conv2d(at, HEAD, 1, bias=False), nn.BatchNorm2d(HEAD, EPS)

    def forward(self, x: Tensor) -> Tensor:
        x = silu(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return silu(self._bn1(self._conv_head(x)))


class EfficientNetB4(nn.Module):
    """N×3×H×W as `imagenet.standardised` gives them → N×classes; 17,548,616 parameters before the last layer."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.efficientnet, self.classifier = Body(), nn.Linear(HEAD, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.efficientnet(x).mean((2, 3)))  # type: ignore[no-any-return]
