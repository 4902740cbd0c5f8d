"""What the evidence of origin is worth: docs/authenticity.md, its figures and its picture.

    python recipes/origin.py measure DATA --part test --out test.jsonl                 # and with --generated BANK into the same file
    python recipes/origin_report.py verdicts DATA --out verdicts.jsonl                 # what `assay verify` says of photographs and fakes
    python recipes/origin_report.py stability DATA --out stability.jsonl               # and of one photograph saved in twelve ways
    python recipes/origin_report.py write test.jsonl --verdicts verdicts.jsonl --stability stability.jsonl --out docs/authenticity.md

DATA: pristine/*, camera/*, and for measuring alone faces/gan_real, faces/sg3, mos/avt_ai. A run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from assay.bench.detection import calibration_error
from assay.bench.resample import Figure, figures
from assay.bench.verification import auc, roc, tar_at_far
from assay.fusion import QUESTIONS, fitted, weigh_statistics
from assay.ops.calibration import cllr, least_cllr
from assay.runner import run
from assay.tasks import VERIFIED, evidence
from assay.types import CannotAssess
from forgeries import part, photographs
from origin import Row, asked, lines

PEERS = {  # of the same kinds of evidence elsewhere: pixel AUC after no save, q90 and q75, on other pictures than these
    "error levels (5 lines of PIL)": ".79 / .60 / .74; image AUC .66 / .38 / .47",
    "ghosts (Sherloq's way)": ".93 / .73 / .62; image AUC .26 to .58",
    "local residual energy": ".74 / .74 / .74; image AUC .48",
    "ZERO (grids)": "mean IoU .82 of splices saved losslessly, none found after a new save",
}
DRAWS = 300
REAL = ("camera/original", "camera/native_crop", "pristine/kodak", "pristine/gb82", "pristine/camera")
AI = ("craiyon", "dall-e", "glide", "midjourney", "stable_diffusion")
JOURNEYS = ("as it is", "q90", "q75", "resize .75")
TWELVE: dict[str, Callable[[Image.Image], tuple[Image.Image, dict[str, Any]]]] = {
    "JPEG 98": lambda im: (im, {"format": "JPEG", "quality": 98}),
    "JPEG 95": lambda im: (im, {"format": "JPEG", "quality": 95}),
    "JPEG 90": lambda im: (im, {"format": "JPEG", "quality": 90}),
    "JPEG 80": lambda im: (im, {"format": "JPEG", "quality": 80}),
    "JPEG 70": lambda im: (im, {"format": "JPEG", "quality": 70}),
    "JPEG 90, 4:4:4, progressive": lambda im: (im, {"format": "JPEG", "quality": 90, "subsampling": 0, "progressive": True}),
    "WebP 90": lambda im: (im, {"format": "WEBP", "quality": 90}),
    "WebP 75": lambda im: (im, {"format": "WEBP", "quality": 75}),
    "PNG": lambda im: (im, {"format": "PNG"}),
    "to 75 %, JPEG 90": lambda im: (_scaled(im, 0.75), {"format": "JPEG", "quality": 90}),
    "to 50 %, JPEG 90": lambda im: (_scaled(im, 0.5), {"format": "JPEG", "quality": 90}),
    "to 150 %, JPEG 90": lambda im: (_scaled(im, 1.5), {"format": "JPEG", "quality": 90}),
}


def _scaled(im: Image.Image, by: float) -> Image.Image:
    return im.resize((round(im.width * by), round(im.height * by)), Image.Resampling.LANCZOS)


def sources(data: Path, most: int) -> Iterator[tuple[str, bool, Path]]:
    """Every picture with its source and whether it is a fake; photographs of the test part alone, camera originals all."""
    for folder in REAL:
        found = sorted(p for p in (data / folder).iterdir() if p.is_file())
        mine = found if folder == "camera/original" else [p for p in found if part(p.name) == "test"][:most]
        yield from ((folder, False, p) for p in mine)
    for name, folder, like in (("PGGAN", "gan_real", "ai_pggan*"), ("StyleGAN", "gan_real", "ai_stylegan*"), ("StyleGAN3", "sg3", "ai*")):
        yield from ((name, True, p) for p in sorted((data / "faces" / folder).glob(like))[:most])
    for name in AI:
        yield from ((name, True, p) for p in sorted((data / "mos/avt_ai" / name).iterdir())[:most])
    yield from (("faces, real", False, p) for p in sorted((data / "faces/gan_real").glob("real*"))[:most])
    yield from (("avt_ai, own photographs", False, p) for p in sorted((data / "mos/avt_ai/own").iterdir())[:most])


def travelled(path: Path, journey: str) -> bytes:
    """The bytes of the file, or of what is left of it (without metadata) after a journey."""
    if journey == JOURNEYS[0]:
        return path.read_bytes()
    with Image.open(path) as opened:
        im = opened.convert("RGB")
    if journey in TWELVE:
        im, how = TWELVE[journey](im)
    elif journey.startswith("q"):
        how = {"format": "JPEG", "quality": int(journey[1:])}
    else:
        im, how = _scaled(im, float(journey.split()[1])), {"format": "PNG"}
    out = io.BytesIO()
    im.save(out, **how)
    return out.getvalue()


def judged(job: tuple[str, bool, Path, str]) -> Row:
    """The verdict on one file."""
    torch.set_num_threads(1)
    source, fake, path, journey = job
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture"
        file.write_bytes(travelled(path, journey))
        item = next(run(evidence(), [file], verdicts=True, workers=1))
    told: Row = {"source": source, "fake": fake, "name": path.name, "journey": journey}
    if item.origin is None:
        return told | {"label": "unread", "llr": {}, "probability": None}
    return told | {
        "label": item.origin.label,
        "llr": {w.question: round(w.llr, 4) for w in item.origin.weighed},
        "probability": item.origin.probability,
    }


def collect(jobs: Iterable[tuple[str, bool, Path, str]], out: Path, workers: int) -> None:
    done = {(r["source"], r["name"], r["journey"]) for r in _rows(out)} if out.is_file() else set()
    left = [j for j in jobs if (j[0], j[2].name, j[3]) not in done]
    with out.open("a", encoding="utf-8") as file, ProcessPoolExecutor(workers) as pool:
        for i, row in enumerate(pool.map(judged, left, chunksize=2), 1):
            file.write(json.dumps(row) + "\n")
            file.flush()
            if i % 20 == 0:
                print(f"{i} of {len(left)}", file=sys.stderr, flush=True)


def _rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def verdicts(args: argparse.Namespace) -> None:
    collect(((s, f, p, j) for s, f, p in sources(args.data, args.most) for j in JOURNEYS), args.out, args.workers)


def stability(args: argparse.Namespace) -> None:
    photos = photographs(args.data, "test", ("camera/original", "pristine/kodak", "camera/native_crop"))[:: args.every]
    collect(((p.parent.name, False, p, j) for p in photos for j in (JOURNEYS[0], *TWELVE)), args.out, args.workers)


def measured(rows: list[Row], name: str) -> dict[str, Figure]:
    """One algorithm after one way: image AUC over all pictures it answered, pixel AUC where it drew, alarms on authentic and edited."""
    mine = [r for r in rows if name in r["statistic"]]
    fake = np.array([bool(r["kind"]) for r in mine])
    score = np.array([r["statistic"][name] for r in mine])
    alarm = np.array([r["alarm"].get(name, False) for r in mine])
    pixel = np.array([r["auc"].get(name, np.nan) for r in mine])
    if not len(mine) or not fake.any() or fake.all():
        return {}

    def measure(weights: np.ndarray[Any, Any]) -> dict[str, float]:
        at = np.repeat(np.arange(len(mine)), weights.astype(int))
        f = fake[at]
        if not f.any() or f.all():
            raise CannotAssess("one class alone")
        told = {"auc": auc(roc(score[at], f)), "false": float(alarm[at][~f].mean()), "found": float(alarm[at][f].mean())}
        drawn = pixel[at][f & ~np.isnan(pixel[at])]
        return told | ({"pixel": float(drawn.mean())} if len(drawn) else {})

    try:
        return figures(measure, len(mine), subjects=[np.array([r["name"] for r in mine])], times=DRAWS)
    except CannotAssess:
        return {}


def cell(f: Figure | None, digits: int = 2) -> str:
    if f is None:
        return "–"
    ends = "" if f.interval is None else f" ({f.interval[0]:.{digits}f}–{f.interval[1]:.{digits}f})"
    return f"{f.value:.{digits}f}{ends}"


def cue_table(rows: list[Row]) -> Iterator[str]:
    names = sorted({n for r in rows for n in r["statistic"]})
    ways = list(dict.fromkeys(r["way"] for r in rows))
    drawn = {n: sum(n in r["auc"] for r in rows) for n in names}
    yield "| algorithm | after | pictures | image AUC | pixel AUC (where it drew) | alarms on authentic | alarms on edited | CPU s |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for n in names:
        for way in ways:
            mine = [r for r in rows if r["way"] == way]
            if not (told := measured(mine, n)):
                continue
            count = sum(n in r["statistic"] for r in mine)
            seconds = float(np.median([r["seconds"][n] for r in mine if n in r["seconds"]]))
            pixel = f"{cell(told.get('pixel'))} of {sum(n in r['auc'] for r in mine)}" if drawn[n] else "no map"
            values = (n, way, str(count), cell(told["auc"]), pixel, cell(told["false"], 3), cell(told["found"], 3), f"{seconds:.2f}")
            yield "| " + " | ".join(values) + " |"


def kind_table(rows: list[Row]) -> Iterator[str]:
    """Image AUC by kind of forgery, without a later save: what each algorithm is for."""
    raw = [r for r in rows if r["way"] == "raw"]
    kinds = sorted({r["kind"] for r in raw} - {""})
    yield "| algorithm | " + " | ".join(kinds) + " |"
    yield "|---|" + "--:|" * len(kinds)
    for n in sorted({n for r in raw for n in r["statistic"]}):
        found = (measured([r for r in raw if r["kind"] in ("", k)], n).get("auc") for k in kinds)
        yield f"| {n} | " + " | ".join("–" if f is None else f"{f.value:.2f}" for f in found) + " |"


def fused_rows(
    rows: list[Row], question: str, without: tuple[str, ...] = ()
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[float]]:
    """Ratios of all pictures of a question, whether they are altered, and how usual each is among authentic ones."""
    llr, fake, usual = [], [], []
    for r in asked(rows, question):
        said = {n: v for n, v in r["statistic"].items() if n not in without}
        mine = next((w for w in weigh_statistics(said, r["file"]) if w.question == question), None)
        if mine is not None:
            llr.append(mine.llr)
            fake.append(bool(r["kind"]))
            usual.append(mine.authentic)
    return np.array(llr), np.array(fake), usual


def fused_table(rows: list[Row]) -> Iterator[str]:
    yield "| question | pictures | AUC | TPR at 5 % FPR | Cllr | least Cllr | ECE | Brier | authentic called so | altered called so |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for q, by, without in ((q, *way) for q in QUESTIONS if q in fitted() for way in (("verify", ()), ("inspect", VERIFIED))):
        llr, fake, usual = fused_rows(rows, q, without)
        if not len(llr) or not fake.any() or fake.all():
            continue
        curve, chance = roc(llr, fake), 1 / (1 + np.exp(-llr))
        called = np.array([u <= 0.005 for u in usual]) & (llr > 0)
        values = [auc(curve), tar_at_far(curve, 0.05), cllr(llr, fake), least_cllr(llr, fake), calibration_error(chance, fake)]
        values += [float(((chance - fake) ** 2).mean()), float(called[~fake].mean()), float(called[fake].mean())]
        yield f"| {q}, `{by}` | {len(llr)} | " + " | ".join(f"{v:.3f}" for v in values) + " |"


def verdict_table(rows: list[Row]) -> Iterator[str]:
    labels = ("camera original", "edited", "generated", "inconclusive", "unread")
    yield "| source | after | pictures | " + " | ".join(labels) + " | AUC of generated |"
    yield "|---|---|--:|" + "--:|" * (len(labels) + 1)
    real = [r for r in rows if not r["fake"]]
    for source in dict.fromkeys(r["source"] for r in rows):
        for journey in JOURNEYS:
            mine = [r for r in rows if r["source"] == source and r["journey"] == journey]
            if not mine:
                continue
            count = Counter(r["label"] for r in mine)
            yield (
                f"| {source} | {journey} | {len(mine)} | "
                + " | ".join(str(count[x]) for x in labels)
                + f" | {_against(mine, real, journey)} |"
            )


def _against(mine: list[Row], real: list[Row], journey: str) -> str:
    """A generator's pictures against all photographs that travelled alike."""
    if not mine[0]["fake"]:
        return ""
    both = [r for r in (*mine, *(r for r in real if r["journey"] == journey)) if "generated" in r["llr"]]
    fake = np.array([r["fake"] for r in both])
    return f"{auc(roc([r['llr']['generated'] for r in both], fake)):.2f}" if fake.any() and not fake.all() else "–"


def summary(rows: list[Row]) -> Iterator[str]:
    """False alarms on camera originals, and how many are answered."""
    shot = [r for r in rows if r["source"] == "camera/original" and r["journey"] == JOURNEYS[0]]
    said = Counter(r["label"] for r in shot)
    alarms = sum(r["label"] == "generated" for r in shot)
    silent = ("inconclusive", "unread")
    answered = sum(r["label"] not in silent for r in rows if r["journey"] == JOURNEYS[0])
    every = sum(r["journey"] == JOURNEYS[0] for r in rows)
    known = sum(r["label"] not in silent for r in shot)
    saved = [r["label"] for r in rows if r["source"] == "camera/original" and r["journey"] != JOURNEYS[0]]
    yield (
        f"Of {len(shot)} files as cameras and programs left them, {alarms} are called generated; {said['camera original']} camera "
        f"original, {said['edited']} edited, {said['inconclusive']} inconclusive: {known / max(1, len(shot)):.0%} are answered. "
        f"Saved again without what they say of themselves, {saved.count('edited')} of {len(saved)} are called edited and "
        f"{saved.count('generated')} generated. Of all {every} files as they are, {answered} ({answered / max(1, every):.0%}) are answered."
    )


def stable_table(rows: list[Row]) -> Iterator[str]:
    first = {(r["source"], r["name"]): r["label"] for r in rows if r["journey"] == JOURNEYS[0]}
    yield "| after | pictures | same verdict | became inconclusive | was inconclusive, is answered | flips |"
    yield "|---|--:|--:|--:|--:|--:|"
    total: Counter[str] = Counter()
    for journey in TWELVE:
        count: Counter[str] = Counter()
        for r in rows:
            if r["journey"] == journey:
                count[_change(first[r["source"], r["name"]], r["label"])] += 1
        total += count
        yield f"| {journey} | {sum(count.values())} | {count['same']} | {count['silent']} | {count['spoke']} | {count['flip']} |"
    yield f"| all | {sum(total.values())} | {total['same']} | {total['silent']} | {total['spoke']} | {total['flip']} |"


def _change(before: str, after: str) -> str:
    if before == after:
        return "same"
    return "silent" if after == "inconclusive" else "spoke" if before == "inconclusive" else "flip"


def write(args: argparse.Namespace) -> None:
    rows = lines(*args.rows)
    edits = asked(rows, "edited")
    told = _rows(args.verdicts) if args.verdicts else []
    kept = _rows(args.stability) if args.stability else []
    sheet = [
        HEAD,
        *cue_table(edits),
        "",
        KINDS_SAY,
        "",
        *kind_table(edits),
        "",
        "Elsewhere (pixel AUC raw / q90 / q75, on other pictures):",
        "",
    ]
    sheet += [f"- {n}: {says}" for n, says in PEERS.items()]
    sheet += ["", FUSED_SAYS, "", *fused_table(rows)]
    if told:
        sheet += ["", VERDICTS_SAY, "", *summary(told), "", *verdict_table(told)]
    if kept:
        sheet += ["", STABLE_SAYS, "", *stable_table(kept)]
    args.out.write_text("\n".join(sheet) + "\n", "utf-8")
    draw(rows, args.out.with_suffix(".png"))


def draw(rows: list[Row], path: Path) -> None:
    """Said and true chances of both questions (does 30 % mean 30 %?), and image AUC by algorithm and way."""
    from matplotlib.figure import Figure as Sheet

    sheet = Sheet(figsize=(11, 4.6), layout="constrained")
    left, right = sheet.subplots(1, 2, width_ratios=(1, 1.6))
    for q in (q for q in QUESTIONS if q in fitted()):
        llr, fake, _ = fused_rows(rows, q)
        if not len(llr):
            continue
        odds = np.log(max(1, fake.sum()) / max(1, (~fake).sum()))
        chance = 1 / (1 + np.exp(-(llr + odds)))
        parts = np.array_split(np.argsort(chance, kind="stable"), 10)
        left.plot([chance[p].mean() for p in parts], [fake[p].mean() for p in parts], "o-", label=q)
    left.plot([0, 1], [0, 1], color="grey", linewidth=1)
    left.set(xlabel="chance that was said", ylabel="share that was so", title="Does 30 % mean 30 %?")
    left.legend(frameon=False)
    edits = asked(rows, "edited")
    names, ways = sorted({n for r in edits for n in r["statistic"]}), list(dict.fromkeys(r["way"] for r in edits))
    for k, way in enumerate(ways):
        found = [measured([r for r in edits if r["way"] == way], n).get("auc") for n in names]
        at = np.arange(len(names)) + (k - (len(ways) - 1) / 2) * 0.2
        right.barh(at, [np.nan if f is None else f.value for f in found], 0.18, label=way)
    right.axvline(0.5, color="grey", linewidth=1)
    right.set(yticks=range(len(names)), yticklabels=names, xlim=(0.4, 1), xlabel="AUC, edited against authentic")
    right.legend(frameon=False, ncols=2)
    sheet.savefig(path, dpi=110)


HEAD = """# Is it real? What the evidence is worth

Written by `recipes/origin_report.py`. Photographs that no threshold, curve or net was fitted on; two forgeries of each (splices,
scaled splices, copies, turned copies, removals, blur, noise, recolouring), with one history of JPEG saves before and one way after.
Brackets: 95 % over photographs. A forgery that leaves no trace of the kind an algorithm looks for counts against it all the same.

![Calibration and AUC](authenticity.png)

## Every algorithm for itself
"""
KINDS_SAY = "By kind of forgery, before any later save (image AUC):"
FUSED_SAYS = """## All of it together

Ratios of `recipes/origin.py`, on photographs of the test part. Cllr in bits: 0 is perfect, 1 says nothing; "least" is what better
calibration could reach. `inspect` leaves out the slow algorithms (`copy_move`, `splices`), and weighs the others by themselves.
Chances for ECE and Brier at even odds. The last two columns: how many of each class the verdict names.

Only edits are calibrated. What was trained on reconstructions did not carry over to real generators (generated.md), and ratios fitted
on reconstructions would claim what is not so: of generated pictures nothing is weighed, and no chance is told.

`splices` weighs most. It learned from forgeries that a program made of other photographs, of kinds like these; on forgeries that people
made (CASIA v1) it tells pictures apart much worse ([splices.md](splices.md)), so the rows below are what to expect of edits like these."""
VERDICTS_SAY = "## The verdict of `assay verify`, by source"
STABLE_SAYS = """## The same photograph, saved in twelve ways

A flip is another answer; falling silent is what a verdict should do when its evidence is gone."""

if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = cli.add_subparsers(required=True)
    for name, do in (("verdicts", verdicts), ("stability", stability)):
        step = steps.add_parser(name)
        step.add_argument("data", type=Path)
        step.add_argument("--workers", type=int, default=2)
        step.add_argument("--most", type=int, default=16, help="verdicts: pictures of a source (camera originals: all)")
        step.add_argument("--every", type=int, default=2, help="stability: every so manyth photograph")
        step.add_argument("--out", type=Path, required=True)
        step.set_defaults(do=do)
    last = steps.add_parser("write")
    last.add_argument("rows", type=Path, nargs="+")
    last.add_argument("--verdicts", type=Path)
    last.add_argument("--stability", type=Path)
    last.add_argument("--out", type=Path, required=True)
    last.set_defaults(do=write)
    given = cli.parse_args()
    given.do(given)
