"""What one picture's results say: quality, faults and where they are, distance from a reference, origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isinf
from typing import TypeAlias

from torch import Tensor

from assay.ops.places import place
from assay.types import Description, Item, Measure, OriginVerdict, QualityVerdict, Region, Result, Statement
from assay.words.terms import COLOURFUL, DISTANCES, HOW, JUDGE, TERMS, Term, figure, find, measure, seen, strength

Draw: TypeAlias = Callable[[Result], "Tensor | None"]
CAUSES = 2  # faults that a short description names; the damage that the judge sees is one of them
WORTH = 2  # how strong a fault must be to be named in it: clear


def tell(item: Item, draw: Draw = lambda result: result.map, *, terms: Sequence[Term] = TERMS) -> Description:
    """Everything that an item's results say; `.brief` of it is the short form.

    draw: gives the map of a result; asked only for faults that a map can place.
    """
    pixels = item.media.width * item.media.height if item.media else 0
    faults = [f for t in terms if (f := _fault(t, item.results, pixels, draw))]
    spoken = _shorten(faults, CAUSES - bool(_seen(item.results)))
    told = [*(_quality(item.quality, item.results) if item.quality else []), *spoken, *_colours(item.results), *_grid(item.results, draw)]
    told += distance(item.results, pixels, draw)
    told += _origin(item.origin, item.results) if item.origin else []
    return Description(tuple(told))


def _quality(verdict: QualityVerdict, results: Sequence[Result]) -> list[Statement]:
    low, high = verdict.interval
    measures = [Measure("quality", verdict.score), Measure("quality, low end", low), Measure("quality, high end", high)]
    says = f"Quality is {verdict.score:.0f} of 100, likely between {low:.0f} and {high:.0f}."
    told = [Statement("quality", says, tuple(measures), brief=True)]
    kinds = [Measure(f"{JUDGE}.sees.{kind}", value) for kind, value in _seen(results)]
    if kinds:
        parts = [f"{m.name.split('.')[-1]} ({'' if i else 'strength '}{figure(m.value)})" for i, m in enumerate(kinds)]
        listed = ", ".join(parts[:-1]) + " and " + parts[-1] if parts[1:] else parts[0]
        told.append(Statement("quality", f"The damage seen is {listed}.", tuple(kinds), brief=True))
    return told


def _seen(results: Sequence[Result]) -> list[tuple[str, float]]:
    """The kinds of damage that the learned judge names, strongest first."""
    found = next((r.data.get("sees") for r in results if r.name == JUDGE), None)
    return [(str(k), float(v)) for k, v in found.items()] if isinstance(found, dict) else []


def _fault(term: Term, results: Sequence[Result], pixels: int, draw: Draw) -> tuple[Term, int, Statement] | None:
    """One term's statement, and how strong a fault it tells of; None where it has nothing to say."""
    found = find(results, term)
    if found is None:
        return None
    result, value = found
    how = strength(term, result, value, pixels)[0] if term.fault else 0
    lead = term.fault.format(how=HOW[how]) if how else term.calm
    if not lead:
        return None
    measures = [measure(term, result, value)]
    amount = term.amount.format(figure(value))
    if (small := seen(term, value, pixels)) != value:
        measures.append(replace(measures[0], name=f"{term.source}, seen on a screen", value=small))
        amount += f"; {figure(small)} as seen on a screen"
    region = _region(draw(result)) if how and term.spot else None
    return term, how, Statement(term.aspect, f"{lead} ({amount}){spot(region)}.", tuple(measures), region)


def _region(drawn: Tensor | None) -> Region | None:
    return None if drawn is None or drawn.ndim != 2 else place(drawn.clamp_min(0))


def spot(region: Region | None) -> str:
    """How a region ends a sentence."""
    if region is None:
        return ""
    return f", {region.where}" if region.area == 100 else f", {figure(region.share)} % of that {region.where}"


def _shorten(faults: list[tuple[Term, int, Statement]], most: int) -> list[Statement]:
    """Mark what a short description says: the `most` clearest faults, or that detail and noise are in order."""
    chosen: list[Term] = []
    wrong = {t.source for t, how, _ in faults if how}
    for term, how, _ in sorted(faults, key=lambda fault: -fault[1]):
        if how >= WORTH and len(chosen) < most and term.echoes not in wrong:
            chosen.append(term)
    if not chosen and most == CAUSES:
        chosen = [t for t, how, _ in faults if t.source in ("sharpness", "noise") and not how]
    return [replace(s, brief=t in chosen) for t, how, s in faults if how or t.echoes not in wrong]


def _colours(results: Sequence[Result]) -> list[Statement]:
    found = next((r for r in results if r.name == "colourfulness" and r.value is not None), None)
    if found is None or found.value is None:
        return []
    words = [word for begin, word in COLOURFUL.items() if found.value >= begin]
    lead = f"The picture is {words[-1]}" if words else "The picture has next to no colour" if found.value > 0 else "The picture is grey"
    return [Statement("colour", f"{lead} (colourfulness {figure(found.value)}).", (Measure("colourfulness", found.value),))]


def _grid(results: Sequence[Result], draw: Draw) -> list[Statement]:
    """What the 8×8 grid of JPEG tells: an earlier save, areas with another history."""
    found = next((r for r in results if r.name == "jpeg_grid"), None)
    if found is None or not isinstance(found.data.get("log10_nfa"), float):
        return []
    told, origin, regions = [], found.data.get("origin"), found.data.get("regions")
    if isinstance(origin, list):
        chance = Measure("jpeg_grid.log10_nfa", float(str(found.data["log10_nfa"])))
        at = "where a plain save leaves it" if origin == [0, 0] else "not where a plain save leaves it"
        says = f"The 8×8 grid of a JPEG save shows, {at} (log10 of expected false alarms {figure(chance.value)})."
        told.append(Statement("compression", says, (chance,)))
    if isinstance(regions, list) and regions:
        region = _region(draw(found))
        areas = "1 area has" if len(regions) == 1 else f"{len(regions)} areas have"
        says = f"{areas} another JPEG grid than the rest, or none{spot(region)}."
        told.append(Statement("origin", says, (Measure("jpeg_grid.regions", len(regions)),), region, brief=True))
    return told


def distance(results: Sequence[Result], pixels: int, draw: Draw) -> list[Statement]:
    """How far a picture is from its reference, and where the largest difference lies."""
    error = next((r for r in results if r.name == "psnr"), None)
    if error is not None and error.value is not None and isinf(error.value):
        return [
            Statement(
                "reference", "Every pixel equals the reference (PSNR is infinite).", (Measure("psnr", error.value, "dB"),), None, True
            )
        ]
    told = [f[2] for t in DISTANCES if (f := _fault(t, results, pixels, draw))]
    told = [replace(s, brief=not i or (s.region is not None and s.region.area < 100)) for i, s in enumerate(told)]
    if error is not None and error.value is not None:
        off = 255 * 10 ** (-error.value / 20)
        measures = (Measure("psnr, as root mean square error", off, "8-bit steps"), Measure("psnr", error.value, "dB"))
        says = f"Pixels are off by {figure(off)} of 255 (root mean square; PSNR {figure(error.value)} dB)."
        told.insert(1, Statement("reference", says, measures))
    return told


def _origin(verdict: OriginVerdict, results: Sequence[Result]) -> list[Statement]:
    if verdict.label == "inconclusive":
        return [Statement("origin", "Nothing that was found decides where the picture came from.", ())]
    names = " and ".join(r.name for r in results if any(e.points_to == verdict.label for e in r.evidence))
    return [Statement("origin", f"The evidence of {names} says that the picture is {_a(verdict.label)}.", (), brief=True)]


def _a(label: str) -> str:
    return f"a {label}" if label == "camera original" else label
