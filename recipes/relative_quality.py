"""Fits the weights of relative_quality, and counts how often its sign is right.

    python recipes/relative_quality.py FIT… --test TEST…

FIT and TEST are folders of good photographs. Each is damaged in six ways, at two or three levels; of every two steps of one
kind the lighter is the better one. A logistic regression without a constant, on the evidence that `evidence` gives, says
how much each kind of evidence counts. For TEST the share of right signs is printed, where the photograph itself is one of the
two; the other order turns the sign of every score, so it need not be counted. The constants came from 14 of the camera
photographs (480×480 pixels of each) and the figures from 8 of Kodak's (512×512).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.optimize import minimize
from torch import Tensor

from assay.catalog import get
from assay.quality.relative_quality import SAYS, WEIGHTS, evidence
from assay.types import CannotAssess

LADDERS = {  # each kind from mild to severe
    "gaussian_blur": ("sigma", (0.7, 1.2, 2.5)),
    "gaussian_noise": ("sigma", (4, 10, 25)),
    "jpeg": ("quality", (60, 30, 12)),
    "jpeg2000": ("ratio", (20, 50, 120)),
    "downscale": ("factor", (1.5, 2, 4)),
    "over_sharpen": ("amount", (1.5, 4)),  # so that sharper is not always better
}
PENALTY = 1e-3  # on the squared weights, each in units of its evidence's spread


def read(path: Path, side: int) -> Tensor:
    with Image.open(path) as im:
        pixels = np.array(im.convert("RGB"))[:side, :side]
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def pairs(folders: list[Path], side: int, most: int) -> Iterator[tuple[str, int, int, Tensor]]:
    """Kind, level of the better and of the worse one, and what speaks for the better."""
    files = sorted(f for folder in folders for f in folder.rglob("*") if f.suffix.lower() in (".png", ".jpg", ".jpeg"))
    for file in files[:: max(1, len(files) // most)][:most]:
        x = read(file, side)
        for kind, (knob, levels) in LADDERS.items():
            steps = [x, *(get(kind)(x, **{knob: level}) for level in levels)]
            for (i, better), (j, worse) in combinations(enumerate(steps), 2):
                try:
                    yield kind, i, j, evidence(better[0], worse[0])
                except CannotAssess:
                    continue


def fit(rows: Tensor) -> Tensor:
    spread = rows.std(0)
    a = (rows / spread).numpy()
    found = minimize(lambda w: np.logaddexp(0, -a @ w).mean() + PENALTY * w @ w, np.zeros(a.shape[1]))
    return torch.from_numpy(found.x) / spread


def table(found: list[tuple[str, int, int, Tensor]], w: Tensor) -> None:
    right: dict[str, dict[int, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for kind, i, j, e in found:
        if i == 0:
            right[kind][j].append(bool((e * w).sum() > 0))
    for kind, levels in right.items():
        print(f"{kind:16}", *(f"{LADDERS[kind][1][j - 1]:>5}: {sum(v)}/{len(v)}" for j, v in sorted(levels.items())))
    every = [v for levels in right.values() for vs in levels.values() for v in vs]
    print(f"{'all':16} {sum(every)}/{len(every)} = {sum(every) / len(every):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fit", nargs="*", type=Path)
    parser.add_argument("--test", nargs="*", type=Path, default=[])
    options = parser.parse_args()
    w = torch.tensor(WEIGHTS, dtype=torch.float64)
    if options.fit:
        w = fit(torch.stack([e for *_, e in pairs(options.fit, side=480, most=14)]))
        print({name: round(float(v), 2) for name, v in zip(SAYS, w, strict=True)})
    if options.test:
        table(list(pairs(options.test, side=512, most=8)), w)


if __name__ == "__main__":
    main()
