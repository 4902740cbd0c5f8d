"""JSON Lines: one row per item, written as soon as it is known, and a run that can be taken up where it stopped.

A resumed run writes the file anew, in order, from the rows it can reuse and those it must make. Until it ends, the rows
of earlier runs lie in FILE.keep, so at every moment each finished row is in at least one of the two files: the process
may be killed at any time, any number of times, and the finished file is the one an uninterrupted run writes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from assay.report.rows import Row, line
from assay.types import BadInput

SETTLED = {"BadInput", "CannotAssess"}  # failures that a second try repeats; all others are tried again


def load(path: str | Path) -> Iterator[Row]:
    """The rows of a file. A torn last line, left by a killed run, is dropped.  Raises BadInput for any other bad line."""
    yield from (row for row, _, _ in _lines(Path(path)))


class Journal:
    """Writes rows to a file, or to stdout for "-"; each is handed to the system at once.

    resume: look in the file for rows to reuse; ask `kept(key)` before making a row, then `add` it like a new one.
    Leaving the `with` block by an exception, or never, keeps all that is needed to resume.
    """

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self._keep: Path | None = None
        self._kept: dict[str, tuple[int, int]] = {}  # key → where its line lies in FILE.keep
        if str(path) == "-":
            if resume:
                raise BadInput("only a file can be resumed, and rows go to standard output. Name a file.")
            self._file: BinaryIO = sys.stdout.buffer
            return
        path = Path(path)
        if path.exists() and not path.is_file():  # a pipe or a device: nothing to come back to
            if resume:
                raise BadInput(f"only a file can be resumed, and {path} is none. Name a file.")
            self._file = path.open("wb")
            return
        self._keep = path.with_name(path.name + ".keep")
        if resume:
            self._kept = _set_aside(path, self._keep)
        else:
            for left in (self._keep, _part(self._keep)):
                left.unlink(missing_ok=True)
        self._file = path.open("wb")

    def kept(self, key: str) -> Row | None:
        """The row an earlier run made from the same inputs with the same settings."""
        if self._keep is None or key not in self._kept:
            return None
        start, size = self._kept[key]
        with self._keep.open("rb") as f:
            f.seek(start)
            row: Row = json.loads(f.read(size))
        return row

    def add(self, row: Row) -> None:
        self._file.write(line(row))
        self._file.flush()

    def close(self) -> None:
        """The run is complete: rows that no item asked for are let go."""
        if self._keep is None:
            self._file.flush()
        else:
            os.fsync(self._file.fileno())
            self._file.close()
            self._keep.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        elif self._keep is not None:
            self._file.close()


def _set_aside(path: Path, keep: Path) -> dict[str, tuple[int, int]]:
    """Gather the reusable rows of both files in `keep`, and say where each lies. One rename: all or nothing."""
    where: dict[str, tuple[int, int]] = {}
    fresh = _part(keep)
    with fresh.open("wb") as out:
        for source in (path, keep):
            for row, raw, number in _lines(source) if source.exists() else ():
                if row.get("schema") is None:
                    raise BadInput(f"{source}, line {number}, is not a row of Assay; nothing was changed. Name another file.")
                if (key := row.get("key")) and key not in where and all(e["kind"] in SETTLED for e in row["errors"]):
                    where[key] = (out.tell(), len(raw))
                    out.write(raw)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(keep)
    return where


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _lines(path: Path) -> Iterator[tuple[Row, bytes, int]]:
    with path.open("rb") as f:
        for number, raw in enumerate(f, 1):
            try:
                row = json.loads(raw)
                if not isinstance(row, dict):
                    raise ValueError("not an object")
            except ValueError:
                if not raw.endswith(b"\n") or not f.peek(1):
                    return  # the last line, torn
                raise BadInput(f"{path}, line {number}, is not a JSON object. Was the file edited?") from None
            if not raw.endswith(b"\n"):
                return
            yield row, raw, number
