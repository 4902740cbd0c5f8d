"""The body of `splices`: the statistics of every square of a picture in, where it was changed and how far to trust that out.

Every square is seen as it is and as it differs from the picture's other squares, first by mean and deviation, then by attention to
all of them: a paste is what does not go with the rest. Map, confidence and one statistic for the whole picture, as in TruFor
(Guillaro, Cozzolino, Sud, Dufour & Verdoliva 2023, arXiv:2212.10957); this net is 300 times smaller.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu, scaled_dot_product_attention

from assay import weights
from assay.ops.localtraces import TRACES
from assay.types import Weights

WIDTH, DEEP = 48, 80
HEADS = 4
TOKENS = 16  # the rest of the picture is met as at most 16×16 places
TOP = 0.03  # share of the squares, the likeliest ones, that speak for the whole picture


class Seen(NamedTuple):
    """What the net says: logits."""

    map: Tensor  # N×h×w: changed
    confidence: Tensor  # N×h×w: of the map being right
    whole: Tensor  # N: changed anywhere


class Step(nn.Module):
    """A 3×3 convolution, normalised, added to its input, then ReLU."""

    def __init__(self, width: int, reach: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=reach, dilation=reach, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return relu(x + self.norm(self.conv(x)))


class Rest(nn.Module):
    """Every place asks all of the picture for its like, and learns how it differs from that."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ask = nn.Conv2d(width, width, 1)
        self.answer = nn.Conv2d(width, 2 * width, 1)
        self.join = nn.Conv2d(2 * width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        tokens = avg_pool2d(x, (max(2, -(-h // TOKENS)), max(2, -(-w // TOKENS))), ceil_mode=True)
        key, value = (t.reshape(n, HEADS, c // HEADS, -1).transpose(2, 3) for t in self.answer(tokens).chunk(2, 1))
        query = self.ask(x).reshape(n, HEADS, c // HEADS, h * w).transpose(2, 3)
        like = scaled_dot_product_attention(query, key, value).transpose(2, 3).reshape(n, c, h, w)
        return relu(x + self.norm(self.join(torch.cat([like, (like - x).abs()], 1))))


class Splices(nn.Module):
    """N×TRACES×h×w statistics → Seen."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(TRACES))
        self.register_buffer("scale", torch.ones(TRACES))
        self.centre: Tensor
        self.scale: Tensor
        self.first = nn.Conv2d(2 * TRACES, WIDTH, 1)
        self.picture = nn.Linear(2 * TRACES, WIDTH)
        self.start = nn.Sequential(nn.BatchNorm2d(WIDTH), nn.ReLU())
        self.down = nn.Sequential(nn.Conv2d(WIDTH, DEEP, 1), nn.ReLU(), Step(DEEP), Rest(DEEP), Step(DEEP, 2), Rest(DEEP), Step(DEEP))
        self.up = nn.Conv2d(DEEP, WIDTH, 1)
        self.end = Step(WIDTH)
        self.head = nn.Conv2d(WIDTH, 2, 1)
        self.whole = nn.Sequential(nn.Linear(3 * WIDTH + 4, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, found: Tensor) -> Seen:
        return self.judged(((found - self.centre[:, None, None]) / self.scale[:, None, None]).clamp(-4, 4))

    def judged(self, z: Tensor) -> Seen:
        """The same for statistics that are already centred and scaled."""
        mean, spread = z.mean((2, 3)), (z.var((2, 3), unbiased=False) + 1e-4).sqrt()
        odd = ((z - mean[..., None, None]) / (spread + 0.3)[..., None, None]).clamp(-5, 5)
        near = self.start(self.first(torch.cat([z, odd], 1)) + self.picture(torch.cat([mean, spread], 1))[..., None, None])
        deep = self.up(self.down(avg_pool2d(near, 2, ceil_mode=True)))
        f = self.end(near + interpolate(deep, near.shape[2:], mode="bilinear", align_corners=False))
        changed, sure = self.head(f).unbind(1)
        return Seen(changed, sure, self._whole(f, changed, sure))

    def _whole(self, f: Tensor, changed: Tensor, sure: Tensor) -> Tensor:
        """What the likeliest squares and the others look like decides about the picture."""
        flat, trust = changed.flatten(1), sure.sigmoid().flatten(1)
        few = flat.topk(max(1, round(TOP * flat.shape[1])), 1)
        looks = f.flatten(2)
        top = looks.gather(2, few.indices[:, None].expand(-1, WIDTH, -1)).mean(2)
        each = [few.values.mean(1), trust.gather(1, few.indices).mean(1), flat.mean(1), (flat.sigmoid() * trust).mean(1)]
        out: Tensor = self.whole(torch.cat([top, looks.mean(2), looks.std(2, unbiased=False), torch.stack(each, 1)], 1))[:, 0]
        return out


@cache
def loaded(w: Weights) -> tuple[Splices, Tensor]:
    """The net from its file, and its limits: the statistic from which a picture is told to be changed."""
    tensors = {k: v.float() for k, v in weights.load_safetensors(w).items()}
    limits = tensors.pop("limits")
    net = Splices()
    net.load_state_dict(tensors, strict=False)
    return net.eval().requires_grad_(False), limits
