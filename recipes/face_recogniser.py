"""Trains the head of the small face recogniser with the SFace loss.

    python recipes/face_recogniser.py DATA --labels points.json --views 40 --minutes 10 --out run.pt
    python recipes/face_recogniser.py --export run.pt --out src/assay/weights/face_recogniser.safetensors

DATA/faces/portraits: official portraits, one of each person; the training part alone is used (face_views.part), and the validation
part to watch. Features of the views are made once. The head begins where views of one person spread alike in all directions (the
within-class covariance is whitened, people's means lie along the axes: linear discriminant analysis), which is kept beside as
`start`, to be compared with what SFace makes of it. What both are worth on other people: recipes/face_recogniser_report.py.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from assay.nets.face_recogniser import SIZE, FaceRecogniser
from assay.ops.sface import sface
from face_views import composites, faces, portraits, views

BATCH, RATE, DECAY = 256, 0.1, 5e-4  # rate and decay as published
HARD = 0.7  # of the damage: a face of which nothing is left teaches nothing
A, B = 0.7, 1.35  # few classes: the push wants a larger angle than the published 1.2
RIDGE = 0.1  # of the mean variance, added to all: the least spread that is believed


@torch.no_grad()
def described(wide: Tensor, count: int, hard: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features of `count` views of each chip, in half precision, and whose they are."""
    generator = torch.Generator().manual_seed(seed)
    net = FaceRecogniser()
    labels = torch.arange(len(wide)).repeat(count)
    return torch.cat([net.features(views(wide[p], generator, hard=hard)).half() for p in labels.split(64)]), labels


def discriminant(x: Tensor, labels: Tensor, people: int) -> tuple[Tensor, Tensor]:
    """Weight 128×F and bias of linear discriminant analysis."""
    total = torch.zeros(x.shape[1], x.shape[1])
    means = torch.stack([x[labels == k].float().mean(0) for k in range(people)])
    for rows, who in zip(x.split(2048), labels.split(2048), strict=True):
        off = rows.float() - means[who]
        total += off.T @ off
    within = total / (len(x) - people)
    within += torch.eye(len(within)) * RIDGE * within.diagonal().mean()
    values, axes = torch.linalg.eigh(within)
    white = axes / values.sqrt()
    centre = means.mean(0)
    _, _, v = torch.linalg.svd((means - centre) @ white, full_matrices=False)
    weight = v[:SIZE] @ white.T
    return weight, -weight @ centre


def watch(head: nn.Module, easy: Tensor, hard: Tensor, people: int) -> dict[str, float]:
    """On people never trained on: is the hard view nearest to the person's own easy view?"""
    head.eval()
    with torch.no_grad():
        likeness = normalize(head(hard.float())) @ normalize(head(easy.float())).T
    head.train()
    who = torch.arange(people).repeat(len(hard) // people)
    mine = torch.nn.functional.one_hot(who, people).bool()
    own, other = likeness[mine], likeness[~mine]
    rank = torch.cat([own, other]).argsort().argsort()[: len(own)].double().sum()
    auc = (rank - len(own) * (len(own) - 1) / 2) / len(own) / len(other)
    return {"auc": float(auc), "first": float((likeness.argmax(1) == who).float().mean()), "own": float(own.mean()), "other": float(other.mean())}  # fmt: skip


def train(x: Tensor, labels: Tensor, held: tuple[Tensor, Tensor], minutes: float, out: Path, seed: int = 0) -> None:
    torch.manual_seed(seed)
    people, watched = int(labels.max()) + 1, len(held[0])
    net = FaceRecogniser()
    linear = net.head[1]
    with torch.no_grad():
        weight, bias = discriminant(x, labels, people)
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    first = {k: v.clone() for k, v in net.state_dict().items()}
    print(json.dumps({"step": 0} | watch(net.head, *held, watched)), flush=True)
    with torch.no_grad():
        centres = nn.Parameter(torch.stack([normalize(net.head[1](x[labels == k].float())).mean(0) for k in range(people)]))
    scale = float(linear.weight.detach().pow(2).mean().sqrt())
    optimiser = torch.optim.Adam([{"params": [linear.weight], "lr": 0.02 * scale}, {"params": [linear.bias, centres], "lr": 2e-3}])
    rates = [g["lr"] for g in optimiser.param_groups]
    start, step, best = time.monotonic(), 0, 0.0
    kept = {"net": first, "centres": centres.detach().clone()}
    while (gone := (time.monotonic() - start) / 60 / minutes) < 1:
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * (1 - gone)
        rows = torch.randint(len(x), (BATCH,))
        cosines = normalize(net.head(x[rows].float())) @ normalize(centres).T
        loss = sface(cosines, labels[rows], a=A, b=B)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 200 == 0:
            seen = watch(net.head, *held, watched)
            if seen["auc"] > best:
                best = seen["auc"]
                kept = {"net": {k: v.clone() for k, v in net.state_dict().items()}, "centres": centres.detach().clone()}
            angles = cosines.detach().clamp(-1, 1).acos()
            mine = angles.gather(1, labels[rows][:, None])
            said = {"step": step, "minute": round(gone * minutes, 2), "own angle": float(mine.mean()), "all angles": float(angles.mean())}
            print(json.dumps(said | seen), flush=True)
            torch.save(kept | {"start": first}, out)
    torch.save(kept | {"start": first}, out)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path, nargs="?")
    ask.add_argument("--labels", type=Path)
    ask.add_argument("--views", type=int, default=40)
    ask.add_argument("--minutes", type=float, default=10)
    ask.add_argument("--composites", type=int, default=200)
    ask.add_argument("--keep", type=Path, help="a file for the features, read if it is there")
    ask.add_argument("--export", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    a = ask.parse_args()
    if a.export:
        state = torch.load(a.export, weights_only=True)["net"]
        save_file({k: v.half() for k, v in state.items()}, a.out)
        print(f"{a.out}: {a.out.stat().st_size} bytes")
        return
    torch.set_num_threads(1)
    if a.keep and a.keep.exists():
        x, labels, held = torch.load(a.keep, weights_only=True)
    else:
        points = faces(a.labels)
        _, wide = portraits(a.data, points, "train")
        _, other = portraits(a.data, points, "validation")
        made = composites(wide, a.composites) if a.composites else wide[:0]
        print(f"{len(wide)} people and {len(made)} made ones to train on, {len(other)} to watch", flush=True)
        x, labels = described(torch.cat([wide, made]), a.views, HARD)
        held = described(other, 1, 0.0, seed=1)[0], described(other, 4, 1.0, seed=2)[0]
        if a.keep:
            torch.save((x, labels, held), a.keep)
    train(x, labels, held, a.minutes, a.out)


if __name__ == "__main__":
    main()
