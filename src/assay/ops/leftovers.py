"""What a 3×3 mean leaves of a picture's brightness, in numbers that tell ways of enlarging apart: nothing here was trained.

Rings of its spectrum and how far the frequencies n/8 stand out of them (Durall et al. 2020, arXiv:2003.01826; Zhang et al. 2019,
arXiv:1907.06515), products of neighbours, and how often signs follow one another (Fridrich & Kodovský 2012, doi:10.1109/TIFS.2012.2190402).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
COUNT = 63  # numbers
RINGS, PITCH, CUT = 16, 8, 3.0  # of the spectrum; frequencies n/8; 8-bit steps from which a residual has a sign
LAGS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (0, 4), (4, 0))


def leftovers(crop: NDArray[np.uint8]) -> Floats:
    """63 numbers of an H×W×3 crop whose sides are multiples of 8 and alike."""
    y = crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    wide = np.pad(y, 1, mode="edge")
    rows = wide[:-2] + 2 * wide[1:-1] + wide[2:]
    left = y - (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16
    return np.concatenate([_spectrum(left), _lags(left), _signs(left)]).astype(np.float32)


def _spectrum(left: Floats) -> Floats:
    """Logarithmic power by ring, less its mean; and how far the frequencies n/8 stand out of their rings."""
    window = np.hanning(len(left))[:, None] * np.hanning(left.shape[1])
    log = np.log(np.abs(np.fft.fft2(left * window)) ** 2 + 1)
    f = np.fft.fftfreq(len(left))
    ring = np.minimum(RINGS - 1, np.hypot(f[:, None], f) * 2 * RINGS / np.sqrt(2)).astype(int)
    mean = np.bincount(ring.ravel(), log.ravel(), RINGS) / np.maximum(1, np.bincount(ring.ravel(), minlength=RINGS))
    at = np.arange(0, len(left) // 2 + 1, len(left) // PITCH)
    peaks = (log - mean[ring])[np.ix_(at, at)]
    return np.concatenate([mean - mean.mean(), (peaks + peaks.T)[np.triu_indices(len(at))][1:]])


def _lags(left: Floats) -> Floats:
    power = (left**2).mean() + 1e-6
    return np.array([(left * np.roll(left, lag, (0, 1))).mean() / power for lag in LAGS])


def _signs(left: Floats) -> Floats:
    """How often triples of −, 0, + stand side by side or one above another: the first 25 of 27, logarithms of shares."""
    s = np.sign(np.where(np.abs(left) < CUT, 0, left)).astype(int) + 1
    triples = s[:, :-2] * 9 + s[:, 1:-1] * 3 + s[:, 2:]
    upright = s[:-2] * 9 + s[1:-1] * 3 + s[2:]
    counts = np.bincount(triples.ravel(), minlength=27) + np.bincount(upright.ravel(), minlength=27)
    told: Floats = np.log1p(counts[:25]) - np.log1p(counts.sum())
    return told
