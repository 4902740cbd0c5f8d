"""Figures with intervals: the bootstrap that every protocol here shares, over subjects and not over rows.

Rows of one person (or one photograph) resemble each other, so drawing rows alone gives intervals that are too narrow. Subjects are
drawn with replacement, each with all its rows. A comparison of two people counts as often as the product of their draws (the vertex
bootstrap of Snijders & Borgatti 1999, Connections 22(2)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.types import BadInput, CannotAssess

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Measure = Callable[[Floats], Mapping[str, float]]
TIMES = 1000  # draws: the ends of a 95 % interval then vary by a few hundredths of its width
ANSWERED = 0.9  # share of draws that must have an answer for an interval to be given


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and its 95 % interval; None where too few draws had an answer, or there are fewer than two subjects."""

    value: float
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        ends = "no interval" if self.interval is None else f"{self.interval[0]:.4f} to {self.interval[1]:.4f}"
        return f"{self.value:.4f} ({ends})"


def vector(name: str, values: ArrayLike, *, like: Floats | None = None, least: int = 1, minus_inf: bool = False) -> Floats:
    """One finite number a row, as float64; as many as `like` has.  Raises BadInput: which column, which row, what to do.

    minus_inf: allow −inf, the quality of a picture that could not be judged and therefore goes first.
    """
    try:
        v = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name} must hold numbers; {error}.") from error
    if v.ndim != 1:
        raise BadInput(f"{name} must be a list of numbers, one a row; got {'×'.join(map(str, v.shape)) or 'one number'}.")
    if like is not None and len(v) != len(like):
        raise BadInput(f"{name} has {len(v)} rows where the others have {len(like)}.")
    if len(v) < least:
        raise BadInput(f"{name} has {len(v)} rows; at least {least} are needed.")
    bad = np.isnan(v) | np.isposinf(v) | (np.isneginf(v) & (not minus_inf))
    if bad.any():
        first = int(bad.argmax())
        raise BadInput(
            f"{name} holds {v[first]} in row {first + 1} ({bad.sum()} such rows). Leave these rows out, or say what they are worth."
        )
    return v


def flags(name: str, values: ArrayLike, like: Floats) -> Bools:
    """One yes or no a row: bool, or 0 and 1."""
    v = vector(name, values, like=like)
    if not np.isin(v, (0, 1)).all():
        raise BadInput(f"{name} must be 0 or 1 in every row; got {v[~np.isin(v, (0, 1))][0]:g}.")
    return v.astype(np.bool_)


def figures(
    measure: Measure, n: int, *, subjects: Sequence[ArrayLike] | None = None, times: int = TIMES, seed: int = 0, level: float = 0.95
) -> dict[str, Figure]:
    """What `measure` says of all n rows, with bootstrap intervals.

    measure: takes how often each row counts (n whole numbers as float64, 1 for all rows once) and returns named numbers; a
    CannotAssess in a draw drops that draw, in the full set it is raised.
    subjects: one or two columns of n labels, the subject (or both subjects) of each row; without them each row is its own.
    times: draws; 0 gives no intervals.
    """
    if times < 0 or not 0 < level < 1:
        raise BadInput(f"times must not be negative and level must lie between 0 and 1; got {times} and {level}.")
    value = measure(np.ones(n))
    drawn: dict[str, list[float]] = {k: [] for k in value}
    columns = [np.arange(n)] if subjects is None else [np.asarray(s) for s in subjects]
    for weights in _draws(columns, n, times, seed):
        try:
            for k, v in measure(weights).items():
                if k in drawn:  # a draw may hold enough of a class for a figure that all rows once do not allow
                    drawn[k].append(v)
        except CannotAssess:
            continue
    tails = [50 * (1 - level), 50 * (1 + level)]
    return {k: Figure(float(v), _ends(drawn[k], times, tails)) for k, v in value.items()}


def _ends(drawn: list[float], times: int, tails: list[float]) -> tuple[float, float] | None:
    if not times or len(drawn) < ANSWERED * times:
        return None
    low, high = np.percentile(drawn, tails)
    return float(low), float(high)


def _draws(columns: list[NDArray[Any]], n: int, times: int, seed: int) -> Iterator[Floats]:
    """How often each row counts in each draw; nothing where there is one subject only."""
    if len(columns) not in (1, 2) or any(c.shape != (n,) for c in columns):
        raise BadInput(f"subjects must be one or two columns of {n} labels, one a row.")
    names, codes = np.unique(np.concatenate(columns), return_inverse=True)
    parts = codes.reshape(len(columns), n)
    left, right = parts[0], parts[-1]
    dice = np.random.default_rng(seed)
    for _ in range(times if len(names) > 1 else 0):
        count = np.bincount(dice.integers(0, len(names), len(names)), minlength=len(names)).astype(np.float64)
        yield np.where(left == right, count[left], count[left] * count[right])
