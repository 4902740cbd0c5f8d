"""Whether a detector of fakes treats groups of people alike: its false alarms on their photographs, and what it finds of their fakes.

One threshold for all, that of a given share of false alarms among all photographs, because that is how a detector is used; then the
rates of each group are compared as bench/fairness.py compares any rate, one row a person. AUC within a group says whether order, too,
suffers, or the threshold alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay.bench.fairness import LEAST, Fairness, fairness
from assay.bench.resample import TIMES, Bools, Figure, Floats, figures, flags
from assay.bench.verification import auc, roc
from assay.types import BadInput, CannotAssess

ALARMS = 0.05  # share of false alarms among all photographs at which groups are compared


@dataclass(frozen=True, slots=True)
class Slices:
    """Comparisons by what was compared ("false alarms", "found"), those that had no answer as a sentence, and AUC by group."""

    threshold: float
    compared: dict[str, Fairness]
    silent: dict[str, str]
    auc: dict[str, Figure]


def slices(
    score: ArrayLike,
    fake: ArrayLike,
    groups: Sequence[str],
    *,
    subjects: Sequence[str] | None = None,
    alarms: float = ALARMS,
    threshold: float | None = None,
    least: int = LEAST,
    times: int = TIMES,
    seed: int = 0,
) -> Slices:
    """Compare groups.  score: N, higher is more likely fake, NaN where nothing was answered (left out); fake: N, 0 or 1.

    groups: the group of each, "" where it is not known.  subjects: of several rows of one person and class the median score counts.
    threshold: from which a picture is called fake; without it, the one with `alarms` false alarms among all authentic rows.
    Raises BadInput; CannotAssess where neither false alarms nor findings can be compared.
    """
    s, y, g, people = _rows(score, fake, groups, subjects)
    if not (~y).any() and threshold is None:
        raise CannotAssess("There are no authentic pictures, so no threshold can be set; name one.")
    limit = float(np.quantile(s[~y], 1 - alarms, method="higher")) if threshold is None else threshold
    above = s > limit if threshold is None else s >= limit
    s, y, g, often = _people(s, y, g, above, people)
    compared, silent = {}, {}
    for name, chosen in (("false alarms", ~y), ("found", y)):
        try:
            compared[name] = fairness(often[chosen], g[chosen].tolist(), name=f"the share of {name}", least=least, times=times, seed=seed)
        except CannotAssess as error:
            silent[name] = str(error)
    if not compared:
        raise CannotAssess(" ".join(f"{n.capitalize()}: {why}" for n, why in silent.items()))
    return Slices(limit, compared, silent, _within(s, y, g, least, times, seed))


def _rows(
    score: ArrayLike, fake: ArrayLike, groups: Sequence[str], subjects: Sequence[str] | None
) -> tuple[Floats, Bools, np.ndarray[tuple[int], np.dtype[np.str_]], list[str]]:
    s = np.asarray(score, dtype=np.float64)
    if s.ndim != 1 or np.isinf(s).any():
        raise BadInput("score must be one finite number a row, or NaN where nothing was answered.")
    y = flags("fake", fake, np.zeros(len(s)))
    people = [str(i) for i in range(len(s))] if subjects is None else [str(p) for p in subjects]
    if not len(groups) == len(people) == len(s):
        raise BadInput(f"score has {len(s)} rows, groups {len(groups)} and subjects {len(people)}; all need the same.")
    told = ~np.isnan(s)
    return s[told], y[told], np.array(groups, dtype=str)[told], [p for p, t in zip(people, told, strict=True) if t]


def _people(
    s: Floats, y: Bools, g: np.ndarray[tuple[int], np.dtype[np.str_]], above: Bools, people: list[str]
) -> tuple[Floats, Bools, np.ndarray[tuple[int], np.dtype[np.str_]], Floats]:
    """One row for each person and class: the median score, and whether at least half of their pictures lie above."""
    rows: dict[tuple[str, bool], list[int]] = {}
    for i, (p, fake) in enumerate(zip(people, y.tolist(), strict=True)):
        rows.setdefault((p, fake), []).append(i)
    for (p, _), mine in rows.items():
        if len({str(g[i]) for i in mine}) > 1:
            raise BadInput(f"{p} is in several groups: {', '.join(sorted({str(g[i]) for i in mine}))}.")
    each = list(rows.values())
    first = [mine[0] for mine in each]
    scores = np.array([np.median(s[mine]) for mine in each])
    return scores, y[first], g[first], np.array([float(above[mine].mean() >= 0.5) for mine in each])


def _within(s: Floats, y: Bools, g: np.ndarray[tuple[int], np.dtype[np.str_]], least: int, times: int, seed: int) -> dict[str, Figure]:
    """AUC among a group's own pictures, where it has enough of either kind."""
    found = {}
    for name in dict.fromkeys(n for n in g.tolist() if n):
        mine = g == name
        if min((y & mine).sum(), (~y & mine).sum()) >= least:
            x, z = s[mine], y[mine]

            def measure(weights: Floats, x: Floats = x, z: Bools = z) -> dict[str, float]:
                at = np.repeat(np.arange(len(x)), weights.astype(int))
                return {"auc": auc(roc(x[at], z[at]))}

            found[str(name)] = figures(measure, len(x), times=times, seed=seed)["auc"]
    return found
