"""Open-world attribution: which generator made a picture, where some generators were never named to the method.

Sun et al. 2023 (CPL, OW-DFA), arXiv:2309.11132: of known generators the name itself must be right; of novel ones only the grouping can
be, so clusters are matched one to one with generators as suits them best (Hungarian). Matching over all generators at once may
hide a swap of a known with a novel one; `known acc` shows it. NMI: mutual information over the mean of both entropies; ARI: Hubert &
Arabie 1985. Rejection, which the paper does not report: AUROC of the confidence for known against novel, and OSCR (Dhamija et al.
2018, arXiv:1811.04110).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from assay.bench.resample import TIMES, Bools, Figure, Floats, figures, flags, vector
from assay.bench.verification import auc, roc
from assay.types import BadInput, CannotAssess

Whole = NDArray[np.int64]


def attribution(
    said: Sequence[str],
    truth: Sequence[str],
    known: ArrayLike,
    *,
    confidence: ArrayLike | None = None,
    subjects: ArrayLike | None = None,
    times: int = TIMES,
    seed: int = 0,
) -> dict[str, Figure]:
    """Figures over all pictures, those of known generators and those of novel ones.

    said: N names or cluster labels; truth: N generators, known ones by the names that the method was taught.
    known: N, 1 where the generator was labelled in training; each generator is one or the other.
    confidence: N, higher where the method is surer; adds uncertainty (1 − mean), auroc known and oscr where there are novel ones.
    subjects: N labels, for intervals over photographs rather than rows.
    Raises BadInput; CannotAssess where no known generator is there.
    """
    if not len(said) == len(truth) > 0:
        raise BadInput(f"said has {len(said)} rows and truth {len(truth)}; both need the same, and at least one.")
    every, codes = np.unique(np.asarray([*said, *truth], dtype=str), return_inverse=True)
    p, y = codes[: len(said)], codes[len(said) :]
    k = flags("known", known, np.zeros(len(y)))
    both = set(y[k].tolist()) & set(y[~k].tolist())
    if both:
        raise BadInput(f"{every[min(both)]} is known in some rows and novel in others; a generator is one of them.")
    if not k.any():
        raise CannotAssess("There is no picture of a known generator.")
    c = None if confidence is None else vector("confidence", confidence, like=np.zeros(len(y)))

    def measure(weights: Floats) -> dict[str, float]:
        at = np.repeat(np.arange(len(y)), weights.astype(int))
        if not k[at].any() or (k[at].all() and not k.all()):
            raise CannotAssess("One of the two kinds was not drawn.")
        return rates(p[at], y[at], k[at], None if c is None else c[at])

    return figures(measure, len(y), subjects=None if subjects is None else [np.asarray(subjects)], times=times, seed=seed)


def rates(said: Whole, truth: Whole, known: Bools, confidence: Floats | None = None) -> dict[str, float]:
    """All figures without intervals; labels are whole numbers, the same for what was said and what is."""
    right = said == truth
    found = {"known acc": float(right[known].mean())}
    if not known.all():
        found |= {f"novel {n}": v for n, v in _grouping(said[~known], truth[~known]).items()}
    found |= {f"all {n}": v for n, v in _grouping(said, truth).items()}
    found |= {f"known {n}": v for n, v in _grouping(said[known], truth[known]).items() if n != "acc"}
    if confidence is not None:
        found["uncertainty"] = float(1 - confidence.mean())
        if not known.all():
            found |= {"auroc known": auc(roc(confidence, known)), "oscr": oscr(confidence, right, known)}
    return found


def _grouping(said: Whole, truth: Whole) -> dict[str, float]:
    table = contingency(said, truth)
    return {"acc": matched(table), "nmi": information(table), "ari": agreement(table)}


def contingency(said: Whole, truth: Whole) -> Whole:
    """How often each label was said of each generator: labels × generators."""
    a, b = (np.unique(v, return_inverse=True)[1] for v in (said, truth))
    table = np.zeros((a.max() + 1, b.max() + 1), dtype=np.int64)
    np.add.at(table, (a, b), 1)
    return table


def matched(table: Whole) -> float:
    """The share that is right when each label stands for one generator at most, as suits them best."""
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / table.sum())


def information(table: Whole) -> float:
    """Normalised mutual information, 0 to 1; 1 where both have one group only."""
    share = table / table.sum()
    rows, columns = share.sum(1), share.sum(0)
    entropies = [float(-(v[v > 0] * np.log(v[v > 0])).sum()) for v in (rows, columns, share.ravel())]
    if sum(entropies[:2]) == 0:
        return 1.0
    return max(0.0, 2 * (entropies[0] + entropies[1] - entropies[2]) / (entropies[0] + entropies[1]))


def agreement(table: Whole) -> float:
    """Adjusted Rand index: of pairs of pictures, how many are together in both or apart in both; 0 is chance, 1 all."""

    def pairs(counts: Whole) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, rows, columns, every = pairs(table), pairs(table.sum(1)), pairs(table.sum(0)), pairs(np.array([table.sum()]))
    chance = rows * columns / every if every else 0.0
    most = (rows + columns) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


def oscr(confidence: Floats, right: Bools, known: Bools) -> float:
    """Area under: share of the known that are accepted and right, over the share of the novel that are accepted; 1 is best."""
    levels = np.unique(confidence)[::-1]
    groups = (confidence[known & right], confidence[~known])
    up, along = (np.append(0, [(v >= level).sum() for level in levels]) for v in groups)
    return float(np.trapezoid(up / known.sum(), along / (~known).sum()))
