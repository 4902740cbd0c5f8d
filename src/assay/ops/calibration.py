"""From scores to likelihood ratios, from these to one, and when to stay silent.

A calibrated score is the natural logarithm of p(score | altered) / p(score | authentic): 0 says nothing. Fitted by the pool-adjacent-
violators algorithm on held-out data and held back at its ends, because no sample supports more than its size (Brümmer & du Preez 2006,
doi:10.1016/j.csl.2005.08.001, who also define Cllr). Logarithms are joined by weights that are never negative and that correlated
scores share; decisions are conformal, class by class (Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from assay.types import BadInput, CannotAssess

Floats = NDArray[np.float64]
LEAST = 10  # scores of either class below which nothing is fitted
RIDGE = 0.02  # how strongly the weights of the fusion are drawn to equal shares; chosen once, on drawn Gaussian scores


@dataclass(frozen=True, slots=True)
class Curve:
    """A score's likelihood ratio: straight between knots, level beyond them. Never falls."""

    scores: tuple[float, ...]
    llrs: tuple[float, ...]  # natural logarithms

    def __call__(self, score: float) -> float:
        return float(np.interp(score, self.scores, self.llrs))


def isotonic(scores: ArrayLike, altered: ArrayLike) -> Curve:
    """The rising curve that best tells altered (1) from authentic (0) in scores, both N.

    One virtual score of either class is added to every pool, shared out by the classes' sizes, so that no pool claims certainty; no
    claim is stronger than a third of the smaller class.  Raises CannotAssess below ten scores of either class, BadInput for NaN.
    """
    x, y = _both(scores, altered)
    positives, n = y.sum(), len(y)
    prior, limit = positives / n, math.log(min(positives, n - positives) / 3)
    levels, group = np.unique(x, return_inverse=True)
    ones, all_ = np.bincount(group, y), np.bincount(group).astype(np.float64)
    pools: list[list[float]] = []  # altered, all, first and last level
    for k in range(len(levels)):
        pools.append([ones[k], all_[k], k, k])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            a, b, _, last = pools.pop()
            pools[-1] = [pools[-1][0] + a, pools[-1][1] + b, pools[-1][2], last]
    knots: dict[float, float] = {}
    top = -math.inf
    for a, b, first, last in pools:
        p = (a + prior) / (b + 1)
        llr = min(limit, max(-limit, math.log(p / (1 - p)) - math.log(prior / (1 - prior))))
        top = max(top, llr)  # holding back small pools may turn their order
        knots |= {float(levels[int(first)]): top, float(levels[int(last)]): top}
    return Curve(tuple(knots), tuple(knots.values()))


def fused(llrs: ArrayLike, altered: ArrayLike, *, ridge: float = RIDGE) -> tuple[float, Floats]:
    """Bias and weights by which K likelihood ratios are added up: (β0, β of K), β ≥ 0.

    llrs: N×K, NaN where a score is missing, which counts as 0. Weighted so that both classes count alike; the weights are drawn
    towards 1/K of the effective number of scores, (trace R)²/‖R‖², R their correlation within the classes.
    """
    x = np.nan_to_num(np.asarray(llrs, dtype=np.float64))
    _, y = _both(x[:, 0], altered)
    share = np.where(y == 1, 0.5 / y.sum(), 0.5 / (1 - y).sum())
    centred = np.concatenate([x[y == c] - x[y == c].mean(0) for c in (0, 1)])
    pull = effective(centred) / x.shape[1]

    def loss(b: Floats) -> tuple[float, Floats]:
        margin = b[0] + x @ b[1:]
        wrong = np.logaddexp(0, np.where(y == 1, -margin, margin))
        slope = share * (1 / (1 + np.exp(-margin)) - y)
        off = b[1:] - pull
        return float(share @ wrong + ridge * off @ off), np.concatenate([[slope.sum()], x.T @ slope + 2 * ridge * off])

    start = np.concatenate([[0.0], np.full(x.shape[1], pull)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(None, None), *[(0, None)] * x.shape[1]])
    return float(found.x[0]), np.asarray(found.x[1:])


def effective(scores: Floats) -> float:
    """How many independent scores N×K columns amount to: K where uncorrelated, 1 where all say the same."""
    moving = scores[:, scores.std(0) > 0]
    if moving.shape[1] < 2:
        return float(moving.shape[1] or 1)
    r = np.corrcoef(moving.T)
    return float(np.trace(r) ** 2 / (r**2).sum())


def p_values(llr: float, authentic: Sequence[float], altered: Sequence[float]) -> tuple[float, float]:
    """How usual a fused ratio is among authentic and among altered pictures: two conformal p-values."""
    real, fake = np.asarray(authentic), np.asarray(altered)
    return float((1 + (real >= llr).sum()) / (len(real) + 1)), float((1 + (fake <= llr).sum()) / (len(fake) + 1))


def cllr(llrs: ArrayLike, altered: ArrayLike) -> float:
    """The cost of likelihood ratios in bits: 0 is perfect, 1 says nothing, more misleads."""
    x, y = _both(llrs, altered)
    fake, real = np.logaddexp(0, -x[y == 1]).mean(), np.logaddexp(0, x[y == 0]).mean()
    return float((fake + real) / (2 * math.log(2)))


def least_cllr(llrs: ArrayLike, altered: ArrayLike) -> float:
    """Cllr after the best rising curve, fitted on these very scores: what calibration cannot mend."""
    x, y = _both(llrs, altered)
    order = np.argsort(x, kind="stable")
    pools: list[list[float]] = []
    for level in np.unique(x):
        pools.append([y[x == level].sum(), float((x == level).sum())])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            a, b = pools.pop()
            pools[-1] = [pools[-1][0] + a, pools[-1][1] + b]
    odds = math.log(y.sum() / (1 - y).sum())
    with np.errstate(divide="ignore"):
        best = np.concatenate([np.full(int(n), np.log(a) - np.log(n - a) - odds) for a, n in pools])
    return cllr(np.clip(best, -700, 700), y[order])


def _both(scores: ArrayLike, altered: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(altered, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not np.isin(y, (0, 1)).all():
        raise BadInput(f"scores and their classes (0 or 1) must be two lists of one length; got {x.shape} and {y.shape}.")
    if np.isnan(x).any():
        raise BadInput("a score is NaN; leave out what is missing.")
    if min(y.sum(), len(y) - y.sum()) < LEAST:
        raise CannotAssess(f"At least {LEAST} scores of either class are needed; there are {int(y.sum())} and {int(len(y) - y.sum())}.")
    return x, y
