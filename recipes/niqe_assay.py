"""Fits the model that niqe-assay ships: the mean and covariance of block statistics of good photographs.

    python recipes/niqe_assay.py PHOTOS… --mos scores.csv --out src/assay/weights/niqe_assay.safetensors

PHOTOS are folders of photographs free to use, lossless or nearly so. Of each folder, by name, every fourth picture is held
out; the others are fitted as the paper does it: the blocks whose mean local deviation exceeds 0.75 of their picture's
largest. The held-out ones are then damaged, and four figures are printed: how often more damage of a kind scores worse, how
often a good picture scores better than a damaged one, how far the ranking agrees with official NIQE's (where ASSAY_WEIGHTS
has its parameters), and with people's (--mos: a table with columns image_name and mos, pictures beside it), both at the
pictures' own sizes and all brought to one. The shipped file was made from Kodak (24), gb82 (21) and 174 camera photographs.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor

from assay.ops.niqe import Blocks, blocks, distance
from assay.quality.niqe import official
from assay.types import MissingWeights

SHARP = 0.75  # of the picture's sharpest block; Mittal 2013, section III
ONE_SIZE = 768  # pixels a side, for ratings of pictures of many sizes
Pixels = NDArray[np.uint8]
Model = tuple[Tensor, Tensor]


def read(path: Path, side: int = 0) -> Pixels:
    with Image.open(path) as im:
        rgb = im.convert("RGB")
        return np.asarray(rgb.resize((side, side), Image.Resampling.BICUBIC) if side else rgb)


def look_at(a: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1)))


def look(a: Pixels) -> Blocks:
    return blocks(look_at(a))


def jpeg(quality: int) -> Callable[[Pixels], Pixels]:
    def damage(a: Pixels) -> Pixels:
        out = io.BytesIO()
        Image.fromarray(a).save(out, "JPEG", quality=quality)
        return np.asarray(Image.open(out))

    return damage


def blur(sigma: float) -> Callable[[Pixels], Pixels]:
    return lambda a: np.clip(np.round(gaussian_filter(a.astype(float), (sigma, sigma, 0))), 0, 255).astype(np.uint8)


def noise(sigma: float) -> Callable[[Pixels], Pixels]:
    return lambda a: np.clip(np.round(a + np.random.default_rng(0).normal(0, sigma, a.shape)), 0, 255).astype(np.uint8)


LADDERS = {  # each kind from mild to severe
    "jpeg": [jpeg(60), jpeg(30), jpeg(10)],
    "blur": [blur(1), blur(2), blur(4)],
    "noise": [noise(5), noise(12), noise(30)],
}


def fit(pictures: list[Path]) -> tuple[Model, int]:
    """Mean and covariance over the sharp blocks of all pictures, and their number."""
    rows = []
    for path in pictures:
        b = look(read(path))
        rows.append(b.features[b.usable & (b.sharpness > SHARP * b.sharpness.max())])
    features = torch.cat(rows)
    return (features.mean(0), features.T.cov()), len(features)


def score(b: Blocks, model: Model) -> float:
    return float(distance(b, *model))


def ladders(pictures: list[Path]) -> list[list[Blocks]]:
    """For each picture and kind of damage: the picture itself, then worse and worse."""
    out = []
    for path in pictures:
        a = read(path)
        clean = look(a)
        out += [[clean, *(look(step(a)) for step in kind)] for kind in LADDERS.values()]
    return [ladder for ladder in out if all(int(b.usable.sum()) >= 2 for b in ladder)]


def report(name: str, scores: list[list[float]], mos: dict[str, tuple[list[float], list[float]]]) -> None:
    steps = [a < b for ladder in scores for a, b in pairwise(ladder)]
    clean, damaged = np.array([s[0] for s in scores]), np.array([v for s in scores for v in s[1:]])
    print(f"{name}: worse when damaged more {np.mean(steps):.3f}, good before damaged {np.mean(clean[:, None] < damaged):.3f}")
    for size, (mine, people) in mos.items():
        print(f"{name}: SRCC with {len(people)} mean opinions, {size}: {spearmanr(mine, people)[0]:.3f}")


def rated(table: Path, side: int) -> list[tuple[Blocks, float]]:
    """Blocks and mean opinion of every picture of a table that is there and has two textured blocks."""
    out = []
    for row in csv.DictReader(table.open(encoding="utf-8")):
        for path in table.parent.glob(f"{row['image_name']}.*"):
            b = look(read(path, side))
            if int(b.usable.sum()) >= 2:
                out.append((b, float(row["mos"])))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path, help="folders of good photographs")
    parser.add_argument("--mos", type=Path, help="a table of ratings to compare with")
    parser.add_argument("--out", type=Path, default=Path("niqe_assay.safetensors"))
    args = parser.parse_args()

    seen, held = [], []
    for folder in args.photos:
        for i, path in enumerate(sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".webp", ".jpg", ".jpeg"))):
            (held if i % 4 == 3 else seen).append(path)
    model, count = fit(seen)
    made = json.dumps({"recipe": "recipes/niqe_assay.py", "photos": len(seen), "blocks": count})
    data = save({"mu": model[0], "cov": model[1].contiguous()}, metadata={"made": made})  # one key: their order is not kept
    args.out.write_bytes(data)
    print(f"{args.out}: {count} blocks of {len(seen)} photographs, sha256 {hashlib.sha256(data).hexdigest()}")

    damaged = ladders(held)
    print(f"held out: {len(held)} photographs, {sum(map(len, damaged))} scores")
    sizes = {"own size": 0, f"at {ONE_SIZE}²": ONE_SIZE} if args.mos else {}
    ratings = {name: rated(args.mos, side) for name, side in sizes.items()}
    models = {"niqe-assay": model}
    try:
        models["niqe"] = official()
    except MissingWeights:
        print("niqe: no official parameters here, so nothing to compare with; set ASSAY_WEIGHTS")
    scores = {name: [[score(b, m) for b in ladder] for ladder in damaged] for name, m in models.items()}
    for name, m in models.items():
        report(name, scores[name], {size: ([score(b, m) for b, _ in r], [v for _, v in r]) for size, r in ratings.items()})
    if len(scores) == 2:
        a, b = ([v for ladder in s for v in ladder] for s in scores.values())
        print(f"SRCC of the two on the held-out photographs, good and damaged: {spearmanr(a, b)[0]:.3f}")


if __name__ == "__main__":
    main()
