"""What a detector forgets when it is taught one generator after another.

Average accuracy and forgetting: Chaudhry et al. 2018, arXiv:1801.10112: the best that a task ever reached before, less what is left.
Backward transfer: Lopez-Paz & Ranzato 2017, arXiv:1706.08840: what is left less what was reached when the task was learned. The value
is whatever was measured, AUC or accuracy, higher for better. After Cheng et al. 2025 (SUR-LID), arXiv:2411.11396.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay.bench.resample import Floats, vector
from assay.types import BadInput


@dataclass(frozen=True, slots=True)
class Stage:
    """After one more task was learned. `None` where there is nothing to tell yet."""

    learned: str
    average: float  # over the tasks learned so far, each alike
    worst: float
    forgetting: float | None  # mean over the tasks learned before
    backward: float | None
    unseen: float | None  # mean over tasks that come later or never


def forgetting(stage: Sequence[str], task: Sequence[str], value: ArrayLike) -> list[Stage]:
    """The curve, a stage at a time; the last stage is the whole run's figure.

    stage: the task that was learned just before; stages follow one another as they first come.
    task: what was measured then; value: how well. Each pair once; every task learned so far must be measured at each stage.
    Raises BadInput.
    """
    table, order = matrix(stage, task, value)
    told = []
    for i, name in enumerate(order):
        now, before = table[i, : i + 1], table[:i, :i]
        later = table[i, i + 1 :]
        later = later[~np.isnan(later)]
        best = [float(before[j:, j].max()) for j in range(i)]  # since it was learned
        lost = [b - float(now[j]) for j, b in enumerate(best)]
        gained = [float(now[j] - table[j, j]) for j in range(i)]
        told.append(Stage(name, float(now.mean()), float(now.min()), _mean(lost), _mean(gained), _mean(later.tolist())))
    return told


def matrix(stage: Sequence[str], task: Sequence[str], value: ArrayLike) -> tuple[Floats, list[str]]:
    """Values by stage and task, NaN where not measured; and the stages in order; tasks learned come first and in that order."""
    v = vector("value", value)
    if not len(stage) == len(task) == len(v):
        raise BadInput(f"stage, task and value must have one length; got {len(stage)}, {len(task)} and {len(v)}.")
    order = list(dict.fromkeys(stage))
    names = [*order, *(t for t in dict.fromkeys(task) if t not in order)]
    table = np.full((len(order), len(names)), np.nan)
    for s, t, x in zip(stage, task, v, strict=True):
        at = order.index(s), names.index(t)
        if not np.isnan(table[at]):
            raise BadInput(f"{t} after {s} is there twice.")
        table[at] = x
    for i, s in enumerate(order):
        if np.isnan(table[i, : i + 1]).any():
            gone = names[int(np.isnan(table[i, : i + 1]).argmax())]
            raise BadInput(f"{gone} was learned by then and was not measured after {s}; every task learned so far must be.")
    return table, order


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
