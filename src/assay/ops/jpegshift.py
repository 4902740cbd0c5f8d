"""On which of the 64 possible grids was a picture saved before it got its present one?

Quantisation leaves coefficients near multiples of its step, but only those of the blocks it worked on: among the 64 grids
one has periodic values. Bianchi & Piva 2012, doi:10.1109/TIFS.2011.2170836, look at the mean of the blocks; here five
more frequencies are looked at, which finds smaller areas.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay import kernels
from assay.ops.dct import matrix
from assay.ops.jpegcoefficients import luma
from assay.ops.shared import shared

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
FREQUENCIES = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
PERIODS = np.arange(2, 41)  # steps looked for
REACH = 600  # of the coefficients beside the mean
MEANS = 2049  # values of the mean
ROWS = 64  # a strip; the last 7 rows of blocks reach into the next one
PIXELS = 4 << 20  # looked at; larger pictures give every second, third … strip
CEILING = 30.0  # no frequency decides alone


class Lead(NamedTuple):
    """How far one grid is ahead of the others at each of the FREQUENCIES (robust standard deviations), and with which steps."""

    origin: int  # x + 8·y
    each: tuple[float, ...]
    steps: tuple[int, ...]

    @property
    def total(self) -> float:
        return sum(min(e, CEILING) for e in self.each)


def foremost(pixels: NDArray[np.uint8]) -> Lead:
    """Of all grids but the picture's own, that whose coefficients are the most periodic.

    Grids moved only along one direction share edges with the picture's own and show its steps faintly: they are compared
    with their mirror image, the others with the median.
    """
    found = [_lead(*_periodicity(counts, n > 0)) for n, counts in enumerate(_histograms(pixels))]
    leads = np.stack([lead.max(axis=1) for lead in found])
    origin = int(np.minimum(leads, CEILING).sum(axis=0)[1:].argmax()) + 1
    steps = tuple(int(PERIODS[lead[origin].argmax()]) for lead in found)
    return Lead(origin, tuple(float(v) for v in leads[:, origin]), steps)


@shared
def foremost_of(data: bytes) -> Lead:
    """The same of a JPEG file's luma."""
    return foremost(luma(data).pixels)


def _histograms(pixels: NDArray[np.uint8]) -> list[Floats]:
    """For each frequency, the values on each of the 64 grids, counted."""
    height, width = pixels.shape
    every = -(-height * width // PIXELS)
    count = counted if kernels.library() is not None else counted_numpy
    parts = (pixels[top : top + ROWS + 7] for top in range(0, height - 7, ROWS * every))
    total = np.sum([count(np.ascontiguousarray(part)) for part in parts], axis=0)
    edges = 64 * np.cumsum([MEANS, *[REACH + 1] * (len(FREQUENCIES) - 1)])
    return [part.reshape(64, -1).astype(np.float64) for part in np.split(total, edges[:-1])]


def counted_numpy(part: NDArray[np.uint8]) -> Counts:
    """The values in a strip that begins on row 0 of the picture's grid: counts of one frequency after the other, of 64 grids each.

    The mean is a sum of whole numbers over 8, so that its halves are rounded (to even) alike everywhere.
    """
    basis, scales = _basis()
    pixels = part.astype(np.float32) - 128
    rows, columns = part.shape[0] - 7, part.shape[1] - 7
    grid = 8 * (np.arange(rows) % 8)[:, None] + np.arange(columns) % 8
    across = [sum(d[i] * pixels[:, i : i + columns] for i in range(8)) for d in basis]
    out = []
    for (u, v), scale in zip(FREQUENCIES, scales, strict=True):
        y = np.rint(scale * sum(basis[u, i] * across[v][i : i + rows] for i in range(8))).astype(np.int64)
        y, kinds = (y + 1024, MEANS) if u == v == 0 else (np.minimum(np.abs(y), REACH), REACH + 1)
        out.append(np.bincount((grid * kinds + y).ravel(), minlength=64 * kinds))
    return np.concatenate(out)


def counted(part: NDArray[np.uint8]) -> Counts:
    """The same by the kernel."""
    basis, scales = _basis()
    u, v = np.array(FREQUENCIES, dtype=np.int32).T.copy()
    out = np.zeros(64 * (MEANS + (len(FREQUENCIES) - 1) * (REACH + 1)), dtype=np.int64)
    size, rows = ctypes.c_ssize_t, part.shape[0] - 7
    arrays = (ctypes.c_void_p(a.ctypes.data) for a in (part, basis, u, v, scales, out))
    pixels, *rest = arrays
    run = kernels.library().shift_counts  # type: ignore[union-attr]
    run.restype = None
    run(pixels, size(part.shape[1]), size(rows), *rest)
    return out


@cache
def _basis() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Frequencies 0 to 2 of the DCT, frequency 0 as ones, and what that leaves to multiply each of FREQUENCIES with."""
    basis = matrix()[:3].numpy().copy()
    scale = basis[0, 0]
    basis[0] = 1
    return basis.astype(np.float32), np.array([scale ** ((u == 0) + (v == 0)) for u, v in FREQUENCIES], dtype=np.float32)


def _periodicity(counts: Floats, cosine: bool) -> tuple[Floats, Floats]:
    """64×periods: how strongly the counts repeat with each period; and 64×1: the chance spread of that, as few values have more."""
    cosines, sines = _waves(counts.shape[1])
    if not cosine:  # of the mean, where the multiples start is unknown: 128 was taken away
        each = np.maximum(counts.sum(1, keepdims=True), 1)
        return np.hypot(counts @ cosines, counts @ sines) / each, (2 * each) ** -0.5
    counts = counts.copy()
    counts[:, :2] = counts[:, -1:] = 0  # too many, and not to be told apart from no texture
    each = np.maximum(counts.sum(1, keepdims=True), 1)
    return counts @ cosines / each, (2 * each) ** -0.5


@cache
def _waves(values: int) -> tuple[Floats, Floats]:
    """values×periods: a cosine and a sine of each period."""
    phase = 2 * np.pi * np.arange(values)[:, None] / PERIODS
    return np.cos(phase), np.sin(phase)


def _lead(f: Floats, chance: Floats) -> Floats:
    """How far every grid is ahead at each period."""
    usual = np.median(f[1:], axis=0)
    spread = np.hypot(1.4826 * np.median(np.abs(f[1:] - usual), axis=0), chance)
    against = np.tile(usual, (64, 1))
    for i in range(1, 8):
        for here, there in ((i, 8 - i), (8 * i, 8 * (8 - i))):
            against[here] = np.maximum(f[there], usual)
    return np.asarray(np.maximum((f - against) / spread, 0), dtype=np.float64)


def mirrored(origin: int) -> int:
    """The grid that lies as far from the picture's own as this one, on its other side, and so shares as much with it."""
    y, x = divmod(origin, 8)
    mirror = (8 - y) % 8 * 8 + (8 - x) % 8
    return mirror if mirror != origin else 3 * 8 + 3  # (4, 4) is its own mirror image
