"""Results in, verdicts out: one number for quality, one careful word for origin.

The rules are few and written out, so that a person can follow them by hand:
quality is what `assay-q` says; origin looks at evidence that points somewhere, and at what all calibrated evidence weighs together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from assay import fusion
from assay.types import Evidence, Origin, OriginVerdict, QualityVerdict, Result, Weighing

JUDGE = "assay-q"
ENOUGH_HINTS = 2  # independent witnesses that must agree before hints decide: algorithms, and calibrated evidence as one
LOST = 0.005  # share of authentic pictures that may lose their name to either question: 1 in 100 in all
ODD = 0.1  # share of altered pictures below which a ratio is like nothing that was seen
DOUBT = 0.05  # share of the other kind of pictures at which calibrated evidence stands for or against hints


def quality(results: Sequence[Result]) -> QualityVerdict | None:
    """How good the picture is, 0..100, and which damage pulls it down: what `assay-q` says. None where it said nothing."""
    judge = next((r for r in results if r.name == JUDGE), None)
    if judge is None or judge.value is None or judge.interval is None:
        return None
    seen = judge.data["sees"]
    named = seen.items() if isinstance(seen, dict) else ()
    return QualityVerdict(judge.value, judge.interval, tuple(f"{kind}, strength {strength:.2f} of 1" for kind, strength in named))


def origin(results: Sequence[Result], unavailable: tuple[str, ...] = (), *, file_format: str = "") -> OriginVerdict:
    """Camera original, edited or generated, if the evidence carries one of these words; otherwise inconclusive.

    1. Strong evidence for one origin decides, unless strong evidence for another contradicts it; "generated and then edited"
       is generated.
    2. Calibrated evidence decides where, of a hundred authentic pictures, less than one would show as much of it and altered ones
       often do. If the file says that it comes from a camera, the two contradict each other, and nothing is decided.
    3. Hints of what is not calibrated decide when at least two algorithms give them, or one does and calibrated evidence agrees
       (at most one in twenty pictures of the other kind would show as much), and no evidence points elsewhere.
    """
    weighed = fusion.weigh(results, file_format)
    if fusion.kind(file_format, results) == fusion.ROUGH:
        unavailable = (
            *unavailable,
            f"traces in the pixels are not weighed below JPEG quality {fusion.LEAST}: nothing so rough was calibrated.",
        )
    evidence = _with_ratios(results, weighed)
    told = _Told(evidence, unavailable, weighed)
    strong = {e.points_to for e in evidence if e.weight == "strong" and e.points_to}
    if strong == {"generated", "edited"}:
        strong = {"generated"}
    if len(strong) == 1:
        return told.verdict(strong.pop())
    hinting = _hinting(results)
    shown = {w.question for w in weighed if w.llr > 0 and w.authentic <= LOST and w.altered > ODD}
    if shown and not strong and not hinting.keys() - {"edited", "generated"}:
        return told.verdict("generated" if "generated" in shown else "edited")
    if not strong and len(hinting) == 1:
        label, sources = next(iter(hinting.items()))
        if not _against(label, weighed) and len(sources) + _agrees(label, weighed) >= ENOUGH_HINTS:
            return told.verdict(label)
    return told.verdict("inconclusive")


def _agrees(label: Origin, weighed: Sequence[Weighing]) -> bool:
    """Whether calibrated evidence bears a hint out: such a change shows, or for a camera original no change does."""
    if label == "camera original":
        return any(w.llr < 0 and w.altered <= DOUBT for w in weighed)
    return any(w.question == label and w.llr > 0 and w.authentic <= DOUBT for w in weighed)


def _against(label: Origin, weighed: Sequence[Weighing]) -> bool:
    """Whether calibrated evidence shows another origin than the hints."""
    return any(w.question != label and w.llr > 0 and w.authentic <= DOUBT for w in weighed)


def _hinting(results: Sequence[Result]) -> dict[Origin, set[str]]:
    """Who points where, those left out that are weighed already."""
    known = fusion.calibrated()
    found: dict[Origin, set[str]] = {}
    for r in results:
        for e in r.evidence if r.card.name not in known else ():
            if e.points_to and e.points_to != "inconclusive":
                found.setdefault(e.points_to, set()).add(r.card.name)
    return found


def _with_ratios(results: Sequence[Result], weighed: Sequence[Weighing]) -> tuple[Evidence, ...]:
    """All evidence; the first sentence of a weighed algorithm carries what it added, to the question it says most about."""
    parts = [(abs(v), v, n) for w in weighed for n, v in w.parts]
    most = {n: v for _, v, n in sorted(parts)}
    out: list[Evidence] = []
    for r in results:
        first = r.evidence[:1]
        out += [replace(e, llr=most[r.card.name]) if r.card.name in most else e for e in first]
        out += r.evidence[1:]
    return tuple(out)


@dataclass(frozen=True)
class _Told:
    evidence: tuple[Evidence, ...]
    unavailable: tuple[str, ...]
    weighed: tuple[Weighing, ...]

    def verdict(self, label: Origin) -> OriginVerdict:
        asked = next((w for w in self.weighed if w.question == "generated"), None)
        if asked is None:
            return OriginVerdict(label, self.evidence, unavailable=self.unavailable, weighed=self.weighed)
        low, high = (_chance(v) for v in asked.interval)
        return OriginVerdict(label, self.evidence, _chance(asked.llr), (low, high), self.unavailable, self.weighed)


def _chance(llr: float) -> float:
    """Of being generated, where both were equally likely before."""
    return 1 / (1 + math.exp(-llr))
