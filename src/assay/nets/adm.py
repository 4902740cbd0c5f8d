"""ADM's U-Net, which sees the noise in a noised picture: Dhariwal & Nichol 2021, arXiv:2105.05233.

The names of the parameters are those of OpenAI's guided-diffusion, whose files load as they are. Unconditional nets with residual
up- and down-sampling and scale-shift norms only: what DIRE was made with, and small ones of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, scaled_dot_product_attention

LONGEST = 10000.0  # of the waves that tell the step


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the net is; as given, 256x256_diffusion_uncond.pt, 552.8 M parameters."""

    side: int = 256
    width: int = 256
    times: tuple[int, ...] = (1, 1, 2, 2, 4, 4)  # of the width, at each level
    blocks: int = 2  # a level
    attends: tuple[int, ...] = (32, 16, 8)  # sides at which places attend to one another
    head: int = 64  # channels a head
    out: int = 6  # channels: the noise, and where 6 its variance
    groups: int = 32  # of the norms


SMALL = Shape(side=64, width=32, times=(1, 2, 2), blocks=1, attends=(16,), head=32, out=3, groups=8)  # recipes/small_diffusion.py


class Residual(nn.Module):
    """Two convolutions beside the input; the step moves and scales what is between them. `turn`: 1 keeps the size, 2 doubles, 0 halves."""

    def __init__(self, inside: int, outside: int, told: int, groups: int, turn: int = 1) -> None:
        super().__init__()
        self.turn = turn
        self.in_layers = nn.Sequential(nn.GroupNorm(groups, inside), nn.SiLU(), nn.Conv2d(inside, outside, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(told, 2 * outside))
        last = nn.Conv2d(outside, outside, 3, padding=1)
        for p in last.parameters():
            nn.init.zeros_(p)
        self.out_layers = nn.Sequential(nn.GroupNorm(groups, outside), nn.SiLU(), nn.Identity(), last)
        self.skip_connection = nn.Identity() if inside == outside else nn.Conv2d(inside, outside, 1)

    def turned(self, x: Tensor) -> Tensor:
        if self.turn == 2:
            return interpolate(x, scale_factor=2, mode="nearest")
        return x if self.turn else avg_pool2d(x, 2)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = self.in_layers[2](self.turned(self.in_layers[:2](x)))
        scale, shift = self.emb_layers(told)[..., None, None].chunk(2, dim=1)
        h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        return self.skip_connection(self.turned(x)) + h  # type: ignore[no-any-return]


class Attention(nn.Module):
    def __init__(self, channels: int, head: int, groups: int) -> None:
        super().__init__()
        self.heads = channels // head
        self.norm, self.qkv = nn.GroupNorm(groups, channels), nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)
        for p in self.proj_out.parameters():
            nn.init.zeros_(p)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        q, k, v = self.qkv(self.norm(flat)).unflatten(1, (self.heads, 3, -1)).transpose(3, 4).unbind(2)
        found = scaled_dot_product_attention(q, k, v).transpose(2, 3).flatten(1, 2)
        return x + self.proj_out(found).view(x.shape)  # type: ignore[no-any-return]


class Stage(nn.ModuleList):
    """What happens between two places that are joined across the U."""

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        for part in self:
            x = part(x, told) if isinstance(part, Residual) else part(x)
        return x


class ADM(nn.Module):
    """N×3×H×W around [-1, 1] and N steps of the chain → N×out×H×W; sides of whole multiples of 2 to the levels less one."""

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = s = shape or Shape()
        told = 4 * s.width
        self.time_embed = nn.Sequential(nn.Linear(s.width, told), nn.SiLU(), nn.Linear(told, told))
        at, side, width = s.times[0] * s.width, s.side, [s.times[0] * s.width]

        def residual(inside: int, outside: int, turn: int = 1) -> Residual:
            return Residual(inside, outside, told, s.groups, turn)

        def attention(channels: int) -> list[nn.Module]:
            return [Attention(channels, s.head, s.groups)] if side in s.attends else []

        self.input_blocks = nn.ModuleList([Stage([nn.Conv2d(3, at, 3, padding=1)])])
        for level, times in enumerate(s.times):
            for _ in range(s.blocks):
                self.input_blocks.append(Stage([residual(at, times * s.width), *attention(times * s.width)]))
                at = times * s.width
                width.append(at)
            if level < len(s.times) - 1:
                self.input_blocks.append(Stage([residual(at, at, 0)]))
                width.append(at)
                side //= 2
        self.middle_block = Stage([residual(at, at), Attention(at, s.head, s.groups), residual(at, at)])
        self.output_blocks = nn.ModuleList()
        for level, times in reversed(list(enumerate(s.times))):
            for i in range(s.blocks + 1):
                stage = [residual(at + width.pop(), times * s.width), *attention(times * s.width)]
                at = times * s.width
                if level and i == s.blocks:
                    stage.append(residual(at, at, 2))
                    side *= 2
                self.output_blocks.append(Stage(stage))
        self.out = nn.Sequential(nn.GroupNorm(s.groups, at), nn.SiLU(), nn.Conv2d(at, s.out, 3, padding=1))

    def forward(self, x: Tensor, steps: Tensor) -> Tensor:
        told, seen = self.time_embed(waves(steps, self.shape.width).to(x.dtype)), []
        for stage in self.input_blocks:
            x = stage(x, told)
            seen.append(x)
        x = self.middle_block(x, told)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, seen.pop()], 1), told)
        return self.out(x)  # type: ignore[no-any-return]


def waves(steps: Tensor, width: int) -> Tensor:
    """N steps → N×width cosines and sines."""
    half = width // 2
    angle = steps[:, None].float() * torch.exp(-log(LONGEST) * torch.arange(half, device=steps.device) / half)
    return torch.cat([angle.cos(), angle.sin()], 1)
