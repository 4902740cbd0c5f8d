"""Localisation in time: which stretches of a video were forged, as ForgeryNet asks (He et al. 2021, arXiv:2103.05630).

AP at an overlap t: stretches of all videos by falling score; one is right where it overlaps a forged stretch that no better one has taken
by t or more (intersection over union); the area under precision, made falling, over recall, as ActivityNet has it. AR at n: the share of
forged stretches found among the n best of each video, averaged over overlaps of .5 to .95.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from assay.bench.resample import TIMES, Figure, Floats, figures
from assay.types import BadInput, CannotAssess

OVERLAPS = (0.5, 0.75, 0.9)
BEST = (2, 5)  # stretches of a video that AR looks at
STEPS = np.arange(50, 100, 5) / 100
Stretch = tuple[float, float]  # start, end


def temporal(
    said: Mapping[str, Sequence[tuple[float, float, float]]],
    truth: Mapping[str, Sequence[Stretch]],
    *,
    times: int = TIMES,
    seed: int = 0,
) -> dict[str, Figure]:
    """AP@.5, .75, .9, their mean and AR@2, 5, with intervals over videos.

    said: video → start, end and score of each stretch that is called forged.  truth: every video → its forged stretches, () for an
    authentic one; start < end, in frames or seconds.  Raises BadInput; CannotAssess where no video has a forged stretch.
    """
    for name, rows in [*said.items(), *truth.items()]:
        if name not in truth:
            raise BadInput(f"{name} was judged and is not among the {len(truth)} videos whose truth is known.")
        if any(not row[0] < row[1] for row in rows):
            raise BadInput(f"a stretch of {name} does not end after it starts.")
    if not any(truth.values()):
        raise CannotAssess("No video has a forged stretch.")
    names = list(truth)
    tables = [_overlaps(said.get(n, ()), truth[n]) for n in names]

    def measure(weights: Floats) -> dict[str, float]:
        drawn = [tables[i] for i in np.repeat(np.arange(len(names)), weights.astype(int))]
        if not any(t.shape[1] for _, t in drawn):
            raise CannotAssess("No video of this draw has a forged stretch.")
        found = {f"ap@{t:g}": average_precision(drawn, t) for t in OVERLAPS}
        found["ap"] = float(np.mean(list(found.values())))
        return found | {f"ar@{n}": float(np.mean([recall(drawn, t, n) for t in STEPS])) for n in BEST}

    return figures(measure, len(names), times=times, seed=seed)


def _overlaps(said: Sequence[tuple[float, float, float]], truth: Sequence[Stretch]) -> tuple[Floats, Floats]:
    """Scores, falling, and intersection over union of each stretch said with each true one."""
    rows = sorted(said, key=lambda r: -r[2])
    a, b = np.array([r[:2] for r in rows]).reshape(-1, 2), np.array(truth, dtype=np.float64).reshape(-1, 2)
    both = (np.minimum(a[:, None, 1], b[:, 1]) - np.maximum(a[:, None, 0], b[:, 0])).clip(0)
    either = (a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0]) - both
    return np.array([r[2] for r in rows], dtype=np.float64), both / either


def _hits(overlaps: Floats, least: float) -> list[bool]:
    """Which stretches, best score first, find a true one that is still free."""
    free, hits = np.ones(overlaps.shape[1], bool), []
    for row in overlaps:
        fit = np.where(free, row, -1.0)
        best = int(fit.argmax()) if fit.size else -1
        hits.append(best >= 0 and bool(fit[best] >= least))
        if hits[-1]:
            free[best] = False
    return hits


def average_precision(tables: Sequence[tuple[Floats, Floats]], least: float) -> float:
    """Over the stretches of all videos."""
    total = sum(o.shape[1] for _, o in tables)
    scores = np.concatenate([s for s, _ in tables])
    if not len(scores):
        return 0.0
    hits = np.concatenate([np.array(_hits(o, least), bool) for _, o in tables])[np.argsort(-scores, kind="stable")]
    found = hits.cumsum()
    precision = np.maximum.accumulate((found / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float((precision * hits).sum() / total)


def recall(tables: Sequence[tuple[Floats, Floats]], least: float, best: int) -> float:
    """The share of true stretches that the `best` of each video find."""
    return float(sum(sum(_hits(o[:best], least)) for _, o in tables) / sum(o.shape[1] for _, o in tables))
