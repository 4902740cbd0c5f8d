"""Trains the localiser of splices and copy-moves.

    python recipes/splices.py DATA CACHE make --pictures 840 --worker 0     # statistics of forged photographs; then --worker 1, 2, 3
    python recipes/splices.py DATA CACHE train --minutes 30 --out src/assay/weights/splices.safetensors

DATA holds pristine/* and camera/*; photographs of the parts "test" and "interval" are not used (recipes/forgeries.py). `make` can be
stopped and started again, also while `train` runs: what is there is used from the next round on.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from assay.nets.splices import Seen, Splices
from forgeries import photographs
from splices_data import KINDS, twins

SHARD = 40  # pictures in a file
BATCH = 8
RATE = 3e-3
CHANGED = 3.0  # weight of changed squares: at .5 the map then finds most of them
EVERY = 150  # seconds between checkpoints
KEEP = 0.998  # of the averaged weights, each step
Batch = dict[str, Tensor]


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


class Cache:
    """All that `make` has made so far, in memory."""

    def __init__(self, folder: Path, which: str) -> None:
        self.folder, self.which, self.seen = folder, which, set[Path]()
        self.parts: dict[str, list[Tensor]] = {k: [] for k in ("found", "mask", "source", "kind")}
        self.grow()

    def grow(self) -> None:
        for path in sorted(set(self.folder.glob(f"{self.which}-*.npz")) - self.seen):
            self.seen.add(path)
            with np.load(path) as rows:
                for name, part in self.parts.items():
                    part.append(torch.from_numpy(rows[name]))

    def __len__(self) -> int:
        return SHARD * len(self.seen)

    def rows(self, at: list[int]) -> Batch:
        return {k: torch.stack([p[i // SHARD][i % SHARD] for i in at]).float() for k, p in self.parts.items()}

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Once through all; twins stay together, so that every batch has what differs only by the forgery."""
        order = rng.permutation(len(self) // 2)
        for i in range(0, len(order) - BATCH // 2 + 1, BATCH // 2):
            yield self.rows([2 * int(j) + k for j in order[i : i + BATCH // 2] for k in (0, 1)])


def disturbed(net: Splices, batch: Batch, rng: np.random.Generator) -> Batch:
    """Mirrored, and with statistics that shift, blur a little, or are missing: what one cue says must not decide alone."""
    z = ((batch["found"] - net.centre[:, None, None]) / net.scale[:, None, None]).clamp(-4, 4)
    n, c = z.shape[:2]
    z = z + 0.3 * torch.randn(n, c, 1, 1) + 0.1 * torch.randn_like(z)
    z = z * (torch.rand(n, c, 1, 1) > 0.07)
    axes = [a for a in (-1, -2) if rng.random() < 0.5]
    turn = rng.random() < 0.5

    def moved(t: Tensor) -> Tensor:
        t = t.flip(axes) if axes else t
        return (t.transpose(-1, -2) if turn else t).contiguous()

    return {"z": moved(z), "mask": moved(batch["mask"]), "source": moved(batch["source"]), "kind": batch["kind"]}


def loss(seen: Seen, batch: Batch) -> Tensor:
    """Of the map (weighted cross-entropy and dice), of its confidence (of the true class), and of the whole picture."""
    truth, counts = batch["mask"], 1 - batch["source"]
    each = binary_cross_entropy_with_logits(seen.map, truth, pos_weight=torch.tensor(CHANGED), reduction="none")
    pixels = (each * counts).mean()
    p = seen.map.sigmoid() * counts
    dice = 1 - (2 * (p * truth).sum((1, 2)) + 1) / (p.sum((1, 2)) + truth.sum((1, 2)) + 1)
    forged = batch["kind"] > 0
    right = 1 - (seen.map.sigmoid() - truth).abs().detach()
    trust = ((seen.confidence.sigmoid() - right).square() * counts).mean()
    whole = binary_cross_entropy_with_logits(seen.whole, forged.float())
    return pixels + 0.5 * (dice * forged).sum() / forged.sum().clamp_min(1) + trust + 0.4 * whole


def auc(score: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> float:
    n = int(truth.sum())
    return float((rankdata(score)[truth].sum() - n * (n + 1) / 2) / max(1, n * (len(truth) - n)))


@torch.no_grad()
def told(net: Splices, cache: Cache) -> str:
    """How the net does on pictures it does not learn from."""
    rows: dict[str, list[float]] = {}
    wholes, kinds, areas = [], [], []
    for i in range(0, len(cache), SHARD):
        batch = cache.rows(list(range(i, i + SHARD)))
        seen = net(batch["found"])
        wholes += seen.whole.tolist()
        kinds += batch["kind"].tolist()
        for logit, mask, source, kind in zip(seen.map, batch["mask"], batch["source"], batch["kind"], strict=True):
            p, t = logit.sigmoid()[source < 0.5].numpy(), (mask > 0.5)[source < 0.5].numpy()
            if kind and 0 < t.sum() < t.size:
                name, said = KINDS[int(kind)], p > 0.5
                rows.setdefault(name + " auc", []).append(auc(p, t))
                rows.setdefault(name + " f1", []).append(2 * (said & t).sum() / (said.sum() + t.sum()))
            elif not kind:
                areas.append((p > 0.5).mean())
    lines = {k: float(np.mean(v)) for k, v in sorted(rows.items())}
    lines["all auc"], lines["all f1"] = (float(np.mean([x for k, v in rows.items() if k.endswith(e) for x in v])) for e in ("auc", "f1"))
    lines["false area"] = float(np.mean(areas))
    lines["image auc"] = auc(np.array(wholes), np.array(kinds) > 0)
    return ", ".join(f"{k} {v:.3f}" for k, v in lines.items())


def train(folder: Path, minutes: float, out: Path) -> None:
    """As many minutes of one core, counted over restarts; the averaged weights go to `out` now and then, and at the end."""
    cache, held = Cache(folder, "train"), Cache(folder, "interval")
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    net = Splices().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    sample = cache.rows(list(range(0, len(cache), max(1, len(cache) // 400))))["found"]
    net.centre.copy_(sample.mean((0, 2, 3)))
    net.scale.copy_(sample.std((0, 2, 3)) + 1e-3)
    mean = copy.deepcopy(net).eval()
    best = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.02)
    kept = folder / "checkpoint.pt"
    spent, step = 0.0, 0
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        net.load_state_dict(state["net"])
        mean.load_state_dict(state["mean"])
        best.load_state_dict(state["best"])
        spent, step = state["spent"], state["step"]
        torch.manual_seed(step)
        rng = np.random.default_rng(step)
    began, saved, running = time.process_time() - spent, time.time(), []
    while spent < 60 * minutes:
        cache.grow()
        for batch in cache.batches(rng):
            for group in best.param_groups:
                group["lr"] = float(RATE * min(1, (step + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * min(1, spent / (60 * minutes)))) + 1e-5)
            batch = disturbed(net, batch, rng)
            cost = loss(net.train().judged(batch["z"]), batch)
            best.zero_grad()
            cost.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            best.step()
            step += 1
            running.append(float(cost.detach()))
            keep = min(KEEP, (step + 1) / (step + 20))
            for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                if a.is_floating_point():
                    a.lerp_(b, 1 - keep)
            spent = time.process_time() - began
            if time.time() - saved > EVERY or spent >= 60 * minutes:
                saved = time.time()
                state = {"net": net.state_dict(), "mean": mean.state_dict(), "best": best.state_dict(), "spent": spent, "step": step}
                torch.save(state, kept.with_suffix(".part"))
                kept.with_suffix(".part").rename(kept)
                write(mean, out, torch.tensor([float("inf")]))
                print(
                    f"{spent / 60:.1f} min, step {step}, {len(cache)} pictures, loss {np.mean(running[-200:]):.3f}; {told(mean, held)}",
                    flush=True,
                )
            if spent >= 60 * minutes:
                break
    write(mean, out, torch.tensor([float("inf")]))


def write(net: Splices, out: Path, limits: Tensor) -> None:
    tensors = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    save_file({k: v.half().contiguous() for k, v in tensors.items()} | {"limits": limits.float()}, out)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("cache", type=Path)
    cli.add_argument("what", choices=["make", "train"])
    cli.add_argument("--pictures", type=int, default=3200)
    cli.add_argument("--worker", type=int, default=0)
    cli.add_argument("--part", default="train", choices=["train", "interval"])
    cli.add_argument("--minutes", type=float, default=10)
    cli.add_argument("--out", type=Path)
    args = cli.parse_args()
    torch.set_num_threads(1)
    if args.what == "make":
        make(args.data, args.cache, args.pictures, args.worker, args.part)
    else:
        train(args.cache, args.minutes, args.out)
