"""What a person reads in a terminal: one item's story, or one line per item and a summary.

Everything is made from rows. A score never stands without its scale and its direction.
"""

from __future__ import annotations

from array import array
from collections import Counter
from heapq import heappushpop
from math import isinf
from statistics import median
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from assay.catalog import index
from assay.report.rows import Row, base, printable

NARROW = 76  # columns; below this the tables drop what can be spared
WORST = 5  # items named in the summary
MARKS = {"camera original": "●", "edited": "◆", "generated": "▲", "inconclusive": "○"}
WEIGHTS = {"strong": "strong", "hint": "hint", "note": "note"}


def story(row: Row, console: Console) -> None:
    """One item: the two verdicts, every result, what could not be done."""
    quality, origin = row["verdicts"]["quality"], row["verdicts"]["origin"]
    head: list[RenderableType] = [_facts(row)]
    if quality:
        head += [Text(), *_quality(quality, console)]
    if origin:
        head += [Text(), *_origin(origin)]
    console.print(Panel(Group(*head), title=Text(printable(_name(row["path"])), "bold"), title_align="left", padding=(0, 2), border_style="dim"))
    scores = [r for r in row["results"] if r["value"] is not None]
    if scores:
        console.print(Padding(_scores(scores, console), (1, 0, 0, 1)))
    told = {e["says"] for e in origin["evidence"]} if origin else set()
    for result in row["results"]:
        if rest := [e for e in result["evidence"] if e["says"] not in told]:
            console.print(Padding(Group(Text(result["name"], "bold"), *(_evidence(e) for e in rest)), (1, 0, 0, 1)))
    if row["errors"]:
        console.print(Padding(Group(Text("Could not be done", "bold"), *(_error(e) for e in row["errors"])), (1, 0, 0, 1)))


class Lines:
    """One line per item as it comes, then a summary. Keeps a number per item and nothing else."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._main: tuple[str, float, float] | None = None  # what the first column shows: name, worst, best
        self._values = array("d")
        self._worst: list[tuple[float, str, float]] = []  # a heap: (badness, path, value)
        self._origins: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._count = self._broken = 0

    def add(self, row: Row) -> None:
        self._count += 1
        scores = _columns(row)
        if self._main is None and scores:
            self._begin(scores, origin=bool(row["verdicts"]["origin"]))
        self._tally(row, scores)
        path, width = printable(row["path"]), self._console.width
        line = Text(no_wrap=True, overflow="ignore")
        if not scores and row["errors"]:
            line.append("  not assessed  ", "yellow")
        for number, (name, value, good, worst, best) in enumerate(scores[: self._fits(scores)]):
            if number == 0:
                line.append("  ").append_text(_bar(good, 10, self._console)).append(f" {_figure(value):>{_digits(worst, best)}}", "bold")
            else:
                line.append(f"  {_figure(value):>{max(len(name) + 2, 8)}}")
        if origin := row["verdicts"]["origin"]:
            line.append(f"  {MARKS[origin['label']]} {origin['label']:15}")
        line.append("  ").append(_short(path, width - line.cell_len - 2) if self._console.is_terminal else path)
        self._console.print(line, soft_wrap=True)
        for error in row["errors"]:
            self._console.print(Padding(_error(error), (0, 0, 0, 4)))

    def _fits(self, scores: list[_Score]) -> int:
        """How many scores leave room for the name; piped text has all."""
        if not self._console.is_terminal:
            return len(scores)
        room = self._console.width - 62
        return 1 + max(0, min(len(scores) - 1, room // 12))

    def _begin(self, scores: list[_Score], *, origin: bool) -> None:
        name, _, _, worst, best = scores[0]
        self._main = (name, worst, best)
        shown = scores[: self._fits(scores)]
        legend = "   ".join(f"{n} {_scale(w, b)} {_way(w, b)}" for n, _, _, w, b in shown)
        self._console.print(Text(f"  {legend}", "dim"))
        width = 12 + _digits(worst, best)
        head = f"  {name[:width]:{width - 1}}" + "".join(f"  {n:>{max(len(n) + 2, 8)}}" for n, *_ in shown[1:])
        self._console.print(Text(head + ("  origin           " if origin else "") + "  file", "bold"), soft_wrap=True)

    def _tally(self, row: Row, scores: list[_Score]) -> None:
        if row["errors"]:
            self._broken += 1
            self._failed.update(f"{e['what']}: {e['kind']}" for e in row["errors"])
        if row["verdicts"]["origin"]:
            self._origins[row["verdicts"]["origin"]["label"]] += 1
        for name, value, _, worst, best in scores:
            if self._main and name == self._main[0]:
                self._values.append(value)
                entry = (value if worst > best else -value, printable(row["path"]), value)
                if len(self._worst) < WORST:
                    self._worst.append(entry)
                    self._worst.sort()
                else:
                    heappushpop(self._worst, entry)

    def close(self) -> None:
        """The summary."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        table.add_row("files", f"{self._count:,}")
        if self._main:
            name, worst, best = self._main
            middle = f"median {_figure(median(self._values))}" if self._values else "none"
            table.add_row(name, f"{middle}, from {_figure(min(self._values))} to {_figure(max(self._values))}  ({_told(worst, best)})")
        if self._origins:
            table.add_row("origin", ", ".join(f"{n:,} {label}" for label, n in self._origins.most_common()))
        if self._count > 1:
            for place, (_, path, value) in enumerate(sorted(self._worst, reverse=True)):
                table.add_row("" if place else "worst", Text(f"{_figure(value):>6}  {path}"))
        if self._broken:
            kinds = ", ".join(f"{n:,}× {what}" for what, n in self._failed.most_common(5))
            table.add_row(Text("errors", "yellow"), f"in {self._broken:,} of {self._count:,} files: {printable(kinds)}")
        self._console.print(Padding(table, (1, 0, 0, 2)))


_Score = tuple[str, float, float, float, float]  # name, value, good (0..1), worst, best


def _columns(row: Row) -> list[_Score]:
    """The headline first, if there is one, and then every number."""
    quality = row["verdicts"]["quality"]
    first: list[_Score] = [("quality", quality["score"], quality["score"] / 100, 0.0, 100.0)] if quality else []
    numbers = [r for r in row["results"] if r["value"] is not None]
    ends = [(float(r["scale"]["worst"]), float(r["scale"]["best"])) for r in numbers]
    return first + [(r["name"], float(r["value"]), r["good"], *e) for r, e in zip(numbers, ends, strict=True)]


def _facts(row: Row) -> Text:
    media = row["media"]
    parts = []
    if media:
        parts = [media["format"], f"{media['width']}×{media['height']}", f"{media['mode']}, {media['bit_depth']} bit"]
        parts += [media["icc"]] if media["icc"] else []
        parts += [f"{media['frames']} frames"] if media["frames"] > 1 else []
    text = Text(" · ".join(map(printable, parts)), "dim")
    if row["reference"]:
        text.append(f"\ncompared with {printable(row['reference'])}")
    for note in media["notes"] if media else ():
        text.append(f"\n{printable(note)}")
    return text


def _quality(quality: Row, console: Console) -> list[RenderableType]:
    low, high = quality["interval"]
    width = 20 if console.width < NARROW else 32
    line = Text.assemble(("Quality  ", "bold"), _bar(quality["score"] / 100, width, console), (f"  {quality['score']:.0f}", "bold"))
    line.append(" of 100", "dim")
    told = Text(f"likely between {low:.0f} and {high:.0f}; higher is better", "dim")
    reasons = [_hanging(Text(printable(reason)), "-") for reason in quality["reasons"]]
    return [line, told, *([Text("Held down by"), *reasons] if reasons else [])]


def _origin(origin: Row) -> list[RenderableType]:
    label, chance = origin["label"], origin["probability_generated"]
    line = Text.assemble(("Origin   ", "bold"), f"{MARKS[label]} ", (label, "bold"))
    if chance is not None:
        span = " (" + "–".join(f"{v:.0%}" for v in origin["interval"]) + ")" if origin["interval"] else ""
        line.append(f"  chance of being generated {chance:.0%}{span}", "dim")
    out: list[RenderableType] = [line]
    pointing = [e for e in origin["evidence"] if e["points_to"]]
    groups = {
        "For": [e for e in pointing if e["points_to"] == label],
        "Against": [e for e in pointing if e["points_to"] != label],
        "Worth knowing": [e for e in origin["evidence"] if not e["points_to"]],
    }
    if label == "inconclusive":
        groups = {"What was found points somewhere, but does not decide": pointing, "Worth knowing": groups["Worth knowing"]}
        if not pointing:
            out.append(Text("Nothing that was found says where this picture came from.", "dim"))
    for title, found in groups.items():
        if found:
            out += [Text(title), *(_evidence(e) for e in found)]
    if origin["unavailable"]:
        out += [Text("Could not be asked"), *(_hanging(Text(printable(says), "dim"), "-") for says in origin["unavailable"])]
    return out


def _evidence(e: Row) -> RenderableType:
    text = Text(printable(e["says"]))
    tags = [WEIGHTS[e["weight"]], f"points to {e['points_to']}"] if e["points_to"] else []
    if e["llr"] is not None:
        tags.append(f"log likelihood ratio {_figure(float(e['llr']))}")
    text.append(f" [{', '.join(tags)}]" if tags else "", "dim")
    text.append(f" {printable(e['caveat'])}" if e["caveat"] else "", "dim italic")
    return _hanging(text, "-")


def _error(e: Row) -> RenderableType:
    return _hanging(Text.assemble((printable(e["what"]), "yellow"), f": {printable(e['says'])}"), "!")


def _hanging(text: Text, mark: str) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(mark, text)
    return grid


def _scores(scores: list[Row], console: Console) -> Table:
    wide = console.width >= NARROW
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("measure", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("better", justify="left")
    table.add_column("scale", justify="left")
    table.add_column("poor to good" if wide else "good", width=16 if wide else 8, no_wrap=True)
    for r in scores:
        worst, best = float(r["scale"]["worst"]), float(r["scale"]["best"])
        value = Text(_figure(float(r["value"])), "bold").append(f" {r['unit']}" if r["unit"] else "", "not bold")
        table.add_row(Text(r["name"]), value, _way(worst, best), _scale(worst, best), _bar(r["good"], 16 if wide else 8, console))
    return table


def _bar(good: float, width: int, console: Console) -> Text:
    full = round(good * width)
    mark, rest = ("#", ".") if console.options.ascii_only else ("━", "─")
    return Text.assemble((mark * full, "cyan"), (rest * (width - full), "bright_black"))


def _figure(value: float) -> str:
    if isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def _digits(worst: float, best: float) -> int:
    return 3 if (worst, best) == (0, 100) else 6


def _scale(worst: float, best: float) -> str:
    low, high = sorted((worst, best))
    return f"{_figure(low)} to {_figure(high)}"


def _way(worst: float, best: float) -> str:
    return "↑ higher" if best > worst else "↓ lower"


def _told(worst: float, best: float) -> str:
    return f"{_scale(worst, best)}, {'higher' if best > worst else 'lower'} is better"


def _name(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def _short(path: str, room: int) -> str:
    """The end of a path says most."""
    return path if len(path) <= room else "…" + path[len(path) - max(room - 1, 8) :]


def says(name: str) -> str:
    """What an algorithm tells a person, from its card; "" for one that is not ours."""
    row: dict[str, Any] = index().get(base(name), {})
    return str(row.get("says", ""))
