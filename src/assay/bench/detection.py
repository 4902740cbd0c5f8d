"""Detection of what is generated or forged: by generator, their mean and the worst, and how it holds after the usual journeys.

Every generator's pictures are held against all authentic ones that travelled alike (`processing`); threshold-free figures come
from bench/verification (a detection is a match there). AP is the mean precision at every hit, equal scores together. Balanced
accuracy, ECE (15 bins of equal mass, Naeini et al. 2015) and the Brier score are told of probabilities only. What was not answered
is left out and counted: it is never a score of .5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay.bench.resample import TIMES, Bools, Figure, Floats, figures, flags
from assay.bench.verification import auc, eer, roc, tar_at_far
from assay.types import BadInput, CannotAssess

FPRS = (0.01, 0.05)
BINS = 15
ERRORS = ("eer", "ece", "brier")  # of which less is better
POOLED, MEAN, WORST = "all together", "mean of generators", "worst generator"


@dataclass(frozen=True, slots=True)
class Row:
    """One generator (or POOLED, MEAN, WORST) after one processing."""

    processing: str
    generator: str
    n: int  # pictures of the generator, or generators
    answered: float  # share of its pictures and the authentic ones that got a score
    figures: dict[str, Figure]


def detection(
    score: ArrayLike,
    fake: ArrayLike,
    generator: Sequence[str],
    *,
    processing: Sequence[str] | None = None,
    subjects: ArrayLike | None = None,
    times: int = TIMES,
    seed: int = 0,
) -> list[Row]:
    """Rows by processing and generator.

    score: N, higher is more likely fake; NaN where nothing was answered. If all lie in [0, 1] they are taken as probabilities.
    fake: N, 0 or 1; generator: N names, of authentic pictures whatever; processing: N names, "" if missing.
    subjects: N labels, for intervals over photographs rather than rows.
    Raises BadInput; CannotAssess where a processing lacks authentic pictures or all fakes.
    """
    s = np.asarray(score, dtype=np.float64)
    if s.ndim != 1 or np.isinf(s).any():
        raise BadInput("score must be one finite number a row, or NaN where nothing was answered.")
    y = flags("fake", fake, np.zeros(len(s)))
    names, ways = np.asarray(generator), np.asarray(processing if processing is not None else [""] * len(s))
    people = np.arange(len(s)) if subjects is None else np.asarray(subjects)
    if not len(names) == len(ways) == len(people) == len(s):
        raise BadInput("score, fake, generator, processing and subjects must have one length.")
    told = s[~np.isnan(s)]
    chances = bool(len(told)) and told.min() >= 0 and told.max() <= 1
    out: list[Row] = []
    for way in dict.fromkeys(ways.tolist()):
        real, all_fake = (ways == way) & ~y, (ways == way) & y
        each = [_row(way, g, s, y, real | (all_fake & (names == g)), people, chances, times, seed) for g in dict.fromkeys(names[all_fake])]
        if not each:
            raise CannotAssess(f"There are no fakes{f' after {way}' if way else ''}.")
        out += each
        if len(each) > 1:
            out += [_row(way, POOLED, s, y, real | all_fake, people, chances, times, seed), *_over(way, each)]
    return out


def _row(
    way: str, name: str, s: Floats, y: Bools, mine: Bools, people: np.ndarray[tuple[int], np.dtype[np.int64]],
    chances: bool, times: int, seed: int,
) -> Row:  # fmt: skip
    seen = mine & ~np.isnan(s)
    if not (seen & y).any() or not (seen & ~y).any():
        raise CannotAssess(f"{name}{f' after {way}' if way else ''} has no answered fakes, or no answered authentic pictures beside it.")
    x, z = s[seen], y[seen]

    def measure(weights: Floats) -> dict[str, float]:
        at = np.repeat(np.arange(len(x)), weights.astype(int))
        return rates(x[at], z[at], chances=chances)

    return Row(way, str(name), int((mine & y).sum()), float(seen.sum() / mine.sum()),
               figures(measure, len(x), subjects=[people[seen]], times=times, seed=seed))  # fmt: skip


def _over(way: str, rows: list[Row]) -> list[Row]:
    """The mean over generators and the worst of each figure: no intervals, since generators were not drawn at random."""
    values = {k: [r.figures[k].value for r in rows] for k in rows[0].figures}
    answered = float(np.mean([r.answered for r in rows]))
    mean = {k: Figure(float(np.mean(v))) for k, v in values.items()}
    worst = {k: Figure(max(v) if k in ERRORS else min(v)) for k, v in values.items()}
    return [Row(way, MEAN, len(rows), answered, mean), Row(way, WORST, len(rows), answered, worst)]


def rates(score: Floats, fake: Bools, *, chances: bool = False) -> dict[str, float]:
    """All figures of one group, without intervals.  Raises CannotAssess where a class is missing."""
    curve = roc(score, fake)
    found = {"auc": auc(curve), "ap": average_precision(score, fake), "eer": eer(curve)}
    found |= {f"tpr@{f:g}": tar_at_far(curve, f) for f in FPRS if f * (~fake).sum() >= 1 - 1e-9}
    if chances:
        found |= {"accuracy@0.5": 0.5 * ((score[fake] >= 0.5).mean() + (score[~fake] < 0.5).mean())}
        found |= {"ece": calibration_error(score, fake), "brier": float(((score - fake) ** 2).mean())}
    return found


def average_precision(score: Floats, fake: Bools) -> float:
    """Mean over the fakes of the precision at their score; equal scores count together."""
    levels, group = np.unique(-score, return_inverse=True)
    hits, shown = np.bincount(group, fake, len(levels)), np.bincount(group, minlength=len(levels))
    return float((hits * hits.cumsum() / shown.cumsum()).sum() / fake.sum())


def calibration_error(chance: Floats, fake: Bools, *, bins: int = BINS) -> float:
    """Expected calibration error: the mean gap between what was said and what was, over bins of equal mass; 0 is best."""
    at = np.searchsorted(np.quantile(chance, np.linspace(0, 1, bins + 1)[1:-1]), chance, side="right")
    n, said, were = (np.bincount(at, w, bins) for w in (np.ones(len(chance)), chance, fake))
    return float(np.abs(said - were).sum() / n.sum())
