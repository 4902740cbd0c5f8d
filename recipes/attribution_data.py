"""Features of what decoders made, for attribution and for learning one decoder after another.

    python recipes/attribution_data.py BANK --out FEATURES.npz [--crops 60]

BANK comes from recipes/reconstructions.py. Of every decoder and part the same crops are taken, evenly spread, their middle of 96×96 once as
it is and once after a draw of recipes/generated.py (resized, blurred, made noisy, saved, …: the same for all decoders).
`net`: mean and deviation over places of what the body of `generated-assay` sees, and its means over 3×3 tiles. That body was trained
to tell all of these decoders but shuffle, vq and enlarge from photographs, though not from one another.
`plain`: statistics of what a 3×3 mean leaves (`assay.ops.leftovers`), for which nothing was trained.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assay.nets.generated import SIDE, loaded
from assay.nets.generated import statistics as net_statistics
from assay.ops.leftovers import leftovers
from generated import apply, draw
from reconstructions import KINDS

PARTS = ("train", "validate", "test")


def family(name: str) -> str:
    return {k.name: k.family for k in KINDS}.get(name, name.split()[0])


@torch.no_grad()
def features(bank: Path, most: int) -> dict[str, NDArray[Any]]:
    net = loaded()
    rows: dict[str, list[Any]] = {k: [] for k in ("net", "tiles", "plain", "name", "family", "part", "subject", "drawn")}
    for part in PARTS:
        files = sorted((bank / part).glob("*.npy"), key=lambda p: (p.stem != "photograph", p.stem))
        arrays = {p.stem: np.load(p, mmap_mode="r") for p in files}
        least = min(map(len, arrays.values()))
        picked = np.linspace(0, least - 1, min(most, least)).astype(int)
        for name, a in arrays.items():
            crops = []
            for i in picked:
                whole = np.asarray(a[i]).transpose(1, 2, 0)
                top = (len(whole) - SIDE) // 2
                drawn = apply(draw(random.Random(f"attribution {part} {i}")), whole)
                for turn, crop in enumerate((whole[top : top + SIDE, top : top + SIDE], drawn)):
                    crops.append(crop)
                    said = {"plain": leftovers(crop), "name": name, "family": family(name), "part": part, "subject": f"{part} {i}"}
                    for key, value in (said | {"drawn": turn}).items():
                        rows[key].append(value)
            for batch in np.array_split(np.stack(crops), -(-len(crops) // 12)):
                whole_, tiles = net_statistics(net, torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255)
                rows["net"] += list(whole_.numpy())
                rows["tiles"] += list(tiles.numpy().astype(np.float16))
            print(f"{part}: {len(crops)} of {name}", flush=True)
    return {k: np.array(v) for k, v in rows.items()}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("bank", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--crops", type=int, default=60, help="of every decoder and part, at most")
    given = ask.parse_args()
    torch.set_num_threads(1)
    np.savez_compressed(given.out, **features(given.bank, given.crops))


if __name__ == "__main__":
    main()
