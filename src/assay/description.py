"""A picture, or two, in plain words: every sentence is made from measurements, and carries them."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path

from assay.catalog import index
from assay.io.decode import from_array, read
from assay.runner import Source, run
from assay.tasks import offline
from assay.types import BadInput, Description, Item, Picture, Statement
from assay.words.beside import against, between
from assay.words.tell import tell
from assay.words.terms import JUDGE, REFERENCE, SOURCES

BY = ("measurements",)


def describe(picture: Source | Item, *, ref: Source | None = None, detailed: bool = False, by: str = "measurements") -> Description:
    """What the measurements of a picture say: its quality, what is wrong and where; with a reference, how far it is from that.

    picture: a path, an array, a tensor, what `read` gave, or an Item that `inspect` made, which is not measured again.
    detailed: a paragraph for each aspect instead of one to three sentences.
    by: who describes; "measurements" is the only one so far.
    Raises BadInput where the picture or the reference cannot be read, or where their sizes differ.
    """
    _by(by)
    if isinstance(picture, Item):
        if ref is not None:
            raise BadInput("a reference cannot be added to an item that is measured already; give the picture itself.")
        told = picture.description or tell(picture)
    else:
        told = described(picture, ref)[1]
    return told if detailed else told.brief


def described(picture: Source, ref: Source | None = None) -> tuple[Item, Description]:
    """The measured item, and all that it says."""
    if ref is None:
        item = _measured(picture, None, offline())
        return item, item.description or tell(item)
    opened, beside = _opened(picture), _opened(ref)
    item = _measured(opened, beside, (*offline(), *_comparing()))
    told = item.description or tell(item)
    equal = any(r.name == "psnr" and r.value == inf for r in item.results)
    apart = () if equal else against(item, _measured(beside, None, _judging())).statements
    return item, Description(_distance_first((*told.statements, *apart)))


def _distance_first(told: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """Quality, then distance from the reference, then all else; faults of the picture alone are left out of the short form."""
    order = {"quality": 0, "reference": 1, "difference": 2}
    short = [s if s.aspect in order or s.aspect == "origin" else replace(s, brief=False) for s in told]
    return tuple(sorted(short, key=lambda s: order.get(s.aspect, 3)))


def compare(
    a: Source | Item, b: Source | Item, *, ref: Source | None = None, detailed: bool = False, by: str = "measurements"
) -> Description:
    """Which of two pictures, called A and B, is better, by how much, how sure that is, and because of what.

    a, b: as `describe` takes them. ref: decides, where it is given: the picture that is closer to it is better.
    Raises BadInput as `describe` does.
    """
    _by(by)
    beside = None if ref is None else _opened(ref)
    items = []
    for picture in (a, b):
        if isinstance(picture, Item):
            if ref is not None:
                raise BadInput("a reference cannot be added to an item that is measured already; give the picture itself.")
            items.append(picture)
        else:
            items.append(_measured(_opened(picture), beside, (*_judging(), *(_comparing() if beside else ()))))
    told = between(*items)
    return told if detailed else told.brief


def _by(who: str) -> None:
    if who not in BY:
        raise BadInput(f'by must be "measurements"; got {who!r}. No other judge is here yet.')


def _opened(source: Source) -> Picture:
    if isinstance(source, Picture):
        return source
    return read(source) if isinstance(source, str | Path) else from_array(source)


def _judging() -> tuple[str, ...]:
    """What the words about one picture need, beyond evidence of its origin."""
    return tuple(n for n in offline() if n in (*SOURCES, JUDGE) and index()[n]["takes"] == ["image"])


def _comparing() -> tuple[str, ...]:
    return REFERENCE


def _measured(picture: Source, ref: Picture | None, names: tuple[str, ...]) -> Item:
    """Raises BadInput where nothing could be measured, or nothing against the reference."""
    item = next(run(names, [picture if ref is None else (picture, ref)], verdicts=True))
    lost = [e for e in item.errors if e.what in ("read", "reference", *(REFERENCE if ref else ()))]
    if lost and (lost[0].what in ("read", "reference") or len(lost) == len(REFERENCE)):
        raise BadInput(lost[0].says)
    return replace(item, picture=None)
