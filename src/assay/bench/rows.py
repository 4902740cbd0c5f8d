"""Tables of scores from CSV files, with errors that name the file, the column and the row."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from assay.bench.resample import Floats
from assay.types import BadInput

Table = dict[str, list[str]]  # column → its cells, as written


def read(path: str | Path, needed: Sequence[str] = (), *, names: Sequence[str] | None = None) -> Table:
    """A CSV file by columns; its first row names them, or `names` do where it has no header.

    Raises BadInput: a column of `needed` is missing, a row is too short or too long, nothing is in it.
    """
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    if not rows:
        raise BadInput(f"{path} is empty.")
    head, body = (list(names), rows) if names is not None else (rows[0], rows[1:])
    if len(set(head)) < len(head):
        raise BadInput(f"{path} names a column twice: {', '.join(head)}.")
    if missing := [n for n in needed if n not in head]:
        raise BadInput(f"{path} has no column {' and no column '.join(missing)}; its columns are {', '.join(head)}.")
    for at, row in enumerate(body, 1 + (names is None)):
        if len(row) != len(head):
            raise BadInput(f"line {at} of {path} has {len(row)} cells; {len(head)} are wanted: {', '.join(head)}.")
    if not body:
        raise BadInput(f"{path} has a header and no rows.")
    return {n: [row[i] for row in body] for i, n in enumerate(head)}


def numbers(table: Table, column: str) -> Floats:
    """One column as float64.  Raises BadInput: which cell is no number."""
    out = []
    for at, cell in enumerate(table[column], 1):
        try:
            out.append(float(cell))
        except ValueError as error:
            raise BadInput(f"{column} holds {cell!r} in row {at}, which is no number.") from error
    return np.array(out, dtype=np.float64)
