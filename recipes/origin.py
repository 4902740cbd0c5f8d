"""Calibrates the evidence of origin: what every algorithm says of authentic, edited and generated pictures, and how to weigh it.

    python recipes/origin.py measure DATA --part interval --out interval.jsonl
    python recipes/origin.py measure DATA --part interval --generated BANK --out interval.jsonl       # adds reconstructions
    python recipes/origin.py fit interval.jsonl --out src/assay/weights/origin.json
    python recipes/origin.py measure DATA --part test --out test.jsonl                                 # for recipes/origin_report.py

DATA holds pristine/* and camera/*; authentic and edited pictures are those of recipes/forgeries.py. BANK is what
recipes/reconstructions.py makes: crops of photographs, and the same crops through decoders.
Photographs of the part "interval" calibrate, those of the part "test" are reported on; no net was trained on either.
A run goes on where it stopped: one line of JSON a picture. Algorithms may be measured apart (--only) into files of their own; `fit`
and the report join what several files say of one picture.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assay.catalog import index
from assay.fusion import KINDS, QUESTIONS, kind
from assay.io.decode import read
from assay.ops.calibration import LEAST, Curve, fused, isotonic
from assay.runner import assess
from assay.tasks import UNASKED, VERIFIED
from assay.types import CannotAssess, Picture, Result
from forgeries import WAYS, Case, cases_of, photographs, saved

PHOTOGRAPHS, RECONSTRUCTIONS = 120, 20  # crops of a bank: as they were, and of each decoder
TIMES = 200  # draws of photographs, for the interval
GRID = 25  # points of the last curve
FEW = 100  # pictures of one kind of file at which its own curve weighs as much as that of all (auth: hierarchical shrinkage)
Row = dict[str, Any]


def cues() -> list[str]:
    """The algorithms of the room that look at the pixels of one file."""
    rows = {n: r for n, r in index().items() if r["at"].startswith("assay.authenticity.") and r["takes"] == ["file"]}
    return [n for n in rows if n not in (*UNASKED, "metadata", "manifest", "thumbnail", "error_level", "noise_residual")]


def look(picture: Picture, names: Iterable[str], mask: np.ndarray[Any, Any] | None = None) -> Row:
    """Statistics, alarms and seconds by algorithm, the areas under the curve of their maps where there is a mask, and the kind of file."""
    told: Row = {"statistic": {}, "alarm": {}, "auc": {}, "seconds": {}}
    results: list[Result] = []
    for name in names:
        start = time.process_time()
        try:
            r = assess(name, picture)
        except CannotAssess:
            continue
        told["seconds"][name] = round(time.process_time() - start, 3)
        results.append(r)
        if isinstance(s := r.data.get("statistic"), int | float):
            told["statistic"][name] = float(s)
        told["alarm"][name] = any(e.points_to in ("edited", "generated") for e in r.evidence)
        if mask is not None and mask.any() and r.map is not None and r.map.ndim == 2:
            told["auc"][name] = pixel_auc(r.map, mask)
    return told | {"file": kind(picture.media.format, results)}


def pixel_auc(map_: torch.Tensor, mask: np.ndarray[Any, Any]) -> float:
    """How well a map, brought to the size of the mask, tells the pixels of the mask from the others; ties by half."""
    from scipy.stats import rankdata

    drawn = torch.nn.functional.interpolate(map_[None, None].float(), mask.shape, mode="bilinear", align_corners=False)[0, 0].numpy()
    ranks, n, m = rankdata(drawn[::2, ::2]), int(mask[::2, ::2].sum()), mask[::2, ::2].size
    return float((ranks.reshape(drawn[::2, ::2].shape)[mask[::2, ::2]].sum() - n * (n + 1) / 2) / (n * (m - n))) if 0 < n < m else 0.5


Job = tuple[argparse.Namespace, int, frozenset[tuple[str, str, str]], tuple[str, ...]]


def rows_of(job: Job) -> list[Row]:
    """What is not measured yet of one photograph and its forgeries, or of one file of a bank."""
    torch.set_num_threads(1)
    args, i, done, names = job
    photos = [] if args.generated else photographs(args.data, args.part)
    found = made(sources(args)[i]) if args.generated else cases_of(photos, i, per_photo=args.forgeries)
    out = []
    for case in found:
        for way in args.ways:
            if (case.name, case.kind, way) not in done:
                data, mask = saved(case, way)
                out.append({"name": case.name, "kind": case.kind, "history": case.history, "way": way} | look(read(data), names, mask))
    return out


def sources(args: argparse.Namespace) -> list[Path]:
    """The photographs of a part, or the files of a bank."""
    if args.generated:
        return sorted((args.generated / {"interval": "validate"}.get(args.part, args.part)).glob("*.npy"))
    return photographs(args.data, args.part)


def made(file: Path) -> Iterator[Case]:
    """Reconstructions, whose kind is "generated" and the decoder, or the same crops untouched, whose kind is ""."""
    label = "" if file.stem == "photograph" else f"generated: {file.stem}"
    for i, x in enumerate(np.load(file, mmap_mode="r")[: PHOTOGRAPHS if not label else RECONSTRUCTIONS]):
        pixels = np.ascontiguousarray(x.transpose(1, 2, 0))
        yield Case(f"crop of {i}", label, None, pixels, np.zeros(pixels.shape[:2], bool))


def measure(args: argparse.Namespace) -> None:
    rows = lines(args.out) if args.out.is_file() else []
    done = frozenset((r["name"], r["kind"], r["way"]) for r in rows)
    names = ("quantisation", *args.only) if args.only else tuple(cues())  # quantisation tells the kind of file
    places = range(0, len(sources(args)), args.every)
    start, count = time.time(), 0
    with args.out.open("a", encoding="utf-8") as out, ProcessPoolExecutor(args.workers) as pool:
        for found in pool.map(rows_of, ((args, i, done, names) for i in places)):
            out.writelines(json.dumps(row) + "\n" for row in found)
            out.flush()
            count += 1
            print(f"{count} of {len(places)}, {(time.time() - start) / 60:.1f} minutes", file=sys.stderr, flush=True)


def lines(*paths: Path) -> list[Row]:
    """The rows of all files; what several say of one picture is joined."""
    found: dict[tuple[str, str, str], Row] = {}
    for path in paths:
        for row in map(json.loads, path.read_text("utf-8").splitlines()):
            known = found.setdefault((row["name"], row["kind"], row["way"]), row)
            for part_of in ("statistic", "alarm", "auc", "seconds"):
                known[part_of] |= row[part_of]
    return list(found.values())


def asked(rows: list[Row], question: str) -> list[Row]:
    """The pictures of one question: authentic ones, and those so altered. Of crops of reconstructions their own originals."""
    crops = question == "generated"
    return [r for r in rows if r["name"].startswith("crop of ") == crops]


def fit_question(rows: list[Row], named: list[str]) -> Row:
    """Curves by algorithm and kind of file, weights, the last curve with its interval, and the ratios of all pictures."""
    altered = np.array([bool(r["kind"]) for r in rows], dtype=float)
    curves = {n: found for n in named if (found := _curves(rows, altered, n))}
    llrs = np.array([[curves[n][r["file"]](r["statistic"][n]) if n in r["statistic"] else np.nan for n in curves] for r in rows])
    bias, shares = fused(llrs, altered)
    raw = bias + np.nan_to_num(llrs) @ shares
    grid, last = _last(raw, altered, np.array([r["name"] for r in rows]))
    return {
        "curves": {n: {k: {"scores": _short(c.scores), "llrs": _short(c.llrs)} for k, c in of.items()} for n, of in curves.items()},
        "bias": round(bias, 4),
        "weights": dict(zip(curves, _short(shares), strict=True)),
        "final": {"scores": _short(grid)} | {k: _short(v) for k, v in last.items()},
        "authentic": sorted(_short(raw[altered == 0])),
        "altered": sorted(_short(raw[altered == 1])),
    }


def _curves(rows: list[Row], altered: np.ndarray[Any, Any], name: str) -> dict[str, Curve]:
    """For every kind of file; drawn to the curve of all where pictures are few."""
    has = np.array([name in r["statistic"] for r in rows])
    x = np.array([r["statistic"].get(name, 0.0) for r in rows])
    if min(altered[has].sum(), (1 - altered[has]).sum()) < LEAST:
        return {}
    pooled = isotonic(x[has], altered[has])
    out = {}
    for k in KINDS:
        mine = has & np.array([r["file"] == k for r in rows])
        try:
            own = isotonic(x[mine], altered[mine])
        except CannotAssess:
            out[k] = pooled
            continue
        share = mine.sum() / (mine.sum() + FEW)
        at = sorted({*own.scores, *pooled.scores})
        out[k] = Curve(tuple(at), tuple(share * own(v) + (1 - share) * pooled(v) for v in at))
    return out


def _last(raw: np.ndarray[Any, Any], altered: np.ndarray[Any, Any], names: np.ndarray[Any, Any]) -> tuple[Any, dict[str, Any]]:
    """The fused ratio calibrated as a whole, with its interval over draws of photographs."""
    grid = np.unique(np.quantile(raw, np.linspace(0, 1, GRID)))
    sources, rng = np.unique(names), np.random.default_rng(0)
    rows_of = {s: np.flatnonzero(names == s) for s in sources}
    drawn = []
    for _ in range(TIMES):
        at = np.concatenate([rows_of[s] for s in rng.choice(sources, len(sources))])
        curve = isotonic(raw[at], altered[at])
        drawn.append([curve(v) for v in grid])
    curve = isotonic(raw, altered)
    middle = np.array([curve(v) for v in grid])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return grid, {"llrs": middle, "low": np.minimum(low, middle), "high": np.maximum(high, middle)}


def _short(values: Iterable[float]) -> list[float]:
    return [float(f"{v:.5g}") for v in values]


def fit(args: argparse.Namespace) -> None:
    rows = lines(*args.rows)
    questions = {}
    for q in QUESTIONS:
        mine = asked(rows, q)
        if min(sum(bool(r["kind"]) for r in mine), sum(not r["kind"] for r in mine)) >= LEAST:
            named = sorted({n for r in mine for n in r["statistic"]})
            questions[q] = fit_question(mine, named)
            if quick := [n for n in named if n not in VERIFIED]:  # what `inspect` asks
                questions[q]["quick"] = fit_question(mine, quick)
            for of, table in (("with all", questions[q]), ("without the slow ones", questions[q].get("quick", {"weights": {}}))):
                print(q, of, len(mine), "pictures;", ", ".join(f"{n} {w:.2f}" for n, w in table["weights"].items()))
    told = {"made_by": "recipes/origin.py", "pictures": len(rows), "photographs": len({r["name"] for r in rows}), "questions": questions}
    args.out.write_text(json.dumps(told, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = cli.add_subparsers(required=True)
    first = steps.add_parser("measure")
    first.add_argument("data", type=Path)
    first.add_argument("--part", choices=["train", "interval", "test"], default="interval")
    first.add_argument("--generated", type=Path, help="a bank of reconstructions instead of forgeries")
    first.add_argument("--ways", nargs="+", choices=WAYS, default=["raw", "q90", "q75", "resized"])
    first.add_argument("--forgeries", type=int, default=2, help="of every photograph")
    first.add_argument("--every", type=int, default=1, help="only every so manyth photograph")
    first.add_argument("--only", nargs="+", help="these algorithms alone")
    first.add_argument("--workers", type=int, default=2)
    first.add_argument("--out", type=Path, required=True)
    first.set_defaults(do=measure)
    second = steps.add_parser("fit")
    second.add_argument("rows", type=Path, nargs="+")
    second.add_argument("--out", type=Path, required=True)
    second.set_defaults(do=fit)
    args = cli.parse_args()
    do = args.do
    del args.do  # what is left goes to other processes
    do(args)
