"""Localisation of what was changed: how well maps fit masks, and how much they mark where nothing was changed.

Pixel F1 and IoU at a fixed threshold; the best F1 twice, because papers seldom say which: `f1_best`, with the best threshold of every
picture, and `f1_common`, with the one that is best for all of them. Pixel AUC counts ties by half. Nothing is inverted, no border is
left out, and pictures without a changed pixel have no F1: on those the share of pixels marked is told, `false_area`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay.bench.resample import TIMES, Bools, Figure, Floats, figures
from assay.bench.verification import auc as area_under
from assay.bench.verification import roc
from assay.types import BadInput, CannotAssess

THRESHOLD = 0.5
COMMON = np.linspace(0, 1, 101)  # thresholds among which the best for all is sought


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """How one map fits its mask; None where the question has no answer.  `curve`: F1 at every threshold of COMMON."""

    area: float  # share of pixels that were changed
    marked: float  # share of unchanged pixels at or above the threshold
    f1: float | None  # None without changed pixels
    iou: float | None
    f1_best: float | None
    auc: float | None  # None where all or none were changed
    curve: Floats | None


def fit(map: ArrayLike, mask: ArrayLike, *, threshold: float = THRESHOLD) -> Fit:
    """One map against its mask.

    map: h×w, 0 to 1, higher is likelier changed; a pixel at or above the threshold is marked.  mask: h×w, 0 or 1.
    Raises BadInput: another shape, values that are no numbers or out of range.
    """
    p, t = _pair(map, mask)
    marked = p >= threshold
    area, false = float(t.mean()), float(marked[~t].mean()) if not t.all() else 0.0
    if not t.any():
        return Fit(area, false, None, None, None, None, None)
    hits = float((marked & t).sum())
    order = np.argsort(-p, kind="stable")
    ranked, found = p[order], t[order].cumsum().astype(np.float64)
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal values are marked together
    f1 = 2 * found / (np.arange(1, len(p) + 1) + t.sum())
    at = np.searchsorted(-ranked, -COMMON, side="right")  # so many pixels are marked
    curve = np.where(at > 0, f1[np.maximum(at - 1, 0)], 0.0)
    return Fit(
        area,
        false,
        2 * hits / float(marked.sum() + t.sum()),
        hits / float((marked | t).sum()),
        float(f1[last].max()),
        None if t.all() else pixel_auc(p, t),
        curve,
    )


def pixel_auc(p: Floats, t: Bools) -> float:
    """The chance that a changed pixel has the higher value, ties by half."""
    levels, group = np.unique(p, return_inverse=True)
    yes, no = np.bincount(group, t, len(levels)), np.bincount(group, ~t, len(levels))
    below = no.cumsum() - no
    return float((yes * (below + no / 2)).sum() / (yes.sum() * no.sum()))


def localisation(
    fits: Sequence[Fit],
    *,
    score: ArrayLike | None = None,
    subjects: ArrayLike | None = None,
    times: int = TIMES,
    seed: int = 0,
) -> dict[str, Figure]:
    """Means over pictures with intervals: `f1`, `f1_common`, `f1_best`, `iou`, `auc` over changed ones, `false_area` over the others.

    score: one number a picture, higher is likelier changed; gives `image_auc` where both kinds are there.
    subjects: N labels, for intervals over photographs rather than rows.  Raises CannotAssess for no picture at all.
    """
    if not fits:
        raise CannotAssess("There is no map to judge.")
    changed = np.array([f.f1 is not None for f in fits])
    columns = {k: np.array([np.nan if (v := getattr(f, k)) is None else v for f in fits]) for k in ("f1", "iou", "f1_best", "auc")}
    columns["false_area"] = np.where(changed, np.nan, [f.marked for f in fits])
    curves = np.stack([f.curve if f.curve is not None else np.zeros(len(COMMON)) for f in fits])
    scores = None if score is None else np.asarray(score, dtype=np.float64)
    if scores is not None and (scores.shape != (len(fits),) or not np.isfinite(scores).all()):
        raise BadInput(f"score must be one finite number for each of {len(fits)} maps.")

    def measure(weights: Floats) -> dict[str, float]:
        out = {}
        for name, values in columns.items():
            there = ~np.isnan(values)
            if there.any():
                total = weights[there].sum()
                if not total:
                    raise CannotAssess(f"No picture of this draw has {name}.")
                out[name] = float((values[there] * weights[there]).sum() / total)
        if changed.any():
            mean = (curves[changed] * weights[changed, None]).sum(0) / weights[changed].sum()
            out["f1_common"] = float(mean.max())
        if scores is not None and changed.any() and not changed.all():
            at = np.repeat(np.arange(len(fits)), weights.astype(int))
            out["image_auc"] = area_under(roc(scores[at], changed[at]))
        return out

    return figures(measure, len(fits), subjects=None if subjects is None else [np.asarray(subjects)], times=times, seed=seed)


def best_common(fits: Sequence[Fit]) -> float:
    """The threshold that is best for all changed pictures together.  Raises CannotAssess where there is none."""
    curves = [f.curve for f in fits if f.curve is not None]
    if not curves:
        raise CannotAssess("No picture has a changed pixel.")
    return float(COMMON[int(np.mean(curves, axis=0).argmax())])


def _pair(map: ArrayLike, mask: ArrayLike) -> tuple[Floats, Bools]:
    p, t = np.asarray(map, dtype=np.float64), np.asarray(mask)
    if p.ndim != 2 or p.shape != t.shape or not p.size:
        raise BadInput(f"map and mask must be h×w of one shape; got {'×'.join(_sides(p))} and {'×'.join(_sides(t))}.")
    if not np.isfinite(p).all() or p.min() < 0 or p.max() > 1:
        raise BadInput(f"a map must lie in 0 to 1; got {p.min():g} to {p.max():g}.")
    if not np.isin(t, (0, 1)).all():
        raise BadInput("a mask must be 0 or 1 at every pixel; compare it with a threshold first.")
    return p.ravel(), t.astype(np.bool_).ravel()


def _sides(a: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> list[str]:
    return [str(n) for n in a.shape]
