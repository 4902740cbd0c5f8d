"""The small judge of `recolouring`: what it makes of every square, and of the whole picture."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from assay import weights
from assay.ops.colourties import INPUTS
from assay.types import Weights

WIDTH = 32
SMOOTH = 5  # squares over which the opinion is averaged
TOPS = (0.01, 0.03, 0.1)  # shares of the squares, the likeliest, that speak for the whole picture


class Seen(NamedTuple):
    map: Tensor  # h×w, logits
    whole: Tensor  # a logit


class Recolouring(nn.Module):
    """INPUTS×h×w statistics of one picture → Seen.

    Each square is judged alone; the picture by its likeliest squares and how far they stand out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(INPUTS))
        self.register_buffer("scale", torch.ones(INPUTS))
        self.centre: Tensor
        self.scale: Tensor
        self.squares = nn.Sequential(nn.Linear(INPUTS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))
        self.whole = nn.Linear(len(TOPS) + 3, 1)

    def forward(self, x: Tensor) -> Seen:
        return self.judged(self.opinion(x.flatten(1).T).reshape(x.shape[1:]))

    def opinion(self, x: Tensor) -> Tensor:
        """Of squares, M×INPUTS → M logits."""
        out: Tensor = self.squares(((x - self.centre) / self.scale).clamp(-4, 4))[:, 0]
        return out

    def judged(self, each: Tensor) -> Seen:
        map_ = avg_pool2d(each[None], SMOOTH, 1, SMOOTH // 2, count_include_pad=False)[0]
        flat = map_.flatten().sort(descending=True).values
        tops = [flat[: max(1, round(t * len(flat)))].mean() for t in TOPS]
        return Seen(map_, self.whole(torch.stack([*tops, flat.mean(), flat.std(unbiased=False), flat.sigmoid().mean()]))[0])


@cache
def loaded(w: Weights) -> tuple[Recolouring, float]:
    """The judge from its file, and the logit from which a picture is told to be recoloured."""
    tensors = {k: v.float() for k, v in weights.load_safetensors(w).items()}
    limit = float(tensors.pop("limit"))
    net = Recolouring()
    net.load_state_dict(tensors)
    return net.eval().requires_grad_(False), limit
