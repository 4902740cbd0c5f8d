"""What 8×8 blocks of a picture say of JPEG saves: coefficients, zeros, ghosts, gaps in histograms, and votes for grids."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from torch import Tensor
from torch.nn.functional import conv2d

from assay.ops.dct import filters, grid_votes
from assay.ops.jpegfile import ZIGZAG
from assay.ops.jpegtables import LUMA, scaled
from assay.ops.regions import GRIDS, tally

CELL = 8  # pixels: side of a block of JPEG
GHOSTS = (50, 60, 70, 80, 90, 95)  # libjpeg qualities
LOW = tuple(ZIGZAG[1:16])  # the coefficients whose histograms are kept
BINS = 24  # of |coefficient| / step


def blocks(y: Tensor) -> tuple[list[Tensor], Tensor]:
    """Of the DCT of every block: sizes by frequency, zeros, and how well the steps of usual tables divide it; and the LOW ones."""
    c = conv2d(y - 128, filters(CELL).to(y), stride=CELL)
    size = c.abs()
    bands, rings = _bands()
    even = conv2d(size, bands.to(y))
    zero = conv2d((size < 0.5).float(), rings.to(y))
    ghosts = []
    for quality in GHOSTS:
        q = torch.tensor(scaled(LUMA, quality), dtype=torch.float32)[1:36, None, None]
        ratio = size[:, 1:36] / q
        there = (ratio > 0.5).float()
        ghosts += [((ratio - ratio.round()).abs() * there).sum(1, keepdim=True), there.sum(1, keepdim=True)]
    return [even, (even + 0.5).log(), zero, *ghosts], size[:, list(LOW)]


@cache
def _bands() -> tuple[Tensor, Tensor]:
    """Which of 64 coefficients make each of 20 bands (u, v and v, u, the high ones by ring), and each of 3 groups."""
    bands, rings = torch.zeros(20, 64), torch.zeros(3, 64)
    small = [(u, v) for u in range(5) for v in range(u, 5) if v]  # 14
    for u in range(8):
        for v in range(8):
            if u or v:
                far = max(u, v)
                at = small.index((min(u, v), far)) if far < 5 else 14 + (far - 5) * 2 + (min(u, v) > 2)
                bands[at, 8 * u + v] = 1
                rings[min(2, (u + v - 1) // 3), 8 * u + v] = 1
    return (bands / bands.sum(1, keepdim=True))[..., None, None], (rings / rings.sum(1, keepdim=True))[..., None, None]


def fitting(ratio: Tensor) -> Tensor:
    """How much likelier each block's coefficients are in this picture than its smoothed histograms say: 3 groups of frequencies.

    ratio: |coefficient| / step of LOW, K×h×w. Where the picture was saved twice its histograms have gaps and peaks, and blocks of
    another history do not fall on the peaks.
    """
    x = ratio.round().clamp_(max=BINS - 1).long()
    out = []
    for plane in x:
        counts = torch.bincount(plane.flatten(), minlength=BINS).double() + 0.5
        log = counts.log()
        smooth = torch.from_numpy(uniform_filter(log.numpy(), 5, mode="nearest"))
        gain = (log - smooth).float().clamp_(-3, 3)
        gain[0] = gain[-1] = 0  # zeros speak of content
        out.append(gain[plane])
    k = torch.stack(out)
    return torch.stack([k[:3].mean(0), k[3:9].mean(0), k[9:].mean(0)])


def grids(luma: Tensor, side: int) -> Tensor:
    """Of the votes for 64 JPEG grids: shares of the main one, the strongest other nearby, and all; whether the main one is (0, 0)."""
    votes = grid_votes(luma).cpu().numpy()
    counts = tally(votes, kinds=GRIDS, cell=side).astype(np.float32) / side**2
    main = int(counts.sum((1, 2)).argmax())
    near = uniform_filter(counts, (0, 5, 5), mode="nearest")
    others = np.delete(near, main, 0)
    cast = near.sum(0)
    total = counts.sum()
    clear = np.full_like(cast, counts[main].sum() / max(total, 1e-6))
    own = np.full_like(cast, float(main == 0))
    return torch.from_numpy(np.stack([near[main], others.max(0), cast, counts[main], counts.sum(0), clear, own]))
