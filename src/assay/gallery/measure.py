"""Every degradation at every level, scored by every metric that runs offline."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from math import isnan
from typing import Any, TypeAlias

import torch
from torch import Tensor

from assay.catalog import Carded, get, index
from assay.tasks import TOO_SLOW
from assay.types import AlterCard, AssayError, ScoreCard

Values: TypeAlias = list["float | None"]
Scorer: TypeAlias = "Carded[ScoreCard, ..., Any]"


@dataclass(frozen=True)
class Damaged:
    """One photograph under one degradation: its pictures from mild to severe, and the scores of fresh and damaged."""

    photo: int
    name: str
    pictures: tuple[Tensor, ...]  # C×H×W uint8
    scores: dict[str, Values]  # metric → fresh, then one value per level; None where it has no answer


def degradations() -> dict[str, AlterCard]:
    """The bank: every alterer of one image."""
    return {n: card for n in index() if isinstance(card := _card(n, "alter"), AlterCard) and card.takes == ("image",)}


def metrics() -> dict[str, ScoreCard]:
    """Every score of one image, with or without a reference, that needs no file to be fetched and no patience; those with one first."""
    named = {
        n: c for n in index() if n not in TOO_SLOW and isinstance(c := _card(n, "score"), ScoreCard) and not any(w.url for w in c.weights)
    }
    pairs = {n: c for n, c in named.items() if c.takes == ("image", "reference")}
    return pairs | {n: c for n, c in named.items() if c.takes == ("image",)}


def _card(name: str, answers: str) -> object:
    return get(name).card if index()[name]["answers"] == answers else None


def measured(
    photos: Sequence[Tensor],
    bank: Sequence[str],
    named: Sequence[str],
    *,
    workers: int | None = None,
    tick: Callable[[], object] = int,
) -> Iterator[Damaged]:
    """Every photograph under every degradation, as each is done.

    photos: C×H×W uint8. workers: pictures at a time; the processor count by default. tick: called after each metric.
    """
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        jobs: list[Future[Damaged]] = []
        fresh = list(pool.map(lambda x: {m: _scores(m, x[None], x, tick)[0] for m in named}, photos))
        jobs = [pool.submit(_damaged, i, x, name, fresh[i], tick) for name in bank for i, x in enumerate(photos)]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:  # the caller left early
            for job in jobs:
                job.cancel()


def _damaged(photo: int, x: Tensor, name: str, fresh: dict[str, float | None], tick: Callable[[], object]) -> Damaged:
    fn = get(name)
    card = fn.card
    levels = card.levels if isinstance(card, AlterCard) else ()
    pictures = torch.cat([fn(x[None], **{card.knob: level}) for level in levels]) if isinstance(card, AlterCard) else x[None]
    scores = {m: [value, *_scores(m, pictures, x, tick)] for m, value in fresh.items()}
    return Damaged(photo, name, tuple(pictures), scores)


def _scores(name: str, pictures: Tensor, ref: Tensor, tick: Callable[[], object]) -> Values:
    """A metric's value for each of N×C×H×W pictures. If the batch fails, each is tried alone."""
    fn = get(name)
    try:
        with torch.no_grad():
            out = fn(pictures, ref=ref[None].expand_as(pictures)) if "reference" in fn.card.takes else fn(pictures)
        values = [float(getattr(v, "score", v)) for v in out]
        tick()
    except AssayError:
        if len(pictures) == 1:
            tick()
            return [None]
        tick()
        return [_scores(name, one[None], ref, int)[0] for one in pictures]
    return [None if isnan(v) else v for v in values]


def order(card: ScoreCard, values: Values) -> float | None:
    """Kendall's τ between damage and loss of score: 1 where every step scores worse, -1 where every step scores better."""
    way = 1 if card.scale.best > card.scale.worst else -1
    known = [way * v for v in values if v is not None]
    pairs = [(a > b) - (a < b) for i, a in enumerate(known) for b in known[i + 1 :]]
    return sum(pairs) / len(pairs) if pairs else None


def drop(card: ScoreCard, values: Values) -> float | None:
    """How far the score falls from the fresh picture to the severest level, on 0..1 of the usual range."""
    if values[0] is None or values[-1] is None:
        return None
    return card.scale.good(values[0]) - card.scale.good(values[-1])
