"""Swin Transformer B, with the two-layer head of Efficient-FIQA: Liu et al. 2021, arXiv:2103.14030; Sun et al. 2025, arXiv:2507.15709.

Places attend to one another within windows of 7×7; every second block moves the windows by 3, so that neighbours meet. The
names of the parameters are torchvision's, and those of the released checkpoints of Efficient-FIQA, which load as they are.
For judging alone: nothing is left out at random, as training would.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

PATCH, WINDOW, SHIFT = 4, 7, 3  # pixels; patches; patches
DIM, DEPTHS, HEADS = 128, (2, 2, 18, 2), (4, 8, 16, 32)  # Liu 2021, sec. 3.3, Swin-B; torchvision, swin_b
APART = -100.0  # what is added between places that the roll made neighbours: torchvision


class Attention(nn.Module):
    """Within windows, shifted or not; how much two places matter to one another also depends on how they lie."""

    relative_position_index: Tensor

    def __init__(self, dim: int, heads: int, shift: int) -> None:
        super().__init__()
        self.heads, self.shift = heads, shift
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        across = 2 * WINDOW - 1  # how many distances there are along one axis
        self.relative_position_bias_table = nn.Parameter(torch.zeros(across**2, heads))
        at = torch.arange(WINDOW**2)
        down, right = (v[:, None] - v + WINDOW - 1 for v in (at // WINDOW, at % WINDOW))
        self.register_buffer("relative_position_index", (down * across + right).flatten())

    def forward(self, x: Tensor) -> Tensor:
        """N×H×W×C, the same back."""
        n, h, w, c = x.shape
        x = pad(x, (0, 0, 0, -w % WINDOW, 0, -h % WINDOW))
        height, width = x.shape[1:3]
        dy, dx = (self.shift if side > WINDOW else 0 for side in (height, width))  # a single window has nowhere to move
        x = windows(x.roll((-dy, -dx), (1, 2)))
        q, k, v = self.qkv(x).reshape(n, -1, WINDOW**2, 3, self.heads, c // self.heads).permute(3, 0, 1, 4, 2, 5)
        lie = self.relative_position_bias_table[self.relative_position_index].view(WINDOW**2, WINDOW**2, -1).permute(2, 0, 1)
        weight = (q * (c // self.heads) ** -0.5) @ k.transpose(3, 4) + lie
        if dy or dx:
            weight = weight + apart(height, width, dy, dx, x)
        x = self.proj((weight.softmax(-1) @ v).transpose(2, 3).reshape(n, -1, WINDOW**2, c))
        return joined(x, height, width).roll((dy, dx), (1, 2))[:, :h, :w]


def windows(x: Tensor) -> Tensor:
    """N×H×W×C, sides in whole windows → N×windows×49×C."""
    n, h, w, c = x.shape
    return x.view(n, h // WINDOW, WINDOW, w // WINDOW, WINDOW, c).transpose(2, 3).reshape(n, -1, WINDOW**2, c)


def joined(x: Tensor, height: int, width: int) -> Tensor:
    """The way back."""
    n, _, _, c = x.shape
    return x.view(n, height // WINDOW, width // WINDOW, WINDOW, WINDOW, c).transpose(2, 3).reshape(n, height, width, c)


def apart(height: int, width: int, dy: int, dx: int, like: Tensor) -> Tensor:
    """windows×1×49×49: APART between places that came from opposite edges, else 0."""
    rolled = [torch.arange(n, device=like.device) >= n - d for n, d in ((height, dy), (width, dx))]
    part = windows((2 * rolled[0][:, None] + rolled[1].long())[None, :, :, None])[0, :, :, 0]
    return (part[:, None, :, None] != part[:, None, None, :]).to(like.dtype) * APART


class Block(nn.Module):
    """Attention, then every place by itself."""

    def __init__(self, dim: int, heads: int, shift: int) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(dim), Attention(dim, heads, shift), nn.LayerNorm(dim)
        # the two that do nothing stand where torchvision drops at random: they keep its numbers
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Identity(), nn.Linear(4 * dim, dim), nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class Merging(nn.Module):
    """Four neighbours become one place of twice the channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduction, self.norm = nn.Linear(4 * dim, 2 * dim, bias=False), nn.LayerNorm(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        x = pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        four = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.reduction(self.norm(torch.cat(four, -1)))  # type: ignore[no-any-return]


class Last(nn.Module):
    """N×C×H×W → N×H×W×C."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class Swin(nn.Module):
    """N×3×H×W as `imagenet.standardised` gives them, sides of at least 4 → N×1024."""

    def __init__(self, dim: int = DIM, depths: Sequence[int] = DEPTHS, heads: Sequence[int] = HEADS) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, dim, PATCH, PATCH), Last(), nn.LayerNorm(dim))]
        for i, (depth, h) in enumerate(zip(depths, heads, strict=True)):
            if i:
                layers.append(Merging(dim))
                dim *= 2
            layers.append(nn.Sequential(*(Block(dim, h, SHIFT * (j % 2)) for j in range(depth))))
        self.features, self.norm = nn.Sequential(*layers), nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.features(x)).mean((1, 2))  # type: ignore[no-any-return]


class SwinFIQA(nn.Module):
    """The teacher of Efficient-FIQA: 86.9 M parameters."""

    def __init__(self, dim: int = DIM, depths: Sequence[int] = DEPTHS, heads: Sequence[int] = HEADS) -> None:
        super().__init__()
        body = Swin(dim, depths, heads)
        self.feature_extraction = nn.ModuleDict({"feature_extraction": body})  # twice: so are the names of the release
        self.quality = nn.Sequential(nn.Linear(len(body.norm.weight), 128), nn.Linear(128, 1))  # no activation between: as released

    def forward(self, x: Tensor) -> Tensor:
        """N scores."""
        return self.quality(self.feature_extraction["feature_extraction"](x))[:, 0]  # type: ignore[no-any-return]
