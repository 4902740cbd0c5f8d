"""Open-world attribution of decoders: some are named in training, others only lie in the pile.

    python recipes/attribution_data.py BANK --out FEATURES.npz
    python recipes/attribution.py FEATURES.npz --out RUN [--known photograph,deconv,linear,vae] [--rounds 300]
    assay bench attribution RUN/said.csv
    assay bench attribution RUN/unmet.csv

Half of the crops of each known family carry its name; the other half, and all of the novel families, do not. Contrastive pseudo-learning
(`assay.ops.openworld`) and the baseline see the same rows. Baseline: plain cross-entropy on the named rows, then k-means over all rows'
embedding; a group takes the name that most of its named rows have, or a number. Both files hold test crops of other photographs: those of
known families, and in `said.csv` of novel ones that were in the pile, in `unmet.csv` of families that nobody has met. `…_distance` says
a name or "unknown", by the conformal p-value of the nearest known family: distances in the embedding against those of photographs kept
aside (the validation part). What ships is `cpl_distance`.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy, softmax

from assay.nets.attribution import KNOWN, Families, Net
from assay.ops.openworld import contrastive_pseudo_loss, distances, gaussians, p_values

BATCH, RATE, DECAY = 128, 1e-3, 1e-4  # half of a batch is named
REJECT = 0.05  # p-value under which every known class is refused


class Rows(NamedTuple):
    """One part: standardised features, tiles for the vote, family, photograph."""

    x: Tensor
    tiles: Tensor
    family: NDArray[np.str_]
    subject: NDArray[np.str_]


def parts(file: Path, drawn: str) -> tuple[dict[str, Rows], Tensor, Tensor]:
    """Train, validate and test, and the mean and scale by which they are standardised.  drawn: "plain" crops, "drawn" ones or "both"."""
    f = dict(np.load(file))
    wanted = {"plain": f["drawn"] == 0, "drawn": f["drawn"] == 1, "both": f["drawn"] >= 0}[drawn]
    both = np.concatenate([f["net"], f["plain"]], axis=1)
    its = both[f["part"] == "train"]
    mean, scale = its.mean(0), its.std(0) + 1e-6
    tiles = f["tiles"].astype(np.float32)
    middle = tiles[f["part"] == "train"]
    tiles = (tiles - middle.mean((0, 1))) / (middle.std((0, 1)) + 1e-6)
    found = {}
    for part in ("train", "validate", "test"):
        at = wanted & (f["part"] == part)
        x = torch.from_numpy((both[at] - mean) / scale)
        found[part] = Rows(x, torch.from_numpy(tiles[at]), f["family"][at], f["subject"][at])
    return found, torch.from_numpy(mean), torch.from_numpy(scale)


def named(rows: Rows, known: tuple[str, ...]) -> Tensor:
    """Labels of the named half: every second photograph of known families; −1 for the rest."""
    halves = {s: i % 2 for i, s in enumerate(sorted(set(rows.subject)))}
    every = zip(rows.family, rows.subject, strict=True)
    return torch.tensor([known.index(f) if f in known and halves[s] else -1 for f, s in every])


def learned(rows: Rows, label: Tensor, classes: int, rounds: int, seed: int, *, open_world: bool) -> Net:
    """`rounds` batches, half of them named rows; the loss of contrastive pseudo-learning, or cross-entropy on the named alone."""
    torch.manual_seed(seed)
    dice = torch.Generator().manual_seed(seed)
    net = Net(classes)
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


def families(net: Net, all_parts: dict[str, Rows], label: Tensor, known: tuple[str, ...], mean: Tensor, scale: Tensor) -> Families:
    """Where named rows lie, and how far rows of other photographs lie from there."""
    train, held = all_parts["train"], all_parts["validate"]
    mine = label >= 0
    where = gaussians(net(train.x)[0][mine], label[mine], len(known))
    apart = distances(net(held.x)[0], where)
    own = [apart[torch.from_numpy(held.family == k), i].sort(descending=True).values for i, k in enumerate(known)]
    table = torch.full((max(map(len, own)), len(known)), -torch.inf)
    for i, d in enumerate(own):
        table[: len(d), i] = d
    return Families(net, mean, scale, where, table)


def rejecting(found: Families, x: Tensor, known: tuple[str, ...]) -> tuple[list[str], list[float]]:
    """Names or "unknown" by distance, and the p-value of the nearest family."""
    p = p_values(distances(found.net(x)[0], found.classes), found.held)
    return [known[k] if best > REJECT else "unknown" for best, k in zip(*(v.tolist() for v in p.max(1)), strict=True)], p.amax(1).tolist()


def grouped(
    net: Net, train: Rows, label: Tensor, known: tuple[str, ...], classes: int, seed: int, x: Tensor
) -> tuple[list[str], list[float]]:
    """k-means in the net's places: a group takes the name of most of its named rows, or a number where they are under a fifth of it."""
    seen, mine = net(train.x)[0], label >= 0
    middle = means(seen, classes, seed)
    group = torch.cdist(seen, middle).argmin(1)
    names = []
    for k in range(classes):
        votes = torch.bincount(label[mine & (group == k)], minlength=len(known))
        names.append(known[int(votes.argmax())] if votes.sum() > 0.2 * (group == k).sum() else f"group {k}")
    apart = torch.cdist(net(x)[0], middle)
    return [names[k] for k in apart.argmin(1)], (-apart.amin(1)).tolist()


def said(
    all_parts: dict[str, Rows], mean: Tensor, scale: Tensor, known: tuple[str, ...], rounds: int, seed: int
) -> tuple[dict[str, list[Any]], Families]:
    """What each method says of the test rows and how sure it is; and the families that would ship."""
    train, test = all_parts["train"], all_parts["test"]
    label, classes = named(train, known), len(set(train.family))
    words = [*known, *(f"group {k}" for k in range(classes - len(known)))]
    told: dict[str, list[Any]] = {"truth": list(test.family), "known": [int(f in known) for f in test.family]}
    told |= {"subject": list(test.subject), "met": [int(f in set(train.family)) for f in test.family]}
    net = learned(train, label, classes, rounds, seed, open_world=True)
    plain = learned(train, label, len(known), rounds, seed, open_world=False)
    p, q = (softmax(n(test.x)[1], 1) for n in (net, plain))
    ships = families(net, all_parts, label, known, mean, scale)
    answers = {
        "cpl": ([words[k] for k in p.argmax(1)], p[:, : len(known)].amax(1).tolist()),
        "cpl_distance": rejecting(ships, test.x, known),
        "kmeans": grouped(plain, train, label, known, classes, seed, test.x),
        "plain": ([known[k] for k in q.argmax(1)], q.amax(1).tolist()),
        "plain_distance": rejecting(families(plain, all_parts, label, known, mean, scale), test.x, known),
    }
    for name, (names, sure) in answers.items():
        told |= {name: names, f"{name}_confidence": sure}
    return told, ships


def export(found: Families, out: Path) -> None:
    """The head and the places of families; half precision but for distances."""
    tensors = {k: v.half() for k, v in found.net.state_dict().items()}
    tensors |= {"mean": found.mean, "scale": found.scale, "means": found.classes.means, "precision": found.classes.precision}
    save_file({k: v.contiguous() for k, v in (tensors | {"held": found.held}).items()}, out)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("features", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--known", default=",".join(KNOWN))
    ask.add_argument("--rounds", type=int, default=300)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--crops", choices=("plain", "drawn", "both"), default="both")
    given = ask.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    known = tuple(given.known.split(","))
    told, ships = said(*parts(given.features, given.crops), known, given.rounds, given.seed)
    for name, wanted in (("said.csv", 1), ("unmet.csv", 0)):
        with (given.out / name).open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(k for k in told if k != "met")
            rows = zip(*(v for k, v in told.items() if k != "met"), strict=True)
            out.writerows(r for r, k, m in zip(rows, told["known"], told["met"], strict=True) if k or m == wanted)
    export(ships, given.out / "attribution_assay.safetensors")
    for name in ("cpl", "cpl_distance", "kmeans", "plain", "plain_distance"):
        rows = [(a == b, k, m, a == "unknown") for a, b, k, m in zip(told[name], told["truth"], told["known"], told["met"], strict=True)]
        shares = [f"{np.mean([r[0] for r in rows if r[1]]):.3f} of known named right"]
        shares += [f"{np.mean([r[3] for r in rows if r[1]]):.3f} of known refused"]
        shares += [f"{np.mean([r[3] for r in rows if not r[1] and r[2] == m]):.3f} of {w} refused" for m, w in ((1, "piled"), (0, "unmet"))]
        print(f"{name}: {', '.join(shares)}", flush=True)


if __name__ == "__main__":
    main()
