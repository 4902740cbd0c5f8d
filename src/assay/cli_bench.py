"""The command line of the protocols: `assay bench …`. Heavy imports wait inside the commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.types import BadInput, CannotAssess

if TYPE_CHECKING:
    from torch import Tensor

    from assay.bench.resample import Floats
    from assay.bench.restoration import Entry, Term
    from assay.bench.rows import Table

SUBJECTS = ("subject_a", "subject_b", "subject")  # columns that are labels, never scores
MODELS = ("assay-q", "niqe-assay")  # the core tier of `bench restoration`
START = 0.05  # FNMR before anything is discarded; Schlett 2023 looks at .05 among others


@click.group()
def bench() -> None:
    """How well scores hold: verification, error versus discard, correlation, restoration, groups."""


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every protocol."""
    draws = click.option("--draws", default=1000, show_default=True, type=click.IntRange(0), help="Of the bootstrap; 0: no intervals.")
    return draws(click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")(command))


FILE = click.Path(exists=True, dir_okay=False)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@bench.command()
@click.argument("file", type=FILE)
@click.option("--starting-error", type=float, help=f"FNMR before anything is discarded. [default: {START}]")
@click.option("--fmr", type=float, help="Or the FMR of the non-mated comparisons in FILE.")
@click.option("--threshold", type=float, help="Or the decision threshold itself.")
@click.option("--protocol", type=click.Choice(["edc", "crfiqa"]), default="edc", show_default=True, help="crfiqa: that paper's script.")
@click.option("--limit", "limits", type=float, multiple=True, help="How much is discarded at most. [default: .2 and .3]")
@click.option("--plot", type=click.Path(), help="Write the curves to this file: svg, png, pdf (extra: plot).")
@_shared
def edc(file: str, limits: tuple[float, ...], plot: str | None, draws: int, as_json: bool, **how: Any) -> None:
    """Error versus discard: how much quality scores help a matcher.

    FILE is a CSV of comparisons: similarity, mated (0 or 1; all mated without it), subject_a and subject_b or subject for intervals
    over people, and one column a quality score, or two that end in _a and _b, of which the lower counts.
    """
    from assay.bench.edc import compare
    from assay.bench.edc import edc as curve
    from assay.bench.rows import numbers, read

    table = read(file, ["similarity"])
    scores = _qualities(table)
    mated = numbers(table, "mated") if "mated" in table else None
    if how["protocol"] == "edc" and all(how[k] is None for k in ("starting_error", "fmr", "threshold")):
        how["starting_error"] = START
    s = numbers(table, "similarity")
    found = compare(s, scores, mated=mated, **how, limits=limits or None, subjects=_subjects(table), times=draws)
    if plot:
        from assay.bench.plot import draw

        curves = {n: curve(s, q, mated=mated, **how) for n, q in scores.items()}
        draw({n: (c.discarded, c.error) for n, c in curves.items()}, plot, x="share discarded", y="FNMR", steps=how["protocol"] == "edc")
    rows = []
    for name, told in found.items():
        for limit in dict.fromkeys(k.split("@")[1] for k in told if "@" in k):
            named = {k.split("@")[0]: v for k, v in told.items() if k in ("error", f"{k.split('@')[0]}@{limit}")}
            rows.append({"score": name, "up to": limit, **named})
    point = " ".join(f"{k.replace('_', ' ')} {v}" for k, v in how.items() if v is not None)
    note = "relative: 0 only errors discarded, 1 as good as chance. behind: pAUC less that of the best score. Lower is better."
    _tell(f"Error versus discard ({point})", rows, as_json, note)


@bench.command()
@click.argument("file", type=FILE)
@click.option("--threshold", type=float, help="Also FNMR and FMR at this similarity.")
@click.option("--far", "fars", type=float, multiple=True, help="TAR at this FAR. [default: .1, .01, .001, .0001]")
@click.option("--plot", type=click.Path(), help="Write the ROC to this file: svg, png, pdf (extra: plot).")
@_shared
def verification(file: str, threshold: float | None, fars: tuple[float, ...], plot: str | None, draws: int, as_json: bool) -> None:
    """AUC, EER and TAR@FAR of similarities.

    FILE is a CSV of comparisons: similarity, mated (0 or 1), and subject_a and subject_b for intervals over people.
    """
    from assay.bench.rows import numbers, read
    from assay.bench.verification import FARS, roc
    from assay.bench.verification import verification as judge

    table = read(file, ["similarity", "mated"])
    s, m = numbers(table, "similarity"), numbers(table, "mated")
    told = judge(s, m, threshold=threshold, fars=fars or FARS, subjects=_subjects(table), times=draws)
    if plot:
        from assay.bench.plot import draw

        c = roc(s, m)
        draw({"": (c.fmr, c.tmr)}, plot, x="FMR", y="TAR", log=True)
    few = [f for f in fars or FARS if f"tar@{f:g}" not in told]
    note = f"{int(m.sum())} mated and {int((1 - m).sum())} non-mated comparisons"
    note += f", too few for FAR {', '.join(f'{f:g}' for f in few)}." if few else "."
    _tell("Verification", [{"figure": k, "value": v} for k, v in told.items()], as_json, note)


@bench.command()
@click.argument("file", type=FILE)
@click.option("--opinion", default="opinion", show_default=True, help="The column that scores are held against.")
@click.option("--score", "names", multiple=True, help="A column with a score; all columns of numbers, if not given.")
@_shared
def correlation(file: str, opinion: str, names: tuple[str, ...], draws: int, as_json: bool) -> None:
    """SRCC, KRCC, PLCC (raw, and after the logistic) and RMSE of scores.

    FILE is a CSV of pictures: opinion, one column a score, and subject for intervals over photographs rather than rows.
    """
    from assay.bench.correlation import correlation as judge
    from assay.bench.rows import numbers, read

    table = read(file, [opinion, *names])
    rows = []
    for name in names or _scores(table, {opinion}):
        told = judge(numbers(table, name), numbers(table, opinion), subjects=_subjects(table), times=draws)
        rows.append({"score": name, **told})
    _tell(f"Correlation with {opinion}", rows, as_json, f"{len(table[opinion])} rows; rmse in units of {opinion}, after the logistic.")


@bench.command()
@click.argument("scores", type=FILE)
@click.argument("labels", type=FILE)
@click.option("--score", help="SCORES is the table of `assay run --csv`; take this column of it.")
@click.option("--images", type=FOLDER, help="The pictures, for SRCC by resolution.")
@click.option("--net", type=FILE, help="The net as TorchScript, for the limits of 0.5 GFLOPs and 5 M parameters.")
@click.option("--side", default=352, show_default=True, help="The side of the square picture that the net is given.")
@_shared
def fiqa(scores: str, labels: str, score: str | None, images: Path | None, net: str | None, side: int, draws: int, as_json: bool) -> None:
    """The VQualA-2025 face quality board: (SRCC + PLCC) / 2 within its limits.

    SCORES and LABELS are CSV files without a header: image, score.
    """
    from assay.bench import vquala_fiqa as board
    from assay.bench.rows import numbers, read

    truth = board.labels(labels)
    if score is None:
        given = board.labels(scores)
    else:
        table = read(scores, ["path", score])
        given = dict(zip((Path(p).name for p in table["path"]), numbers(table, score).tolist(), strict=True))
    told = board.evaluate(given, truth, cost=_cost(net, side), short_sides=_sides(images, truth), times=draws)
    f = told.figures
    rows = [{"entry": e.team, "score": e.score, "GFLOPs": e.gmacs, "M parameters": e.mparameters} for e in board.LEADERBOARD]
    mine: dict[str, Any] = {"entry": score or Path(scores).stem, "score": f["score"]}
    if told.cost:
        mine |= {"GFLOPs": told.cost.macs / 1e9, "M parameters": told.cost.parameters / 1e6}
    note = " ".join([*told.broken, "GFLOPs are multiply-accumulates. The published scores are on the challenge's own test set alone."])
    _tell("VQualA-2025 face quality", [mine, *rows], as_json, note, figures=f, broken=list(told.broken),
          by_resolution={str(k): v for k, v in told.bins.items()})  # fmt: skip


@bench.command()
@click.argument("restored", type=FOLDER)
@click.argument("inputs", type=FOLDER)
@click.option("--metrics", default=",".join(MODELS), show_default=True, help="Judges without a reference, separated by commas.")
@click.option("--threshold", help="Likeness that a restored face must reach: a number, or published (for AdaFace). [default: from INPUTS]")
@click.option("--recogniser", type=FILE, help="Another recogniser as TorchScript, given N×3×112×112 in −1 to 1.")
@click.option("--csv", "csv_file", type=click.Path(), help="Every picture, one a row.")
@_shared
def restoration(
    restored: Path,
    inputs: Path,
    metrics: str,
    threshold: str | None,
    recogniser: str | None,
    csv_file: str | None,
    draws: int,
    as_json: bool,
) -> None:
    """Face restoration as NTIRE 2025 judges it: RESTORED faces against their INPUTS.

    Both are folders with one folder a set, or none; pictures are paired by place and name. The gate fails where more than 10 faces
    are another person's; without --threshold a face must be more like its input than 99 % of pairs of different inputs are.
    """
    from assay.bench.restoration import THRESHOLDS, judge
    from assay.io.decode import read

    if threshold not in (None, "published"):
        try:
            bars: Any = float(threshold)
        except ValueError as error:
            raise BadInput(f"--threshold takes a number or published; got {threshold!r}.") from error
    else:
        bars = THRESHOLDS if threshold else None
    terms = [_term(n.strip()) for n in metrics.split(",") if n.strip()]
    told = judge(restored.name, restored, inputs, read=lambda p: read(p).pixels, embed=_embedder(recogniser), terms=terms,
                 thresholds=bars, times=draws)  # fmt: skip
    if csv_file:
        _write(csv_file, told)
    note = " ".join(told.sentences())
    _tell(f"Restoration of {inputs} by {restored.name}", told.table(), as_json, note, passed=told.passed, score=told.score,
          official=told.official, worths=told.worths, thresholds=told.thresholds, missing=list(told.missing),
          failing=[{"file": r.file, "likeness": r.likeness} for r in told.failing])  # fmt: skip


@bench.command()
@click.argument("file", type=FILE)
@click.option("--value", default="score", show_default=True, help="The column that is compared: a score, or 0 and 1.")
@click.option("--group", default="group", show_default=True, help="The column with the group of each person; may be empty in a row.")
@_shared
def fairness(file: str, value: str, group: str, draws: int, as_json: bool) -> None:
    """Whether a score, or a rate, differs between groups.  FILE is a CSV with one row a person."""
    from assay.bench.fairness import fairness as judge
    from assay.bench.rows import numbers, read

    table = read(file, [value, group])
    told = judge(numbers(table, value), table[group], name=value, times=draws)
    rows = [{"group": s.group, "n": s.n, "mean": s.mean, "less the others": s.difference, "effect": s.effect, "size": s.size,
             "p (Holm)": s.p_holm} for s in told.slices]  # fmt: skip
    few = f" Too few to be shown: {', '.join(told.left_out)}." if told.left_out else ""
    _tell(f"{value} by {group}", rows, as_json, told.says + few, gap=told.gap, gap_p=told.gap_p, left_out=told.left_out)


@bench.command()
@click.argument("file", type=FILE)
@click.option("--score", "names", multiple=True, help="A column with a score, higher for fakes; all columns of numbers, if not given.")
@click.option("--plot", type=click.Path(), help="Write AUC by processing to this file: svg, png, pdf (extra: plot).")
@_shared
def detection(file: str, names: tuple[str, ...], plot: str | None, draws: int, as_json: bool) -> None:
    """AUC, AP, EER, TPR at 1 and 5 % FPR by generator and processing.

    FILE is a CSV of pictures: fake (0 or 1), generator, one column a score, processing where pictures travelled in several ways, and
    subject for intervals over photographs. An empty cell is a picture that was not answered.
    """
    from assay.bench.detection import WORST
    from assay.bench.detection import detection as judge
    from assay.bench.rows import numbers, read

    table = read(file, ["fake", "generator", *names])
    told = {}
    for name in names or _scores(table, {"fake", "generator", "processing"}):
        scores = numbers({name: [cell or "nan" for cell in table[name]]}, name)
        told[name] = judge(scores, numbers(table, "fake"), table["generator"], processing=table.get("processing"),
                           subjects=table.get("subject"), times=draws)  # fmt: skip
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
    _tell("Detection", shown, as_json, note)


@bench.command()
@click.argument("file", type=FILE)
@click.option("--said", "names", multiple=True, help="A column of names that a method gave; all that are nothing else, if not given.")
@_shared
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
    _tell("Attribution", rows, as_json, note)


@bench.command()
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
    told = {n: judge(table["stage"], table["task"], numbers(table, n)) for n in names or _scores(table, {"stage", "task"})}
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
    _tell("Forgetting", rows, as_json, note)


@bench.command()
@click.argument("maps", type=FOLDER)
@click.argument("masks", type=FOLDER)
@click.option("--threshold", default=0.5, show_default=True, type=click.FloatRange(0, 1), help="From which a pixel is marked.")
@click.option("--scores", type=FILE, help="A CSV of file (as in MAPS) and score, higher for changed pictures; for AUC over pictures.")
@_shared
def localisation(maps: Path, masks: Path, threshold: float, scores: str | None, draws: int, as_json: bool) -> None:
    """Pixel F1, IoU and AUC of maps of what was changed, and the area marked in authentic pictures.

    Both are folders, with one folder a kind of change or none. Maps are grey pictures, white is changed, or .npy in 0 to 1; a mask has
    the name of its map, whatever the ending, and is white where the picture was changed. A map without a mask is of an authentic
    picture. Maps of another size are brought to that of the mask.
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
    _tell("Localisation", rows, as_json, f"{note}. false_area: over {len(clean)} authentic pictures.")


def _subjects(table: Table) -> list[list[str]] | None:
    columns = [table[n] for n in ("subject_a", "subject_b") if n in table]
    if len(columns) == 1:
        raise BadInput("subject_a and subject_b go together; one person a row is called subject.")
    return columns or ([table["subject"]] if "subject" in table else None)


def _scores(table: Table, others: set[str]) -> list[str]:
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


def _qualities(table: Table) -> dict[str, Floats]:
    """Scores of comparisons; of NAME_a and NAME_b the lower one, called NAME."""
    from assay.bench.edc import pair_quality
    from assay.bench.rows import numbers

    out = {}
    for name in _scores(table, {"similarity", "mated"}):
        base = name.removesuffix("_a").removesuffix("_b")
        if base != name and {f"{base}_a", f"{base}_b"} <= set(table):
            out[base] = pair_quality(numbers(table, f"{base}_a"), numbers(table, f"{base}_b"))
        else:
            out[name] = numbers(table, name)
    return out


def _cost(net: str | None, side: int) -> Any:
    if net is None:
        return None
    import warnings

    import torch

    from assay.bench.flops import cost

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch would rather export, but nets come in this format
        loaded = torch.jit.load(net, map_location="cpu")  # type: ignore[no-untyped-call]
    return cost(loaded, torch.zeros(1, 3, side, side))


def _sides(images: Path | None, names: Mapping[str, float]) -> dict[str, int] | None:
    if images is None:
        return None
    from PIL import Image

    sides = {}
    for name in names:
        with Image.open(images / name) as picture:
            sides[name] = min(picture.size)
    return sides


def _term(name: str) -> Term:
    """A metric of the catalogue as a summand: worth 0 to 1 on its usual range."""
    from assay.bench.restoration import Term
    from assay.catalog import get
    from assay.types import ScoreCard

    fn: Any = get(name)
    card = fn.card
    if not isinstance(card, ScoreCard) or card.takes != ("image",):
        raise BadInput(f"{name} does not score a picture without a reference.")

    def measure(picture: Tensor) -> float:
        got = fn(picture[None])[0]
        return float(getattr(got, "score", got))

    return Term(name, measure, card.scale.good)


def _embedder(model: str | None) -> Callable[[Tensor], Tensor]:
    """The largest face of a picture, found, aligned and embedded by our nets, or by another recogniser."""
    import torch

    from assay import check
    from assay.nets.face_finder import find
    from assay.nets.face_recogniser import embed
    from assay.ops.align import chips

    other = None
    if model is not None:
        try:
            other = torch.jit.load(model).eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise BadInput(f"{model} is no TorchScript file: {str(error).splitlines()[0]}") from error

    def vector(picture: Tensor) -> Tensor:
        faces = find(picture[None])[0]
        if not faces:
            raise CannotAssess("No face was found.")
        face: Tensor = embed(chips(check.faces(picture, faces), faces[:1]), model=other)[0]
        return face

    return vector


def _write(path: str, entry: Entry) -> None:
    import csv

    with Path(path).open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["set", "file", *entry.rows[0].values, "likeness", "failed"])
        out.writerows([r.set, r.file, *r.values.values(), "" if r.likeness is None else r.likeness, int(r.failed)] for r in entry.rows)


def _tell(title: str, rows: Sequence[Mapping[str, object]], json: bool, note: str, **more: object) -> None:
    from rich.console import Console

    from assay.bench import told

    if json:
        click.echo(told.as_json(title, rows, note, **more))
    else:
        told.tell(title, rows, note, console=Console())
