"""Trains `fiqa-assay`, the judge of faces that ships with the package, by self-training and distillation.

    python recipes/fiqa_data.py PORTRAITS --faces labels.json --out BANK    # first: damaged faces and their targets
    python recipes/fiqa.py BANK --out RUN                                   # then: teacher, pseudo-labels, teacher, student
    python recipes/fiqa.py BANK --out RUN --export src/assay/weights/fiqa_assay.safetensors
    python recipes/fiqa.py --csv scores.csv --pictures FOLDER [--pools FOLDER FOLDER] --out RUN   # faces that people rated

The pipeline of Efficient-FIQA (Sun et al. 2025, arXiv:2507.15709): a teacher T0 learns the labelled faces; a logistic of four
parameters, fitted on these, maps what it says of a pool without labels to pseudo-labels; T+ learns both and labels a second pool;
the student learns all three, with the same loss (ops/regression.py: MSE and PLCC) and no features of the teacher. Beside the
score the statistics nets learn how far they are off, and which damage the bank applied.

Here the labels are no people's: they are the consensus of five full-reference metrics (fiqa_data.py). The teacher is the
statistics net of `assay-q` made twice as deep, the student the net itself; both begin as `assay-q`. Or EdgeNeXt-XXS is the
student, with --student edgenext, and begins from nothing; `efficient_fiqa(…, file="RUN/student.pt")` reads it.

These steps take about 6 minutes of a core to itself (0.35 s each), the bank before 9 (4 s a portrait). The shipped weights are one run
of these commands, on 67 portraits: 2613 faces with labels and 804 in the pools.
A run goes on where it stopped: each step leaves a file in RUN, and checkpoints every --watch minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from assay.face.fiqa_assay import SIDE
from assay.nets.assay_q import STRIDE, AssayQ, Symmetric, statistics
from assay.nets.edgenext import EdgeNeXtFIQA
from assay.nets.imagenet import standardised
from assay.ops.regression import fit_logistic, logistic, mse_plcc
from assay.ops.views import resized
from fiqa_data import part
from quality_nr_data import HELD_OUT, SUFFIXES, consensus, read, scales

SHIPPED = Path(__file__).parent.parent / "src/assay/weights/assay_q.safetensors"
PLACES = SIDE // STRIDE
CROPS = (8, 8, 10, 12, 16)  # sides of what is cut from the statistics; one for each batch
BATCH, DECAY, AVERAGE = 32, 1e-3, 0.995
PATCH = 160  # pixels a side of what EdgeNeXt learns from
RATE = {"teacher": 8e-4, "statistics": 8e-4, "edgenext": 1e-3}


class Bank:
    """Faces as the nets see them, with their targets in 0..1 (NaN in the pools)."""

    def __init__(self, folder: Path, wanted: str, *, pixels: bool = False) -> None:
        files = sorted(p for p in folder.glob("*.npz") if p.with_suffix(".npy").exists())
        rows: dict[str, list[Any]] = {}
        self.who = []
        for file in files:
            if part(f"{file.stem}.jpg") != wanted:
                continue
            with np.load(file) as z:
                for key in z.files:
                    if pixels or key != "pixels":
                        rows.setdefault(key, []).append(z[key])
                self.who += [file.stem] * len(z["level"])
            rows.setdefault("found", []).append(np.load(file.with_suffix(".npy")))
        one = {k: np.concatenate(v) for k, v in rows.items()}
        self.scale = scale_of(files)
        self.pixels = torch.from_numpy(one["pixels"]) if pixels else torch.empty(0)
        self.found, self.strengths = torch.from_numpy(one["found"]), torch.from_numpy(one["strengths"])
        self.group, self.level, self.pool, self.kinds = one["group"], one["level"], one["pool"], one["kinds"]
        self.target = (consensus(one["distances"], self.scale) / 100).astype(np.float32)
        self.seen = np.array([not set(str(k).split("+")) & set(HELD_OUT) for k in self.kinds])


class Rated(Bank):
    """Faces with people's scores: rows of image,score; 80 % to learn from and 20 % to check, by the seed of the paper.

    pools: folders of faces without scores, for the self-training; they go to what is learned from.
    """

    def __init__(self, table: Path, folder: Path, wanted: str, pools: Sequence[Path] = ()) -> None:
        with table.open(encoding="utf-8") as f:
            rows = [(folder / r[0], float(r[1])) for r in csv.reader(f) if len(r) > 1 and is_number(r[1])]
        order = np.random.default_rng(42).permutation(len(rows))
        cut = round(0.8 * len(rows))
        low, high = min(s for _, s in rows), max(s for _, s in rows)
        chosen = [(*rows[i], 0) for i in (order[:cut] if wanted == "train" else order[cut:])]
        if wanted == "train":
            for number, pool in enumerate(pools, 1):
                chosen += [(path, float("nan"), number) for path in sorted(pool.iterdir()) if path.suffix.lower() in SUFFIXES]
        self.pixels = torch.cat([centred(read(path)) for path, _, _ in chosen])
        with torch.no_grad():
            self.found = torch.cat([statistics(x.float() / 255).half() for x in self.pixels.split(8)])
        self.target = np.array([(score - low) / (high - low) for _, score, _ in chosen], np.float32)
        self.pool, self.who = np.array([number for _, _, number in chosen]), [path.name for path, _, _ in chosen]
        self.strengths, self.kinds = torch.zeros(len(chosen), 0), np.full(len(chosen), "")
        self.group, self.level, self.seen = (np.full(len(chosen), v) for v in (-1, 0, True))


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def centred(x: Tensor) -> Tensor:
    """The middle square of a picture of a face, as the model sees it."""
    n = min(x.shape[2:])
    top, left = ((side - n) // 2 for side in x.shape[2:])
    return resized(x[:, :, top : top + n, left : left + n].float(), SIDE).clamp(0, 255).round().to(torch.uint8)


def scale_of(files: list[Path]) -> list[tuple[float, float]]:
    """The anchors' scale, from the portraits for training alone."""
    far, group, level = [], [], []
    for file in files:
        if part(f"{file.stem}.jpg") == "train":
            with np.load(file) as z:
                far.append(z["distances"]), group.append(z["group"]), level.append(z["level"])
    return scales(np.concatenate(far), np.concatenate(group), np.concatenate(level))


class Deep(AssayQ):
    """The teacher: two more convolutions, which change nothing at first."""

    def __init__(self) -> None:
        super().__init__()
        for _ in range(2):
            more = Symmetric(128)
            nn.init.zeros_(more.norm.weight)
            self.body.append(more)


def build(kind: str) -> nn.Module:
    if kind == "edgenext":
        net: nn.Module = EdgeNeXtFIQA()
        for name, p in net.named_parameters():
            if "gamma" in name:
                nn.init.constant_(p, 0.1)  # the release's 1e-6 wants 300 epochs
        return net
    body = Deep() if kind == "teacher" else AssayQ()
    tensors = {k: v.float() for k, v in load_file(SHIPPED).items()}
    tensors.pop("interval")
    body.load_state_dict(tensors, strict=False)  # begins as the judge of pictures
    return body


def loss(kind: str, net: nn.Module, bank: Bank, rows: np.ndarray, want: Tensor, dice: random.Random) -> Tensor:
    """MSE and PLCC on the score; beside it, where the net has such outputs, its own error and the kinds of damage."""
    if kind == "edgenext":
        y, x = (dice.randrange(SIDE - PATCH + 1) for _ in range(2))
        return mse_plcc(net(standardised(bank.pixels[rows, :, y : y + PATCH, x : x + PATCH].float() / 255)), want)
    side = dice.choice(CROPS)
    y, x = dice.randrange(PLACES - side + 1), dice.randrange(PLACES - side + 1)
    told = net(bank.found[rows, :, y : y + side, x : x + side].float())
    score = told.score.sigmoid()
    error = 100 * (score - want).detach()
    spread = told.spread.clamp(-0.7, 3.7)
    total = mse_plcc(score, want) + 0.02 * ((error / spread.exp()).square() / 2 + spread).mean()
    if bank.strengths.shape[1]:
        total = total + 0.2 * binary_cross_entropy_with_logits(told.kinds, bank.strengths[rows])
    return total


@torch.no_grad()
def predict(kind: str, net: nn.Module, bank: Bank, rows: np.ndarray) -> np.ndarray:
    """What the net says, 0..1."""
    net.eval()
    out = []
    for some in np.array_split(rows, max(1, len(rows) // 32)):
        if kind == "edgenext":
            out.append(net(standardised(bank.pixels[some].float() / 255)))
        else:
            out.append(net(bank.found[some].float()).score.sigmoid())
    return torch.cat(out).numpy()


def check(kind: str, net: nn.Module, bank: Bank, limit: int = 800) -> dict[str, float]:
    """How well portraits never seen are ranked: with known kinds of damage and with kinds held out."""
    pick = np.random.default_rng(0).permutation(np.flatnonzero(bank.pool == 0))[:limit]
    got, known = predict(kind, net, bank, pick), bank.seen[pick]
    out = {"known": round(float(spearmanr(got[known], bank.target[pick][known])[0]), 4)}
    if not known.all():
        out["held out"] = round(float(spearmanr(got[~known], bank.target[pick][~known])[0]), 4)
    return out | {"mae": round(100 * float(np.abs(got - bank.target[pick]).mean()), 2)}


def train(kind: str, bank: Bank, held: Bank, target: np.ndarray, file: Path, steps: int, watch: float) -> nn.Module:
    """A net that learned every row whose target is a number; the running mean of its parameters is what counts."""
    torch.manual_seed(0)
    net = build(kind)
    if file.exists():
        net.load_state_dict(torch.load(file, weights_only=True))
        return net.eval()
    dice, pick = random.Random(0), np.flatnonzero(np.isfinite(target))
    mean, wheel = deepcopy(net), torch.optim.AdamW(net.parameters(), lr=RATE[kind], weight_decay=DECAY)
    start, told, step, total = time.monotonic(), 0.0, 0, 0.0
    order: list[int] = []
    while step < steps:
        for g in wheel.param_groups:
            g["lr"] = RATE[kind] * min(1, (step + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        if len(order) < BATCH:
            order = dice.sample(pick.tolist(), len(pick))
        rows = np.array([order.pop() for _ in range(min(BATCH, len(order)))])
        net.train()
        lost = loss(kind, net, bank, rows, torch.from_numpy(target[rows]), dice)
        wheel.zero_grad()
        lost.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        wheel.step()
        step, total = step + 1, total + float(lost.detach())
        keep = min(AVERAGE, step / (step + 10))
        with torch.no_grad():
            for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
        if (spent := (time.monotonic() - start) / 60) - told >= watch:
            told = spent
            print(json.dumps({"net": file.stem, "minute": round(spent, 1), "step": step, "loss": round(total / step, 4)}
                             | check(kind, mean, held)), flush=True)  # fmt: skip
            torch.save(mean.state_dict(), file.with_suffix(".part"))
    torch.save(mean.state_dict(), file)
    print(json.dumps({"net": file.stem, "rows": len(pick), "step": step} | check(kind, mean, held)), flush=True)
    return mean.eval()


def label(kind: str, net: nn.Module, bank: Bank, pool: int, file: Path) -> np.ndarray:
    """Pseudo-labels of a pool, mapped by the logistic that brings the teacher nearest to the labels; also as a table."""
    labelled, rows = np.flatnonzero(bank.pool == 0), np.flatnonzero(bank.pool == pool)
    curve = fit_logistic(predict(kind, net, bank, labelled), bank.target[labelled])
    raw = predict(kind, net, bank, rows)
    mapped = np.clip(logistic(raw, *curve), 0, 1).astype(np.float32)
    with file.open("w", encoding="utf-8", newline="") as f:
        csv.writer(f).writerows(
            (f"{bank.who[i]}#{i}", round(float(r), 5), round(float(m), 5)) for i, r, m in zip(rows, raw, mapped, strict=True)
        )
    out = np.full(len(bank.target), np.nan, np.float32)
    out[rows] = mapped
    return out


@torch.no_grad()
def export(bank: Bank, run: Path, out: Path) -> None:
    """The student in half precision, with how many of its standard deviations hold 95 % of the consensus below and above.

    Fitted on portraits that served for nothing else, over all kinds of damage, the unknown ones too (split conformal).
    """
    kept = torch.load(run / "student.pt", weights_only=True)
    net = AssayQ()
    net.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in kept.items()})
    net.eval()
    told = [net(x.float()) for x in bank.found.split(32)]
    score, spread = (torch.cat([getattr(t, k) for t in told]) for k in ("score", "spread"))
    off = ((100 * score.sigmoid() - 100 * torch.from_numpy(bank.target)) / spread.exp()).numpy()
    below, above = (max(0.0, float(np.quantile(sign * off, 0.95))) for sign in (1, -1))
    tensors = {k: v.half().contiguous() for k, v in net.state_dict().items() if v.is_floating_point()}
    save_file(tensors | {"interval": torch.tensor([below, above]).half()}, out)
    print(f"{out}: {out.stat().st_size} bytes, interval {below:.2f} {above:.2f}")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("bank", type=Path, nargs="?")
    ask.add_argument("--csv", type=Path, help="image,score rows")
    ask.add_argument("--pictures", type=Path, help="the folder of the images of --csv")
    ask.add_argument("--pools", type=Path, nargs="*", default=[], help="with --csv: up to two folders of faces without scores")
    ask.add_argument("--out", type=Path, required=True, help="the run's folder")
    ask.add_argument("--student", choices=("statistics", "edgenext"), default="statistics")
    ask.add_argument("--steps", type=int, nargs=3, default=(180, 190, 800), help="of T0, T+ and the student")
    ask.add_argument("--watch", type=float, default=2, help="minutes between checks and checkpoints")
    ask.add_argument("--export", type=Path, metavar="FILE")
    given = ask.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.csv is None and given.bank is None:
        ask.error("give a BANK, or --csv and --pictures")
    rated = given.csv is not None

    def bank(wanted: str) -> Bank:
        if rated:
            return Rated(given.csv, given.pictures, wanted, given.pools)
        return Bank(given.bank, wanted, pixels=given.student == "edgenext")

    held = bank("interval")
    if given.export:
        export(held, given.out, given.export)
        return
    learned = bank("train")
    target = np.where(learned.pool == 0, learned.target, np.nan).astype(np.float32)
    first, second, last = given.steps
    print(f"{len(target)} faces, {int(np.isfinite(target).sum())} labelled", flush=True)
    for pool, name, steps in ((1, "t0", first), (2, "tplus", second)):
        if (learned.pool == pool).any():
            teacher = train("teacher", learned, held, target, given.out / f"{name}.pt", steps, given.watch)
            target = np.where(np.isfinite(target), target, label("teacher", teacher, learned, pool, given.out / f"pool{pool}.csv"))
    train(given.student, learned, held, target, given.out / "student.pt", last, given.watch)


if __name__ == "__main__":
    main()
