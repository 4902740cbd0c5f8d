"""Traces of resizing and turning: interpolated pixels depend on their neighbours in a rhythm.

The rhythm shows as peaks in the spectrum of how well each pixel is predicted from its neighbours (Popescu & Farid 2005,
doi:10.1109/TSP.2004.839932; with a fixed predictor, Kirchner 2008, doi:10.1145/1411328.1411333). Any enlarging, reducing or
turning by one scale maps the pixel grid to another square grid, so that its peaks come in fours, each turned by 90° from the
last. Natural textures have that only where they are square lattices themselves. That test is ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft2
from scipy.ndimage import uniform_filter1d

Array = NDArray[np.float32]

SIDE = 128  # of a window, pixels
HALF = SIDE // 2
AROUND = 15  # bins, the side of the square whose level is a bin's background
LINE = 25  # bins, and the lines along both axes, because straight edges fill whole lines of the spectrum
LOW = 0.07  # cycles per pixel: below, the spectrum is the picture's content
SKIRT = 2  # bins at each side that a Hann window spreads a peak over
CALM = 0.5  # grey levels: errors below the rounding of pixels say nothing
EULER = 0.5772157  # mean of -log of a standard exponential variable
GUESS = 1 / 256  # density of a pixel that depends on no neighbour (Popescu & Farid 2005)
SAMPLE = 20_000  # pixels that the predictor is fitted on
FIRST_SIGMA = 10.0  # grey levels
SETTLED, ROUNDS = 1e-3, 100
PLACES = tuple((y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1))


def linear_map(errors: Array) -> Array:
    """How badly each pixel is predicted: the logarithm of |`traces.grain`|, which keeps more of the rhythm after JPEG than exp(-e²)."""
    p = errors + np.float32(CALM)
    np.log(p, out=p)
    return p


def em_map(luma: Array) -> tuple[Array, NDArray[np.float64]]:
    """The probability that each pixel depends on its eight neighbours, and the weights of that dependence, by EM.

    The weights are fitted on a fixed sample of pixels where something happens (local variance of at least 1).
    """
    near = np.stack([luma[y : luma.shape[0] - 2 + y, x : luma.shape[1] - 2 + x] for y, x in PLACES])
    middle = luma[1:-1, 1:-1]
    busy = np.flatnonzero(near.var(axis=0) >= 1)
    if not len(busy):
        busy = np.arange(middle.size)
    chosen = np.random.default_rng(0).choice(busy, min(SAMPLE, len(busy)), replace=False)
    f, y = near.reshape(8, -1)[:, chosen].T.astype(np.float64), middle.reshape(-1)[chosen].astype(np.float64)
    weights, sigma = np.full(8, 1 / 8), FIRST_SIGMA
    for _ in range(ROUNDS):
        r = y - f @ weights
        w = _belief(r, sigma)
        gram = f.T @ (w[:, None] * f)
        new = np.linalg.solve(gram + 1e-12 * np.trace(gram) * np.eye(8), f.T @ (w * y))
        moved = float(np.linalg.norm(new - weights))
        weights, sigma = new, max(float(np.sqrt((w * (y - f @ new) ** 2).sum() / w.sum())), 1e-3)
        if moved < SETTLED:
            break
    rest = middle - np.tensordot(weights.astype(np.float32), near, axes=1)
    return _belief(rest, sigma).astype(np.float32), weights


def _belief(r: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    fits = np.exp(-0.5 * (r / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    return np.asarray(fits / (fits + GUESS))


def spectra(p: Array, top: int, lefts: NDArray[np.intp]) -> Array:
    """Power over its surroundings of each window in one row: windows × SIDE × (HALF + 1), about 1 on average, in noise."""
    hann = np.hanning(SIDE + 1)[:-1].astype(np.float32)
    windows = np.stack([p[top : top + SIDE, x : x + SIDE] for x in lefts])
    windows -= windows.mean(axis=(1, 2), keepdims=True)
    windows *= hann * hann[:, None]
    f = rfft2(windows, axes=(1, 2), workers=1)
    level = np.log(f.real**2 + f.imag**2 + np.float32(1e-6))
    rows, columns = (uniform_filter1d(level, LINE, axis, mode=mode) for axis, mode in ((1, "wrap"), (2, "mirror")))
    around = uniform_filter1d(uniform_filter1d(level, AROUND, 1, mode="wrap"), AROUND, 2, mode="mirror")
    level -= np.maximum(around, np.maximum(rows, columns))
    return np.asarray(np.exp(level - np.float32(EULER)), np.float32)


def fours(z: Array) -> Array:
    """The lesser of every bin and the one turned by 90°: … × HALF × HALF, by vertical (0..) and horizontal (1..) frequency.

    Where the content lies (low frequencies) and where JPEG and colour filters leave theirs (multiples of 1/8 both ways): 0.
    """
    turned = np.swapaxes(z[..., -1 : -HALF - 1 : -1, :HALF], -1, -2)
    return np.where(_open(), np.minimum(z[..., :HALF, 1:], turned), np.float32(0))


def _open() -> NDArray[np.bool_]:
    down, across = np.arange(HALF)[:, None], np.arange(1, HALF + 1)
    eighth = SIDE // 8
    near = [np.abs((k + eighth // 2) % eighth - eighth // 2) <= SKIRT for k in (down, across)]
    return np.asarray((np.hypot(down, across) > LOW * SIDE) & ~(near[0] & near[1]))


def frequency(at: tuple[int, int]) -> tuple[float, float]:
    """Horizontal and vertical frequency, cycles per pixel, of a place in `fours`."""
    return (at[1] + 1) / SIDE, at[0] / SIDE


def delta(z: Array) -> float:
    """The largest slope of the cumulated power over the first quadrant (Kirchner 2008): large where a single bin stands out."""
    quadrant = np.where(_open(), z[:HALF, 1:], 0).astype(np.float64)
    cumulated = quadrant.cumsum(0).cumsum(1) / max(float(quadrant.sum()), 1e-12)
    return float(np.hypot(*np.gradient(cumulated)).max()) * HALF
