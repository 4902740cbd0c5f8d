"""What a person reads in a terminal: one item's story, or one line per item and a summary.

Everything is made from rows. A score never stands without its scale and its direction.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop
from math import isinf
from statistics import median

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from assay.catalog import index
from assay.report.rows import Row, base, printable, ratio

NARROW = 76  # columns; below this the tables drop what can be spared
WORST = 5  # items named in the summary
ERRORS = 3  # told per line of a table; the other outputs have all
BAR = 10  # characters
FACES = 4  # told in an item's story; the other outputs have all
HEADLINES = ("fiqa-assay", "embedding_robustness")  # how good a face is to people, and to a matcher
LOW = 0.5  # of its usual range: below this a measure of a face is worth naming
MARKS = {"camera original": "●", "edited": "◆", "generated": "▲", "inconclusive": "○"}


def story(row: Row, console: Console) -> None:
    """One item: the two verdicts, every result, what could not be done."""
    quality, origin = row["verdicts"]["quality"], row["verdicts"]["origin"]
    head: list[RenderableType] = [_facts(row)]
    if brief := [s["says"] for s in row.get("description", ()) if s["brief"]]:
        head += [Text(), Text(" ".join(brief))]
    if quality:
        head += [Text(), *_quality(quality, console)]
    if origin:
        head += [Text(), *_origin(origin)]
    console.print(
        Panel(Group(*head), title=Text(printable(_name(row["path"])), "bold"), title_align="left", padding=(0, 2), border_style="dim")
    )
    blocks: list[RenderableType] = []
    if scores := [r for r in row["results"] if r["value"] is not None]:
        blocks.append(_scores(scores, console))
    told = {e["says"] for e in origin["evidence"]} if origin else set()
    more = [(r["name"], [e for e in r["evidence"] if e["says"] not in told]) for r in row["results"]]
    blocks += [Group(Text(name, "bold"), *(_evidence(e) for e in found)) for name, found in more if found]
    if row.get("faces"):
        blocks.append(Group(*_faces(row["faces"], console)))
    if row["errors"]:
        blocks.append(Group(Text("Could not be done", "bold"), *(_error(e) for e in row["errors"])))
    for block in blocks:
        console.print()
        console.print(Padding(block, (0, 0, 0, 1), expand=False))


def words(told: Sequence[Row], console: Console, *, heads: Sequence[str] = ()) -> None:
    """A description: a paragraph for each aspect, and under it the measurements that it is made from."""
    for head in heads:
        console.print(Text(printable(head), "dim"))
    brief = all(s["brief"] for s in told)
    for aspect in dict.fromkeys("" if brief else s["aspect"] for s in told):
        part = [s for s in told if brief or s["aspect"] == aspect]
        names = dict.fromkeys(m["name"].split(",")[0] for s in part for m in s["measures"])
        console.print(Text(" ".join(s["says"] for s in part)))
        console.print(Text(f"from {', '.join(names)}" if names else "", "dim"))


class Lines:
    """One line per item as it comes, then a summary. Keeps a number per item and nothing else.

    names: the algorithms of the run. With verdicts a line shows those; without, as many scores as fit.
    """

    def __init__(self, console: Console, names: Sequence[str], *, verdicts: bool) -> None:
        self._console, self._verdicts = console, verdicts
        scores = [_Column(n, *_ends(index()[base(n)]["scale"])) for n in names if index()[base(n)]["answers"] == "score"]
        self._columns = [QUALITY] if verdicts else scores[: self._fits(scores)]
        self._values = array("d")
        self._worst: list[tuple[float, str]] = []  # a heap of the worst: (how good, negated; path)
        self._origins: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._count = self._broken = 0

    def _fits(self, scores: Sequence[_Column]) -> int:
        """How many scores leave room for the name; piped text has all."""
        room = self._console.width - 50 if self._console.is_terminal else 10**6
        wide = 0
        for number, column in enumerate(scores[1:], 1):
            wide += column.width + 2
            if wide > room:
                return number
        return len(scores)

    def begin(self) -> None:
        """The legend, and the heads of the columns."""
        width = max((len(c.name) for c in self._columns), default=0)
        for c in self._columns:
            self._print(Text(f"  {c.name:{width}}  {_told(c.worst, c.best, c.unit)}", "dim"))
        head = "".join(f"  {' ' * (BAR + 1 if not n else 0)}{c.name:>{c.width}}" for n, c in enumerate(self._columns))
        self._print(Text(head + ("  origin           " if self._verdicts else "") + "  file", "bold"))

    def add(self, row: Row) -> None:
        self._count += 1
        found = {r["name"]: (float(r["value"]), r["good"]) for r in row["results"] if r["value"] is not None}
        if quality := row["verdicts"]["quality"]:
            found[QUALITY.name] = (quality["score"], quality["score"] / 100)
        self._tally(row, found)
        line = Text()
        for number, c in enumerate(self._columns):
            value, good = found.get(c.name, (None, None))
            line.append("  ")
            if number == 0:
                line.append_text(_bar(good, BAR, self._console)).append(" ")
            line.append(f"{'–' if value is None else c.figure(value):>{c.width}}", "" if number else "bold")
        if self._verdicts:
            label = (row["verdicts"]["origin"] or {}).get("label", "")
            line.append(f"  {MARKS.get(label, '–')} {label:15}")
        path = printable(row["path"])
        line.append("  ").append(_short(path, self._console.width - line.cell_len - 2) if self._console.is_terminal else path)
        self._print(line)
        for error in row["errors"][:ERRORS]:
            if self._console.is_terminal:
                self._console.print(Padding(_error(error), (0, 0, 0, 4), expand=False))
            else:
                self._print(Text(f"    ! {printable(error['what'])}: {printable(error['says'])}"))
        if (more := len(row["errors"]) - ERRORS) > 0:
            self._print(Text(f"    ! and {more} more", "dim"))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _tally(self, row: Row, found: dict[str, tuple[float, float]]) -> None:
        if row["errors"]:
            self._broken += 1
            self._failed.update(f"{e['what']}: {e['kind']}" for e in row["errors"])
        if row["verdicts"]["origin"]:
            self._origins[row["verdicts"]["origin"]["label"]] += 1
        if self._columns and self._columns[0].name in found:
            first = self._columns[0]
            value = found[first.name][0]
            self._values.append(value)
            entry = (-value if first.best > first.worst else value, printable(row["path"]))
            (heappush if len(self._worst) < WORST else heappushpop)(self._worst, entry)

    def close(self) -> None:
        """The summary."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        table.add_row("files", f"{self._count:,}")
        if self._values:
            first = self._columns[0]
            middle, low, high = (first.figure(v) for v in (median(self._values), min(self._values), max(self._values)))
            table.add_row(first.name, f"median {middle}, from {low} to {high}; {_told(first.worst, first.best, first.unit)}")
            for place, (badness, path) in enumerate(sorted(self._worst, reverse=True)[: self._count // 2]):
                value = -badness if first.best > first.worst else badness
                table.add_row("" if place else "worst", Text(f"{first.figure(value):>{first.width}}  {path}"))
        if self._origins:
            table.add_row("origin", ", ".join(f"{n:,} {label}" for label, n in self._origins.most_common()))
        if self._broken:
            kinds = ", ".join(f"{n:,}× {what}" for what, n in self._failed.most_common(5))
            table.add_row(Text("errors", "yellow"), f"in {self._broken:,} of {self._count:,} files: {printable(kinds)}")
        self._console.print()
        self._console.print(Padding(table, (0, 0, 0, 2), expand=False))


@dataclass(frozen=True)
class _Column:
    name: str
    worst: float
    best: float
    unit: str

    @property
    def width(self) -> int:
        return max(len(self.name), 6)

    def figure(self, value: float) -> str:
        return f"{value:.0f}" if self.name == QUALITY.name else _figure(value)


QUALITY = _Column("quality", 0, 100, "")


def _ends(scale: Row) -> tuple[float, float, str]:
    return float(scale["worst"]), float(scale["best"]), str(scale["unit"])


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
    out: list[RenderableType] = [line, *(Text(f"{w['question'].capitalize()}? {ratio(w)}.") for w in origin["weighed"])]
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
            out += [Text(title), *(_evidence(e, sure=title in ("For", "Worth knowing")) for e in found)]
    if origin["unavailable"]:
        out += [Text("Could not be asked"), *(_hanging(Text(printable(says), "dim"), "-") for says in origin["unavailable"])]
    return out


def _faces(faces: list[Row], console: Console) -> list[RenderableType]:
    """The largest faces: where they are, what the first judges say, what to change, and what lies lowest."""
    out: list[RenderableType] = []
    for number, face in enumerate(faces[:FACES], 1):
        left, top, right, bottom = (round(v) for v in face["box"])
        head = Text(f"Face {number}", "bold")
        head.append(f"  {right - left}×{bottom - top} pixels at {left}, {top}; eyes {face['eye_distance']:.0f} pixels apart", "dim")
        out += [Text(), head] if out else [head]
        scores = [r for r in face["results"] if r["value"] is not None]
        told = [r for r in scores if r["name"] in HEADLINES]
        low = sorted((r for r in scores if r not in told and r["good"] < LOW), key=lambda r: r["good"])
        if told or low:
            out.append(_scores([*told, *low[:WORST]], console))
        out += [_hanging(Text(printable(says)), "→") for says in face["advice"]]
        said = [e for r in face["results"] for e in r["evidence"]]
        out += [_evidence(e if e["points_to"] else {**e, "caveat": None}) for e in said]  # what points nowhere needs no warning
        if face["errors"]:
            lost = ", ".join(e["what"] for e in face["errors"])
            out.append(Text(f"not answered: {printable(lost)}", "dim"))
    if more := len(faces) - FACES:
        out += [Text(), Text(f"and {more} more", "dim")] if more > 0 else []
    return out


def _evidence(e: Row, *, sure: bool = False) -> RenderableType:
    """sure: the title above has said where it points."""
    text = Text(printable(e["says"]))
    tags = [e["weight"], *([] if sure else [f"points to {e['points_to']}"])] if e["points_to"] else []
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
    table.add_column("better")
    table.add_column("scale")
    table.add_column("poor to good" if wide else "good", width=16 if wide else 8, no_wrap=True)
    for r in scores:
        worst, best = float(r["scale"]["worst"]), float(r["scale"]["best"])
        value = Text(_figure(float(r["value"])), "bold").append(f" {r['unit']}" if r["unit"] else "", "not bold")
        table.add_row(Text(r["name"]), value, _way(worst, best), _scale(worst, best), _bar(r["good"], 16 if wide else 8, console))
    return table


def _bar(good: float | None, width: int, console: Console) -> Text:
    if good is None:
        return Text(" " * width)
    full = round(good * width)
    mark, rest = ("#", ".") if console.options.ascii_only else ("━", "─")
    return Text.assemble((mark * full, "cyan"), (rest * (width - full), "bright_black"))


def _figure(value: float) -> str:
    if isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.4g}"


def _scale(worst: float, best: float) -> str:
    low, high = sorted((worst, best))
    return f"{_figure(low)} to {_figure(high)}"


def _way(worst: float, best: float) -> str:
    return "↑ higher" if best > worst else "↓ lower"


def _told(worst: float, best: float, unit: str) -> str:
    return f"{_scale(worst, best)}{' ' + unit if unit else ''}, {_way(worst, best)} is better"


def _name(path: str) -> str:
    return path.rpartition("/" if "/" in path else "\\")[2] or path


def _short(path: str, room: int) -> str:
    """The end of a path says most."""
    return path if len(path) <= room else "…" + path[len(path) - max(room - 1, 8) :]
