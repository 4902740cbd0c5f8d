"""EdgeNeXt-XXS with the two-layer head of Efficient-FIQA: Maaz et al. 2022, arXiv:2206.10589; Sun et al. 2025, arXiv:2507.15709.

Depth-wise convolutions of growing size, and in three of the four stages one block whose attention is between channels, not
places, so that its cost grows with the pixels alone. The names of the parameters are timm's, and those of the released
checkpoint of Efficient-FIQA, which therefore loads as it is.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, normalize

DIMS, DEPTHS, KERNELS = (24, 48, 88, 168), (2, 2, 6, 2), (3, 5, 7, 9)  # timm, edgenext_xx_small
HEADS, SPLITS, PLACED = 4, (0, 2, 3, 4), 1  # SPLITS: parts of the channels in a stage's last block; PLACED: the stage told positions
EPS, WAVES, HOTTEST = 1e-6, 32, 10000.0  # of all norms; sines per axis; the longest of their wavelengths over the shortest


class Mlp(nn.Module):
    """Four times as wide, and back."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(x)))  # type: ignore[no-any-return]


class Near(nn.Module):
    """A depth-wise convolution, then every place by itself."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm, self.mlp = nn.LayerNorm(dim, EPS), Mlp(dim)
        self.gamma = nn.Parameter(torch.full((dim,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_dw(x).permute(0, 2, 3, 1)
        return x + (self.gamma * self.mlp(self.norm(y))).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class Channels(nn.Module):
    """Attention between channels: which of them rise and fall together over the places."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(HEADS, 1, 1))
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """N×places×dim, the same back."""
        n, places, dim = x.shape
        q, k, v = self.qkv(x).transpose(1, 2).reshape(n, 3, HEADS, dim // HEADS, places).unbind(1)
        weight = (normalize(q, dim=-1) @ normalize(k, dim=-1).transpose(2, 3) * self.temperature).softmax(-1)
        return self.proj((weight @ v).reshape(n, dim, places).transpose(1, 2))  # type: ignore[no-any-return]


class Positions(nn.Module):
    """Sines of the row and of the column, mixed."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token_projection = nn.Conv2d(2 * WAVES, dim, 1)

    def forward(self, height: int, width: int) -> Tensor:
        like = self.token_projection.weight
        index = torch.arange(WAVES, device=like.device)
        rate = HOTTEST ** (-2 * (index // 2) / WAVES)

        def sines(n: int) -> Tensor:
            angle = torch.arange(1, n + 1, device=like.device)[:, None] * (2 * pi / (n + EPS)) * rate
            return torch.where(index % 2 == 0, angle.sin(), angle.cos())

        down = sines(height)[:, None].expand(-1, width, -1)
        across = sines(width)[None].expand(height, -1, -1)
        return self.token_projection(torch.cat([down, across], 2).permute(2, 0, 1)[None].to(like))  # type: ignore[no-any-return]


class Far(nn.Module):
    """Parts of the channels see ever more of the surroundings; then attention between all channels, then every place by itself."""

    def __init__(self, dim: int, parts: int, placed: bool) -> None:
        super().__init__()
        width = -(-dim // parts)
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, groups=width) for _ in range(parts - 1))
        self.pos_embd = Positions(dim) if placed else None
        self.norm_xca, self.norm = nn.LayerNorm(dim, EPS), nn.LayerNorm(dim, EPS)
        self.xca, self.mlp = Channels(dim), Mlp(dim)
        self.gamma_xca, self.gamma = (nn.Parameter(torch.full((dim,), 1e-6)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        parts = x.chunk(len(self.convs) + 1, dim=1)
        seen: list[Tensor] = []
        for part, conv in zip(parts, self.convs, strict=False):  # the last part passes as it is
            seen.append(conv(part + seen[-1] if seen else part))
        y = torch.cat([*seen, parts[-1]], 1)
        if self.pos_embd is not None:
            y = y + self.pos_embd(*y.shape[2:])
        flat = y.flatten(2).transpose(1, 2)
        flat = flat + self.gamma_xca * self.xca(self.norm_xca(flat))
        flat = self.gamma * self.mlp(self.norm(flat))
        return x + flat.transpose(1, 2).reshape(x.shape)  # type: ignore[no-any-return]


class Norm(nn.LayerNorm):
    """Over the channels of N×C×H×W."""

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, EPS).permute(0, 3, 1, 2)


class Stage(nn.Module):
    def __init__(self, i: int) -> None:
        super().__init__()
        dim = DIMS[i]
        self.downsample = nn.Sequential(Norm(DIMS[i - 1]), nn.Conv2d(DIMS[i - 1], dim, 2, 2)) if i else nn.Identity()
        blocks: list[nn.Module] = [Near(dim, KERNELS[i]) for _ in range(DEPTHS[i])]
        if SPLITS[i]:
            blocks[-1] = Far(dim, SPLITS[i], i == PLACED)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.downsample(x))  # type: ignore[no-any-return]


class Features(nn.Module):
    """N×3×H×W as `imagenet.standardised` gives them, sides of at least 32 → N×168×H/32×W/32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, DIMS[0], 4, 4), Norm(DIMS[0]))
        self.stages = nn.Sequential(*(Stage(i) for i in range(4)))

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(self.stem(x))  # type: ignore[no-any-return]


class EdgeNeXtFIQA(nn.Module):
    """The student of Efficient-FIQA: 1.1796 M parameters, .331 billion multiply-adds at 352×352."""

    def __init__(self) -> None:
        super().__init__()
        self.feature_extraction = Features()
        self.quality = nn.Sequential(nn.Linear(DIMS[-1], 128), nn.Linear(128, 1))  # no activation between: as released

    def forward(self, x: Tensor) -> Tensor:
        """N scores."""
        return self.quality(self.feature_extraction(x).mean((2, 3)))[:, 0]  # type: ignore[no-any-return]
