"""Flat tables, one row per item: CSV for spreadsheets, Parquet for data frames. Both are written as the run goes."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from assay.catalog import index
from assay.report.rows import Row, base
from assay.types import BadInput

FACTS = ("path", "sha256", "width", "height", "format")
VERDICTS = ("quality", "quality_low", "quality_high", "origin", "errors")
INTEGERS = ("width", "height")
TEXTS = ("path", "sha256", "format", "origin", "errors")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that starts so is run by a spreadsheet
GROUP = 1000  # rows held before Parquet writes them


def columns(names: Sequence[str]) -> list[str]:
    """The columns of a run with these algorithms: those that answer with a number have one each."""
    return [*FACTS, *(n for n in names if index().get(base(n), {}).get("answers", "score") == "score"), *VERDICTS]


def cells(row: Row, columns: Sequence[str]) -> dict[str, Any]:
    """The row's value for each column; None where there is none."""
    media, quality = row["media"] or {}, row["verdicts"]["quality"]
    low, high = quality["interval"] if quality else (None, None)
    found = {
        **{r["name"]: None if r["value"] is None else float(r["value"]) for r in row["results"]},
        **{"path": row["path"], "sha256": row["sha256"]},
        **{name: media.get(name) for name in ("width", "height", "format")},
        **{"quality": quality and quality["score"], "quality_low": low, "quality_high": high},
        "origin": (row["verdicts"]["origin"] or {}).get("label"),
        "errors": "; ".join(f"{e['what']}: {e['says']}" for e in row["errors"]) or None,
    }
    return {name: found.get(name) for name in columns}


class Csv:
    """A CSV file that spreadsheets read rightly: UTF-8 with a mark that says so, and no cell that runs as a formula."""

    def __init__(self, path: str | Path, names: Sequence[str]) -> None:
        self._own = str(path) != "-"
        if self._own:
            self._file = Path(path).open("w", encoding="utf-8-sig", errors="backslashreplace", newline="")  # noqa: SIM115
        else:
            self._file = sys.stdout  # type: ignore[assignment]
        self._columns = columns(names)
        self._csv = csv.DictWriter(self._file, self._columns, lineterminator="\r\n" if self._own else "\n")
        self._csv.writeheader()

    def add(self, row: Row) -> None:
        self._csv.writerow({name: _tame(value) for name, value in cells(row, self._columns).items()})
        self._file.flush()

    def close(self) -> None:
        if self._own:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Parquet:
    """A Parquet file; each score's column carries its scale. It appears under its name when it is complete."""

    def __init__(self, path: str | Path, names: Sequence[str]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise BadInput("Parquet needs pyarrow. Install it with: pip install 'assay[parquet]'") from None
        self._path, self._rows = Path(path), list[dict[str, Any]]()
        self._part = self._path.with_name(self._path.name + ".part")
        self._columns, self._arrow = columns(names), pyarrow
        self._schema = pyarrow.schema([self._field(name) for name in self._columns])
        self._writer = pyarrow.parquet.ParquetWriter(self._part, self._schema)

    def _field(self, name: str) -> Any:
        pa = self._arrow
        if name in TEXTS:
            return pa.field(name, pa.string())
        if name in INTEGERS:
            return pa.field(name, pa.int32())
        scale = {"worst": 0, "best": 100} if name in VERDICTS else index().get(base(name), {}).get("scale", {})
        return pa.field(name, pa.float64(), metadata={"scale": json.dumps(scale)})

    def add(self, row: Row) -> None:
        self._rows.append({name: _text(value) for name, value in cells(row, self._columns).items()})
        if len(self._rows) == GROUP:
            self._write()

    def _write(self) -> None:
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._write()
        self._writer.close()
        self._part.replace(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.close()
            self._part.unlink(missing_ok=True)


def _text(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _tame(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}".replace("inf", "Infinity")
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA) else value
