"""Correlation: how well a score agrees with opinions.

    srcc   Spearman, on average ranks                     krcc   Kendall's τ-b, which allows for ties
    plcc_raw   Pearson, on the numbers as they are        plcc_logistic, rmse   after the curve below was fitted to them

    f(x) = β₂ + (β₁ − β₂) / (1 + exp(−(x − β₃) / |β₄|))   (VQEG 2000, final report, annex B; the form of the VQualA-2025 challenge)

For any β₃ and β₄ the best β₁ and β₂ are a straight-line fit, so only two numbers are searched for, and scores of any scale need no
starting values. `plcc_logistic` is negative where the fitted curve falls. All are −1 to 1 except rmse, which is in units of opinion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import kendalltau, rankdata

from assay.bench.resample import TIMES, Figure, Floats, Measure, figures, vector
from assay.types import CannotAssess

LEAST = 4  # opinions; fewer cannot hold the four numbers of the curve
WIDTHS = (0.25, 1.0, 4.0)  # first guesses of β₄, in standard deviations of the score: a step, the usual, almost a line
CENTRES = (-1.0, 0.0, 1.0)  # and of β₃
REACH, NARROWEST, WIDEST = 4.0, 0.01, 20.0  # how far β₃ may lie from the mean, and the ends of β₄; beyond them nothing changes


@dataclass(frozen=True, slots=True)
class Logistic:
    """The fitted curve; β₄ > 0, and β₁ < β₂ where it falls."""

    b1: float
    b2: float
    b3: float
    b4: float

    def __call__(self, score: ArrayLike) -> Floats:
        """Scores in units of opinion."""
        rise: Floats = expit((np.asarray(score, dtype=np.float64) - self.b3) / self.b4)
        return self.b2 + (self.b1 - self.b2) * rise


def pearson(x: Floats, y: Floats) -> float:
    """Raises CannotAssess where one of them is constant."""
    a, b = x - x.mean(), y - y.mean()
    power = float(np.sqrt((a @ a) * (b @ b)))
    if np.ptp(x) == 0 or np.ptp(y) == 0 or power == 0:
        raise CannotAssess("One of the two columns says the same of every picture, so no correlation exists.")
    return float(np.clip(a @ b / power, -1, 1))


def srcc(score: ArrayLike, opinion: ArrayLike) -> float:
    """Spearman's rank correlation, ties by their average rank."""
    x, y = _pair(score, opinion)
    return pearson(rankdata(x), rankdata(y))


def krcc(score: ArrayLike, opinion: ArrayLike) -> float:
    """Kendall's τ-b: agreeing less disagreeing pairs."""
    x, y = _pair(score, opinion)
    pearson(x, y)  # refuses constants in our words
    return float(kendalltau(x, y).statistic)


def plcc_raw(score: ArrayLike, opinion: ArrayLike) -> float:
    """Pearson's linear correlation of the numbers as they are."""
    return pearson(*_pair(score, opinion))


def plcc_logistic(score: ArrayLike, opinion: ArrayLike) -> float:
    """Pearson's correlation after the 4-parameter logistic; negative where that curve falls."""
    return _fit(*_pair(score, opinion))[0]


def rmse(score: ArrayLike, opinion: ArrayLike) -> float:
    """Root mean squared distance from the 4-parameter logistic, in units of opinion; 0 is best."""
    _, y = _pair(score, opinion)
    return _distance(plcc_logistic(score, opinion), y)


def logistic(score: ArrayLike, opinion: ArrayLike) -> Logistic:
    """The curve that takes scores to opinions with the least squared error.  Raises BadInput; CannotAssess on constants."""
    x, y = _pair(score, opinion)
    _, (centre, width) = _fit(x, y)
    b3, b4 = x.mean() + centre * x.std(), np.exp(width) * x.std()
    slope, base = np.polyfit(expit((x - b3) / b4), y, 1)
    return Logistic(float(base + slope), float(base), float(b3), float(b4))


def correlation(
    score: ArrayLike, opinion: ArrayLike, *, subjects: Sequence[ArrayLike] | None = None, times: int = TIMES, seed: int = 0
) -> dict[str, Figure]:
    """All five figures, with bootstrap intervals over pictures, or over `subjects` (one column: the photograph that a row stems from).

    score, opinion: N each, N ≥ 4.  Raises BadInput; CannotAssess where one of them is constant.
    """
    x, y = _pair(score, opinion)
    return figures(agreement(x, y), len(x), subjects=subjects, times=times, seed=seed)


def agreement(x: Floats, y: Floats) -> Measure:
    """The five figures for any weighting of the rows, as `figures` wants them."""
    start: tuple[float, float] | None = None

    def measure(weights: Floats) -> dict[str, float]:
        nonlocal start
        rows = np.repeat(np.arange(len(x)), weights.astype(np.int64))
        a, b = x[rows], y[rows]
        ranks = pearson(rankdata(a), rankdata(b))
        fitted, found = _fit(a, b, start)
        start = start or found  # the full set comes first; draws begin where it ended
        tau = float(kendalltau(a, b).statistic)
        return {"srcc": ranks, "krcc": tau, "plcc_raw": pearson(a, b), "plcc_logistic": fitted, "rmse": _distance(fitted, b)}

    return measure


def _pair(score: ArrayLike, opinion: ArrayLike) -> tuple[Floats, Floats]:
    x = vector("score", score, least=LEAST)
    return x, vector("opinion", opinion, like=x)


def _distance(correlation: float, y: Floats) -> float:
    return float(y.std() * np.sqrt(max(0.0, 1 - correlation**2)))


def _fit(x: Floats, y: Floats, start: tuple[float, float] | None = None) -> tuple[float, tuple[float, float]]:
    """The signed correlation after the best curve, and that curve's centre and log width in standard deviations of x."""
    pearson(x, y)
    z = (x - x.mean()) / x.std()

    toward = (y - y.mean()) / (y.std() * len(y))

    def miss(p: Floats) -> float:
        rise = expit((z - p[0]) / np.exp(p[1]))
        spread = rise.std()
        return 1 - (rise @ toward / spread) ** 2 if spread > 1e-12 else 1.0  # flat where the scores are: explains nothing

    starts = [start] if start else [(c, float(np.log(w))) for c in CENTRES for w in WIDTHS]
    best = min(starts, key=lambda p: miss(np.array(p)))
    bounds = [(-REACH, REACH), (np.log(NARROWEST), np.log(WIDEST))]
    exact = {"xatol": 3e-2, "fatol": 1e-5, "maxiter": 15} if start else {"xatol": 1e-5, "fatol": 1e-10}
    simplex = np.array([best, (best[0] + 0.3, best[1]), (best[0], best[1] - 0.3)])
    options: dict[str, object] = {"initial_simplex": np.clip(simplex, *np.transpose(bounds)), **exact}
    p = minimize(miss, simplex[0], method="Nelder-Mead", bounds=bounds, options=options).x
    return pearson(expit((z - p[0]) / np.exp(p[1])), y), (float(p[0]), float(p[1]))
