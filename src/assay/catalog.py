"""Find algorithms by name. There is no registry: a card on a function, and an index made from the cards.

`python -m assay.catalog` rewrites catalog.json; a test fails when it is stale.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable
from dataclasses import asdict
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from math import isinf
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from assay.types import BadInput, Card

ROOMS = ("quality", "face", "authenticity", "degrade")
INDEX = Path(__file__).with_name("catalog.json")

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
C = TypeVar("C", bound=Card)
C_co = TypeVar("C_co", bound=Card, covariant=True)


class Carded(Protocol[C_co, P, R]):
    """A plain function that carries its card."""

    __name__: str

    @property
    def card(self) -> C_co: ...
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...


def carded(card: C) -> Callable[[Callable[P, R]], Carded[C, P, R]]:
    """Pin a card to a function and hand the same function back."""

    def pin(fn: Callable[P, R]) -> Carded[C, P, R]:
        fn.card = card  # type: ignore[attr-defined]
        return cast(Carded[C, P, R], fn)

    return pin


@cache
def index() -> dict[str, dict[str, Any]]:
    """Every card as plain data, by name. Loads no algorithm and no torch."""
    return cast(dict[str, dict[str, Any]], json.loads(INDEX.read_text("utf-8")))


def nearest(name: str, names: list[str]) -> str:
    """The hint that follows an unknown name."""
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else "`assay list` shows all names."


def get(name: str) -> Carded[Card, ..., Any]:
    """The algorithm of that name, imported now.  Raises BadInput with the nearest names."""
    if name not in index():
        raise BadInput(f"no algorithm is called {name!r}; {nearest(name, list(index()))}")
    module, _, attr = index()[name]["at"].partition(":")
    return cast("Carded[Card, ..., Any]", getattr(import_module(module), attr))


def map_of(fn: Carded[Card, ..., Any]) -> Callable[..., Any] | None:
    """The function that draws an algorithm's map, if its card names one."""
    name = getattr(fn.card, "map", "")
    return cast("Callable[..., Any]", getattr(import_module(fn.__module__), name)) if name else None


def scan() -> dict[str, dict[str, Any]]:
    """Import every room and collect the cards found there."""
    found: dict[str, dict[str, Any]] = {}
    for room in ROOMS:
        package = import_module(f"assay.{room}")
        for info in pkgutil.walk_packages(package.__path__, f"assay.{room}."):
            for attr, fn in vars(import_module(info.name)).items():
                card = getattr(fn, "card", None)
                if not isinstance(card, Card) or fn.__module__ != info.name:
                    continue
                if card.name in found:
                    raise BadInput(f"two algorithms are called {card.name}: {found[card.name]['at']} and {info.name}")
                found[card.name] = {
                    "at": f"{info.name}:{attr}",
                    "says": (fn.__doc__ or "").strip().splitlines()[0],
                    "answers": type(card).__name__.removesuffix("Card").lower(),
                    **asdict(card),
                }
    return cast(dict[str, dict[str, Any]], plain(dict(sorted(found.items()))))


def plain(value: Any) -> Any:
    """Only what JSON can hold; it has no infinity, so that is written as the string "Infinity"."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float) and isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


if __name__ == "__main__":
    INDEX.write_text(json.dumps(scan(), indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
