"""The VQualA-2025 face quality challenge: (SRCC + PLCC) / 2 within 0.5 GFLOPs and 5 M parameters (arXiv:2508.18445).

The labels of its 27 686 + 1 000 + 889 pictures are those of a net (DSL-FIQA over 20 patches), so the score says how well that net
is imitated. Whether the organisers took Pearson raw or after the logistic is not published; the winner's code takes the logistic,
and so do we: `score`. `score_raw` stands beside it. FLOPs are multiply-accumulates (flops.py); how the board counted is not published:
its figure for the winner, EdgeNeXt-XXS at 352², is .3313 G where ours is .4873 G, which agrees with its authors at 256².
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from assay.bench.correlation import LEAST, agreement, srcc
from assay.bench.flops import Cost
from assay.bench.resample import TIMES, Figure, Floats, Measure, figures, vector
from assay.bench.rows import numbers, read
from assay.types import BadInput, CannotAssess

MAX_MACS, MAX_PARAMETERS = 0.5e9, 5e6
EDGES = (0, 224, 384, 512, 768)  # shorter side in pixels, lower ends; the challenge's pictures have 224 to 1024
SEED, TRAIN = 42, 0.8  # the winner's split of the labelled pictures (github.com/sunwei925/Efficient-FIQA, FIQADataset.py)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a leaderboard."""

    team: str
    score: float
    gmacs: float
    mparameters: float


LEADERBOARD = (  # published with the winner's code; on the test set, which is not public
    Entry("ECNU-SJTU VQA (Efficient-FIQA)", 0.9664, 0.3313, 1.1796),
    Entry("MediaForensics", 0.9624, 0.4687, 1.5189),
    Entry("Next", 0.9583, 0.4533, 1.2224),
    Entry("ATHENAFace", 0.9566, 0.4985, 2.0916),
    Entry("NJUPT-IQA", 0.9547, 0.4860, 3.7171),
    Entry("ECNU VIS", 0.9406, 0.4923, 3.2805),
)


@dataclass(frozen=True, slots=True)
class Report:
    """score: (SRCC + PLCC after the logistic) / 2; bins: shorter side from … on → SRCC, or why there is none."""

    figures: dict[str, Figure]  # score, score_raw, srcc, krcc, plcc_raw, plcc_logistic, rmse
    bins: dict[int, Figure | str] = field(default_factory=dict)
    broken: tuple[str, ...] = ()  # which gates, in sentences; () where cost is within both or is not known
    cost: Cost | None = None

    @property
    def place(self) -> int:
        """Where the score would stand on the published board. Only on the challenge's own test set does it mean anything."""
        return 1 + sum(e.score > self.figures["score"].value for e in LEADERBOARD)


def labels(path: str | Path) -> dict[str, float]:
    """The challenge's file: image, score, without a header.  Raises BadInput: a name that stands twice, a cell that is no number."""
    table = read(path, names=("image", "score"))
    values = vector("score", numbers(table, "score"))
    if len(set(table["image"])) < len(values):
        twice = next(n for n in table["image"] if table["image"].count(n) > 1)
        raise BadInput(f"{path} has {twice} more than once.")
    return dict(zip(table["image"], values.tolist(), strict=True))


def split(images: Sequence[str], *, seed: int = SEED) -> tuple[list[str], list[str]]:
    """Training and validation names, 80 to 20, as the winner's code draws them: sklearn's train_test_split, the same rows."""
    order = np.random.RandomState(seed).permutation(len(images))
    held = len(images) - int(TRAIN * len(images))
    return [images[i] for i in order[held:]], [images[i] for i in order[:held]]


def gates(cost: Cost) -> tuple[str, ...]:
    """The limits that a net breaks, in sentences; both limits themselves are allowed."""
    broken = []
    if cost.macs > MAX_MACS:
        broken.append(f"{cost.macs / 1e9:.4f} G multiply-accumulates are more than {MAX_MACS / 1e9:g} G.")
    if cost.parameters > MAX_PARAMETERS:
        broken.append(f"{cost.parameters / 1e6:.4f} M parameters are more than {MAX_PARAMETERS / 1e6:g} M.")
    return tuple(broken)


def align(scores: Mapping[str, float], truth: Mapping[str, float]) -> tuple[list[str], Floats, Floats]:
    """Names, scores and labels in one order.  Raises BadInput where a labelled picture has no score: none may be left out."""
    if missing := [n for n in truth if n not in scores]:
        raise BadInput(f"{len(missing)} of {len(truth)} labelled pictures have no score, first {missing[0]}.")
    names = list(truth)
    return names, np.array([scores[n] for n in names]), np.array([truth[n] for n in names])


def evaluate(
    scores: Mapping[str, float],
    truth: Mapping[str, float],
    *,
    cost: Cost | None = None,
    short_sides: Mapping[str, int] | None = None,
    times: int = TIMES,
    seed: int = 0,
) -> Report:
    """Judge scores of pictures by their labels.

    cost: of the net at the size it is deployed with (flops.cost), for the gates.
    short_sides: shorter side of each picture in pixels, for SRCC by resolution.
    Raises BadInput; CannotAssess where scores or labels are constant.
    """
    names, x, y = align(scores, truth)
    told = figures(_scored(agreement(vector("score", x, least=LEAST), vector("label", y))), len(x), times=times, seed=seed)
    bins: dict[int, Figure | str] = {}
    if short_sides is not None:
        if missing := [n for n in names if n not in short_sides]:
            raise BadInput(f"the size of {missing[0]} is not given.")
        bins = by_resolution(x, y, [short_sides[n] for n in names], times=times, seed=seed)
    return Report(told, bins, () if cost is None else gates(cost), cost)


def by_resolution(
    score: ArrayLike, truth: ArrayLike, short_sides: ArrayLike, *, times: int = TIMES, seed: int = 0
) -> dict[int, Figure | str]:
    """SRCC among pictures of one size: shorter side from this many pixels on, to the next."""
    x = vector("score", score)
    y, side = vector("label", truth, like=x), vector("short side", short_sides, like=x)
    out: dict[int, Figure | str] = {}
    at = np.searchsorted(EDGES, side, side="right") - 1
    for i in np.unique(at):
        here = at == i
        if here.sum() < LEAST:
            out[EDGES[i]] = f"{here.sum()} pictures are too few."
            continue
        try:
            out[EDGES[i]] = _srcc(x[here], y[here], times, seed)
        except CannotAssess as none:
            out[EDGES[i]] = str(none)
    return out


def _srcc(x: Floats, y: Floats, times: int, seed: int) -> Figure:
    def measure(weights: Floats) -> dict[str, float]:
        rows = np.repeat(np.arange(len(x)), weights.astype(np.int64))
        return {"srcc": srcc(x[rows], y[rows])}

    return figures(measure, len(x), times=times, seed=seed)["srcc"]


def _scored(agree: Measure) -> Measure:
    """The challenge's two scores before the five figures that they are made from."""

    def measure(weights: Floats) -> dict[str, float]:
        f = agree(weights)
        return {"score": (f["srcc"] + f["plcc_logistic"]) / 2, "score_raw": (f["srcc"] + f["plcc_raw"]) / 2, **f}

    return measure
