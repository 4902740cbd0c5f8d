"""Fits the model that il_niqe-assay ships: principal directions and spreads of block statistics of good photographs.

    python recipes/il_niqe_assay.py PHOTOS… --out src/assay/weights/il_niqe_assay.safetensors

PHOTOS are folders of photographs free to use, lossless or nearly so. Of each folder, by name, every fourth picture is held
out; of the others the blocks count whose mean local deviation exceeds half of their picture's largest (the paper: 0.78 of
it, which here would leave hardly more blocks than statistics). The held-out ones are then damaged, and it is printed how
often more damage of a kind scores worse, and how far the ranking agrees with official IL-NIQE's (where ASSAY_WEIGHTS has
its parameters). The shipped file was made from Kodak (24), gb82 (21) and 174 camera photographs, and with --tested 8 it
said: 2615 blocks of 165 photographs; more damage scored worse in 0.963 of 81 steps (il_niqe: 0.938); SRCC of the two 0.882.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from scipy.stats import spearmanr

from assay.ops.ilniqe import KEPT, Blocks, Model, blocks, mean_distance
from assay.quality.il_niqe import official
from assay.types import MissingWeights
from niqe_assay import LADDERS, look_at, read

SHARP = 0.5  # of the picture's sharpest block


def fit(seen: list[Blocks]) -> tuple[dict[str, torch.Tensor], int]:
    """What the file holds, float32, and the number of blocks it was fitted to."""
    rows = torch.cat([b.features[b.usable & (b.sharpness > SHARP * b.sharpness.max())] for b in seen])
    mean = rows.mean(0)
    spread, vectors = torch.linalg.eigh((rows - mean).T.cov())
    held = {"mean": mean, "vectors": vectors[:, -KEPT:], "variance": spread[-KEPT:]}
    return {name: t.float().contiguous() for name, t in held.items()}, len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path, help="folders of good photographs")
    parser.add_argument("--tested", type=int, default=12, help="how many of the held-out photographs to damage")
    parser.add_argument("--out", type=Path, default=Path("il_niqe_assay.safetensors"))
    args = parser.parse_args()

    seen, held = [], []
    for folder in args.photos:
        for i, path in enumerate(sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".webp", ".jpg", ".jpeg"))):
            (held if i % 4 == 3 else seen).append(path)
    tensors, count = fit([blocks(look_at(read(path))) for path in seen])
    made = json.dumps({"recipe": "recipes/il_niqe_assay.py", "photos": len(seen), "blocks": count})
    data = save(tensors, metadata={"made": made})
    args.out.write_bytes(data)
    print(f"{args.out}: {count} blocks of {len(seen)} photographs, sha256 {hashlib.sha256(data).hexdigest()}")

    models = {"il_niqe-assay": Model.diagonal(**tensors)}
    try:
        models["il_niqe"] = official()
    except MissingWeights:
        print("il_niqe: no official parameters here, so nothing to compare with; set ASSAY_WEIGHTS")
    ladders = []
    for path in held[:: max(1, len(held) // args.tested)]:
        a = read(path)
        ladders += [[blocks(look_at(p)) for p in (a, *(step(a) for step in kind))] for kind in LADDERS.values()]
    scores = {name: np.array([[float(mean_distance(b, m)) for b in ladder] for ladder in ladders]) for name, m in models.items()}
    for name, s in scores.items():
        steps = [a < b for ladder in s for a, b in pairwise(ladder)]
        print(f"{name}: worse when damaged more {np.mean(steps):.3f} of {len(steps)} steps; good ones {s[:, 0].mean():.1f} on average")
    if len(scores) == 2:
        print(f"SRCC of the two: {spearmanr(*(s.ravel() for s in scores.values()))[0]:.3f}")


if __name__ == "__main__":
    main()
