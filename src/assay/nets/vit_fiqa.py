"""ViT-FIQA: a vision transformer with one token more, from which the quality of a face is read (Atzori et al. 2025, arXiv:2508.13957).

The published small net is the default: patches of 9 pixels of a 112-pixel chip, width 512, 12 blocks, 76 025 856 parameters with the
head that recognises. Where the paper and its code differ (the token has a position; ReLU6), this is the code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu6, scaled_dot_product_attention

EPS = 2e-5  # of the batch normalisations


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the net is."""

    side: int = 112
    patch: int = 9
    width: int = 512
    depth: int = 12
    heads: int = 8
    embedding: int = 512

    @property
    def tokens(self) -> int:
        return (self.side // self.patch) ** 2


SMALL = Shape(side=64, patch=8, width=128, depth=4, heads=4, embedding=128)  # what is trained here


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, t, w = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        found: Tensor = self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, w))
        return found


class Block(nn.Module):
    """Attention, then two layers, each added to its normalised input; in training both are left out for some samples."""

    def __init__(self, width: int, heads: int, drop: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.kept(self.attn(self.norm1(x)))
        return x + self.kept(self.fc2(relu6(self.fc1(self.norm2(x)))))

    def kept(self, x: Tensor) -> Tensor:
        if not self.training or not self.drop:
            return x
        return x * (torch.rand(len(x), 1, 1, device=x.device) >= self.drop) / (1 - self.drop)


class ViTFIQA(nn.Module):
    """N×3×S×S in [0, 1] → quality N, and with the recognising head embeddings N×D beside it."""

    def __init__(
        self, shape: Shape | None = None, *, recognises: bool = True, masked: float = 0.1, spares: bool = False, drop: float = 0.1
    ) -> None:
        super().__init__()
        self.shape = s = shape or Shape()
        self.masked, self.spares = masked, spares  # share of tokens left out in training; never the quality token
        self.patch_embed = nn.Conv2d(3, s.width, s.patch, s.patch)
        self.quality_token, self.mask_token = (nn.Parameter(torch.zeros(1, 1, s.width)) for _ in range(2))
        self.pos_embed = nn.Parameter(torch.zeros(1, s.tokens + 1, s.width))
        for p in (self.quality_token, self.mask_token, self.pos_embed):
            nn.init.trunc_normal_(p, std=0.02)
        self.blocks = nn.ModuleList(Block(s.width, s.heads, drop * i / max(1, s.depth - 1)) for i in range(s.depth))
        self.norm = nn.LayerNorm(s.width)
        self.feature = (
            nn.Sequential(
                nn.Linear(s.tokens * s.width, s.embedding, bias=False),
                nn.BatchNorm1d(s.embedding, eps=EPS),
                nn.Linear(s.embedding, s.embedding, bias=False),
                nn.BatchNorm1d(s.embedding, eps=EPS),
            )
            if recognises
            else None
        )
        self.quality = nn.Sequential(nn.BatchNorm1d(s.width, eps=EPS), nn.Linear(s.width, 1, bias=False))

    def forward(self, chips: Tensor) -> tuple[Tensor, Tensor | None]:
        """Quality N, embedding N×D or None."""
        x = self.patch_embed(chips * 2 - 1).flatten(2).transpose(1, 2)
        x = torch.cat([self.quality_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        x = self.hidden(x) if self.training and self.masked else self.through(x)
        found = None if self.feature is None else self.feature(x[:, 1:].flatten(1))
        return self.quality(x[:, 0])[:, 0], found

    def through(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        done: Tensor = self.norm(x)
        return done

    def hidden(self, x: Tensor) -> Tensor:
        """A share of the tokens, the quality token as well as any, is left out and stands as mask tokens afterwards."""
        n, t, w = x.shape
        order = torch.rand(n, t, device=x.device)
        if self.spares:
            order[:, 0] = -1
        kept = order.argsort(1)[:, : t - int(t * self.masked)]
        at = kept[..., None].expand(-1, -1, w)
        return self.mask_token.expand(n, t, w).scatter(1, at, self.through(x.gather(1, at)))
