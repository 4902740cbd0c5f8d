"""Regions of pixels that agree, and how surprising their agreement is (a-contrario tests)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, log10

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label, maximum_filter, minimum_filter
from scipy.special import gammaln, logsumexp

GRIDS = 64  # places an 8×8 grid can start at, and pixels of a block
RADIUS = 9  # pixels between neighbours of a region (Nikoukhah et al. 2021, as all of the a-contrario test)
CELL = RADIUS + 1
EIGHT = np.ones((3, 3), dtype=bool)  # neighbours of a pixel, diagonals included


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels of one class that hang together. x, y: the upper left corner of the box; mask: the pixels in the box."""

    of: int
    x: int
    y: int
    mask: NDArray[np.bool_]

    @property
    def size(self) -> int:
        return int(self.mask.sum())

    @property
    def width(self) -> int:
        return int(self.mask.shape[1])

    @property
    def height(self) -> int:
        return int(self.mask.shape[0])


def log10_tail(n: int, k: int, p: float) -> float:
    """log10 of the probability that a binomial variable of n draws with chance p is at least k; exact far below 1e-308."""
    if k <= 0:
        return 0.0
    if k > n:
        return -float("inf")
    i = np.arange(k, n + 1, dtype=np.float64)
    terms = gammaln(n + 1) - gammaln(i + 1) - gammaln(n - i + 1) + i * np.log(p) + (n - i) * np.log1p(-p)
    return min(0.0, float(logsumexp(terms)) / float(np.log(10)))


def tally(classes: NDArray[np.uint8], *, kinds: int, cell: int) -> NDArray[np.int16]:
    """How many pixels of the classes 0..kinds-1 lie in each cell×cell square (cell up to 15): kinds×⌈H/cell⌉×⌈W/cell⌉."""
    h, w = classes.shape
    rows, columns = -(-h // cell), -(-w // cell)
    out = np.empty((kinds, rows, columns), dtype=np.int16)
    at = np.arange(w) // cell
    for r in range(rows):  # row by row of cells, because the indices are eight times as large as the pixels
        strip = classes[r * cell : (r + 1) * cell].astype(np.int64) * columns + at
        out[:, r] = np.bincount(strip.ravel(), minlength=256 * columns).reshape(256, columns)[:kinds]
    return out


def per_cell(mask: NDArray[np.bool_], *, cell: int) -> NDArray[np.int16]:
    """How many pixels of a mask lie in each cell×cell square (cell up to 15): ⌈H/cell⌉×⌈W/cell⌉."""
    rows = np.add.reduceat(mask.view(np.uint8), np.arange(0, mask.shape[0], cell), axis=0, dtype=np.uint8)
    return np.add.reduceat(rows, np.arange(0, mask.shape[1], cell), axis=1, dtype=np.int16)


def grow(classes: NDArray[np.uint8], wanted: Iterable[int], *, radius: int, least: int, counts: NDArray[np.int16]) -> Iterator[Region]:
    """The connected regions of each wanted class with at least `least` pixels.

    Two pixels of a class are neighbours up to `radius` apart in each direction (radius odd). That equals plain
    8-connection after every pixel is made a square of side `radius`: two such squares touch or overlap exactly when
    their centres are at most `radius` apart.
    counts: `tally` with cells of radius + 1. Neighbours lie in the same or in touching cells, so a group of touching
    cells holds whole regions, and one with fewer than `least` pixels of the class is passed over unseen.
    """
    cell = radius + 1
    for of in wanted:
        if counts[of].sum() < least:
            continue
        groups, _ = label(counts[of] > 0, EIGHT)
        large = np.bincount(groups.ravel(), counts[of].ravel()) >= least
        if not large[1:].any():
            continue
        groups = _kept(groups, large)
        for number, box in enumerate(find_objects(groups), start=1):
            y, x = box[0].start * cell, box[1].start * cell
            mask = classes[y : box[0].stop * cell, x : box[1].stop * cell] == of
            inside = np.repeat(np.repeat(groups[box] == number, cell, 0), cell, 1)
            mask &= inside[: mask.shape[0], : mask.shape[1]]
            parts, _ = label(maximum_filter(mask, radius), EIGHT)
            parts[~mask] = 0
            parts = _kept(parts, np.bincount(parts[mask]) >= least)
            for part, where in enumerate(find_objects(parts), start=1):
                yield Region(of, x + where[1].start, y + where[0].start, parts[where] == part)


def _kept(labels: NDArray[np.int32], keep: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The labels with only those kept, numbered anew; 0 elsewhere."""
    number = np.cumsum(keep[1:], dtype=np.int32) * keep[1:]
    return np.concatenate([np.zeros(1, np.int32), number])[labels]


def grid_nfa(area: int, votes: int, pixels: int) -> float:
    """log10 of the number of false alarms of so many votes for one grid in an area: how many as strong are to be expected
    by chance in a picture of that many pixels. Tests: every grid in every box, (64·X·Y)². Only one vote in 64 is
    independent, because neighbours share blocks.
    """
    return 2 * log10(GRIDS * pixels) + log10_tail(area // GRIDS, votes // GRIDS, 1 / GRIDS)


def significant(votes: NDArray[np.uint8], grids: Iterable[int], counts: NDArray[np.int16]) -> list[tuple[Region, float]]:
    """The regions that vote for one of these grids too densely for chance, with their log10 number of false alarms, below 0.

    counts: `tally` of the votes with cells of CELL, at least up to the last of these grids.
    """
    least = ceil(GRIDS * 2 * log10(GRIDS * votes.size) / log10(GRIDS))  # fewer cannot be significant even if they fill their box
    grown = grow(votes, grids, radius=RADIUS, least=least, counts=counts)
    tested = ((r, grid_nfa(r.width * r.height, r.size, votes.size)) for r in grown)
    return [(r, nfa) for r, nfa in tested if nfa < 0]


def closed(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """The mask with every gap filled that a side×side square does not fit into (a morphological closing)."""
    around = np.pad(mask, side)  # beyond the box there is nothing, which must not count as full
    return np.asarray(minimum_filter(maximum_filter(around, side), side), dtype=bool)[side:-side, side:-side]
