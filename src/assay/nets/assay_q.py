"""The body of `assay-q`: local statistics of a picture, and a small net that judges them.

Orientation is taken out by construction, not by training: every statistic is the same for a turned or mirrored picture, and
every filter of the net is symmetric, with one weight for the centre, one for the four edges and one for the four corners.
A turned or mirrored picture whose sides are multiples of 16 meets the very same numbers in another order.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, relu

from assay import weights
from assay.ops.localstats import REACH, STATISTICS, STRIDE, statistics
from assay.types import Weights

__all__ = ["KINDS", "REACH", "STATISTICS", "STRIDE", "AssayQ", "Seen", "Symmetric", "loaded", "statistics"]

KINDS = (  # the families of damage that the net tells apart, as a person calls them
    "blur",
    "motion blur",
    "low resolution",
    "smearing",
    "noise",
    "impulse noise",
    "JPEG compression",
    "other compression",
    "over-sharpening",
    "banding",
    "overexposure",
    "underexposure",
    "low contrast",
    "high contrast",
    "oversaturation",
    "faded colour",
    "colour cast",
    "chromatic aberration",
    "warping",
    "moire",
    "missing blocks",
)


class Seen(NamedTuple):
    """What the net says: logits."""

    score: Tensor  # N
    spread: Tensor  # N: logarithm of the score's standard deviation in points
    kinds: Tensor  # N×K: how strong each family of damage is
    score_map: Tensor  # N×h×w
    kinds_map: Tensor  # N×K×h×w


class Symmetric(nn.Module):
    """A 3×3 convolution whose filters look the same from all eight sides, normalised, added to its input, then ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width, 3) * (1 / (9 * width)) ** 0.5)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """What one weight is for is added up first: three products of matrices instead of nine."""
        wide = pad(x, (1, 1, 1, 1), mode="reflect")
        beside = wide[:, :, :-2, 1:-1] + wide[:, :, 2:, 1:-1] + wide[:, :, 1:-1, :-2] + wide[:, :, 1:-1, 2:]
        up, low = wide[:, :, :-2], wide[:, :, 2:]
        corners = up[..., :-2] + up[..., 2:] + low[..., :-2] + low[..., 2:]
        weight = self.weight.transpose(1, 2).flatten(1)[:, :, None, None]  # centre, edges, corners
        return relu(x + self.norm(conv2d(torch.cat([x, beside, corners], dim=1), weight)))


class AssayQ(nn.Module):
    """Statistics in, N×194×h×w, of at least 4×4 places; out comes Seen."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(STATISTICS))
        self.register_buffer("scale", torch.ones(STATISTICS))
        self.centre: Tensor
        self.scale: Tensor
        self.body = nn.Sequential(
            nn.Conv2d(STATISTICS, width, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout2d(0.1),
            nn.Conv2d(width, width, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            Symmetric(width),
            Symmetric(width),
        )
        self.local = nn.Conv2d(width, 2 + len(KINDS), 1)
        self.whole = nn.Sequential(nn.Linear(2 * width, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 2 + len(KINDS)))

    def forward(self, found: Tensor) -> Seen:
        """Places vote on the score with weights of their own, and what holds for the whole picture is added."""
        z = ((found - self.centre[:, None, None]) / self.scale[:, None, None]).clamp(-5, 5)
        f = self.body(z)
        whole = self.whole(torch.cat([f.mean((2, 3)), (f.var((2, 3), unbiased=False) + 1e-6).sqrt()], dim=1))
        local = self.local(f)
        vote = local[:, 1].flatten(1).softmax(1)
        score_map = local[:, 0] + whole[:, :1, None]
        kinds_map = local[:, 2:] + whole[:, 2:, None, None]
        return Seen(
            (score_map.flatten(1) * vote).sum(1),
            whole[:, 1],
            (kinds_map.flatten(2) * vote[:, None]).sum(2),
            score_map,
            kinds_map,
        )


@cache
def loaded(w: Weights) -> tuple[AssayQ, tuple[float, float]]:
    """A net of this shape from its file, and how many of its standard deviations the interval reaches down and up."""
    tensors = {k: v.float() for k, v in weights.load_safetensors(w).items()}
    down, up = tensors.pop("interval").tolist()
    net = AssayQ()
    net.load_state_dict(tensors)
    return net.eval().requires_grad_(False), (down, up)
