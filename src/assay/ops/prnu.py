"""The fingerprint of a camera's sensor: each photosite answers light a little more or less than its neighbours (PRNU).

Lukáš, Fridrich & Goljan 2006, doi:10.1109/TIFS.2006.873602; the estimate of Chen, Fridrich, Goljan & Lukáš 2008,
doi:10.1109/TIFS.2007.916285; the peak to correlation energy of Goljan, Fridrich & Filler 2009, doi:10.1117/12.805701.
Planes are H×W float32 in 8-bit steps. Ours: one plane of luma instead of three colours, three times as fast.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft2, irfft2, next_fast_len, rfft2
from scipy.ndimage import uniform_filter

Array = NDArray[np.float32]

LEVELS = 4
SIGMA = 5.0  # grey levels of noise that the denoiser takes for granted
WINDOWS = (3, 5, 7, 9)
NEAR = 5  # pixels around the peak that are not counted as its surroundings: a square of 11×11
FULL, FALL = 252.0, 6.0  # from here sites saturate and carry no fingerprint
# Daubechies 1992, four vanishing moments, eight taps ("db4")
LOW = np.array(
    [
        0.23037781330885523,
        0.7148465705525415,
        0.6308807679295904,
        -0.02798376941698385,
        -0.18703481171888114,
        0.030841381835986965,
        0.032883011666982945,
        -0.010597401784997278,
    ],
    np.float32,
)
HIGH = LOW[::-1] * np.array([1, -1] * 4, np.float32)


def residual(plane: Array) -> Array:
    """What a wavelet denoiser (Mıhçak 1999, four levels) takes for noise."""
    height, width = plane.shape
    multiple = 2**LEVELS
    padded = np.pad(plane, ((0, -height % multiple), (0, -width % multiple)), mode="symmetric")
    return _noise(padded, LEVELS)[:height, :width]


def _noise(x: Array, level: int) -> Array:
    if level == 0:
        return np.zeros_like(x)
    rows = [_down(x, taps, 0) for taps in (LOW, HIGH)]
    low, *details = (_down(part, taps, 1) for part in rows for taps in (LOW, HIGH))
    parts = [_noise(low, level - 1), *(_attenuated(d, SIGMA**2) for d in details)]
    joined = [_up(parts[i], LOW, 1) + _up(parts[i + 1], HIGH, 1) for i in (0, 2)]
    return _up(joined[0], LOW, 0) + _up(joined[1], HIGH, 0)


def _down(x: Array, taps: Array, axis: int) -> Array:
    """Filter around the circle and keep every second sample."""
    halves = [np.moveaxis(x, axis, 0)[i::2] for i in (0, 1)]
    out = sum(t * np.roll(halves[k % 2], -(k // 2), axis=0) for k, t in enumerate(taps))
    return np.ascontiguousarray(np.moveaxis(np.asarray(out, np.float32), 0, axis))


def _up(x: Array, taps: Array, axis: int) -> Array:
    """The transpose of `_down`, which is its inverse for an orthonormal pair."""
    lines = np.moveaxis(x, axis, 0)
    out = np.zeros((2 * lines.shape[0], *lines.shape[1:]), np.float32)
    for k, t in enumerate(taps):
        out[k % 2 :: 2] += t * np.roll(lines, k // 2, axis=0)
    return np.ascontiguousarray(np.moveaxis(out, 0, axis))


def _attenuated(x: Array, power: float) -> Array:
    """The part of x that is noise of this power, by the Wiener filter with the smallest local variance of four windows."""
    squares = x * x
    least = uniform_filter(squares, WINDOWS[0])
    for side in WINDOWS[1:]:
        np.minimum(least, uniform_filter(squares, side), out=least)
    return np.asarray(x * np.float32(power) / np.maximum(least, np.float32(power)), np.float32)  # σ²/(σ² + max(0, m − σ²))


def bright(plane: Array) -> Array:
    """How strongly a site's light shows its fingerprint: the light itself, less where it saturates."""
    return np.where(plane <= FULL, plane / np.float32(FULL), np.exp(-((plane - FULL) ** 2) / np.float32(FALL))).astype(np.float32)


def fingerprint(planes: Iterable[Array]) -> Array:
    """The most likely fingerprint of the sensor that took all these, cleaned of what cameras of a make share."""
    above: Array | None = None
    below: Array | None = None
    for plane in planes:
        light, noise = bright(plane), residual(plane)
        above = noise * light if above is None else above + noise * light
        below = light * light if below is None else below + light * light
    if above is None or below is None:
        raise ValueError("a fingerprint needs at least one picture")
    return cleaned(above / (below + np.float32(1e-2)))


def cleaned(k: Array) -> Array:
    """Without what repeats along rows and columns, for each of the four sites of a colour filter, and without peaks of the spectrum."""
    out = k.astype(np.float32, copy=True)
    for y in (0, 1):
        for x in (0, 1):
            part = out[y::2, x::2]
            part -= part.mean(axis=0, keepdims=True)
            part -= part.mean(axis=1, keepdims=True)
    return _flattened(out)


def _flattened(x: Array) -> Array:
    f = fft2(x, workers=1)
    size = np.abs(f).astype(np.float32) / np.float32(np.sqrt(x.size))
    noise = _attenuated(size, float(x.var()))
    f *= noise / np.maximum(size, np.float32(1e-12))
    return np.asarray(ifft2(f, workers=1).real, np.float32)


def match(noise: Array, expected: Array) -> tuple[float, tuple[int, int], float]:
    """How well a residual fits where it does best on the fingerprint, and where that is.

    noise: h×w, not larger than `expected`, H×W. Returns the peak to correlation energy (negative for a negative peak) of the
    best shift, the shift (down, right), and that of no shift. The correlation is circular, over sizes that hold both.
    """
    shape = [next_fast_len(int(n)) for n in expected.shape]
    a, b = noise - noise.mean(), expected - expected.mean()
    spectrum = np.conj(rfft2(a, shape, workers=1)) * rfft2(b, shape, workers=1)
    surface = irfft2(spectrum, shape, workers=1)
    free = [max(1, e - n + 1) for e, n in zip(expected.shape, noise.shape, strict=True)]  # shifts at which all of it lies inside
    down, right = (int(i) for i in np.unravel_index(int(np.abs(surface[: free[0], : free[1]]).argmax()), free))
    return _pce(surface, down, right), (down, right), _pce(surface, 0, 0)


def _pce(surface: Array, down: int, right: int) -> float:
    near = surface[
        np.ix_(np.arange(down - NEAR, down + NEAR + 1) % surface.shape[0], np.arange(right - NEAR, right + NEAR + 1) % surface.shape[1])
    ]
    energy = (float(np.square(surface, dtype=np.float64).sum()) - float(np.square(near, dtype=np.float64).sum())) / (
        surface.size - near.size
    )
    peak = float(surface[down, right])
    return float(np.sign(peak) * peak**2 / max(energy, 1e-30))
