"""Trains the localiser of splices and copy-moves.

    python recipes/splices.py DATA CACHE make --pictures 3000      # statistics of forged photographs; several at once with --worker K
    python recipes/splices.py DATA CACHE train --minutes 45 --out src/assay/weights/splices.safetensors

DATA holds pristine/* and camera/*; photographs of the parts "test" and "interval" are not used (recipes/forgeries.py). `make` can be
stopped and started again, also while `train` runs: what is there is used from the next round on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from forgeries import photographs
from splices_data import twins

SHARD = 40  # pictures in a file


def make(data: Path, cache: Path, pictures: int, worker: int, which: str) -> None:
    """Statistics of pictures in files of SHARD; every file depends on its number alone."""
    photos = photographs(data, which)
    cache.mkdir(parents=True, exist_ok=True)
    for n in range(-(-pictures // SHARD)):
        path = cache / f"{which}-{worker}-{n:04d}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng([worker, n, len(which)])
        rows = [row for _ in range(SHARD // 2) for row in twins(photos, rng)]
        found, mask, source, kind = (np.stack(c) for c in zip(*rows, strict=True))
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, found=found, mask=mask, source=source, kind=kind)
        part.rename(path)
        print(path.name, flush=True)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("cache", type=Path)
    cli.add_argument("what", choices=["make", "train"])
    cli.add_argument("--pictures", type=int, default=3000)
    cli.add_argument("--worker", type=int, default=0)
    cli.add_argument("--part", default="train")
    cli.add_argument("--minutes", type=float, default=45)
    cli.add_argument("--out", type=Path)
    args = cli.parse_args()
    torch.set_num_threads(1)
    make(args.data, args.cache, args.pictures, args.worker, args.part)
