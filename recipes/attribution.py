"""Open-world attribution of decoders: some are named in training, others only lie in the pile.

    python recipes/attribution_data.py BANK --out FEATURES.npz
    python recipes/attribution.py FEATURES.npz --out RUN [--known photograph,deconv,linear,vae] [--rounds 300] [--seeds 3]
    assay bench attribution RUN/said.csv

Half of the crops of each known family carry its name; the other half, and all of the novel families, do not. Contrastive pseudo-learning
(`assay.ops.openworld`) and the baseline see the same rows. Baseline: plain cross-entropy on the named rows, then k-means over all rows'
embedding; a group takes the name that most of its named rows have, or a number. `said.csv` holds test crops, of other photographs: of known
families, of novel ones that were in the pile, and of families that nobody has met. `mahalanobis_confidence` is the conformal p-value of the
nearest known class in the embedding that cross-entropy learned: the reject of a method that can only say names or "unknown".
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from assay.ops.openworld import contrastive_pseudo_loss, distances, gaussians, p_values

KNOWN = ("photograph", "deconv", "linear", "vae")
BATCH, RATE, DECAY = 128, 1e-3, 1e-4  # half of a batch is named
REJECT = 0.05  # p-value under which every known class is refused


class Rows(NamedTuple):
    """One part: standardised features, tiles for the vote, family, photograph."""

    x: Tensor
    tiles: Tensor
    family: NDArray[np.str_]
    subject: NDArray[np.str_]


class Net(nn.Module):
    """Features in; an embedding, and logits of known classes and as many groups as there may be beside."""

    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(size, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 32), nn.BatchNorm1d(32))
        self.head = nn.Linear(32, classes, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.body(x)
        return seen, self.head(seen)


def parts(file: Path, drawn: str) -> dict[str, Rows]:
    """Train, validate and test, standardised by the training part.  drawn: "plain" crops, "drawn" ones or "both"."""
    f = dict(np.load(file))
    wanted = {"plain": f["drawn"] == 0, "drawn": f["drawn"] == 1, "both": f["drawn"] >= 0}[drawn]
    mean, scale = (getattr(f["net"][f["part"] == "train"], m)(0) for m in ("mean", "std"))
    x, tiles = (f["net"] - mean) / (scale + 1e-6), f["tiles"].astype(np.float32)
    middle = tiles[f["part"] == "train"]
    tiles = (tiles - middle.mean((0, 1))) / (middle.std((0, 1)) + 1e-6)
    found = {}
    for part in ("train", "validate", "test"):
        at = wanted & (f["part"] == part)
        found[part] = Rows(torch.from_numpy(x[at]), torch.from_numpy(tiles[at]), f["family"][at], f["subject"][at])
    return found


def named(rows: Rows, known: tuple[str, ...]) -> Tensor:
    """Labels of the named half: every second photograph of known families; −1 for the rest."""
    halves = {s: i % 2 for i, s in enumerate(sorted(set(rows.subject)))}
    every = zip(rows.family, rows.subject, strict=True)
    return torch.tensor([known.index(f) if f in known and halves[s] else -1 for f, s in every])


def learned(rows: Rows, label: Tensor, classes: int, rounds: int, seed: int, *, open_world: bool) -> Net:
    """`rounds` batches, half of them named rows; the loss of contrastive pseudo-learning, or cross-entropy on the named alone."""
    torch.manual_seed(seed)
    dice = torch.Generator().manual_seed(seed)
    net = Net(rows.x.shape[1], classes)
    wheel = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    kinds = [torch.nonzero(label >= 0)[:, 0], torch.nonzero(label < 0)[:, 0]]
    for _ in range(rounds):
        at = torch.cat([k[torch.randint(len(k), (BATCH // 2,), generator=dice)] for k in kinds])
        if open_world:
            _, logits = net(rows.x[at])
            lost = contrastive_pseudo_loss(logits, rows.x[at], rows.tiles[at], label[at], dice=dice)
        else:
            at = at[: BATCH // 2]
            lost = cross_entropy(net(rows.x[at])[1], label[at])
        wheel.zero_grad()
        lost.backward()
        wheel.step()
    return net.eval().requires_grad_(False)


def means(x: Tensor, count: int, seed: int, rounds: int = 50) -> Tensor:
    """k-means, begun at rows that lie far from one another (k-means++), the best of five."""
    best: tuple[float, Tensor] | None = None
    for start in range(5):
        dice = torch.Generator().manual_seed(100 * seed + start)
        middle = x[torch.randint(len(x), (1,), generator=dice)]
        while len(middle) < count:
            far = torch.cdist(x, middle).amin(1).square()
            middle = torch.cat([middle, x[torch.multinomial(far, 1, generator=dice)]])
        for _ in range(rounds):
            near = torch.cdist(x, middle).argmin(1)
            middle = torch.stack([x[near == k].mean(0) if (near == k).any() else middle[k] for k in range(count)])
        lost = float(torch.cdist(x, middle).amin(1).square().sum())
        if best is None or lost < best[0]:
            best = lost, middle
    assert best is not None  # noqa: S101 - range(5) is not empty
    return best[1]


def said(all_parts: dict[str, Rows], known: tuple[str, ...], rounds: int, seed: int) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """What each method says of the test rows, and how sure it is."""
    train, held, test = (all_parts[p] for p in ("train", "validate", "test"))
    label = named(train, known)
    classes = len(set(train.family))
    words = [*known, *(f"group {k}" for k in range(classes - len(known)))]
    told: dict[str, list[Any]] = {
        "truth": list(test.family),
        "known": [int(f in known) for f in test.family],
        "subject": list(test.subject),
    }
    net = learned(train, label, classes, rounds, seed, open_world=True)
    p = softmax(net(test.x)[1], 1)
    told |= {"cpl": [words[k] for k in p.argmax(1)], "cpl_confidence": p[:, : len(known)].amax(1).tolist()}
    plain = learned(train, label, len(known), rounds, seed, open_world=False)
    seen, (there, logits) = plain(train.x)[0], plain(test.x)
    middle = means(seen, classes, seed)
    group, mine = torch.cdist(seen, middle).argmin(1), label >= 0
    names = []
    for k in range(classes):
        votes = torch.bincount(label[mine & (group == k)], minlength=len(known))
        names.append(known[int(votes.argmax())] if votes.sum() > 0.2 * (group == k).sum() else f"group {k}")
    apart = torch.cdist(there, middle)
    told |= {"kmeans": [names[k] for k in apart.argmin(1)], "kmeans_confidence": (-apart.amin(1)).tolist()}
    told |= {"cross_entropy": [known[k] for k in logits.argmax(1)], "cross_entropy_confidence": softmax(logits, 1).amax(1).tolist()}
    where = gaussians(seen[mine], label[mine], len(known))
    there_held = distances(plain(held.x)[0], where)
    own = [there_held[torch.from_numpy(held.family == k), i] for i, k in enumerate(known)]
    table = torch.full((max(map(len, own)), len(known)), -torch.inf)
    for i, d in enumerate(own):
        table[: len(d), i] = d
    d = distances(there, where)
    best = p_values(d, table)
    answer = [known[k] if best[i, k] > REJECT else "unknown" for i, k in enumerate(d.argmin(1).tolist())]
    told |= {"mahalanobis": answer, "mahalanobis_confidence": best.amax(1).tolist()}
    return told, {"net": plain, "where": where, "held": table}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("features", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--known", default=",".join(KNOWN))
    ask.add_argument("--rounds", type=int, default=300)
    ask.add_argument("--seeds", type=int, default=1, help="runs that differ by their start; the file of the last is kept too")
    ask.add_argument("--crops", choices=("plain", "drawn", "both"), default="both")
    given = ask.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    known, every = tuple(given.known.split(",")), parts(given.features, given.crops)
    for seed in range(given.seeds):
        told, _ = said(every, known, given.rounds, seed)
        with (given.out / ("said.csv" if seed == 0 else f"said-{seed}.csv")).open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(told)
            out.writerows(zip(*told.values(), strict=True))
        right = np.array([a == b for a, b in zip(told["cpl"], told["truth"], strict=True)])[np.array(told["known"], bool)]
        print(f"seed {seed}: {len(right)} test crops of known families, {right.mean():.3f} named right by cpl", flush=True)


if __name__ == "__main__":
    main()
