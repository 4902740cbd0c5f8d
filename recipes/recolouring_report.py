"""What `recolouring` is worth: docs/recolouring.json and the tables of docs/recolouring.md.

    python recipes/recolouring_report.py measure DATA --every 2 --out docs/recolouring.json
    python recipes/recolouring_report.py write docs/recolouring.json docs/recolouring-tools.json --out docs/recolouring.md

Photographs of the part "test", cut to 768×768 and with a draw of JPEG saves before: untouched, with another tone, with a part
recoloured, and recoloured as a whole, all saved alike after. Nothing was fitted on them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from assay.authenticity.recolouring import recolouring
from assay.bench.resample import Figure, figures
from assay.io.decode import read as decoded
from assay.types import CannotAssess, Media, Picture
from cues import put
from forgeries import FOLDERS, HISTORIES, compressed, photographs, read
from origin import pixel_auc
from recolouring_data import TONES, TOOLS, Pixels, Way, recoloured, toned
from splices_data import outline

ALL = (*FOLDERS, "camera/original")
WAYS = (Way("PNG", 1, None, 0), Way("q90, 4:4:4", 1, 90, 0), Way("q90", 1, 90, 2), Way("q75", 1, 75, 2), Way("resized", 0.75, None, 0))
DRAWS = 300
Row = dict[str, Any]


def versions(photos: list[Path], i: int, turn: int) -> list[tuple[str, str, Pixels, Pixels]]:
    """Of one photograph: what was done, how, the pixels and where. Tools and tones take turns."""
    rng = np.random.default_rng([7, i])
    x = compressed(read(photos[i], rng), HISTORIES[int(rng.integers(len(HISTORIES)))])
    donor = read(photos[int(rng.integers(len(photos)))], rng)[::2, ::2]
    tool, tone = list(TOOLS)[turn % len(TOOLS)], TONES[turn % len(TONES)]
    none, mask = np.zeros(x.shape[:2], bool), outline(x, rng)
    changed = toned(x.astype(float), tone, rng).round().clip(0, 255).astype(np.uint8)
    part, whole = (recoloured(x, tool, m, donor, rng) for m in (mask, ~none))
    return [("untouched", "", x, none), ("tone", tone, changed, none), ("part", tool, part, mask), ("whole", tool, whole, none)]


def measure(args: argparse.Namespace) -> None:
    photos, rows = photographs(args.data, "test", ALL), []
    for i in range(0, len(photos), args.every):
        for done, how, x, mask in versions(photos, i, i // args.every):
            for way in WAYS:
                row: Row = {"name": photos[i].name, "done": done, "how": how, "way": way.name, "statistic": None}
                try:
                    found = recolouring(decoded(way.file(x)))
                except CannotAssess:
                    rows.append(row)
                    continue
                row |= {"statistic": found.data["statistic"], "alarm": found.evidence[0].points_to is not None}
                if mask.any() and found.map is not None:
                    where = np.array(Image.fromarray(mask).resize(found.map.shape[::-1], Image.Resampling.NEAREST))
                    row["auc"] = round(pixel_auc(found.map, where), 4)
                rows.append(row)
        print(f"{i + 1} of {len(photos)}", flush=True)
    by_way = {w.name: summary([r for r in rows if r["way"] == w.name]) for w in WAYS}
    by_tool = {t: summary([r for r in rows if r["how"] == t or not r["how"]], t) for t in TOOLS}
    command = f"python recipes/recolouring_report.py measure DATA --every {args.every} --out {args.out}"
    told = {"command": command, "cpu seconds of 12 megapixels": seconds(photos[0]), "ways": by_way, "tools": by_tool}
    args.out.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def seconds(path: Path) -> float:
    """Of one core, the least of three, without decoding."""
    with Image.open(path) as im:
        x = np.array(im.convert("RGB").resize((4000, 3000)))
    planes, spent = torch.from_numpy(x.transpose(2, 0, 1).copy()), []
    for _ in range(3):
        start = time.process_time()
        recolouring(Picture(planes, b"", "", "", Media("array", 4000, 3000, "RGB"), lambda: planes))
        spent.append(time.process_time() - start)
    return round(min(spent), 2)


def summary(rows: list[Row], tool: str = "") -> Row:
    """Figures with intervals over photographs; of one tool, only photographs that it was used on."""
    used = {r["name"] for r in rows if r["how"] == tool or not tool}
    answered = [r for r in rows if r["name"] in used and r["statistic"] is not None]
    names = np.array([r["name"] for r in answered])
    done = np.array([r["done"] for r in answered])
    score, alarm = np.array([r["statistic"] for r in answered]), np.array([r["alarm"] for r in answered])
    pixel = np.array([r.get("auc", np.nan) for r in answered])

    def figure(counts: np.ndarray[Any, Any]) -> dict[str, float]:
        at = np.repeat(np.arange(len(names)), counts.astype(int))
        out = {"pixel auc": float(np.nanmean(pixel[at])) if np.isfinite(pixel[at]).any() else np.nan}
        for kind in ("tone", "part", "whole"):
            high, low = score[at][done[at] == kind], score[at][done[at] == "untouched"]
            wins = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2 if len(high) and len(low) else np.nan
            out[f"{kind} auc"] = float(wins)
        for kind in ("untouched", "tone", "part", "whole"):
            out[f"{kind} alarms"] = float(alarm[at][done[at] == kind].mean()) if (done[at] == kind).any() else np.nan
        return out

    found: dict[str, Figure] = figures(figure, len(names), subjects=[names], times=DRAWS)
    shown = {k: [round(v, 3) for v in (f.value, *(f.interval or ()))] for k, f in found.items() if np.isfinite(f.value)}
    return {"photographs": len(used), "answers": len(answered), **shown}


def write(args: argparse.Namespace) -> None:
    """The tables of the page, put between its marks."""
    told, tools = (json.loads(p.read_text("utf-8")) for p in (args.figures, args.left_out))
    columns = ("part auc", "pixel auc", "part alarms", "whole auc", "whole alarms", "tone auc", "tone alarms", "untouched alarms")
    head = ["| {} | photographs | " + " | ".join(columns) + " |", "|---|" + "--:|" * (len(columns) + 1)]

    def table(first: str, of: Row) -> list[str]:
        rows = [f"| {name} | {r['photographs']} | " + " | ".join(_shown(r.get(c)) for c in columns) + " |" for name, r in of.items()]
        return [head[0].format(first), head[1], *rows]

    unseen = ["| left out | pictures | image AUC | pixel AUC | tone AUC |", "|---|--:|--:|--:|--:|"]
    unseen += [f"| {n} | {r['pictures']} | {r['image']:.2f} | {r['pixel']:.2f} | {r['tone']:.2f} |" for n, r in tools.items() if n in TOOLS]
    tables = {"ways": table("saved as", told["ways"]), "tools": table("tool, all ways", told["tools"]), "left out": unseen}
    speed = f"A picture of 12 megapixels takes {told['cpu seconds of 12 megapixels']:.1f} s of one core, without decoding."
    put(args.out, tables | {"speed": [speed]})


def _shown(values: list[float] | None) -> str:
    if not values:
        return "–"
    return f"{values[0]:.2f}" + (f" ({values[1]:.2f}–{values[2]:.2f})" if len(values) == 3 else "")


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = cli.add_subparsers(required=True)
    first = steps.add_parser("measure")
    first.add_argument("data", type=Path)
    first.add_argument("--every", type=int, default=2, help="only every so manyth photograph")
    first.add_argument("--out", type=Path, required=True)
    first.set_defaults(do=measure)
    second = steps.add_parser("write")
    second.add_argument("figures", type=Path)
    second.add_argument("left_out", type=Path)
    second.add_argument("--out", type=Path, required=True)
    second.set_defaults(do=write)
    args = cli.parse_args()
    torch.set_num_threads(1)
    args.do(args)
