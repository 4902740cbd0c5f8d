"""Figures told: a table for people, one JSON object for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assay.bench.resample import Figure


def tell(title: str, rows: Sequence[Mapping[str, object]], note: str, *, console: Console) -> None:
    """Print a table; intervals stand below their values.  note: what must be known to read it."""
    heads = list(dict.fromkeys(k for row in rows for k in row))
    grid = Table(*heads, title=escape(title), title_justify="left", box=None, header_style="bold")
    for row in rows:
        grid.add_row(*(cell(row.get(h)) for h in heads))
    console.print(grid)
    console.print(note, style="dim", markup=False)


def as_json(title: str, rows: Sequence[Mapping[str, object]], note: str, **more: object) -> str:
    """All of it in one line; a Figure is its value and its interval."""
    whole = {"protocol": title, "rows": rows, "note": note, **more}
    return json.dumps(whole, default=_plain, ensure_ascii=False, allow_nan=False)


def cell(value: object) -> str:
    """A value as rich markup."""
    if isinstance(value, Figure):
        ends = "" if value.interval is None else f"\n[dim]{value.interval[0]:.4g} to {value.interval[1]:.4g}[/dim]"
        return f"{value.value:.4g}{ends}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else escape(str(value))


def _plain(value: object) -> object:
    if isinstance(value, Figure):
        return {"value": value.value, "interval": value.interval}
    raise TypeError(f"{type(value).__name__} is not JSON")
