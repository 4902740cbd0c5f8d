"""Lateral chromatic aberration: by how much red and blue lie beside green, place by place, and the lens that would do so.

A lens draws each colour a little larger or smaller about its axis: displacement = growth · (place − centre) (Johnson & Farid 2006,
doi:10.1145/1161366.1161376). They search by mutual information; here a colour is regressed, in every block, on green and
on the slopes of green, whose coefficients are the displacement: one pass, with the error of every estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Plane = NDArray[np.float32]

BLOCK = 32  # pixels
CLIPPED = (6.0, 249.0)  # means of green beyond are not used
GAINS = (0.2, 5.0)  # of a colour on green; beyond, the two do not show the same edges
REACH = 3.0  # pixels; slopes say nothing of what lies farther
ROUNDING = 0.02  # squared 8-bit steps, after smoothing
INDEPENDENT = BLOCK * BLOCK / 8  # samples of noise in a block, after smoothing
ROUNDS = 10
TUNE = 4.685  # Tukey's biweight
FLOOR = 0.03  # pixels: what blocks differ by without any noise


@dataclass(frozen=True, slots=True)
class Shifts:
    """Of one colour against green, on rows×columns blocks: x and y in pixels, 0 where unknown; precision: inverse variance."""

    vector: Array  # rows×columns×2
    precision: Array  # rows×columns×2×2


def shifts(green: Plane, colours: Sequence[Plane]) -> list[Shifts]:
    """Where each block of every colour lies beside green, towards larger x and y.  All values in 8-bit steps."""
    g = _soft(green)
    down, across = np.zeros_like(g), np.zeros_like(g)
    down[1:-1], across[:, 1:-1] = (g[2:] - g[:-2]) / 2, (g[:, 2:] - g[:, :-2]) / 2
    sides = (across, down, g)
    means = [_mean(s) for s in sides]
    m = np.empty((*means[0].shape, 3, 3))
    for i in range(3):
        for j in range(i, 3):
            m[..., i, j] = m[..., j, i] = _mean(sides[i] * sides[j]) - means[i] * means[j]
    m += np.eye(3) * 1e-3  # flat blocks can be solved, and have no precision
    lit = (means[2] > CLIPPED[0]) & (means[2] < CLIPPED[1])
    slopes = m[..., :2, :2] - m[..., :2, 2:] * m[..., 2:, :2] / m[..., 2:, 2:]
    out = []
    for colour in colours:
        c = _soft(colour)
        mean = _mean(c)
        right = np.stack([_mean(s * c) - k * mean for s, k in zip(sides, means, strict=True)], -1)
        solved = np.linalg.solve(m, right[..., None])[..., 0]
        rest = np.maximum(_mean(c * c) - mean**2 - (solved * right).sum(-1), 0) + ROUNDING
        gain = solved[..., 2]
        known = lit & (gain > GAINS[0]) & (gain < GAINS[1])
        safe = np.where(known, gain, 1.0)
        # a displaced colour is gain · green(place − shift), so the slopes carry −gain · shift
        vector = -solved[..., :2] / safe[..., None]
        known &= np.abs(vector).max(-1) < REACH
        precision = slopes * (safe**2 / rest * INDEPENDENT)[..., None, None]
        out.append(Shifts(np.where(known[..., None], vector, 0), np.where(known[..., None, None], precision, 0)))
    return out


def _soft(x: Plane) -> Plane:
    """Smoothed by [1 2 1]⊗[1 2 1]/16, so that slopes hold over a pixel."""
    wide = np.pad(x, 1, mode="edge")
    tall = (wide[:-2] + 2 * wide[1:-1] + wide[2:]) / 4
    return np.asarray((tall[:, :-2] + 2 * tall[:, 1:-1] + tall[:, 2:]) / 4, dtype=np.float32)


def _mean(x: Plane) -> Array:
    rows, columns = (n // BLOCK for n in x.shape)
    lines = np.add.reduceat(x[: rows * BLOCK], np.arange(0, rows * BLOCK, BLOCK), axis=0, dtype=np.float64)
    return np.asarray(lines[:, : columns * BLOCK].reshape(rows, columns, BLOCK).sum(2) / BLOCK**2)


@dataclass(frozen=True, slots=True)
class Lens:
    """growth: displacement per pixel from the centre; error: its standard error; centre: x, y."""

    growth: float
    error: float
    centre: tuple[float, float]
    predicted: Array  # rows×columns×2
    precision: Array  # rows×columns×2×2, of the blocks, with what they differ by besides noise


def lens(s: Shifts) -> Lens:
    """The lens that fits the blocks best, robustly (three numbers: growth and two of the centre)."""
    rows, columns = s.vector.shape[:2]
    y, x = ((np.arange(n) + 0.5) * BLOCK for n in (rows, columns))
    place = np.stack(np.broadcast_arrays(x[None], y[:, None]), -1).astype(float)
    middle = np.array([columns, rows]) * BLOCK / 2
    design = np.zeros((rows, columns, 2, 3))
    design[..., 0] = place - middle
    design[..., 0, 1] = design[..., 1, 2] = 1
    precision = _with(s.precision, FLOOR)
    weight = np.ones((rows, columns))
    used = np.trace(s.precision, axis1=-2, axis2=-1) > 0
    fit, cov = np.zeros(3), np.eye(3)
    for _ in range(ROUNDS):
        w = precision * weight[..., None, None]
        cov = np.linalg.pinv(np.einsum("rcia,rcij,rcjb->ab", design, w, design))
        fit = cov @ np.einsum("rcia,rcij,rcj->a", design, w, s.vector)
        rest = s.vector - design @ fit
        size = np.sqrt(np.einsum("rci,rcij,rcj->rc", rest, precision, rest))
        spread = max(1.0, float(np.median(size[used])) / 1.177) if used.any() else 1.0  # median of a Rayleigh variable
        weight = (1 - (size / (TUNE * spread)).clip(0, 1) ** 2) ** 2
    growth, error = float(fit[0]), float(np.sqrt(cov[0, 0])) * spread
    centre = middle - fit[1:] / growth if growth else middle
    return Lens(growth, error, (float(centre[0]), float(centre[1])), design @ fit, precision / spread**2)


def _with(precision: Array, floor: float) -> Array:
    """Precision once every estimate also errs by `floor` pixels in each direction: (P⁻¹ + floor²·1)⁻¹, safe where P is singular."""
    return np.asarray(np.linalg.solve(np.eye(2) + floor**2 * precision, precision))
