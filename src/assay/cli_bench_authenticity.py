"""The protocols of authenticity: `assay bench detection`, `attribution`, `forgetting`, `localisation`, `temporal`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli_bench_shared import FILE, FOLDER, options, scores_of, tell
from assay.types import BadInput

if TYPE_CHECKING:
    from assay.bench.resample import Floats
    from assay.bench.rows import Table

LABELS = {"fake", "generator", "processing", "domain", "family", "split", "seen", "group", "path", "without", "video"}  # never scores


@click.command()
@click.argument("file", type=FILE)
@click.option("--score", "names", multiple=True, help="A column with a score, higher for fakes; all columns of numbers, if not given.")
@click.option("--within", "within", multiple=True, help="Columns that pictures must share to be compared. [default: processing]")
@click.option("--by", help="A column, as video: of the rows that share it the mean score counts.")
@click.option("--leave-out", is_flag=True, help="Judge each generator at the threshold that is best for the others.")
@click.option("--groups", type=FILE, help="A CSV of subject and group: compare false alarms, and fakes found, between groups of people.")
@click.option("--threshold", type=float, help="For --groups: from which score a picture is called fake. [default: 5 % false alarms]")
@click.option("--plot", type=click.Path(), help="Write AUC by processing to this file: svg, png, pdf (extra: plot).")
@options
def detection(file: str, names: tuple[str, ...], within: tuple[str, ...], by: str | None, leave_out: bool, groups: str | None,
              threshold: float | None, plot: str | None, draws: int, as_json: bool) -> None:  # fmt: skip
    """AUC, AP, EER, TPR at 1 and 5 % FPR by generator and processing.

    FILE is a CSV of pictures: fake (0 or 1), generator, one column a score, processing where pictures travelled in several ways, and
    subject for intervals over photographs. An empty cell is a picture that was not answered. With --leave-out, a column `without` may
    say which generator the detector behind a row was not trained on.
    """
    from assay.bench.rows import numbers, read

    table = read(file, ["fake", "generator", *names, *within, *([by] if by else [])])
    chosen = list(names) or scores_of(table, LABELS | set(within) | ({by} if by else set()))
    scores = {n: numbers({n: [cell or "nan" for cell in table[n]]}, n) for n in chosen}
    if by:
        table, scores = _together(table, scores, by, [*within, "fake", "generator", "processing", "without", "subject"])
    columns = list(within) or [n for n in ("processing",) if n in table]
    ways = [" ".join(cells) for cells in zip(*(table[c] for c in columns), strict=True)] if columns else None
    if leave_out:
        return _leave_out(scores, table, ways, draws, as_json)
    if groups:
        return _groups(scores, table, groups, threshold, draws, as_json)
    return _by_generator(scores, table, ways, plot, draws, as_json)


def _by_generator(scores: Mapping[str, Floats], table: Table, ways: list[str] | None, plot: str | None, draws: int, as_json: bool) -> None:
    from assay.bench.detection import WORST
    from assay.bench.detection import detection as judge
    from assay.bench.rows import numbers

    told = {n: judge(s, numbers(table, "fake"), table["generator"], processing=ways, subjects=table.get("subject"), times=draws)
            for n, s in scores.items()}  # fmt: skip
    if plot:
        from assay.bench.plot import draw

        whole = {n: {r.processing or "nothing": r.figures["auc"].value for r in rows if r.generator != WORST} for n, rows in told.items()}
        draw({n: (list(w), list(w.values())) for n, w in whole.items()}, plot, x="after", y="AUC (mean of generators)")
    shown = [
        {"score": n, "after": r.processing or "nothing", "generator": r.generator, "n": r.n, "answered": r.answered, **r.figures}
        for n, rows in told.items()
        for r in rows
    ]
    note = "Every generator is held against all authentic pictures that travelled alike. Mean and worst carry no interval."
    tell("Detection", shown, as_json, note)


def _leave_out(scores: Mapping[str, Floats], table: Table, ways: list[str] | None, draws: int, as_json: bool) -> None:
    import numpy as np

    from assay.bench.rows import numbers
    from assay.bench.unseen import leave_out as judge

    fake, every = numbers(table, "fake"), np.array(ways or [""] * len(table["fake"]))
    shown: list[dict[str, Any]] = []
    for name, s in scores.items():
        for way in dict.fromkeys(every.tolist()):
            at = np.flatnonzero(every == way)

            def some(column: str, at: Any = at) -> list[str] | None:
                return [table[column][i] for i in at] if column in table else None

            rows = judge(s[at], fake[at], some("generator") or [], without=some("without"), subjects=some("subject"), times=draws)
            means = {k: float(np.mean([r.figures[k].value for r in rows])) for k in rows[0].figures}
            shown += [{"score": name, "after": way or "nothing", "left out": r.generator, "n": r.n, "threshold": r.threshold, **r.figures}
                      for r in rows]  # fmt: skip
            shown.append({"score": name, "after": way or "nothing", "left out": "mean of generators", "n": len(rows), **means})
    trained = "by detectors that were trained without it" if "without" in table else "by one detector, whatever that was trained on"
    note = f"Each generator was judged {trained}, at the threshold that is best for the others; accuracy is the mean of both classes'."
    tell("Detection, one generator left out", shown, as_json, note)


def _groups(scores: Mapping[str, Floats], table: Table, groups: str, threshold: float | None, draws: int, as_json: bool) -> None:
    from assay.bench.rows import numbers, read
    from assay.bench.slices import slices

    if "subject" not in table:
        raise BadInput("--groups needs a column subject in FILE, by which people are found in the other file.")
    given = read(groups, ["subject", "group"])
    known = dict(zip(given["subject"], given["group"], strict=True))
    of = [known.get(s, "") for s in table["subject"]]
    if not any(of):
        raise BadInput(
            f"{groups} names no subject of the pictures; its first is {given['subject'][0]!r}, theirs is {table['subject'][0]!r}."
        )
    rows: list[dict[str, Any]] = []
    says = []
    for name, s in scores.items():
        told = slices(s, numbers(table, "fake"), of, subjects=table["subject"], threshold=threshold, times=draws)
        for what, fair in told.compared.items():
            rows += [
                {"score": name, "share": what, "group": p.group, "people": p.n, "mean": p.mean, "less the others": p.difference,
                 "effect": p.effect, "size": p.size, "p (Holm)": p.p_holm, "auc": told.auc.get(p.group)}
                for p in fair.slices
            ]  # fmt: skip
            says.append(f"{name} (threshold {told.threshold:.4g}): {fair.says}")
        says += [f"{name}, {what}: {why}" for what, why in told.silent.items()]
    tell("Detection by group", rows, as_json, " ".join(says), unknown=sum(not g for g in of))


def _together(table: Table, scores: Mapping[str, Floats], by: str, kept: list[str]) -> tuple[Table, dict[str, Floats]]:
    """One row for all that share a cell (and a processing): means of scores over answered rows."""
    import numpy as np

    keys = list(zip(table[by], *(table[c] for c in kept if c in table), strict=True))
    first = {k: i for i, k in reversed(list(enumerate(keys)))}
    order = {k: i for i, k in enumerate(dict.fromkeys(keys))}
    codes = np.array([order[k] for k in keys])
    means = {}
    for name, s in scores.items():
        told = ~np.isnan(s)
        n = np.bincount(codes, told, len(order))
        sums = np.bincount(codes, np.where(told, s, 0), len(order))
        means[name] = np.where(n > 0, sums / np.maximum(n, 1), np.nan)
    return {c: [cells[first[k]] for k in order] for c, cells in table.items()}, means


@click.command()
@click.argument("file", type=FILE)
@click.option("--said", "names", multiple=True, help="A column of names that a method gave; all that are nothing else, if not given.")
@options
def attribution(file: str, names: tuple[str, ...], draws: int, as_json: bool) -> None:
    """Known accuracy, and clustering ACC, NMI and ARI of open-world attribution.

    FILE is a CSV of pictures: truth (the generator), known (1 where the methods were taught that generator), one column of names or
    cluster labels a method, NAME_confidence for rejection, and subject for intervals over photographs.
    """
    from assay.bench.attribution import attribution as judge
    from assay.bench.rows import numbers, read

    table = read(file, ["truth", "known", *names])
    others = {"truth", "known", "subject"}
    methods = names or [n for n in table if n not in others and n.removesuffix("_confidence") not in set(table) - {n}]
    if not methods:
        raise BadInput(f"there is no column of names beside {', '.join(table)}.")
    rows = []
    for name in methods:
        sure = numbers(table, f"{name}_confidence") if f"{name}_confidence" in table else None
        told = judge(table[name], table["truth"], numbers(table, "known"), confidence=sure, subjects=table.get("subject"), times=draws)
        rows += [{"method": name, "figure": k, "value": v} for k, v in told.items()]
    note = "known acc: the name itself. Other acc: each label stands for one generator, as suits them best."
    tell("Attribution", rows, as_json, note)


@click.command()
@click.argument("file", type=FILE)
@click.option("--value", "names", multiple=True, help="A column of what was measured; all columns of numbers, if not given.")
@click.option("--plot", type=click.Path(), help="Write the averages by stage to this file: svg, png, pdf (extra: plot).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def forgetting(file: str, names: tuple[str, ...], plot: str | None, as_json: bool) -> None:
    """Average, forgetting and backward transfer of a detector taught one task after another.

    FILE is a CSV of measurements: stage (the task learned just before), task (what was measured then), and one column a measure, as AUC,
    higher for better.
    """
    from assay.bench.forgetting import forgetting as judge
    from assay.bench.rows import numbers, read

    table = read(file, ["stage", "task", *names])
    told = {n: judge(table["stage"], table["task"], numbers(table, n)) for n in names or scores_of(table, {"stage", "task"})}
    if plot:
        from assay.bench.plot import draw

        curves = {n: (list(range(1, len(stages) + 1)), [s.average for s in stages]) for n, stages in told.items()}
        draw(curves, plot, x="tasks learned", y="average over them")
    rows = [
        {"measure": n, "after": s.learned, "average": s.average, "worst": s.worst, "forgetting": s.forgetting,
         "backward": s.backward, "unseen": s.unseen}
        for n, stages in told.items()
        for s in stages
    ]  # fmt: skip
    note = "forgetting: the best since a task was learned, less what is left; 0 is none. unseen: tasks that were not learned by then."
    tell("Forgetting", rows, as_json, note)


@click.command()
@click.argument("maps", type=FOLDER)
@click.argument("masks", type=click.Path(exists=True, path_type=Path))
@click.option("--threshold", default=0.5, show_default=True, type=click.FloatRange(0, 1), help="From which a pixel is marked.")
@click.option("--scores", type=FILE, help="A CSV of file (as in MAPS) and score, higher for changed pictures; for AUC over pictures.")
@options
def localisation(maps: Path, masks: Path, threshold: float, scores: str | None, draws: int, as_json: bool) -> None:
    """Pixel F1, IoU and AUC of maps of what was changed, and the area marked in authentic pictures.

    Both are folders, with one folder a kind of change or none. Maps are grey pictures, white is changed, or .npy in 0 to 1; a mask has
    the name of its map, whatever the ending, and is white where the picture was changed. A map without a mask is of an authentic
    picture. Maps of another size are brought to that of the mask. MASKS may also be a CSV of file, mask and kind, as
    `assay bench rows forgerynet ROOT --task mask` writes it.
    """
    from assay.bench.localisation import best_common
    from assay.bench.localisation import localisation as judge
    from assay.bench.maps import read_pairs
    from assay.bench.rows import numbers, read

    pairs = read_pairs(maps, masks, threshold=threshold)
    given = None
    if scores is not None:
        table = read(scores, ["file", "score"])
        given = dict(zip(table["file"], numbers(table, "score").tolist(), strict=True))
        if missing := [p.name for p in pairs if p.name not in given]:
            raise BadInput(f"{scores} has no score for {missing[0]}{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}.")
    clean = [p for p in pairs if p.fit.f1 is None]
    kinds = dict.fromkeys(p.kind for p in pairs if p.fit.f1 is not None)
    groups = {"all": pairs} | (
        {k: [p for p in pairs if p.kind == k and p.fit.f1 is not None] + clean for k in kinds} if len(kinds) > 1 else {}
    )
    rows: list[dict[str, Any]] = []
    for name, mine in groups.items():
        told = judge([p.fit for p in mine], score=None if given is None else [given[p.name] for p in mine], times=draws)
        rows.append({"changed by": name, "pictures": sum(p.fit.f1 is not None for p in mine), **told})
    note = f"F1 and IoU at {threshold:g}; f1_best: the best threshold of every picture; f1_common: one for all"
    note += f" ({best_common([p.fit for p in pairs]):.2f})" if kinds else ""
    tell("Localisation", rows, as_json, f"{note}. false_area: over {len(clean)} authentic pictures.")


@click.command()
@click.argument("said", type=FILE)
@click.argument("truth", type=FILE)
@options
def temporal(said: str, truth: str, draws: int, as_json: bool) -> None:
    """AP and AR of forged stretches of videos.

    SAID is a CSV of video, start, end and score; TRUTH of video, start and end (empty cells: a video without a forged stretch), as
    `assay bench rows forgerynet ROOT --task time` writes it.
    """
    from assay.bench.rows import numbers, read
    from assay.bench.temporal import temporal as judge

    found, known = read(said, ["video", "start", "end", "score"]), read(truth, ["video", "start", "end"])
    ours: dict[str, list[tuple[float, float, float]]] = {}
    columns = zip(*(numbers(found, c).tolist() for c in ("start", "end", "score")), strict=True)
    for video, row in zip(found["video"], columns, strict=True):
        ours.setdefault(video, []).append(row)
    forged: dict[str, list[tuple[float, float]]] = {}
    for at, (video, start, end) in enumerate(zip(known["video"], known["start"], known["end"], strict=True), 2):
        stretches = forged.setdefault(video, [])
        if start or end:
            try:
                stretches.append((float(start), float(end)))
            except ValueError as error:
                raise BadInput(f"line {at} of {truth} has no numbers as start and end: {start!r}, {end!r}.") from error
    told = judge(ours, forged, times=draws)
    note = f"{len(forged)} videos, {sum(map(len, forged.values()))} forged stretches. ap@t: right from an overlap of t; ap: their mean."
    tell("Localisation in time", [{"figure": k, "value": v} for k, v in told.items()], as_json, note)
