"""Banding: false contours in what should be a smooth gradient."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from assay import check
from assay.catalog import carded
from assay.ops.photo import luma
from assay.types import Scale, ScoreCard

FLAT = 0.5  # 8-bit steps: a smaller change is none
CONTOUR = (1.1, 20.0)  # 8-bit steps; 1 is the finest an 8-bit file can do, much more than 16 (4 bits) is an edge of its own
CROSSINGS = 1.2  # contours that a row or a column of a cell meets; one alone may be an edge of the picture
ONE_WAY = 0.7  # of all steps must climb the same way, as on a gradient; outlines and text climb and fall
MOST = 1 << 20  # pixels looked at in each direction
OTHER = 0.15  # share of places that may be neither flat nor a contour


@carded(
    ScoreCard(
        name="banding",
        version="1",
        takes=("image",),
        min_side=16,
        scale=Scale(worst=100, best=0, unit="% of area", usual=(20, 0)),
        paper="after Tandon et al. 2021 (CAMBI), doi:10.1109/PCS50896.2021.9477464",
        map="banding_map",
    )
)
def banding(x: Tensor) -> Tensor:
    """Banding: the share of the picture where a gradient has become a staircase of flat bands.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8; 16 pixels at least.
    Not differentiable: it counts steps, flat pixels and crossings.
    Returns N scores in % of area. A cell (1/8 of the shorter side, or a square of four) is banded when most of it
    is flat, when small steps (1.1 to 20 of 255) with two flat pixels on each side cross its rows or columns 1.2 times or more, and
    when they climb one way. A plain 8-bit gradient, with steps of 1, is not counted; bands that grain has frayed are
    missed. The staircases that strong JPEG makes of a sky are bands, and counted.

    >>> banding((torch.arange(256) // 16 / 32).expand(1, 1, 256, 256))
    tensor([100.])
    """
    return banding_map(x).mean(dim=(1, 2)) * 100


def banding_map(x: Tensor) -> Tensor:
    """N×h×w: 1 in cells of 1/8 of the shorter side that are banded, else 0."""
    (x,) = check.images(x=x, keep_uint8=True, min_side=16)
    return torch.stack([_banded(one) for one in x])


def _banded(x: Tensor) -> Tensor:
    hop = max(1, x.shape[1] * x.shape[2] // MOST)  # between the lines looked at: a regular sample of a large photo
    cell = -(-min(x.shape[1:]) // (8 * hop)) * hop
    rows, columns = _lines(luma(x[:, ::hop]), cell, hop), _lines(luma(x[:, :, ::hop]).mT, cell, hop).mT
    size = rows.shape[1:]
    fine = _verdict(rows, columns, 1)
    even = (0, size[1] % 2, 0, size[0] % 2)
    rows, columns = (avg_pool2d(pad(t, even), 2) * 4 for t in (rows, columns))
    wide = _verdict(rows, columns, 2)  # for bands too wide to repeat in one cell
    return torch.maximum(fine, wide.repeat_interleave(2, 0).repeat_interleave(2, 1)[: size[0], : size[1]])


def _verdict(rows: Tensor, columns: Tensor, cells: int) -> Tensor:
    """1 where a place is a staircase, from the sums of `_lines` over cells×cells cells."""
    climb = rows[0].abs() + columns[0].abs()
    crossings = cells * torch.maximum(rows[2] / rows[5].clamp_min(1), columns[2] / columns[5].clamp_min(1))
    total, other, flat = (rows + columns)[[1, 3, 4]]
    share = other / (other + flat).clamp_min(1)
    banded: Tensor = (share <= OTHER) & (crossings >= CROSSINGS) & (climb >= ONE_WAY * total)
    return banded.float()


def _lines(y: Tensor, cell: int, hop: int) -> Tensor:
    """What every cell holds along the lines of y: net climb, all steps, contours, odd places, flat places, lines."""
    step = y.diff(dim=1)
    size = step.abs()
    still = size < FLAT
    contour = (size > CONTOUR[0]) & (size < CONTOUR[1])
    calm = pad(still, (2, 2), value=True)
    for i in (0, 1, 3, 4):
        contour &= calm[:, i : i + size.shape[1]]
    tall = cell // hop
    room = (0, 1 + -y.shape[1] % cell, 0, -y.shape[0] % tall)
    parts = (step * contour, size * contour, contour.float(), (still | contour).logical_not_().float(), still.float())
    first = torch.zeros_like(size)
    first[:, ::cell] = 1  # once per line and cell
    return torch.stack([avg_pool2d(pad(p, room)[None], (tall, cell))[0] for p in (*parts, first)]) * (tall * cell)
