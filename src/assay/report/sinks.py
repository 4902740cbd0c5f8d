"""Everywhere that a run's items go at once: terminal, files, progress bar."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from assay.report.html import HtmlReport
from assay.report.jsonl import Journal
from assay.report.rows import Row, key, row
from assay.report.table import Csv, Parquet
from assay.report.terminal import Lines, story
from assay.tasks import Task as Algorithm
from assay.types import BadInput, Item


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.1f} files/s", "dim")


class Sinks:
    """Takes items in order and hands each to every output that was asked for.

    names and options decide a row's key, so that `reuse` gives back only rows that would come out the same.
    """

    def __init__(
        self,
        algorithms: Sequence[Algorithm],
        count: int,
        *,
        verdicts: bool,
        json_file: str | None = None,
        csv_file: str | None = None,
        parquet_file: str | None = None,
        html_file: str | None = None,
        maps: int = 24,
        resume: bool = False,
        quiet: bool = False,
        max_megapixels: float = 0,
        **_: object,
    ) -> None:
        if [json_file, csv_file].count("-") > 1:
            raise BadInput("only one output can go to standard output; name a file for the other.")
        if resume and json_file in (None, "-"):
            raise BadInput("--resume goes on from the rows of --json FILE; name that file.")
        self._settings = (*(a.identity for a in algorithms), f"verdicts={verdicts}", f"max_megapixels={max_megapixels:g}")
        self._names = [a.name for a in algorithms]
        self._files = json_file, csv_file, parquet_file, html_file
        self._maps, self._resume, self._count, self._verdicts = maps, resume, count, verdicts
        self._silent = quiet or "-" in (json_file, csv_file)
        self._quiet = quiet
        self.wants_maps = html_file is not None and maps > 0
        self.wants_pictures = html_file is not None

    def __enter__(self) -> Self:
        json_file, csv_file, parquet_file, html_file = self._files
        with ExitStack() as stack:
            self._journal = stack.enter_context(Journal(json_file, resume=self._resume)) if json_file else None
            self._csv = stack.enter_context(Csv(csv_file, self._names)) if csv_file else None
            self._parquet = stack.enter_context(Parquet(parquet_file, self._names)) if parquet_file else None
            self._html = stack.enter_context(HtmlReport(html_file, maps=self._maps)) if html_file else None
            self._out = Console(soft_wrap=False)
            self._lines = None if self._silent or self._count == 1 else Lines(self._out, self._names, verdicts=self._verdicts)
            self._progress = stack.enter_context(self._bar())
            self._bar_task = self._progress.add_task("", total=self._count)
            if self._lines:
                self._lines.begin()
            self._stack = stack.pop_all()
        return self

    def _bar(self) -> Progress:
        """On the terminal that shows the table, or on standard error when the table goes into a pipe."""
        console = self._out if self._out.is_terminal and not self._silent else Console(stderr=True)
        columns = (BarColumn(None), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(), TextColumn("left"))
        return Progress(*columns, console=console, transient=True, disable=self._quiet or not console.is_terminal or self._count == 1)

    def reuse(self, path: str, sha256: str, reference_sha256: str) -> Row | None:
        """The row of an earlier run over the same bytes with the same algorithms; None when there is none."""
        return self._journal.kept(key(path, sha256, reference_sha256, *self._settings)) if self._journal else None

    def _key(self, path: str, sha256: str, reference_sha256: str) -> str:
        return key(path, sha256, reference_sha256, *self._settings)

    def add(self, item: Item) -> Row:
        """Write one item everywhere; gives back its row."""
        made = item.saved or row(item, key=self._key(item.path, item.sha256, item.reference_sha256) if item.sha256 else "")
        for sink in (self._journal, self._csv, self._parquet, self._lines):
            if sink:
                sink.add(made)
        if self._html:
            self._html.add(item, made)
        if self._lines is None and not self._silent:
            story(made, self._out)
        self._progress.advance(self._bar_task)
        return made

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)
        if kind is None and self._lines:
            self._lines.close()
        sys.stdout.flush()


def failed(made: Row, *, verdicts: bool) -> bool:
    """Whether a row counts as failed: `inspect` asks many questions, and some have no answer; `run` asks what was wanted."""
    return any(not verdicts or e["kind"] != "CannotAssess" for e in made["errors"])
