"""Whether every piece of one picture has a counterpart anywhere in a set of others: position-blind matching of local features."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.ops.gradients import YIQ, means, slopes

BLOCK = 1 << 24  # similarities held at a time: 64 MB
SIDE = 32  # below, few cells are left
CELL = 4  # pixels over which edges are counted
WAYS = 8  # directions that edges are counted in
SCALES = 2  # the picture and its half: their ratio tells blur and noise from detail
CALM = 16.0  # 8-bit steps: edges that weigh as much as this are as good as none, so that flat matches flat
FINE = 8.0  # how much the mean height of the finest grain counts: one number against 144
COLOUR = 0.5  # how much a step of colour counts beside a step of edge


def counterparts(query: Tensor, pieces: Sequence[Tensor]) -> Tensor:
    """The cosine of every place of one C×h×w map with the likest place of all the C×H×W maps: h×w; Hermann 2025, eq. 2."""
    q = F.normalize(query.flatten(1), dim=0)
    best = q.new_full((q.shape[1],), -1.0)
    for piece in pieces:
        r = F.normalize(piece.flatten(1), dim=0).T
        for block in r.split(max(1, BLOCK // q.shape[1])):  # type: ignore[no-untyped-call]
            best = torch.maximum(best, (block @ q).amax(0))
    return best.view(query.shape[1:])


def lowest(maps: Tensor, share: float) -> Tensor:
    """The mean of the lowest `share` of each of N×H×W maps: what is wrong in a small place decides."""
    values = maps.flatten(1)
    return values.topk(max(1, round(share * values.shape[1])), dim=1, largest=False).values.mean(1)


def edge_counts(x: Tensor, step: int) -> Tensor:
    """Hand-made features of N×C×H×W, uint8 or float in [0, 1], shrunk `step` times: N×150×h×w, one place per 4×4 pixels.

    Of the picture and its half: how much of its slope points in each of eight directions, in 3×3 cells around the place;
    how strong its finest grain is; its lightness and two colour differences; and a constant that lets flat places match.
    """
    y = means(x, step, YIQ)
    size = (-(-y.shape[-2] // CELL), -(-y.shape[-1] // CELL))
    parts = [COLOUR * _shrunk(y, size), torch.full_like(y[:, :1, : size[0], : size[1]], CALM)]
    for scale in range(SCALES):
        plane = F.avg_pool2d(y[:, :1], 2**scale, ceil_mode=True) if scale else y[:, :1]
        right, down = slopes(F.pad(plane, (1, 1, 1, 1), mode="replicate"), "scharr")
        right, down = (t[..., 1:-1, 1:-1] for t in (right, down))
        grain = (plane - F.avg_pool2d(F.pad(plane, (1, 1, 1, 1), mode="replicate"), 3, 1)).abs()
        parts.append(FINE * _shrunk(grain, size))
        ways = [(right * cos(2 * pi * k / WAYS) + down * sin(2 * pi * k / WAYS)).relu() for k in range(WAYS)]
        cells = _shrunk(torch.cat(ways, 1), size)
        around = F.unfold(F.pad(cells, (1, 1, 1, 1), mode="replicate"), 3)
        parts.append(around.view(len(x), -1, *size))
    return torch.cat(parts, 1)


def _shrunk(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.adaptive_avg_pool2d(x, size)
