"""Public sets and what detectors say of them: `assay bench rows`, `assay bench robustness`. Heavy imports wait inside the commands."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli_bench_shared import FOLDER, options, tell
from assay.types import AssayError, BadInput

if TYPE_CHECKING:
    from assay.bench.layouts import Layout
    from assay.tasks import Task


@click.command()
@click.argument("layout", type=click.Choice(["folders", "df40", "forgerynet"]))
@click.argument("root", type=FOLDER)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The CSV that is written.")
@click.option("--protocol", default=1, show_default=True, type=click.IntRange(1, 4), help="Of DF40.")
@click.option("--trained", default="FS", show_default=True, help="DF40: FS, FR or EFS; under protocol 4 one method.")
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "val", "test"]), help="Of DF40.")
@click.option("--frames", type=click.IntRange(1), help="DF40: at most so many of a video, evenly spread. [default: all]")
@click.option("--task", default="image", show_default=True, type=click.Choice(["image", "mask", "video", "time"]), help="Of ForgeryNet.")
@click.option("--lists", type=click.Path(exists=True, path_type=Path), help="DF40's folder dataset_json, or the list of ForgeryNet.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def rows(layout: str, root: Path, out: Path, as_json: bool, lists: Path | None, task: str, **how: Any) -> None:
    """Write the pictures of a public set as a CSV: path, fake, generator, family, domain, split, subject, seen.

    folders: real/ and fake/ (0_real and 1_fake, nature and ai), alone or in a folder for each generator. Add a column of scores to the
    CSV and judge it with `assay bench detection OUT --within domain`, or let `assay bench robustness OUT --with NAME` do both.
    """
    from assay.bench import df40, forgerynet, layouts

    if layout == "forgerynet":
        lines = lists or forgerynet.listed(root, task)
        if task in ("mask", "time"):
            return _other(task, lines, root, out, as_json)
    if layout == "folders":
        found = layouts.folders(root)
    elif layout == "df40":
        found = df40.df40(root, lists=lists, **how)
    elif task == "image":
        found = forgerynet.images(lines, root)
    else:
        videos, lost = forgerynet.videos(lines, root)
        found = layouts.Layout(tuple(v.sample for v in videos), (f"{lost} videos",) if lost else ())
    digest = layouts.write(found, out)
    note = f"{len(found.samples)} rows in {out} (sha256 {digest[:16]}…)." + _missing(found)
    return tell(f"Rows of {root.name}", layouts.counts(found), as_json, note, sha256=digest, missing=list(found.missing))


def _missing(found: Layout) -> str:
    from assay.bench.layouts import shown

    return f" Not there: {shown(found.missing)}." if found.missing else ""


def _other(task: str, lines: Path, root: Path, out: Path, as_json: bool) -> None:
    """ForgeryNet's masks, and its stretches of frames: tables of their own."""
    from assay.bench import forgerynet

    if task == "mask":
        table: Sequence[Sequence[object]] = forgerynet.masks(lines, root)
        heads = ("file", "mask", "kind")
        said = {"pictures": len(table), "masks": sum(bool(mask) for _, mask, _ in table)}
    else:
        videos, lost = forgerynet.videos(lines, root)
        heads = ("video", "start", "end")
        table = []
        for v in videos:
            name = v.sample.path.relative_to(root).as_posix()
            table += [(name, start, end) for start, end, fake in v.stretches if fake] or [(name, "", "")]
        said = {"videos": len(videos), "stretches": sum(bool(str(r[2])) for r in table), "not there": lost}
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(table)
    verb = "localisation MAPS" if task == "mask" else "temporal SAID.csv"
    tell(f"Rows of {root.name}", [said], as_json, f"{len(table)} rows in {out}, for assay bench {verb} {out}.")


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--with", "names", multiple=True, required=True, help="An algorithm whose data has a statistic, as generated-assay.")
@click.option(
    "--ways", help="Journeys, separated by commas: jpeg, webp, resize, blur, noise, screenshot, or with a strength, as 'jpeg 75'."
)
@click.option("--most", type=click.IntRange(2), help="At most so many pictures of either class, evenly spread. [default: all]")
@click.option("--crop", type=click.IntRange(16), help="Look at the middle of so many pixels a side, of both classes.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Every score, for assay bench detection.")
@click.option("--plot", type=click.Path(), help="Write AUC by journey and strength to this file: svg, png, pdf (extra: plot).")
@options
def robustness(source: Path, names: tuple[str, ...], ways: str | None, most: int | None, crop: int | None, csv_file: Path | None,
               plot: str | None, draws: int, as_json: bool) -> None:  # fmt: skip
    """How detectors hold when pictures of both classes are saved, reduced, blurred, made noisy or shown on a screen.

    SOURCE is a CSV that `assay bench rows` wrote (path, fake, generator), or a folder with real/ and fake/. The threshold is set once,
    at 5 % false alarms on authentic pictures as they are; found and false alarms are told at that threshold.
    """
    from assay.bench.journeys import START, UNITS, WAYS, journeys
    from assay.bench.robustness import curves
    from assay.bench.robustness import robustness as judge
    from assay.tasks import tasks

    wanted, asked, pictures = tasks(names), journeys(ways), _pictures(source, most)
    table = _asked(pictures, list(wanted), asked, crop)
    if csv_file:
        with csv_file.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(table)
            out.writerows([["" if c != c else c for c in row] for row in zip(*table.values(), strict=True)])
    told = {t.name: judge(table[t.name], table["fake"], table["processing"], subjects=table["subject"], times=draws) for t in wanted}
    if plot:
        from assay.bench.plot import panels

        found = curves(told)
        if not found:
            raise BadInput("no journey has a figure that could be drawn.")
        panels({w: found[w] for w in WAYS if w in found}, plot, y="AUC", units=UNITS)
    shown = [{"score": n, "after": r.processing, "answered": r.answered, **r.figures} for n, after in told.items() for r in after]
    kinds = [sum(bool(p[1]) == k for p in pictures) for k in (False, True)]
    note = f"{kinds[0]} authentic and {kinds[1]} fake pictures; threshold: 5 % false alarms {START}. lost: AUC less than {START}."
    tell("Robustness", shown, as_json, note)


Labelled = tuple[Path, int, str, str]  # path, fake, generator, subject


def _pictures(source: Path, most: int | None) -> list[Labelled]:
    """What a table or a folder names.  Raises BadInput where a class is missing."""
    from assay.bench import layouts
    from assay.bench.rows import numbers, read

    if source.is_dir():
        every = [(s.path, int(s.fake), s.generator, s.subject) for s in layouts.folders(source).samples]
    else:
        table = read(source, ["path", "fake", "generator"])
        people = table.get("subject", table["path"])
        fakes = [int(f) for f in numbers(table, "fake")]
        every = [(Path(p), f, g, s) for p, f, g, s in zip(table["path"], fakes, table["generator"], people, strict=True)]
    found = []
    for fake in (0, 1):
        mine = [p for p in every if p[1] == fake]
        if not mine:
            raise BadInput(f"{source} names no {'fake' if fake else 'authentic'} picture.")
        found += [mine[i * len(mine) // most] for i in range(most)] if most and len(mine) > most else mine
    return found


def _asked(pictures: list[Labelled], wanted: list[Task], asked: list[Any], crop: int | None) -> dict[str, list[Any]]:
    """Every picture after every journey, and what the algorithms say of it; NaN where one has no answer."""
    from rich.console import Console
    from rich.progress import track

    from assay.bench import journeys

    heads = ("path", "fake", "generator", "subject", "processing")
    table: dict[str, list[Any]] = {h: [] for h in (*heads, *(t.name for t in wanted))}
    for i, (path, fake, generator, subject) in enumerate(
        track(pictures, "Looking at pictures", console=Console(stderr=True), transient=True)
    ):
        data, image = _opened(path, crop)
        for name, file in journeys.files(data, image, asked, seed=i):
            for head, cell in zip(heads, (path, fake, generator, subject, name), strict=True):
                table[head].append(cell)
            for t in wanted:
                table[t.name].append(float("nan") if file is None else _statistic(t, file))
    silent = [t.name for t in wanted if all(v != v for v in table[t.name])]
    if silent:
        raise BadInput(
            f"{silent[0]} had no answer for any picture; its data must have a statistic, and the pictures be large enough for it."
        )
    return table


def _opened(path: Path, crop: int | None) -> tuple[bytes, Any]:
    """The file as it is, and its picture; where it is cropped, the crop without loss stands for the file."""
    from PIL import Image

    from assay.bench.journeys import saved
    from assay.io.decode import read

    picture = read(path)
    pixels = picture.pixels if picture.pixels.element_size() == 1 else (picture.pixels * 255).round().byte()
    image = Image.fromarray(pixels[0].numpy() if len(pixels) == 1 else pixels.permute(1, 2, 0).contiguous().numpy())
    if crop is None:
        return picture.data, image
    left, top = (max(0, (n - crop) // 2) for n in image.size)
    image = image.crop((left, top, min(image.width, left + crop), min(image.height, top + crop)))
    return saved(image, "PNG"), image


def _statistic(t: Task, data: bytes) -> float:
    """What an algorithm says of a file; NaN where it has no answer.  Raises BadInput for one that gives no statistic at all."""
    from assay.io.decode import read
    from assay.runner import assess
    from assay.types import CannotAssess

    try:
        found = assess(t, read(data))
    except CannotAssess:
        return float("nan")
    except AssayError as error:
        raise BadInput(f"{t.name} cannot be asked: {error}") from error
    said = found.data.get("statistic")
    if not isinstance(said, int | float):
        raise BadInput(f"{t.name} gives no statistic by which pictures could be ranked.")
    return float(said)
