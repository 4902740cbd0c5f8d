"""PIQE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.mscn import REACH, mscn
from assay.ops.niqe import as_bytes, grey
from assay.types import CannotAssess, Scale, ScoreCard

SIDE = 16  # pixels of a block; Venkatanath 2015, section II
ACTIVE = 0.1  # variance of the contrast above which a block counts; T_U there
PLAIN = 0.1  # deviation below which a stretch of a block's edge is a trace of blocking or blur
STRETCH = 6  # pixels of such a stretch
STRIP = 32  # rows of blocks looked at together, so that a large photo needs little memory


@dataclass(frozen=True, slots=True)
class Blocks:
    """What was found in each block: h×w."""

    active: Tensor  # bool: textured enough to be judged
    damage: Tensor  # 0 where nothing was found or the block is not judged


@carded(
    ScoreCard(
        name="piqe",
        version="1",
        takes=("image",),
        scale=Scale(worst=100, best=0, usual=(80, 25)),
        paper="Venkatanath, Praneeth, Chandrasekhar, Channappayya & Medasani 2015, doi:10.1109/NCC.2015.7084843",
        min_side=SIDE,
        map="piqe_map",
    )
)
def piqe(x: Tensor) -> Tensor:
    """PIQE: the share of textured blocks that look noisy, blocky or blurred; needs no training.

    x: N×C×H×W, sRGB; uint8, or float in [0, 1]. Colour becomes luminance as in MATLAB's rgb2gray, stretched so that
    the brightest pixel is 255; the right and lower margin are mirrored up to whole 16×16 blocks.
    Not differentiable: blocks are judged by thresholds, on rounded pixels.
    Returns N scores, 0 (good) to 100 (bad); in the words of its authors 0-20 is excellent and above 80 is bad. Natural
    soft backgrounds count as blur. Raises BadInput, CannotAssess for a black picture.
    """
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    seen = [blocks(one) for one in x]
    out = x.dtype if x.is_floating_point() else torch.float32
    return torch.stack([100 * (b.damage.sum() + 1) / (b.active.sum() + 1) for b in seen]).to(out)  # 1: eq. 11, against 0/0


def piqe_map(x: Tensor) -> Tensor:
    """The damage of every 16×16 block, N×h×w: 0 nothing found (or too plain to judge), 1 worst."""
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return torch.stack([blocks(one).damage for one in x]).to(x.dtype if x.is_floating_point() else torch.float32)


def blocks(x: Tensor) -> Blocks:
    """Judge every block of one C×H×W picture, in float64."""
    y = grey(as_bytes(x))
    brightest = float(y.max())
    if brightest <= 0:
        raise CannotAssess("the image is black; PIQE stretches to the brightest pixel and there is none.")
    y = (255 * (y / brightest)).round()
    h, w = y.shape
    rows, columns = (torch.arange(n + -n % SIDE, device=y.device) for n in (h, w))
    y = y[torch.minimum(rows, 2 * h - 1 - rows)][:, torch.minimum(columns, 2 * w - 1 - columns)][None, None]
    found = [_strip(y, top) for top in range(0, y.shape[2] // SIDE, STRIP)]
    return Blocks(torch.cat([b.active for b in found]), torch.cat([b.damage for b in found]))


def _strip(y: Tensor, top: int) -> Blocks:
    """STRIP rows of blocks from row `top` on; the window sees the rows beyond."""
    first, last = top * SIDE, min((top + STRIP) * SIDE, y.shape[2])
    start = max(0, first - REACH)
    contrast = mscn(y[:, :, start : last + REACH])[0][0, 0, first - start : last - start]
    b = contrast.reshape(-1, SIDE, contrast.shape[1] // SIDE, SIDE).transpose(1, 2)
    variance = _variance(b.flatten(2))
    active = variance > ACTIVE
    impaired, noisy = _impaired(b), _noisy(b, variance.sqrt())
    return Blocks(active, active * (impaired * (1 - variance) + noisy * variance))


def _impaired(b: Tensor) -> Tensor:
    """Whether any stretch along a block's four edges is plain; h×w×16×16 → h×w."""
    edges = torch.stack([b[..., 0, :], b[..., -1, :], b[..., 0], b[..., -1]], dim=-2)
    n = SIDE - STRETCH + 1
    stretches = [edges[..., k : k + n] for k in range(STRETCH)]  # their variance, all stretches at once
    mean = sum(stretches[1:], stretches[0]) / STRETCH
    squares = [(s - mean).square_() for s in stretches]
    return ((sum(squares[1:], squares[0]) / (STRETCH - 1)).sqrt_() < PLAIN).flatten(2).any(-1)


def _variance(x: Tensor) -> Tensor:
    """`x.var(-1)`, which torch is slow to take along short rows."""
    return (x - x.mean(-1, keepdim=True)).square_().sum(-1) / (x.shape[-1] - 1)


def _noisy(b: Tensor, sigma: Tensor) -> Tensor:
    """Whether the deviation is more than twice its distance from that of the middle columns beside the rest's."""
    middle = _variance(b[..., 7:9].flatten(2)).sqrt()
    rest = [i for i in range(SIDE) if i not in (7, 9)]  # the release takes 7 out, then 8 of what is left
    around = _variance(b[..., rest].flatten(2)).sqrt()
    ratio = torch.where(around > 0, middle / torch.where(around > 0, around, 1), 0)
    most = torch.maximum(sigma, ratio)
    return sigma * most > 2 * (sigma - ratio).abs()
