"""What the localiser of splices is worth: docs/splices.json and the tables of docs/splices.md.

    python recipes/splices_report.py DATA SEEN look              # statistics and baselines of all pictures, kept in SEEN
    python recipes/splices_report.py DATA SEEN limits --weights src/assay/weights/splices.safetensors     # sets the alarm
    python recipes/splices_report.py DATA SEEN judge --weights src/assay/weights/splices.safetensors --out docs/splices.json

The alarm is set on photographs of the part "interval" and on those of Kodak and gb82 as they are; all figures are of CASIA v1 (never
trained on; research only) and of the part "test" of our own photographs. Authentic and forged pictures are saved alike. CASIA's files
as they are would give the answer away: the two kinds were saved with different tables.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import forgeries as forgeries_module
from assay.bench.localisation import Fit, best_common, fit, localisation
from assay.bench.maps import sized
from assay.nets.splices import Splices
from assay.ops.localtraces import traces
from forgeries import Case, cases, part, photographs, saved
from splices_data import decoded, ghosts, graininess, seen, steps

WAYS = ("q95", "q90", "q75", "resized")  # CASIA; ours are raw (PNG) instead of q95
OURS = ("raw", "q90", "q75", "resized")
METHODS = ("splices", "splices × confidence", "JPEG ghosts", "noise level")
MARGIN = 0.25  # of the net's scale: the alarm is so far above the largest that an untouched photograph reaches
DRAWS = 300
SIDE = 448  # pixels: our own photographs are cut to it at most
SPARED = {"q95": 2, "q90": 6, "q75": 6, "resized": 6}  # of these one picture of CASIA in so many


class Look(NamedTuple):
    """One file to be looked at."""

    name: str
    kind: str
    way: str
    data: bytes
    mask: np.ndarray[Any, Any]


def casia(data: Path) -> Iterator[Look]:
    folder = data / "forgery/casia1"
    files = sorted(p for p in folder.iterdir() if p.suffix == ".jpg")
    for way in WAYS:
        for path in files[:: SPARED[way]]:
            with Image.open(path) as im:
                x = np.array(im.convert("RGB"))
            mask = np.zeros(x.shape[:2], bool)
            if path.name.startswith("Sp"):
                with Image.open(path.with_name(f"{path.stem}_mask.png")) as im:
                    mask = np.array(im.convert("L")) > 127
            kind = {"Au": "", "Sp_S": "copy-move", "Sp_D": "splice"}[path.name[: 4 if path.name.startswith("Sp") else 2]]
            yield Look(path.name, kind, way, *saved(Case(path.name, kind, None, x, mask), way))


def ours(data: Path, which: str) -> Iterator[Look]:
    """Photographs cut to SIDE: of "interval" all, one way each, and Kodak and gb82 whole, which the net learned from, so that they
    may raise the alarm but hardly lower it; of "test" every second, two ways, and two forgeries of every eighth."""
    forgeries_module.LONGEST = SIDE
    photos = photographs(data, which)
    for i, path in enumerate(photos):
        if which == "test" and i % 2:
            continue
        forgeries = 2 if which == "test" and i % 8 == 0 else 0
        for case in islice(cases([path, *photos], per_photo=forgeries, seed=i // 4), 1 + forgeries):
            for way in OURS if case.kind else OURS[i // 2 % 2 :: 2] if which == "test" else OURS[i % 4 : i % 4 + 1]:
                yield Look(case.name, case.kind, way, *saved(case, way))
    if which == "interval":  # whole photographs too: the larger a picture, the more places may look odd
        for path in sorted([*(data / "pristine/kodak").iterdir(), *(data / "pristine/gb82").iterdir()]):
            if part(path.name) != "test":
                with Image.open(path) as im:
                    yield Look(path.name, "", "raw", path.read_bytes(), np.zeros((im.height, im.width), dtype=bool))


def look(folder: Path, what: str, files: Iterator[Look]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for n, f in enumerate(files):
        path = folder / f"{what}-{n:05d}.npz"
        if path.exists():
            continue
        x = decoded(f.data)
        found, _ = seen(f.data)
        more = {}
        if what == "interval":  # as larger pictures are seen
            more = {
                f"found{k}": traces(torch.from_numpy(x).permute(2, 0, 1).contiguous(), steps(f.data), least=k)[0].half().numpy()
                for k in (2, 3)
            }
        else:
            more = {"ghosts": ghosts(x).astype(np.float16), "graininess": graininess(x).astype(np.float16)}
        np.savez(
            path.with_suffix(".tmp.npz"),
            found=found.astype(np.float16),
            mask=np.packbits(f.mask, axis=1),
            shape=f.mask.shape,
            name=f.name,
            kind=f.kind,
            way=f.way,
            **more,
        )
        path.with_suffix(".tmp.npz").rename(path)
        if n % 50 == 0:
            print(what, n, flush=True)


def net(weights: Path) -> tuple[Splices, torch.Tensor]:
    tensors = {k: v.float() for k, v in load_file(weights).items()}
    limits = tensors.pop("limits")
    made = Splices()
    made.load_state_dict(tensors, strict=False)
    return made.eval(), limits


@torch.no_grad()
def limits(folder: Path, weights: Path) -> None:
    """The alarm for squares of 8, of 16 and of 24 and more pixels, into the file of weights."""
    model, _ = net(weights)
    told: dict[str, list[float]] = {"found": [], "found2": [], "found3": []}
    for path in sorted(folder.glob("interval-*.npz")):
        with np.load(path) as row:
            for name, values in told.items():
                values.append(float(model(torch.from_numpy(row[name]).float()[None]).whole[0]))
    found = torch.tensor([max(v) + MARGIN for v in told.values()], dtype=torch.float32)
    print({k: (len(v), np.round(np.quantile(v, (0.5, 0.9, 0.99, 1)), 2).tolist()) for k, v in told.items()})
    tensors = load_file(weights)
    save_file(tensors | {"limits": found}, weights)


class Judged(NamedTuple):
    name: str
    kind: str
    way: str
    statistic: float
    confidence: float
    fits: dict[str, Fit]


@torch.no_grad()
def judged(folder: Path, what: str, model: Splices) -> list[Judged]:
    out = []
    for path in sorted(folder.glob(f"{what}-*.npz")):
        with np.load(path) as row:
            h, w = row["shape"]
            mask = np.unpackbits(row["mask"], axis=1, count=w).astype(bool)
            seen = model(torch.from_numpy(row["found"]).float()[None])
            p, c = seen.map[0].sigmoid().numpy(), seen.confidence[0].sigmoid().numpy()
            maps = dict(zip(METHODS, (p, p * c, row["ghosts"], row["graininess"]), strict=True))
            fits = {}
            for name, m in maps.items():
                full = sized(
                    np.pad(m.astype(np.float64), ((0, -(-h // 8) - m.shape[0]), (0, -(-w // 8) - m.shape[1])), mode="edge"),
                    (-(-h // 8) * 8, -(-w // 8) * 8),
                )
                fits[name] = fit(full[:h:2, :w:2].clip(0, 1), mask[::2, ::2])
            out.append(Judged(str(row["name"]), str(row["kind"]), str(row["way"]), float(seen.whole[0]), float(c.mean()), fits))
    return out


def figures(rows: list[Judged], method: str, *, scores: bool) -> dict[str, Any]:
    fits = [r.fits[method] for r in rows]
    told = localisation(fits, score=[r.statistic for r in rows] if scores else None, subjects=[r.name for r in rows], times=DRAWS)
    out: dict[str, Any] = {
        k: {"value": round(f.value, 4), "interval": f.interval and [round(v, 4) for v in f.interval]} for k, f in told.items()
    }
    return out | {"changed": sum(f.f1 is not None for f in fits), "authentic": sum(f.f1 is None for f in fits)}


def report(folder: Path, weights: Path) -> dict[str, Any]:
    model, alarms = net(weights)
    out: dict[str, Any] = {"alarm": [round(float(a), 4) for a in alarms]}
    for what in ("casia", "test"):
        rows = judged(folder, what, model)
        ways = list(dict.fromkeys(r.way for r in rows))
        part: dict[str, Any] = {"by_way": {}, "by_kind": {}, "alarms": {}, "common_threshold": {}}
        for way in ways:
            mine = [r for r in rows if r.way == way]
            clean, forged = ([r for r in mine if bool(r.kind) == k] for k in (False, True))
            part["by_way"][way] = {m: figures(mine, m, scores=m == METHODS[0]) for m in METHODS}
            part["common_threshold"][way] = {m: best_common([r.fits[m] for r in mine]) for m in METHODS}
            part["alarms"][way] = {
                n: round(float(np.mean([r.statistic >= float(alarms[0]) for r in some])), 4)
                for n, some in (("authentic", clean), ("forged", forged))
            }
            for kind in sorted({r.kind for r in forged}):
                some = [r for r in mine if r.kind in ("", kind)]
                part["by_kind"].setdefault(kind, {})[way] = figures(some, METHODS[0], scores=True)
        for r in [r for r in rows if r.kind]:
            part.setdefault("trust", []).append((r.confidence, r.fits[METHODS[0]].f1))
        trust = np.array(part.pop("trust"))
        low = trust[:, 0] < np.median(trust[:, 0])
        part["f1_by_confidence"] = {
            "below its median": round(float(trust[low, 1].mean()), 4),
            "above": round(float(trust[~low, 1].mean()), 4),
        }
        out[what] = part
    return out


def cell(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "–"
    ends = f" ({figure['interval'][0]:.2f}–{figure['interval'][1]:.2f})" if figure["interval"] else ""
    return (
        f"{figure['value']:.2f}{ends}"
        if figure["value"] >= 0.1 or not figure["interval"]
        else f"{figure['value']:.3f} ({figure['interval'][0]:.3f}–{figure['interval'][1]:.3f})"
    )


def tables(facts: dict[str, Any]) -> str:
    heads = ("auc", "f1", "f1_common", "f1_best", "iou", "false_area", "image_auc")
    lines = []
    for what in ("casia", "test"):
        lines += ["", f"{what}: ways and methods", f"| saved as | method | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
        for way, methods in facts[what]["by_way"].items():
            lines += [f"| {way} | {m} | {' | '.join(cell(f.get(h)) for h in heads)} |" for m, f in methods.items()]
        lines += [
            "",
            f"{what}: kinds",
            f"| changed by | saved as | pictures | {' | '.join(heads)} |",
            "|---|---|---|" + "---|" * len(heads),
        ]
        for kind, ways in facts[what]["by_kind"].items():
            lines += [f"| {kind} | {way} | {f['changed']} | {' | '.join(cell(f.get(h)) for h in heads)} |" for way, f in ways.items()]
        lines += ["", f"{what}: alarms {facts[what]['alarms']}", f"F1 by confidence {facts[what]['f1_by_confidence']}"]
    return "\n".join(lines)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("seen", type=Path)
    cli.add_argument("what", choices=["look", "limits", "judge"])
    cli.add_argument("--only", choices=["casia", "interval", "test"])
    cli.add_argument("--weights", type=Path)
    cli.add_argument("--out", type=Path)
    args = cli.parse_args()
    torch.set_num_threads(1)
    if args.what == "look":
        for what in (args.only,) if args.only else ("casia", "interval", "test"):
            look(args.seen, what, casia(args.data) if what == "casia" else ours(args.data, what))
    elif args.what == "limits":
        limits(args.seen, args.weights)
    else:
        facts = report(args.seen, args.weights)
        print(tables(facts))
        if args.out:
            commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
            made = {"command": f"python recipes/splices_report.py DATA SEEN judge --weights {args.weights} --out {args.out}"}
            args.out.write_text(
                json.dumps(made | {"commit": commit, "made_on": time.strftime("%Y-%m-%d"), **facts}, indent=1) + "\n", "utf-8"
            )
