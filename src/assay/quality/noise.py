"""Noise: grain and sensor noise."""

from __future__ import annotations

from functools import cache
from math import cos, inf, isqrt, pi, sqrt

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.photo import steps
from assay.types import Scale, ScoreCard

SIDE = 8  # pixels of a block, as in the paper
FINE = 9  # a coefficient counts as fine where its two frequencies sum to 9 or more, and as coarse up to 5
COARSE = 5
CALM = 0.02  # the share of blocks, those with the least coarse structure, whose fine structure is taken for noise
BLOCKS = 12_000  # at most; evenly spread
CLIPPED = (1.0, 254.0)  # 8-bit steps: noise is cut off beyond


@carded(
    ScoreCard(
        name="noise",
        version="1",
        takes=("image",),
        min_side=32,
        scale=Scale(worst=inf, best=0, unit="8-bit steps (σ)", usual=(25, 1)),
        paper="after Ponomarenko, Lukin, Zriakhov, Kaarna & Astola 2007, doi:10.1109/ICIP.2007.4379022",
        map="noise_map",
    )
)
def noise(x: Tensor) -> Tensor:
    """Noise: the standard deviation of the grain, in 8-bit steps, measured where the picture itself is calm.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8; 32 pixels at least.
    Not differentiable: pixels are rounded to 1/64 of an 8-bit step, and calm blocks are picked by rank.
    Returns N scores: σ of each colour channel, root of their mean square; 0 where nothing varies. Blocks of 8×8 are
    ranked by coarse structure; in the calmest fiftieth the finest frequencies are noise. Ranking and measuring
    use different frequencies, so picking calm blocks does not pick quiet noise. Blocks that touch black or white,
    or are quite flat (as strong compression leaves them), are left out. Noise blotched by demosaicing or denoising
    has less at fine frequencies and reads low.

    >>> noise(torch.full((1, 3, 64, 64), 0.5))
    tensor([0.])
    """
    (x,) = check.images(x=x, keep_uint8=True, min_side=32)
    return torch.stack([torch.stack([_sigma(channel) for channel in one]).square().mean().sqrt() for one in x])


def noise_map(x: Tensor) -> Tensor:
    """N×(H/8)×(W/8): σ of the finest frequencies of each 8×8 block, in 8-bit steps. Fine texture shows too."""
    (x,) = check.images(x=x, keep_uint8=True, min_side=32)
    fine = _dct()[1].to(x.device)
    rows = []
    for band in torch.split(x[:, :, : x.shape[2] // SIDE * SIDE], 64 * SIDE, dim=2):
        blocks = steps(band.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE)).flatten(-2)
        rows.append((blocks @ fine).square_().mean(dim=(1, -1)).sqrt())
    return torch.cat(rows, dim=1)


def _sigma(channel: Tensor) -> Tensor:
    coarse, fine = (t.to(channel.device) for t in _dct())
    hop = max(3, isqrt(channel.numel() // BLOCKS)) | 1  # odd, so that blocks fall on all phases of a JPEG grid
    blocks = steps(channel.unfold(0, SIDE, hop).unfold(1, SIDE, hop)).reshape(-1, SIDE * SIDE)
    low, high = blocks.amin(dim=1), blocks.amax(dim=1)
    blocks = blocks[(low > CLIPPED[0]) & (high < CLIPPED[1]) & (high > low)]
    if not len(blocks):
        return torch.zeros((), device=channel.device)
    structure = (blocks @ coarse).square_().sum(1)
    keep = max(round(CALM * len(blocks)), min(len(blocks), 50))  # so that few blocks still give a mean
    calm = structure.argsort(stable=True)[:keep]
    return (blocks[calm] @ fine).square_().mean().sqrt()


@cache
def _dct() -> tuple[Tensor, Tensor]:
    """The orthonormal 8×8 DCT-II as columns over flattened blocks: its coarse coefficients without the mean, its fine ones."""
    rows = [[cos(pi * k * (2 * i + 1) / (2 * SIDE)) * sqrt((1 if k == 0 else 2) / SIDE) for i in range(SIDE)] for k in range(SIDE)]
    order = (torch.arange(SIDE)[:, None] + torch.arange(SIDE)).flatten()
    columns = torch.kron(torch.tensor(rows), torch.tensor(rows)).T
    return columns[:, (order >= 1) & (order <= COARSE)].contiguous(), columns[:, order >= FINE].contiguous()
