"""Was a quantised coefficient quantised before, with which step, and which blocks were not?

Lin, He, Tang & Tang 2009, doi:10.1016/j.patcog.2009.03.019; Bianchi & Piva 2012, doi:10.1109/TIFS.2012.2187516.
Quantising with a step Q1 leaves multiples of Q1; when those are quantised again with a finer Q2, some of the new values
become rare and others frequent, with a period of Q1/Q2. Only values other than 0 are looked at, without their sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
REACH = 300  # larger coefficients are too rare to count
COARSEST = 64  # largest first step that is looked for
NOISE = 0.5  # of a coefficient between two saves: three roundings to whole pixels make 0.45 (1/12 each, RGB less)
SPREAD = 6  # a density at n is averaged over n·(1 ± 1/6)
OUTLIERS = 0.02  # share of the blocks that follow no model: clipped, retouched by a pixel
ROUNDS = 30  # of expectation and maximisation


class Fit(NamedTuple):
    """What the values of one frequency say. gain: log likelihood over that of a single save, nats; share: of values saved twice."""

    first: int
    gain: float
    share: float
    values: int  # other than 0
    llr: Floats  # by absolute value 0, 1, 2, …: log of the likelihood saved twice over once


def density(once: NDArray[np.float32]) -> Floats:
    """How often each absolute value 0..REACH occurs among coefficients that no save has touched, smoothed."""
    n = np.rint(np.abs(once)).astype(np.int64)
    counts = np.bincount(n[n <= REACH], minlength=REACH + 1).astype(np.float64)
    counts[0] *= 2  # both signs share it
    at = np.arange(REACH + 1)
    total = np.concatenate([[0], np.cumsum(counts)])
    low, high = at - at // SPREAD, np.minimum(at + at // SPREAD, REACH) + 1
    smooth: Floats = (total[high] - total[low]) / (high - low)
    smooth[0] /= 2
    smooth += 1e-4 * smooth.mean()
    return np.asarray(smooth / smooth.sum(), dtype=np.float64)


@lru_cache(maxsize=64)
def _into_bins(step: int, noise: float) -> Floats:
    """Row n: how a coefficient of n, give or take the noise, is spread over the absolute values 1, 2, … of this step."""
    n, x = np.arange(REACH + 1)[:, None], np.arange(1, max(REACH // step, 1) + 1)
    return np.asarray(ndtr(((x + 0.5) * step - n) / noise) - ndtr(((x - 0.5) * step - n) / noise), dtype=np.float64)


def models(once: Floats, step: int, noise: float = NOISE) -> tuple[Floats, Floats]:
    """Probability of the absolute values 1, 2, … after one save, and after a first one with step 1..COARSEST (rows)."""
    total = np.concatenate([[0], np.cumsum(once)])
    rows = np.zeros((COARSEST, REACH + 1))
    for first in range(1, COARSEST + 1):
        k = np.arange(REACH // first + 1) * first
        low, high = np.maximum(k - first // 2, 0), np.minimum(k + first // 2, REACH) + 1
        mass = total[high] - total[low]
        if first % 2 == 0:  # what lies halfway goes both ways
            mass -= (once[np.minimum(k + first // 2, REACH)] + np.where(k > 0, once[low], 0)) / 2
        rows[first - 1, k] = mass
    both = np.concatenate([once[None], rows]) @ _into_bins(step, noise)
    both /= np.maximum(both.sum(1, keepdims=True), 1e-300)
    return both[0], both[1:]


def fit(values: NDArray[np.int16], step: int, once: Floats, *, noise: float = NOISE, firsts: Sequence[int] = range(1, COARSEST + 1)) -> Fit:
    """The first step that explains one frequency's values best, and how well.

    values: of all blocks, quantised with `step`; once: `density` of the same frequency; noise: of a coefficient between the saves;
    firsts: the steps to choose from.
    """
    single, twice = models(once, step, noise)
    counts = np.bincount(np.minimum(np.abs(values.astype(np.int64)), len(single) + 1), minlength=len(single) + 2)[1:-1]
    ratio = (1 - OUTLIERS) * twice[np.array(firsts) - 1] / np.maximum(single, 1e-12) + OUTLIERS
    seen = counts > 0
    r, n = ratio[:, seen], counts[seen]
    if not n.sum():
        return Fit(1, 0.0, 0.0, 0, np.zeros(len(single) + 1))
    share = np.full((len(firsts), 1), 0.5)
    for _ in range(ROUNDS):
        share = (share * r / (share * r + 1 - share)) @ n[:, None] / n.sum()
    gains = np.log(share * r + 1 - share) @ n
    best = int(gains.argmax())
    llr = np.concatenate([[0.0], np.log(ratio[best])])
    return Fit(firsts[best], float(gains[best]), float(share[best, 0]), int(n.sum()), llr)


def evidence_of_blocks(coefficients: NDArray[np.int16], fits: dict[int, Fit]) -> NDArray[np.float32]:
    """Log likelihood ratio of every block, saved twice over once: the sum over its frequencies (place in the block → fit)."""
    out = np.zeros(coefficients.shape[:2], np.float32)
    flat = coefficients.reshape(*coefficients.shape[:2], 64)
    for place, f in fits.items():
        value = np.abs(flat[..., place].astype(np.int32))
        out += np.append(f.llr, 0).astype(np.float32)[np.minimum(value, len(f.llr))]
    return out
