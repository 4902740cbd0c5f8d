"""Where a picture looks like itself elsewhere: candidates for copies, turned or not."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

LOOKED = 27_000  # pixels: pictures are compared with themselves in a copy of that size, reduced by a whole factor
RADIUS = 7  # pixels of that copy: of the disc that is compared
APART = 12  # closer places are alike anyway
QUERY = 4  # between the places for which the likest other is sought
CALM = 2.0  # grey levels: what varies less says nothing
AGREE = 6.0  # pixels: moves that differ less are one move
EVEN = 3.0  # pixels: a move this close to the mean of two opposite neighbours' turns or scales with them
COPIES = 4


@torch.no_grad()
def copies(luma: Tensor, shape: torch.Size | tuple[int, int]) -> Tensor:
    """What speaks for a copy at every place of a map of that shape, COPIES×h×w.

    The planes: the logarithm of how unlike the likest other place is; the shares of neighbours whose own likest places lie the same way
    from them, and evenly turned or scaled; the contrast.
    luma: H×W uint8. Places are compared by the sizes of polar harmonics in a disc: they do not change when it is turned
    (after Cozzolino, Poggi & Verdoliva 2015, doi:10.1109/TIFS.2015.2455334).
    """
    by = max(1, math.ceil((luma.numel() / LOOKED) ** 0.5))
    x = avg_pool2d(luma.float()[None, None], by)
    described, contrast = _described(x)
    h, w = described.shape[1:]
    rows, columns = torch.arange(QUERY // 2, h, QUERY), torch.arange(QUERY // 2, w, QUERY)
    best, moved = _likest(described, rows, columns)
    calm = contrast[rows][:, columns]
    planes = torch.stack([(best + 1e-3).log(), _alike(moved), _even(moved), (calm + 1).log()])
    return interpolate(planes[None], tuple(shape), mode="bilinear", align_corners=False)[0]


def _described(x: Tensor) -> tuple[Tensor, Tensor]:
    """Descriptors of unit contrast at every pixel, D×h×w, and the contrast there in grey levels."""
    r = RADIUS
    bank = _harmonics()
    wide = pad(x, (r, r, r, r), mode="reflect")
    found = conv2d(wide, bank.to(x))[0]
    real, imaginary = found[: len(found) // 2], found[len(found) // 2 :]
    size = (real.square() + imaginary.square()).sqrt()
    disc = _disc().to(x)
    mean = conv2d(wide, disc)[0, 0]
    power = conv2d(wide.square(), disc)[0, 0]
    spread = (power - mean.square()).clamp_min(0).sqrt()
    return size / (spread + CALM), spread


@cache
def _disc() -> Tensor:
    y, x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
    inside = torch.from_numpy((y**2 + x**2 <= RADIUS**2).astype(np.float32))
    return (inside / inside.sum())[None, None]


@cache
def _harmonics() -> Tensor:
    """Cosine rings times 0 to 4 turns on a disc, real parts then imaginary ones; the mean is left out."""
    y, x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1].astype(float)
    radius, angle = np.hypot(x, y) / RADIUS, np.arctan2(y, x)
    parts = []
    for ring in range(4):
        for turn in range(5):
            if ring or turn:
                wave = np.where(radius <= 1, np.cos(np.pi * ring * radius**2) * np.exp(-1j * turn * angle), 0)
                wave = wave - np.where(radius <= 1, wave.sum() / (radius <= 1).sum(), 0)
                parts.append(wave / np.sqrt((abs(wave) ** 2).sum() * (radius <= 1).sum()))
    bank = np.stack(parts)
    return torch.from_numpy(np.concatenate([bank.real, bank.imag]).astype(np.float32))[:, None]


def _likest(described: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Of the likest place farther than APART: its squared distance, h×w, and the way to it in pixels, 2×h×w."""
    depth, h, w = described.shape
    base = described.reshape(depth, -1)
    base = torch.cat([base, base.square().sum(0, keepdim=True)])
    at_x = torch.arange(w)
    best, moved = [], []
    for r in rows.tolist():
        query = described[:, r, columns]
        gap = torch.cat([-2 * query, torch.ones(1, len(columns))]).T @ base  # without the query's own power, the same for all
        near = gap.view(len(columns), h, w)[:, max(0, r - APART) : r + APART + 1]
        close = (at_x - columns[:, None]).abs() <= APART
        near.masked_fill_(close[:, None], float("inf"))
        where = torch.from_numpy(gap.numpy().argmin(1))  # five times as fast as torch's
        least = gap.gather(1, where[:, None])[:, 0]
        best.append((least + query.square().sum(0)).clamp_min(0))
        moved.append(torch.stack([where // w - r, where % w - columns]))
    return torch.stack(best), torch.stack(moved, dim=1).float()


def _around(moved: Tensor, reach: int) -> Callable[[int, int], Tensor]:
    """The moves of the neighbours so far away."""
    wide = pad(moved[None], (reach,) * 4, value=1e6)[0]
    h, w = moved.shape[1:]
    return lambda dy, dx: wide[:, (1 + dy) * reach : (1 + dy) * reach + h, (1 + dx) * reach : (1 + dx) * reach + w]


def _alike(moved: Tensor) -> Tensor:
    """The share of 8 neighbours that moved almost as each place did."""
    at = _around(moved, 1)
    others = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    return torch.stack([((at(*d) - moved).abs().amax(0) < AGREE).float() for d in others]).mean(0)


def _even(moved: Tensor) -> Tensor:
    """The share of 8 pairs of opposite neighbours between whose moves each place's lies: so it is in turned and scaled copies too."""
    found = []
    for reach in (1, 2):
        at = _around(moved, reach)
        found += [(((at(dy, dx) + at(-dy, -dx)) / 2 - moved).abs().amax(0) < EVEN).float() for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1))]
    return torch.stack(found).mean(0)
