"""What the localiser of splices is worth: docs/splices.json and the tables of docs/splices.md.

    python recipes/splices_report.py DATA SEEN look              # statistics and baselines of all pictures, kept in SEEN
    python recipes/splices_report.py DATA SEEN limits --weights src/assay/weights/splices.safetensors     # sets the alarm
    python recipes/splices_report.py DATA SEEN judge --weights src/assay/weights/splices.safetensors --out docs/splices.json

The alarm is set on photographs of the part "interval"; all figures are of CASIA v1 (never trained on; research only) and of the part
"test" of our own photographs. Authentic and forged pictures are saved alike. CASIA's files as they are would give the answer away:
the two kinds were saved with different tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from assay.ops.localtraces import traces
from forgeries import Case, cases, photographs, saved
from splices_data import decoded, ghosts, graininess, seen, steps

WAYS = ("q95", "q90", "q75", "resized")  # CASIA; ours are raw (PNG) instead of q95
OURS = ("raw", "q90", "q75", "resized")
SPARED = {"q75": 2, "resized": 2}  # of these one picture in so many is enough


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
        for path in files[:: SPARED.get(way, 1)]:
            with Image.open(path) as im:
                x = np.array(im.convert("RGB"))
            mask = np.zeros(x.shape[:2], bool)
            if path.name.startswith("Sp"):
                with Image.open(path.with_name(f"{path.stem}_mask.png")) as im:
                    mask = np.array(im.convert("L")) > 127
            kind = {"Au": "", "Sp_S": "copy-move", "Sp_D": "splice"}[path.name[: 4 if path.name.startswith("Sp") else 2]]
            yield Look(path.name, kind, way, *saved(Case(path.name, kind, None, x, mask), way))


def ours(data: Path, which: str) -> Iterator[Look]:
    """Of every photograph itself; of the part "test" also two forgeries of every second one."""
    for i, path in enumerate(photos := photographs(data, which)):
        forgeries = 2 if which == "test" and i % 2 == 0 else 0
        for case in islice(cases([path, *photos], per_photo=forgeries, seed=i), 1 + forgeries):
            for way in OURS:
                yield Look(case.name, case.kind, way, *saved(case, way))


def look(data: Path, folder: Path, what: str, files: Iterator[Look]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for n, f in enumerate(files):
        path = folder / f"{what}-{n:05d}.npz"
        if path.exists():
            continue
        x = decoded(f.data)
        found, _ = seen(f.data)
        more = {}
        if what == "interval":  # as larger pictures are seen
            more = {f"found{k}": traces(torch.from_numpy(x).permute(2, 0, 1).contiguous(), steps(f.data), least=k)[0].half().numpy() for k in (2, 3)}
        else:
            more = {"ghosts": ghosts(x).astype(np.float16), "graininess": graininess(x).astype(np.float16)}
        np.savez(path.with_suffix(".tmp.npz"), found=found.astype(np.float16), mask=np.packbits(f.mask, axis=1), shape=f.mask.shape, name=f.name, kind=f.kind, way=f.way, **more)
        path.with_suffix(".tmp.npz").rename(path)
        if n % 50 == 0:
            print(what, n, flush=True)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("seen", type=Path)
    cli.add_argument("what", choices=["look"])
    cli.add_argument("--only", choices=["casia", "interval", "test"])
    args = cli.parse_args()
    torch.set_num_threads(1)
    for what in (args.only,) if args.only else ("casia", "interval", "test"):
        look(args.data, args.seen, what, casia(args.data) if what == "casia" else ours(args.data, what))
