"""What the commands of `assay bench` share: their options, columns of a table, and how figures are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.types import BadInput

if TYPE_CHECKING:
    from assay.bench.rows import Table

SUBJECTS = ("subject_a", "subject_b", "subject")  # columns that are labels, never scores


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every protocol."""
    draws = click.option("--draws", default=1000, show_default=True, type=click.IntRange(0), help="Of the bootstrap; 0: no intervals.")
    return draws(click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")(command))


FILE = click.Path(exists=True, dir_okay=False)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def subjects_of(table: Table) -> list[list[str]] | None:
    columns = [table[n] for n in ("subject_a", "subject_b") if n in table]
    if len(columns) == 1:
        raise BadInput("subject_a and subject_b go together; one person a row is called subject.")
    return columns or ([table["subject"]] if "subject" in table else None)


def scores_of(table: Table, others: set[str]) -> list[str]:
    """The columns of numbers that are not told to be something else."""

    def number(cell: str) -> bool:
        try:
            float(cell)
        except ValueError:
            return False
        return True

    names = [n for n, cells in table.items() if n not in others and n not in SUBJECTS and any(map(number, cells))]
    if not names:
        raise BadInput(f"there is no column with a score beside {', '.join(table)}.")
    return names


def tell(title: str, rows: Sequence[Mapping[str, object]], json: bool, note: str, **more: object) -> None:
    from rich.console import Console

    from assay.bench import told

    if json:
        click.echo(told.as_json(title, rows, note, **more))
    else:
        told.tell(title, rows, note, console=Console())
