"""From a map to words: where in the picture most of something lies."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from assay.types import Region

SIDE = 6  # cells across and down: halves, thirds and edges all fall on their borders
MOST = 0.6  # a place must hold this share of it to be named
DENSER = 1.5  # and this many times what its area would hold if all were even


def place(amount: Tensor) -> Region | None:
    """The plain place that holds most of a map in the least area.

    amount: h×w, how much there is at each place; 0 or more.
    Returns None where there is nothing. A map without such a place is "all over the picture".

    >>> place(torch.ones(6, 6).triu(3)).where
    'in the upper right'
    """
    cells = adaptive_avg_pool2d(amount[None].double(), SIDE)[0].cpu()
    total = float(cells.sum())
    if total <= 0:
        return None
    best, fit = Region("all over the picture", 100.0, 100.0), 0.0
    for where, mask in _places():
        share, area = float(cells[mask].sum()) / total, float(mask.double().mean())
        if share >= MOST and share >= DENSER * area and share**2 / area > fit * (1 + 1e-9):  # squared: what holds more is named sooner
            best, fit = Region(where, 100 * share, 100 * area), share**2 / area
    return best


def _places() -> Iterator[tuple[str, Tensor]]:
    """Named places from large to small, so that of two that are as dense the larger is named."""
    row, column = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    half, third = SIDE // 2, SIDE // 3
    upper, lower, left, right = row < half, row >= half, column < half, column >= half
    top, bottom, west, east = row < third, row >= SIDE - third, column < third, column >= SIDE - third
    yield "around the edges", (row == 0) | (row == SIDE - 1) | (column == 0) | (column == SIDE - 1)
    yield from (("in the upper half", upper), ("in the lower half", lower), ("in the left half", left), ("in the right half", right))
    yield "across the middle", ~top & ~bottom
    yield "down the middle", ~west & ~east
    yield from (("in the upper third", top), ("in the lower third", bottom), ("in the left third", west), ("in the right third", east))
    yield from (("in the upper left", upper & left), ("in the upper right", upper & right))
    yield from (("in the lower left", lower & left), ("in the lower right", lower & right))
    yield "along the upper edge", row == 0
    yield "along the lower edge", row == SIDE - 1
    yield "along the left edge", column == 0
    yield "along the right edge", column == SIDE - 1
    yield "in the centre", ~top & ~bottom & ~west & ~east
    for down, vertical in (("upper", top), ("lower", bottom)):
        for across, level in (("left", west), ("right", east)):
            yield f"in the {down} {across} corner", vertical & level
