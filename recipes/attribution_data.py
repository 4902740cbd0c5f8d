"""Features of what decoders made, for attribution and for learning one decoder after another.

    python recipes/attribution_data.py BANK --out FEATURES.npz [--crops 60]

BANK comes from recipes/reconstructions.py. Of every decoder and part the same crops are taken, evenly spread, their middle of 96×96 once as
it is and once after a draw of recipes/generated.py (resized, blurred, made noisy, saved, …: the same for all decoders).
`net`: mean and deviation over places of what the body of `generated-assay` sees, and its means over 3×3 tiles. That body was trained
to tell all of these decoders but shuffle, vq and enlarge from photographs, though not from one another.
`plain`: statistics of the residual to a 3×3 mean that nothing was trained for: rings and lattice of the spectrum, products of neighbours,
co-occurrence of signs.
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
from generated import apply, draw
from reconstructions import KINDS

Floats = NDArray[np.float32]
PARTS = ("train", "validate", "test")
RINGS, PITCH, CUT = 16, 8, 3.0  # of the spectrum; frequencies n/8; 8-bit steps from which a residual has a sign
LAGS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (0, 4), (4, 0))


def family(name: str) -> str:
    return {k.name: k.family for k in KINDS}.get(name, name.split()[0])


def plain(crop: NDArray[np.uint8]) -> Floats:
    """Statistics of an H×W×3 crop's luma residual, 63 numbers."""
    y = crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    wide = np.pad(y, 1, mode="edge")
    rows = wide[:-2] + 2 * wide[1:-1] + wide[2:]
    left = y - (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16
    return np.concatenate([_spectrum(left), _lags(left), _signs(left)]).astype(np.float32)


def _spectrum(left: Floats) -> Floats:
    """Logarithmic power by ring, less its mean; and how far the frequencies n/8 stand out of their rings."""
    window = np.hanning(len(left))[:, None] * np.hanning(left.shape[1])
    log = np.log(np.abs(np.fft.fft2(left * window)) ** 2 + 1)
    f = np.fft.fftfreq(len(left))
    ring = np.minimum(RINGS - 1, np.hypot(f[:, None], f) * 2 * RINGS / np.sqrt(2)).astype(int)
    mean = np.bincount(ring.ravel(), log.ravel(), RINGS) / np.maximum(1, np.bincount(ring.ravel(), minlength=RINGS))
    at = np.arange(0, len(left) // 2 + 1, len(left) // PITCH)
    peaks = (log - mean[ring])[np.ix_(at, at)]
    return np.concatenate([mean - mean.mean(), (peaks + peaks.T)[np.triu_indices(len(at))][1:]])


def _lags(left: Floats) -> Floats:
    power = (left**2).mean() + 1e-6
    return np.array([(left * np.roll(left, lag, (0, 1))).mean() / power for lag in LAGS])


def _signs(left: Floats) -> Floats:
    """How often each of 3×3 pairs of −, 0, + stands side by side and one above the other, of which 25 with a third neighbour."""
    s = np.sign(np.where(np.abs(left) < CUT, 0, left)).astype(int) + 1
    triples = s[:, :-2] * 9 + s[:, 1:-1] * 3 + s[:, 2:]
    upright = s[:-2] * 9 + s[1:-1] * 3 + s[2:]
    counts = np.bincount(triples.ravel(), minlength=27) + np.bincount(upright.ravel(), minlength=27)
    told: Floats = np.log1p(counts[:25]) - np.log1p(counts.sum())
    return told


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
                    said = {"plain": plain(crop), "name": name, "family": family(name), "part": part, "subject": f"{part} {i}"}
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
