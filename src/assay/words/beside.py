"""What the results of two pictures say beside each other: which is better, by how much, how sure, and because of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assay.types import Description, Item, Measure, QualityVerdict, Result, ScoreCard, Statement
from assay.words.terms import DISTANCES, HOW, STEPS, TERMS, Term, ends, figure, find, level, measure, seen

NAMES = ("A", "B")
SHOWN = {"psnr": "PSNR", "ms_ssim": "MS-SSIM", "ssim": "SSIM", "gmsd": "GMSD", "ciede2000": "mean ΔE00", "sam": "mean spectral angle"}
REASONS = 2  # that a short description names


@dataclass(frozen=True)
class Gap:
    """How the first of two pictures stands beside the second in one attribute. `away` > 0: it has the better value."""

    term: Term
    away: float
    amounts: tuple[str, str]
    measures: tuple[Measure, Measure]

    @property
    def how(self) -> int:
        return level(abs(self.away), STEPS)

    @property
    def kind(self) -> str:
        return self.term.more if self.away > 0 else self.term.less

    @property
    def figures(self) -> str:
        """Both amounts; the second is only the number, since the first has said of what."""
        return f"{self.term.amount.format(self.amounts[0])} against {self.amounts[1]}"


def gaps(first: Item, second: Item, names: tuple[str, str], terms: Sequence[Term] = TERMS) -> list[Gap]:
    """Every attribute in which two pictures differ more than slightly, what matters most first."""
    found: list[Gap] = []
    for term in (t for t in terms if t.less):
        a, b = find(first.results, term), find(second.results, term)
        if a is None or b is None:
            continue
        poor, good = ends(term, a[0])
        ours, theirs = seen(term, a[1], _pixels(first)), seen(term, b[1], _pixels(second))
        told = (measure(term, a[0], a[1], names[0]), measure(term, b[0], b[1], names[1]))
        gap = Gap(term, (ours - theirs) / (good - poor), (figure(a[1]), figure(b[1])), told)
        found.append(gap)
    ordered = [g for g in sorted(found, key=lambda g: (g.term.neutral, -abs(g.away))) if g.how]
    sources = {g.term.source for g in ordered}
    return sorted(ordered, key=lambda g: g.term.echoes in sources)  # what only echoes another comes last


def _pixels(item: Item) -> int:
    return item.media.width * item.media.height if item.media else 0


def against(item: Item, ref: Item) -> Description:
    """In which attributes a picture differs from its reference. Added to what `tell` says of the distance."""
    told = [
        Statement("difference", f"The picture is {HOW[g.how]} {g.kind} than the reference ({g.figures}).", g.measures, brief=not i)
        for i, g in enumerate(gaps(item, ref, ("", "reference")))
    ]
    return Description(tuple(told) or (Statement("difference", "No attribute differs from the reference's by as much as slightly.", ()),))


def between(first: Item, second: Item) -> Description:
    """Which of two pictures, A and B, is better, and why. With a reference, closeness to it decides."""
    told, sign = _closer(first, second)
    if first.quality and second.quality:
        statement, higher = _better(first.quality, second.quality)
        told, sign = [*told, replace(statement, brief=not told)], sign if told else higher
    return Description((*told, *_because(gaps(first, second, NAMES), sign)))


def _better(a: QualityVerdict, b: QualityVerdict) -> tuple[Statement, int]:
    """Which has the higher quality, and 1 for A, -1 for B, 0 where the intervals overlap."""
    measures = tuple(
        m
        for name, v in zip(NAMES, (a, b), strict=True)
        for m in (
            Measure("quality", v.score, of=name),
            Measure("quality, low end", v.interval[0], of=name),
            Measure("quality, high end", v.interval[1], of=name),
        )
    )
    told = [f"{v.score:.0f} (likely {v.interval[0]:.0f} to {v.interval[1]:.0f})" for v in (a, b)]
    if a.interval[0] <= b.interval[1] and b.interval[0] <= a.interval[1]:
        says = f"No clear winner in quality: A has {told[0]} and B {told[1]} of 100, and the intervals overlap."
        return Statement("quality", says, measures), 0
    better, worse = (0, 1) if a.score > b.score else (1, 0)
    by = abs(a.score - b.score)
    says = f"{NAMES[better]} is better than {NAMES[worse]} by {by:.0f} points: quality {told[better]} against {told[worse]} of 100."
    return Statement("quality", says, (*measures, Measure("quality, difference", by))), 1 - 2 * better


def _closer(first: Item, second: Item) -> tuple[list[Statement], int]:
    """Both against one reference: how many measures say that A is closer, their values, and 1 for A, -1 for B."""
    rows: list[tuple[str, Result, Result, float]] = []
    for name in ("psnr", *(t.source for t in DISTANCES)):
        a, b = (next((r for r in i.results if r.name == name and r.value is not None), None) for i in (first, second))
        if a and b and a.value is not None and b.value is not None and isinstance(a.card, ScoreCard):
            way = 1 if a.card.scale.best > a.card.scale.worst else -1
            rows.append((name, a, b, way * ((a.value > b.value) - (a.value < b.value))))
    if not rows:
        return [], 0
    votes = [sum(way == v for *_, way in rows) for v in (1, -1)]
    count = [Measure("votes", v, of=name) for v, name in zip(votes, NAMES, strict=True)]
    sign = (votes[0] > 0) - (votes[1] > 0)
    lead = f"{NAMES[sign < 0]} is closer to the reference on all {max(votes)} measures that differ"
    if not sign:
        lead = f"No clear winner against the reference: A is closer on {votes[0]} measures and B on {votes[1]}"
    told = [_figures(name, a, b) for name, a, b, _ in rows]
    leading = Statement("reference", f"{lead} ({told[0][0]}).", (*count, *told[0][1]), brief=True)
    return [leading, *(Statement("reference", f"{says}.", of) for says, of in told[1:])], sign


def _figures(name: str, a: Result, b: Result) -> tuple[str, tuple[Measure, ...]]:
    unit = a.card.scale.unit if isinstance(a.card, ScoreCard) else ""
    values = float(a.value or 0), float(b.value or 0)
    first, second = (f"{figure(v)}{' ' + unit if unit in ('dB', 'rad') else ''}" for v in values)
    measures = tuple(Measure(name, v, unit, of) for v, of in zip(values, NAMES, strict=True))
    return f"{SHOWN[name]} is {first} for A and {second} for B", measures


def _because(found: list[Gap], sign: int) -> list[Statement]:
    """The attributes in which the two differ; those that speak for the winner first."""
    if not found:
        return [Statement("difference", "No attribute differs between A and B by as much as slightly.", (), brief=True)]

    def against_winner(g: Gap) -> bool:
        return g.away * sign < 0 and not g.term.neutral

    ordered = sorted(found, key=lambda g: (against_winner(g), g.term.neutral))
    told = []
    for i, g in enumerate(ordered):
        name, other, gap = (NAMES[0], NAMES[1], g) if sign >= 0 else (NAMES[1], NAMES[0], _turned(g))
        but = "But " if against_winner(g) else ""
        says = f"{but}{name} is {HOW[g.how]} {gap.kind} than {other} ({gap.figures})."
        told.append(Statement("difference", says, gap.measures, brief=i < REASONS))
    return told


def _turned(g: Gap) -> Gap:
    return Gap(g.term, -g.away, g.amounts[::-1], g.measures[::-1])
