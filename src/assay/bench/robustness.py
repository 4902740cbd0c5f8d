"""How a detector holds when pictures travel: AUC after each journey, and what becomes of a threshold that was set before it.

Both classes travel alike. The threshold is set once, on authentic pictures as they are, at a share of false alarms; after a journey both
what is found and the false alarms at that threshold are told, because AUC hides scores that have moved together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay.bench.resample import TIMES, Bools, Figure, Floats, figures, flags
from assay.bench.verification import auc, roc
from assay.types import BadInput, CannotAssess

ALARMS = 0.05


@dataclass(frozen=True, slots=True)
class After:
    """One processing. figures: auc; found and false alarms at the threshold of the first; lost: AUC of the first less this one."""

    processing: str
    n: int
    answered: float
    figures: dict[str, Figure]


def robustness(
    score: ArrayLike,
    fake: ArrayLike,
    processing: Sequence[str],
    *,
    subjects: ArrayLike | None = None,
    alarms: float = ALARMS,
    times: int = TIMES,
    seed: int = 0,
) -> list[After]:
    """A row for each processing, the first of which is "as it is".

    score: N, higher is more likely fake; NaN where nothing was answered, which is left out and counted.  fake: N, 0 or 1.
    subjects: N labels; the same photograph after all journeys is one subject, so that losses are told on pairs.
    Raises BadInput; CannotAssess where the first processing lacks a class. A processing without answers has no figures.
    """
    s = np.asarray(score, dtype=np.float64)
    if s.ndim != 1 or np.isinf(s).any():
        raise BadInput("score must be one finite number a row, or NaN where nothing was answered.")
    y, ways = flags("fake", fake, np.zeros(len(s))), np.asarray(processing)
    people = np.arange(len(s)) if subjects is None else np.asarray(subjects)
    if not len(ways) == len(people) == len(s) > 0:
        raise BadInput("score, fake, processing and subjects must have one length, and at least one row.")
    names, told = list(dict.fromkeys(ways.tolist())), ~np.isnan(s)
    start = told & (ways == names[0])
    if not (start & y).any() or not (start & ~y).any():
        raise CannotAssess(f"There are no answered fakes, or no answered authentic pictures, {names[0]}.")
    out = []
    for name in names:
        mine = ways == name
        here = told & mine
        found: dict[str, Figure] = {}
        if (here & y).any() and (here & ~y).any():
            both = here | start

            def measure(weights: Floats, both: Bools = both, here: Bools = here) -> dict[str, float]:
                at = np.repeat(np.flatnonzero(both), weights.astype(int))
                return _rates(s, y, at[start[at]], at[here[at]], alarms)

            found = figures(measure, int(both.sum()), subjects=[people[both]], times=times, seed=seed)
        out.append(After(str(name), int(mine.sum()), float(here.sum() / mine.sum()), found))
    return out


def _rates(s: Floats, y: Bools, start: np.ndarray[tuple[int], np.dtype[np.intp]], here: np.ndarray[tuple[int], np.dtype[np.intp]],
           alarms: float) -> dict[str, float]:  # fmt: skip
    if y[start].all() or not y[start].any() or y[here].all() or not y[here].any():
        raise CannotAssess("A class is missing in this draw.")
    limit = np.quantile(s[start][~y[start]], 1 - alarms, method="higher")
    above, now = s[here] > limit, auc(roc(s[here], y[here]))
    return {
        "auc": now,
        "lost": round(auc(roc(s[start], y[start])) - now, 12),  # 0 is 0, whatever the order of sums
        "found": float(above[y[here]].mean()),
        "false alarms": float(above[~y[here]].mean()),
    }


def curves(told: Mapping[str, Sequence[After]]) -> dict[str, dict[str, tuple[list[str], list[Figure]]]]:
    """For drawing: way → detector → strengths and AUC, each beginning with the picture as it is."""
    panels: dict[str, dict[str, tuple[list[str], list[Figure]]]] = {}
    for detector, rows in told.items():
        for row in rows[1:]:
            way, _, strength = row.processing.rpartition(" ")
            if "auc" in row.figures and strength.replace(".", "", 1).isdigit():
                at, value = panels.setdefault(way, {}).setdefault(detector, (["as it is"], [rows[0].figures["auc"]]))
                at.append(strength)
                value.append(row.figures["auc"])
    return panels
