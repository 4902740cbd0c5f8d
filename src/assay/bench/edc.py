"""Error versus discard: how much a quality score helps a matcher when the worst samples are thrown away.

Schlett et al. 2023, "Considerations on the evaluation of biometric quality assessment algorithms" (arXiv:2303.13294), after
Grother & Tabassi 2007 (doi:10.1109/TPAMI.2007.1019). Any score, any matcher: only their numbers come in.

    e(r) = share of false non-matches among the mated comparisons left when the fraction r of lowest quality is discarded
    pAUC(L) = ∫₀ᴸ e(r) dr     best(L) = e₀²/2 − max(0, e₀ − L)²/2     relative(L) = (pAUC − best) / (e₀·L − best)

0 relative: only errors were discarded; 1: no better than discarding at random. The decision threshold is fixed once, equal
qualities are discarded together, and the curve is a step function. `protocol="crfiqa"` is the script of CR-FIQA and ViT-FIQA
(Boutros et al. 2023, arXiv:2112.06592), which discards non-mated comparisons too, sets the threshold anew at each of 20 fractions
and takes the trapezoid area up to .95: its figures cannot be compared with those of the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from assay.bench import crfiqa
from assay.bench.resample import TIMES, Bools, Figure, Floats, figures, flags, vector
from assay.bench.verification import threshold_at_fmr
from assay.types import BadInput, CannotAssess

Protocol = Literal["edc", "crfiqa"]
LIMITS = (0.2, 0.3)  # Schlett 2023: larger limits rank more stably; the public leaderboards use .2 and .3


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Error against the fraction discarded. `threshold` is None where it moves along the curve (crfiqa)."""

    protocol: Protocol
    threshold: float | None
    discarded: Floats  # ascending from 0; to 1 in "edc", to .95 in "crfiqa"
    error: Floats  # FNMR among what is left; holds until the next fraction in "edc"


def pair_quality(a: ArrayLike, b: ArrayLike) -> Floats:
    """The quality of a comparison: that of its worse sample.  a, b: N each → N."""
    left = vector("the first quality", a, minus_inf=True)
    return np.minimum(left, vector("the second quality", b, like=left, minus_inf=True))


def threshold_at_error(similarity: ArrayLike, error: float) -> float:
    """The highest threshold at which no more than `error` (0 to 1) of these mated similarities fall below it."""
    s = np.sort(vector("similarity", similarity))
    if not 0 <= error < 1:
        raise BadInput(f"a starting error lies in [0, 1); got {error}.")
    return float(s[int(error * len(s) + 1e-9)])  # the slack: .1 · 30 must be 3


def edc(
    similarity: ArrayLike,
    quality: ArrayLike,
    *,
    mated: ArrayLike | None = None,
    threshold: float | None = None,
    starting_error: float | None = None,
    fmr: float | None = None,
    protocol: Protocol = "edc",
) -> Curve:
    """The curve of one quality score.

    similarity, quality: one a comparison (see `pair_quality`), higher is more alike and better; −inf quality: could not be judged.
    mated: 1 where both samples are of one person; all, if not given. In "edc" the others serve only to find the threshold.
    Exactly one of threshold (a match is a similarity at or above it), starting_error (its quantile), fmr (false matches per
    non-mated comparison; the only one that "crfiqa" knows, default 1e-3).
    Raises BadInput; CannotAssess without mated, or with too few non-mated comparisons for that FMR.
    """
    s, q, m = _columns(similarity, quality, mated)
    if protocol == "crfiqa":
        if threshold is not None or starting_error is not None:
            raise BadInput("crfiqa sets the threshold anew at every step: give fmr, not threshold or starting_error.")
        return Curve("crfiqa", None, crfiqa.STEPS.copy(), crfiqa.errors(s, q, m, crfiqa.FMR if fmr is None else fmr))
    if protocol != "edc":
        raise BadInput(f"protocol must be 'edc' or 'crfiqa'; got {protocol!r}.")
    t = _threshold(s, m, threshold, starting_error, fmr)
    return _curve(s[m] < t, q[m], t, np.ones(int(m.sum())))


def pauc(curve: Curve, limit: float) -> float:
    """Area under the curve for fractions 0 to limit: steps, or trapezoids in "crfiqa"."""
    top = float(curve.discarded[-1])
    if not 0 < limit <= top:
        raise BadInput(f"the limit of {curve.protocol} must lie above 0 and not above {top:g}; got {limit}.")
    if curve.protocol == "crfiqa":
        x = np.append(curve.discarded[curve.discarded < limit], limit)
        return float(np.trapezoid(np.interp(x, curve.discarded, curve.error), x))
    return float((curve.error[:-1] * np.diff(np.minimum(curve.discarded, limit))).sum())


def best_area(error: float, limit: float) -> float:
    """Area up to limit under the line error − r: what discarding nothing but errors comes to at the least."""
    return error**2 / 2 - max(0.0, error - limit) ** 2 / 2


def relative_area(curve: Curve, limit: float) -> float:
    """0 where only errors were discarded, 1 where discarding changed nothing, above 1 where it did harm."""
    e0 = float(curve.error[0])
    best = best_area(e0, limit)
    if e0 * limit - best <= 1e-12:  # no errors, or nothing but errors
        raise CannotAssess(f"The starting error is {e0:g}: discarding cannot change that, so no quality score can be told from another.")
    return (pauc(curve, limit) - best) / (e0 * limit - best)


def compare(
    similarity: ArrayLike,
    qualities: Mapping[str, ArrayLike],
    *,
    mated: ArrayLike | None = None,
    threshold: float | None = None,
    starting_error: float | None = None,
    fmr: float | None = None,
    protocol: Protocol = "edc",
    limits: Sequence[float] | None = None,
    subjects: Sequence[ArrayLike] | None = None,
    times: int = TIMES,
    seed: int = 0,
) -> dict[str, dict[str, Figure]]:
    """Several scores on the same comparisons: for each `error`, and per limit L `pauc@L`, `excess@L`, `relative@L`, `behind@L`.

    `excess` (pAUC − best) and `relative` belong to "edc" alone. `behind`: its pAUC less that of the best score, on the
    same draws: an interval above 0 says that it is truly behind.
    In "edc" the threshold stays that of the full set in every draw; in "crfiqa" it is part of the protocol and is set anew.
    limits: LIMITS, or .95 in "crfiqa".  subjects: one or two label columns, for intervals over people.  The rest as in `edc`.
    """
    if not qualities:
        raise BadInput("at least one quality score is needed.")
    at = tuple(limits or (LIMITS if protocol == "edc" else (float(crfiqa.STEPS[-1]),)))
    asked = {"threshold": threshold, "starting_error": starting_error, "fmr": fmr}
    first = {n: edc(similarity, q, mated=mated, protocol=protocol, **asked) for n, q in qualities.items()}
    best = {limit: min(first, key=lambda n: pauc(first[n], limit)) for limit in at}
    columns = {n: _columns(similarity, q, mated) for n, q in qualities.items()}
    rate = crfiqa.FMR if fmr is None else fmr

    def measure(weights: Floats) -> dict[str, float]:
        curves: dict[str, Curve] = {}
        for n, (s, q, m) in columns.items():
            if (t := first[n].threshold) is not None:
                curves[n] = _curve(s[m] < t, q[m], t, weights[m])
                continue
            rows = np.repeat(np.arange(len(s)), weights.astype(np.int64))
            curves[n] = Curve("crfiqa", None, crfiqa.STEPS, crfiqa.errors(s[rows], q[rows], m[rows], rate))
        lead = {limit: pauc(curves[n], limit) for limit, n in best.items()}
        return {f"{n}\0{what}": value for n, c in curves.items() for what, value in _told(c, lead).items()}

    table: dict[str, dict[str, Figure]] = {n: {} for n in qualities}
    n = len(next(iter(columns.values()))[0])
    for key, figure in figures(measure, n, subjects=subjects, times=times, seed=seed).items():
        name, what = key.split("\0")
        table[name][what] = figure
    return table


def _told(curve: Curve, lead: Mapping[float, float]) -> dict[str, float]:
    """One score's figures; lead: the best score's area at each limit."""
    out = {"error": float(curve.error[0])}
    for limit, best in lead.items():
        area = pauc(curve, limit)
        out[f"pauc@{limit:g}"] = area
        if curve.protocol == "edc":
            out[f"excess@{limit:g}"] = area - best_area(out["error"], limit)
            out[f"relative@{limit:g}"] = relative_area(curve, limit)
        out[f"behind@{limit:g}"] = area - best
    return out


def _columns(similarity: ArrayLike, quality: ArrayLike, mated: ArrayLike | None) -> tuple[Floats, Floats, Bools]:
    s = vector("similarity", similarity)
    q = vector("quality", quality, like=s, minus_inf=True)
    m = np.ones(len(s), dtype=np.bool_) if mated is None else flags("mated", mated, s)
    if not m.any():
        raise CannotAssess("There is no mated comparison (two samples of one person), so there is no false non-match to count.")
    return s, q, m


def _threshold(s: Floats, m: Bools, threshold: float | None, starting_error: float | None, fmr: float | None) -> float:
    if sum(v is not None for v in (threshold, starting_error, fmr)) != 1:
        raise BadInput("give exactly one of threshold, starting_error and fmr: it fixes what counts as a match.")
    if threshold is not None:
        return threshold
    return threshold_at_fmr(s[~m], fmr) if fmr is not None else threshold_at_error(s[m], starting_error or 0.0)


def _curve(wrong: Bools, quality: Floats, threshold: float, weights: Floats) -> Curve:
    """One step for each quality that occurs: what lies below it is gone."""
    _, group = np.unique(quality, return_inverse=True)
    n = np.bincount(group, weights)
    errors = np.bincount(group, weights * wrong)
    left = n[::-1].cumsum()[::-1]
    if left[0] == 0:
        raise CannotAssess("There is no mated comparison in this draw.")
    here = left > 0
    gone = 1 - left[here] / left[0]
    return Curve("edc", threshold, np.append(gone, 1.0), np.append(errors[::-1].cumsum()[::-1][here] / left[here], 0.0))
