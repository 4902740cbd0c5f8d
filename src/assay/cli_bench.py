"""The command line of the protocols: `assay bench …`. Heavy imports wait inside the commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli_bench_authenticity import attribution, detection, forgetting, localisation, temporal
from assay.cli_bench_sets import robustness, rows
from assay.cli_bench_shared import FILE, FOLDER, options, scores_of, subjects_of, tell
from assay.types import BadInput, CannotAssess

if TYPE_CHECKING:
    from torch import Tensor

    from assay.bench.resample import Floats
    from assay.bench.restoration import Entry, Term
    from assay.bench.rows import Table

MODELS = ("assay-q", "niqe-assay")  # the core tier of `bench restoration`
START = 0.05  # FNMR before anything is discarded; Schlett 2023 looks at .05 among others


@click.group()
def bench() -> None:
    """How well scores hold: verification, error versus discard, correlation, restoration, groups."""


@bench.command()
@click.argument("file", type=FILE)
@click.option("--starting-error", type=float, help=f"FNMR before anything is discarded. [default: {START}]")
@click.option("--fmr", type=float, help="Or the FMR of the non-mated comparisons in FILE.")
@click.option("--threshold", type=float, help="Or the decision threshold itself.")
@click.option("--protocol", type=click.Choice(["edc", "crfiqa"]), default="edc", show_default=True, help="crfiqa: that paper's script.")
@click.option("--limit", "limits", type=float, multiple=True, help="How much is discarded at most. [default: .2 and .3]")
@click.option("--plot", type=click.Path(), help="Write the curves to this file: svg, png, pdf (extra: plot).")
@options
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
    found = compare(s, scores, mated=mated, **how, limits=limits or None, subjects=subjects_of(table), times=draws)
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
    tell(f"Error versus discard ({point})", rows, as_json, note)


@bench.command()
@click.argument("file", type=FILE)
@click.option("--threshold", type=float, help="Also FNMR and FMR at this similarity.")
@click.option("--far", "fars", type=float, multiple=True, help="TAR at this FAR. [default: .1, .01, .001, .0001]")
@click.option("--plot", type=click.Path(), help="Write the ROC to this file: svg, png, pdf (extra: plot).")
@options
def verification(file: str, threshold: float | None, fars: tuple[float, ...], plot: str | None, draws: int, as_json: bool) -> None:
    """AUC, EER and TAR@FAR of similarities.

    FILE is a CSV of comparisons: similarity, mated (0 or 1), and subject_a and subject_b for intervals over people.
    """
    from assay.bench.rows import numbers, read
    from assay.bench.verification import FARS, roc
    from assay.bench.verification import verification as judge

    table = read(file, ["similarity", "mated"])
    s, m = numbers(table, "similarity"), numbers(table, "mated")
    told = judge(s, m, threshold=threshold, fars=fars or FARS, subjects=subjects_of(table), times=draws)
    if plot:
        from assay.bench.plot import draw

        c = roc(s, m)
        draw({"": (c.fmr, c.tmr)}, plot, x="FMR", y="TAR", log=True)
    few = [f for f in fars or FARS if f"tar@{f:g}" not in told]
    note = f"{int(m.sum())} mated and {int((1 - m).sum())} non-mated comparisons"
    note += f", too few for FAR {', '.join(f'{f:g}' for f in few)}." if few else "."
    tell("Verification", [{"figure": k, "value": v} for k, v in told.items()], as_json, note)


@bench.command()
@click.argument("file", type=FILE)
@click.option("--opinion", default="opinion", show_default=True, help="The column that scores are held against.")
@click.option("--score", "names", multiple=True, help="A column with a score; all columns of numbers, if not given.")
@options
def correlation(file: str, opinion: str, names: tuple[str, ...], draws: int, as_json: bool) -> None:
    """SRCC, KRCC, PLCC (raw, and after the logistic) and RMSE of scores.

    FILE is a CSV of pictures: opinion, one column a score, and subject for intervals over photographs rather than rows.
    """
    from assay.bench.correlation import correlation as judge
    from assay.bench.rows import numbers, read

    table = read(file, [opinion, *names])
    rows = []
    for name in names or scores_of(table, {opinion}):
        told = judge(numbers(table, name), numbers(table, opinion), subjects=subjects_of(table), times=draws)
        rows.append({"score": name, **told})
    tell(f"Correlation with {opinion}", rows, as_json, f"{len(table[opinion])} rows; rmse in units of {opinion}, after the logistic.")


@bench.command()
@click.argument("scores", type=FILE)
@click.argument("labels", type=FILE)
@click.option("--score", help="SCORES is the table of `assay run --csv`; take this column of it.")
@click.option("--images", type=FOLDER, help="The pictures, for SRCC by resolution.")
@click.option("--net", type=FILE, help="The net as TorchScript, for the limits of 0.5 GFLOPs and 5 M parameters.")
@click.option("--side", default=352, show_default=True, help="The side of the square picture that the net is given.")
@options
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
    tell("VQualA-2025 face quality", [mine, *rows], as_json, note, figures=f, broken=list(told.broken),
          by_resolution={str(k): v for k, v in told.bins.items()})  # fmt: skip


@bench.command()
@click.argument("restored", type=FOLDER)
@click.argument("inputs", type=FOLDER)
@click.option("--metrics", default=",".join(MODELS), show_default=True, help="Judges without a reference, separated by commas.")
@click.option("--threshold", help="Likeness that a restored face must reach: a number, or published (for AdaFace). [default: from INPUTS]")
@click.option("--recogniser", type=FILE, help="Another recogniser as TorchScript, given N×3×112×112 in −1 to 1.")
@click.option("--csv", "csv_file", type=click.Path(), help="Every picture, one a row.")
@options
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
    tell(f"Restoration of {inputs} by {restored.name}", told.table(), as_json, note, passed=told.passed, score=told.score,
          official=told.official, worths=told.worths, thresholds=told.thresholds, missing=list(told.missing),
          failing=[{"file": r.file, "likeness": r.likeness} for r in told.failing])  # fmt: skip


@bench.command()
@click.argument("file", type=FILE)
@click.option("--value", default="score", show_default=True, help="The column that is compared: a score, or 0 and 1.")
@click.option("--group", default="group", show_default=True, help="The column with the group of each person; may be empty in a row.")
@options
def fairness(file: str, value: str, group: str, draws: int, as_json: bool) -> None:
    """Whether a score, or a rate, differs between groups.  FILE is a CSV with one row a person."""
    from assay.bench.fairness import fairness as judge
    from assay.bench.rows import numbers, read

    table = read(file, [value, group])
    told = judge(numbers(table, value), table[group], name=value, times=draws)
    rows = [{"group": s.group, "n": s.n, "mean": s.mean, "less the others": s.difference, "effect": s.effect, "size": s.size,
             "p (Holm)": s.p_holm} for s in told.slices]  # fmt: skip
    few = f" Too few to be shown: {', '.join(told.left_out)}." if told.left_out else ""
    tell(f"{value} by {group}", rows, as_json, told.says + few, gap=told.gap, gap_p=told.gap_p, left_out=told.left_out)


def _qualities(table: Table) -> dict[str, Floats]:
    """Scores of comparisons; of NAME_a and NAME_b the lower one, called NAME."""
    from assay.bench.edc import pair_quality
    from assay.bench.rows import numbers

    out = {}
    for name in scores_of(table, {"similarity", "mated"}):
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


for command in (detection, robustness, rows, attribution, forgetting, localisation, temporal):
    bench.add_command(command)
