"""Fairness: does a score, or a rate of detection, differ between groups of people on pictures that are equally good?

For each group its mean and its difference from all others, with a bootstrap interval; how large that is (Cohen's d for scores,
Cohen's h for rates; Cohen 1988: .2 small, .5 medium, .8 large); and how often labels shuffled at random differ as much (permutation
p, two-sided, Phipson & Smyth 2010, doi:10.2202/1544-6115.1585), corrected for the number of groups by Holm (1979). Groups below
`least` are named but neither tested nor shown: a mean of three people says nothing about a group, and something about the three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.bench.resample import TIMES, Figure, Floats, figures, vector
from assay.types import BadInput, CannotAssess

LEAST = 10  # pictures of a group; below this its interval is wider than any difference worth finding
SHUFFLES = 2000  # the smallest p is then 1/2001
SURE = 0.05
WORDS = ((0.2, "negligible"), (0.5, "small"), (0.8, "medium"), (np.inf, "large"))  # Cohen 1988


@dataclass(frozen=True, slots=True)
class Slice:
    """One group against all others. `difference`: its mean less theirs; `p`: uncorrected; `p_holm`: for all groups together."""

    group: str
    n: int
    mean: Figure
    difference: Figure
    effect: float | None  # None where nobody differs from the rest of their side: the values part completely
    p: float
    p_holm: float

    @property
    def size(self) -> str:
        """The effect in Cohen's words."""
        if self.effect is None:
            return "complete"
        return next(word for limit, word in WORDS if abs(self.effect) < limit)


@dataclass(frozen=True, slots=True)
class Fairness:
    """All groups of one grouping, largest first, and what they say."""

    name: str
    rate: bool  # values were 0 and 1
    slices: tuple[Slice, ...]
    gap: float  # between the highest and the lowest mean
    gap_p: float  # how often shuffled labels give such a gap
    left_out: dict[str, int]  # group → its pictures, fewer than `least`
    says: str

    @property
    def smallest(self) -> int:
        """Pictures of the smallest group that was tested."""
        return min(s.n for s in self.slices)


def fairness(
    values: ArrayLike,
    groups: Sequence[str],
    *,
    name: str = "the score",
    least: int = LEAST,
    times: int = TIMES,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Fairness:
    """Compare groups.  values: one a person, a score or 0/1 (found or not); groups: the group of each, "" where it is not known.

    One picture a person: several of one would pass for several people.  least: the fewest pictures of a group that is tested.
    Raises BadInput; CannotAssess with fewer than two groups of that size, or where all values are the same.
    """
    v = vector("values", values)
    if len(groups) != len(v):
        raise BadInput(f"groups has {len(groups)} rows where values has {len(v)}.")
    names, counts = np.unique([g for g in groups if g], return_counts=True)
    sizes = {str(g): int(n) for g, n in sorted(zip(names, counts, strict=True), key=lambda gn: -gn[1])}
    tested = [g for g, n in sizes.items() if n >= least]
    if len(tested) < 2:
        raise CannotAssess(f"{len(tested)} groups have at least {least} pictures; two are needed to compare.")
    labels = np.array(groups)
    known = np.isin(labels, tested)
    v, codes = v[known], np.array([tested.index(g) for g in labels[known]])
    if np.ptp(v) == 0:
        raise CannotAssess(f"{name} is {v[0]:g} for every picture, so nothing can differ.")
    rate = bool(np.isin(v, (0, 1)).all())
    means = figures(lambda w: _told(v, codes, w, tested), len(v), times=times, seed=seed)
    p, gap_p = _shuffled(v, codes, len(tested), shuffles, seed)
    slices = tuple(
        Slice(g, sizes[g], means[f"mean {g}"], means[f"difference {g}"], _effect(v, codes == i, rate), float(p[i]), float(q))
        for i, (g, q) in enumerate(zip(tested, _holm(p), strict=True))
    )
    gap = max(s.mean.value for s in slices) - min(s.mean.value for s in slices)
    says = _sentence(name, slices, gap_p, rate=rate)
    return Fairness(name, rate, slices, gap, gap_p, {g: n for g, n in sizes.items() if n < least}, says)


def _told(v: Floats, codes: NDArray[np.intp], w: Floats, names: Sequence[str]) -> dict[str, float]:
    n = np.bincount(codes, w, len(names))
    sums = np.bincount(codes, w * v, len(names))
    if not n.all():
        raise CannotAssess("A group is empty in this draw.")
    rest = (sums.sum() - sums) / (n.sum() - n)
    out = {f"mean {g}": float(m) for g, m in zip(names, sums / n, strict=True)}
    return out | {f"difference {g}": float(d) for g, d in zip(names, sums / n - rest, strict=True)}


def _effect(v: Floats, here: NDArray[np.bool_], rate: bool) -> float | None:
    """Cohen's h of two rates, Cohen's d (pooled deviation) of two means."""
    a, b = v[here], v[~here]
    if rate:
        return float(2 * np.arcsin(np.sqrt(a.mean())) - 2 * np.arcsin(np.sqrt(b.mean())))
    pooled = np.sqrt((a.var() * len(a) + b.var() * len(b)) / (len(v) - 2))
    return float((a.mean() - b.mean()) / pooled) if pooled else None


def _shuffled(v: Floats, codes: NDArray[np.intp], groups: int, shuffles: int, seed: int) -> tuple[Floats, float]:
    """p of every group's difference, and of the gap between all; the order at hand counts as one of the shuffles."""
    dice = np.random.default_rng(seed)
    n = np.bincount(codes, minlength=groups)

    def spread(x: Floats) -> tuple[Floats, float]:
        sums = np.bincount(codes, x, groups)
        means = sums / n
        return np.abs(means - (x.sum() - sums) / (len(x) - n)), float(np.ptp(means))

    apart, gap = spread(v)
    more, wider = np.ones(groups), 1
    for _ in range(shuffles):
        other, other_gap = spread(dice.permutation(v))
        more += other >= apart - 1e-12
        wider += other_gap >= gap - 1e-12
    return more / (shuffles + 1), wider / (shuffles + 1)


def _holm(p: Floats) -> Floats:
    order = np.argsort(p)
    out = np.empty_like(p)
    out[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return out


def _sentence(name: str, slices: Sequence[Slice], gap_p: float, *, rate: bool) -> str:
    def shown(x: float) -> str:
        return f"{x:.1%}" if rate else f"{x:.3g}"

    high, low = max(slices, key=lambda s: s.mean.value), min(slices, key=lambda s: s.mean.value)
    small = min(slices, key=lambda s: s.n)
    tail = f" The smallest group, {small.group}, has {small.n} pictures."
    sure = [s for s in slices if s.p_holm < SURE]
    ends = f"from {shown(low.mean.value)} ({low.group}) to {shown(high.mean.value)} ({high.group})"
    if gap_p >= SURE and not sure:
        widest = max((max(map(abs, s.difference.interval)) for s in slices if s.difference.interval), default=None)
        limit = "" if widest is None else f"; a difference of up to {shown(widest)} cannot be ruled out"
        return f"No difference of {name} between the groups was found that chance does not explain: {ends}{limit}.{tail}"
    most = max(sure or slices, key=lambda s: np.inf if s.effect is None else abs(s.effect))
    chance = f"shuffled labels give such a gap with a chance of {gap_p:.2g}"
    note = f" Single groups are tested with Holm's correction for {len(slices)} comparisons."
    says = f"{name} differs between the groups, {ends}; {chance}"
    return f"{says}; the largest effect ({most.group}) is {most.size}.{tail}{note}"
