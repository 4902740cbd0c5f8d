"""Results in, verdicts out: one number for quality, one careful word for origin.

The rules are few and written out, so that a person can follow them by hand:
quality is what `assay-q` says; origin looks only at evidence that points somewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay.types import Evidence, Origin, OriginVerdict, QualityVerdict, Result

JUDGE = "assay-q"
ENOUGH_HINTS = 2  # independent algorithms that must agree before hints alone decide


def quality(results: Sequence[Result]) -> QualityVerdict | None:
    """How good the picture is, 0..100, and which damage pulls it down: what `assay-q` says. None where it said nothing."""
    judge = next((r for r in results if r.name == JUDGE), None)
    if judge is None or judge.value is None or judge.interval is None:
        return None
    seen = judge.data["sees"]
    named = seen.items() if isinstance(seen, dict) else ()
    return QualityVerdict(judge.value, judge.interval, tuple(f"{kind}, strength {strength:.2f} of 1" for kind, strength in named))


def origin(results: Sequence[Result], unavailable: tuple[str, ...] = ()) -> OriginVerdict:
    """Camera original, edited or generated, if the evidence carries one of these words; otherwise inconclusive.

    Strong evidence for one origin decides, unless strong evidence for another contradicts it; "generated and then
    edited" is generated. Hints decide when at least two algorithms give them and no evidence points elsewhere.
    The probability stays None: nothing here is calibrated on held-out data.
    """
    evidence = tuple(e for r in results for e in r.evidence)
    strong = {e.points_to for e in evidence if e.weight == "strong" and e.points_to}
    if strong == {"generated", "edited"}:
        strong = {"generated"}
    if len(strong) == 1:
        return _verdict(strong.pop(), evidence, unavailable)
    hinting = {o: {r.card.name for r in results if any(e.points_to == o for e in r.evidence)} for o in _pointed(evidence)}
    if not strong and len(hinting) == 1:
        label, sources = next(iter(hinting.items()))
        if len(sources) >= ENOUGH_HINTS:
            return _verdict(label, evidence, unavailable)
    return _verdict("inconclusive", evidence, unavailable)


def _pointed(evidence: Sequence[Evidence]) -> list[Origin]:
    return sorted({e.points_to for e in evidence if e.points_to and e.points_to != "inconclusive"})


def _verdict(label: Origin, evidence: tuple[Evidence, ...], unavailable: tuple[str, ...]) -> OriginVerdict:
    return OriginVerdict(label, evidence, unavailable=unavailable)
