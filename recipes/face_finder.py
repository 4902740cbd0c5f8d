"""Trains the face finder that ships with the package.

    python recipes/face_finder_data.py DATA --out labels.json          # first: labels, from two official detectors that agree
    python recipes/face_finder.py DATA labels.json --out run/
    python recipes/face_finder.py DATA labels.json --export run/ --out src/assay/weights/face_finder.safetensors

Pictures are made as they are needed (face_finder_data.Pool) and each is seen about three times. A face is wanted at the places near its
centre, softly (quality focal loss, Li et al. 2020, arXiv:2006.04388); boxes and points are learned there, as parts of its size.

The shipped weights are one run of these commands: 16 000 steps, 50 minutes beside other work (0.14 s a step on a core to itself, a
quarter of it for making pictures). An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from assay.nets.face_finder import STRIDE, FaceFinder, decoded
from assay.ops.detections import MEAN_POINTS
from face_finder_data import SIDE, WANTED, Pool

BATCH, FRESH = 12, 4  # pictures in a step, and how many of them are new
RATE, DECAY, AVERAGE = 3e-3, 1e-3, 0.997
PLACES = SIDE // STRIDE
SOFT = 0.75  # soft targets leave the net too sure: on photographs without faces there is one false alarm in 13 above a logit of this
KEPT = 1500  # pictures that may be seen again
Values = np.ndarray[Any, Any]


def target(faces: Values) -> tuple[Tensor, Tensor, Tensor]:
    """How much a face is wanted at every place, whether that counts, and which face: P×P, P×P, P×P×14."""
    at = STRIDE * (np.arange(PLACES) + 0.5)
    heat, counts, which = np.zeros((PLACES, PLACES)), np.ones((PLACES, PLACES)), np.zeros((PLACES, PLACES, 14))
    for f in sorted(faces, key=lambda f: -f[3]):
        size = (f[2] * f[3]) ** 0.5
        x, y = np.clip(f[:2], 4, SIDE - 4)
        dx, dy = (np.clip(np.abs(at - c) - STRIDE / 2, 0, None) for c in (x, y))
        peak = np.exp(-(dx[None, :] ** 2 + dy[:, None] ** 2) / (2 * (0.12 * size) ** 2))
        if f[14] == WANTED:
            better = (peak > heat) & (peak > 0.05)
            which[better] = f[:14]
            heat = np.where(better, peak, heat)
        else:
            counts[peak > 0.01] = 0
    return torch.from_numpy(heat).float(), torch.from_numpy(counts).float(), torch.from_numpy(which).float()


def loss(raw: Tensor, heat: Tensor, counts: Tensor, which: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For being there, for the box, for the points."""
    seen = decoded(raw).permute(0, 2, 3, 1)
    logit = seen[..., 0]
    there = binary_cross_entropy_with_logits(logit, heat, reduction="none") * (logit.sigmoid() - heat).square() * counts
    at = heat > 0.3
    n = max(1.0, float((heat > 0.99).sum()))
    got, want, weight = seen[at][:, 1:], which[at], heat[at]
    size = (want[:, 2] * want[:, 3]).sqrt()[:, None]
    box = ((got[:, :2] - want[:, :2]).abs() / size).sum(1) + (got[:, 2:4].log() - want[:, 2:4].log()).abs().sum(1)
    points = ((got[:, 4:] - want[:, 4:]).abs() / size).sum(1)
    whole = weight.sum().clamp(min=1)
    return there.sum() / n, (weight * box).sum() / whole, (weight * points).sum() / whole


class Feed:
    """Batches, a third of fresh pictures, the rest seen before."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.old = pool, list[tuple[Values, Values]]()

    def batch(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        rng = self.pool.rng
        again = [self._changed(*self.old[i]) for i in rng.permutation(len(self.old))[: BATCH - FRESH]]
        fresh = [self.pool.sample() for _ in range(BATCH - len(again))]
        self.old = (self.old + [(s.image, s.faces) for s in fresh])[-KEPT:]
        rows = again + [(s.image, s.faces) for s in fresh]
        x = torch.from_numpy(np.stack([image for image, _ in rows])).permute(0, 3, 1, 2).float() / 127.5 - 1
        wanted = zip(*(target(faces) for _, faces in rows), strict=True)
        return x.contiguous(memory_format=torch.channels_last), tuple(torch.stack(t) for t in wanted)

    def _changed(self, x: Values, faces: Values) -> tuple[Values, Values]:
        """Mirrored, darker or with its colours exchanged."""
        rng = self.pool.rng
        if rng.random() < 0.5:
            x, f = x[:, ::-1], faces.copy()
            points = f[:, 4:14].reshape(-1, 5, 2)[:, [1, 0, 2, 4, 3]]
            points[..., 0], f[:, 0] = SIDE - points[..., 0], SIDE - f[:, 0]
            f[:, 4:14] = points.reshape(-1, 10)
            faces = f
        if rng.random() < 0.2:
            x = x[..., rng.permutation(3)]
        if rng.random() < 0.5:
            x = np.asarray(x * rng.uniform(0.5, 1)).astype(np.uint8)
        return x, faces


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    labels = json.loads(args.labels.read_text("utf-8"))
    net, first = FaceFinder(), 0
    with torch.no_grad():  # begin with few faces of middling size, their points at the usual places
        net.head.bias.copy_(torch.tensor([-4, 0, 0, 0.5, 0.8, *(MEAN_POINTS - 0.5).ravel()]))
    kept = args.out / "net.pt"
    if kept.exists():  # an interrupted run goes on from its running mean
        found = torch.load(kept, weights_only=True)
        net.load_state_dict(found["net"])
        first = found["steps"]
    feed = Feed(Pool(args.data, labels, seed=args.seed + first))
    net = net.to(memory_format=torch.channels_last).train()
    mean = deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    start, saved, step, sums, made = time.time(), time.time(), first, np.zeros(3), 0.0
    while (gone := step / args.steps) < 1:
        warm = min(1.0, (step - first + 1) / 100)
        rate = args.rate * warm * (1 - gone)
        for group in optimiser.param_groups:
            group["lr"] = rate
        feed.pool.hard = args.easy + (1 - args.easy) * min(1, 1.5 * gone)
        before = time.time()
        x, wanted = feed.batch()
        made += time.time() - before
        parts = loss(net(x), *wanted)
        optimiser.zero_grad()
        (2 * parts[0] + parts[1] + parts[2]).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5)
        optimiser.step()
        keep = min(AVERAGE, (step - first) / (step - first + 10))
        with torch.no_grad():
            for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
        sums += [float(p.detach()) for p in parts]
        step += 1
        if step % 100 == 0:
            minutes = (time.time() - start) / 60
            share = made / (time.time() - start)
            print(f"{minutes:5.1f} min, step {step}, rate {rate:.4f}, losses {np.round(sums / 100, 3)}, making {share:.0%}", flush=True)
            sums[:] = 0
        if time.time() - saved > 90:
            saved = time.time()
            torch.save({"net": mean.state_dict(), "steps": step}, kept)
    torch.save({"net": mean.state_dict(), "steps": step}, kept)


def export(args: argparse.Namespace) -> None:
    """Half precision, with the logit moved so that a confidence of one half is where false alarms have become rare."""
    found = torch.load(args.export / "net.pt", weights_only=True)["net"]
    found["head.bias"][0] -= SOFT
    save_file({k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in found.items()}, args.out)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("labels", type=Path)
    cli.add_argument("--steps", type=int, default=16_000)
    cli.add_argument("--rate", type=float, default=RATE)
    cli.add_argument("--easy", type=float, default=0.3, help="difficulty of the first pictures; it has risen to 1 after two thirds")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--export", type=Path)
    cli.add_argument("--out", type=Path, required=True)
    args = cli.parse_args()
    (export if args.export else train)(args)
