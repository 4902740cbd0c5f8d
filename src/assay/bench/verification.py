"""Verification: how well similarities tell one person from two.

Terms of ISO/IEC 19795-1: FMR is the share of non-mated comparisons that match, FNMR the share of mated ones that do not; a match
is a similarity at or above the threshold. TAR@FAR is 1 − FNMR at the lowest threshold whose FMR is not above the target. EER is
where the two meet, on the straight line between the two neighbouring thresholds. AUC is the chance that a mated comparison is
more alike than a non-mated one, ties by half (Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay.bench.resample import TIMES, Bools, Figure, Floats, figures, flags, vector
from assay.types import BadInput, CannotAssess

FARS = (1e-1, 1e-2, 1e-3, 1e-4)


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """Rates at every threshold that occurs, from strict to lax: K each."""

    threshold: Floats  # descending; +inf first, where nothing matches
    fmr: Floats  # ascending, 0 to 1
    tmr: Floats  # 1 − FNMR; ascending, 0 to 1


def roc(similarity: ArrayLike, mated: ArrayLike) -> Roc:
    """All operating points.  similarity: N, higher is more alike; mated: N, 1 where both samples are of one person.

    Raises BadInput; CannotAssess where one of the two kinds is missing.
    """
    s = vector("similarity", similarity)
    return _Sorted(s, flags("mated", mated, s)).roc(np.ones(len(s)))


def auc(curve: Roc) -> float:
    """Area under the curve: 1 parts the two kinds, .5 is chance."""
    return float(np.trapezoid(curve.tmr, curve.fmr))


def eer(curve: Roc) -> float:
    """The error where false matches and false non-matches are equally frequent; 0 is best."""
    gap = curve.fmr - (1 - curve.tmr)  # −1 at the strict end, 1 at the lax one, never falling
    after = int((gap >= 0).argmax())
    before = after - 1
    step = -gap[before] / (gap[after] - gap[before])
    return float(curve.fmr[before] + step * (curve.fmr[after] - curve.fmr[before]))


def tar_at_far(curve: Roc, far: float) -> float:
    """The share of mated comparisons that match at the lowest threshold whose FMR is not above `far`."""
    if not 0 <= far <= 1:
        raise BadInput(f"a false acceptance rate lies in [0, 1]; got {far}.")
    return float(curve.tmr[np.searchsorted(curve.fmr, far + 1e-12, side="right") - 1])


def fnmr(similarity: ArrayLike, threshold: float) -> float:
    """The share of these mated similarities below the threshold."""
    return float((vector("similarity", similarity) < threshold).mean())


def fmr(similarity: ArrayLike, threshold: float) -> float:
    """The share of these non-mated similarities at or above the threshold."""
    return float((vector("similarity", similarity) >= threshold).mean())


def threshold_at_fmr(non_mated: ArrayLike, target: float) -> float:
    """The lowest threshold at which no more than `target` of these non-mated similarities match.

    Raises CannotAssess where there are fewer than 1/target: one false match would already be too many to measure it.
    """
    s = np.sort(vector("similarity of non-mated comparisons", non_mated, least=0))[::-1]
    _enough(len(s), target)
    allowed = int(target * len(s) + 1e-9)
    return float(np.nextafter(s[allowed], np.inf)) if allowed < len(s) else float(s[-1])


def verification(
    similarity: ArrayLike,
    mated: ArrayLike,
    *,
    threshold: float | None = None,
    fars: Sequence[float] = FARS,
    subjects: Sequence[ArrayLike] | None = None,
    times: int = TIMES,
    seed: int = 0,
) -> dict[str, Figure]:
    """All figures with intervals: `auc`, `eer`, `tar@FAR` for each of fars, and `fnmr`, `fmr` if a threshold is given.

    subjects: two label columns, the persons of each comparison, or one (the person of the probe).
    A FAR that the non-mated comparisons are too few to measure (fewer than 1/FAR) is left out.
    """
    s = vector("similarity", similarity)
    data = _Sorted(s, flags("mated", mated, s))
    strangers = int((~data.mated).sum())
    measurable = [f for f in fars if f * strangers >= 1 - 1e-9]

    def measure(weights: Floats) -> dict[str, float]:
        curve = data.roc(weights)
        out = {"auc": auc(curve), "eer": eer(curve)} | {f"tar@{f:g}": tar_at_far(curve, f) for f in measurable}
        if threshold is not None:
            at = int(np.searchsorted(-curve.threshold, -threshold, side="right")) - 1
            out |= {"fnmr": 1 - float(curve.tmr[at]), "fmr": float(curve.fmr[at])}
        return out

    return figures(measure, len(s), subjects=subjects, times=times, seed=seed)


class _Sorted:
    """Similarities sorted once, so that every draw of the bootstrap costs two sums."""

    def __init__(self, similarity: Floats, mated: Bools) -> None:
        self.mated = mated
        self.levels, self.group = np.unique(-similarity, return_inverse=True)

    def roc(self, weights: Floats) -> Roc:
        right = np.bincount(self.group, weights * self.mated, len(self.levels)).cumsum()
        wrong = np.bincount(self.group, weights * ~self.mated, len(self.levels)).cumsum()
        if not right[-1] or not wrong[-1]:
            raise CannotAssess("Both kinds are needed: comparisons of one person (mated) and of two (non-mated).")
        zero = np.zeros(1)
        levels = np.concatenate([[np.inf], -self.levels])
        return Roc(levels, np.concatenate([zero, wrong / wrong[-1]]), np.concatenate([zero, right / right[-1]]))


def _enough(n: int, target: float) -> None:
    if not 0 < target <= 1:
        raise BadInput(f"an FMR lies above 0 and not above 1; got {target}.")
    if n * target < 1 - 1e-9:
        raise CannotAssess(f"An FMR of {target:g} takes at least {round(1 / target)} non-mated comparisons; there are {n}.")
