"""Leave one generator out: what a detector is worth on a generator that neither its training nor its threshold has seen.

For each generator in turn the threshold is the one that is best (balanced accuracy) on the others, and it is applied to the one left
out. Authentic pictures are in two halves, by subject: one sets the threshold, the other is judged, then the other way round. Where
detectors were trained anew without each generator, a column `without` says which row is of which detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.bench.resample import TIMES, Bools, Figure, Floats, figures, flags
from assay.bench.verification import auc, roc
from assay.types import BadInput, CannotAssess


@dataclass(frozen=True, slots=True)
class Left:
    """One generator left out. auc: against the authentic; accuracy (balanced), found and false alarms at the threshold of the others."""

    generator: str
    n: int
    threshold: float  # mean of the two halves
    figures: dict[str, Figure]


def leave_out(
    score: ArrayLike,
    fake: ArrayLike,
    generator: Sequence[str],
    *,
    without: Sequence[str] | None = None,
    subjects: ArrayLike | None = None,
    times: int = TIMES,
    seed: int = 0,
) -> list[Left]:
    """A row for each generator, in the order they come.

    score: N, higher is more likely fake, NaN where nothing was answered (left out).  fake: N, 0 or 1; generator: N names.
    without: N names, the generator that the detector behind a score was not trained on; all rows are of one detector where not given.
    subjects: N labels; those of one subject stay in one half.
    Raises BadInput; CannotAssess with fewer than two generators, or where a half has no authentic picture.
    """
    s = np.asarray(score, dtype=np.float64)
    if s.ndim != 1 or np.isinf(s).any():
        raise BadInput("score must be one finite number a row, or NaN where nothing was answered.")
    y, names = flags("fake", fake, np.zeros(len(s))), np.asarray(generator)
    people = np.arange(len(s)) if subjects is None else np.asarray(subjects)
    models = None if without is None else np.asarray(without)
    if not len(names) == len(people) == len(s) == (len(s) if models is None else len(models)):
        raise BadInput("score, fake, generator, without and subjects must have one length.")
    told = ~np.isnan(s)
    every = list(dict.fromkeys(names[y & told].tolist()))
    if len(every) < 2:
        raise CannotAssess(f"Leaving one generator out needs at least two; there is {every[0] if every else 'none'}.")
    first = _half(people, y)
    out = []
    for name in every:
        mine = told if models is None else told & (models == name)
        out.append(_left(name, s[mine], y[mine], names[mine] == name, first[mine], people[mine], times, seed))
    return out


def _half(people: NDArray[Any], fake: Bools) -> Bools:
    """Every second subject of the authentic pictures, in an order that has nothing to do with how they were named."""
    order = sorted(set(people[~fake].tolist()), key=lambda p: (crc32(str(p).encode()), str(p)))
    return np.isin(people, order[::2])


def _left(name: str, s: Floats, y: Bools, its: Bools, first: Bools, people: NDArray[Any], times: int, seed: int) -> Left:
    whole, _ = _judged(s, y, its, first, name)

    def measure(weights: Floats) -> dict[str, float]:
        at = np.repeat(np.arange(len(s)), weights.astype(int))
        return _judged(s[at], y[at], its[at], first[at], name)[1]

    return Left(name, int((y & its).sum()), whole, figures(measure, len(s), subjects=[people], times=times, seed=seed))


def _judged(s: Floats, y: Bools, its: Bools, first: Bools, name: str) -> tuple[float, dict[str, float]]:
    found, alarms, thresholds = [], [], []
    for half in (first, ~first):
        learned = (y & ~its) | (~y & half)
        held = ~y & ~half
        if not (y & its).any() or not held.any() or not (y & learned).any() or not (~y & learned).any():
            raise CannotAssess(f"Leaving {name} out needs it, another generator, and authentic pictures in both halves.")
        t = best_threshold(s[learned], y[learned])
        thresholds.append(t)
        found.append(float((s[y & its] >= t).mean()))
        alarms.append(float((s[held] >= t).mean()))
    one, other = float(np.mean(found)), float(np.mean(alarms))
    curve = auc(roc(s[~y | its], y[~y | its]))
    return float(np.mean(thresholds)), {"auc": curve, "accuracy": (one + 1 - other) / 2, "found": one, "false alarms": other}


def best_threshold(score: Floats, fake: Bools) -> float:
    """The score from which "fake" is said for the best balanced accuracy; halfway to the next score below."""
    levels, group = np.unique(score, return_inverse=True)
    hits = np.bincount(group, fake, len(levels))[::-1].cumsum()[::-1] / fake.sum()
    alarms = np.bincount(group, ~fake, len(levels))[::-1].cumsum()[::-1] / (~fake).sum()
    k = int((hits - alarms).argmax())
    return float((levels[k] + levels[k - 1]) / 2) if k else float(levels[0])
