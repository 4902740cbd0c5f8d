"""Trains the head of the small face recogniser with the SFace loss.

    python recipes/face_recogniser.py DATA --labels points.json --out run.pt
    python recipes/face_recogniser.py --export run.pt --out src/assay/weights/face_recogniser.safetensors

DATA/faces/portraits: official portraits, one of each person; the training part alone is used (face_views.part), and the validation
part to watch and to stop by. Features of the views are made once. The head begins as linear discriminant analysis: views of one
person spread alike in all directions, and people's means lie along the axes. SFace goes on from there. What both are worth on
other people: recipes/face_recogniser_report.py --also run.pt. With 271 people SFace gained nothing on the validation part (AUC .974
beside .977), so what ships is the start: linear discriminant analysis.
Two minutes of a core to itself. Run again on labels made anew, it gave AUC .972 on ORL (what ships .971) and .940 on press photographs
(.941).
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

BATCH, RATE, DROP = 256, 3e-4, 0.2
AXES = 256  # of the discriminant, from which the 128 numbers are made
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
    """The centre F, and the axes AXES×F of linear discriminant analysis, those that tell most people apart first."""
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
    weight = v[:AXES] @ white.T
    return centre, weight


def watch(after: Tensor, easy: Tensor, hard: Tensor, people: int) -> dict[str, float]:
    """On people never trained on: is the hard view nearest to the person's own easy view?"""
    with torch.no_grad():
        likeness = normalize(hard @ after.T) @ normalize(easy @ after.T).T
    who = torch.arange(people).repeat(len(hard) // people)
    mine = torch.nn.functional.one_hot(who, people).bool()
    own, other = likeness[mine], likeness[~mine]
    rank = torch.cat([own, other]).argsort().argsort()[: len(own)].double().sum()
    auc = (rank - len(own) * (len(own) - 1) / 2) / len(own) / len(other)
    return {
        "auc": float(auc),
        "first": float((likeness.argmax(1) == who).float().mean()),
        "own": float(own.mean()),
        "other": float(other.mean()),
    }


def train(x: Tensor, labels: Tensor, held: tuple[Tensor, Tensor], steps: int, out: Path, seed: int = 0) -> None:
    """The head is one matrix after the discriminant: at first it keeps the best axes, then SFace turns and weighs them all."""
    torch.manual_seed(seed)
    people, watched = int(labels.max()) + 1, len(held[0])
    centre, weight = discriminant(x, labels, people)
    z = torch.cat([(rows.float() - centre) @ weight.T for rows in x.split(2048)])
    seen = tuple((h.float() - centre) @ weight.T for h in held)
    size = z.norm(dim=1).mean()
    after = nn.Parameter(torch.eye(SIZE, AXES))
    with torch.no_grad():
        centres = nn.Parameter(torch.stack([normalize(z[labels == k, :SIZE]).mean(0) for k in range(people)]))
    optimiser = torch.optim.Adam([{"params": [after], "lr": RATE}, {"params": [centres], "lr": 3 * RATE}])
    rates = [g["lr"] for g in optimiser.param_groups]

    def kept() -> dict[str, Tensor]:
        with torch.no_grad():
            net = FaceRecogniser()
            net.centre.copy_(centre)
            net.head.weight.copy_(after @ weight / size)
            return net.state_dict()

    first = kept()
    found = watch(after, *seen, watched)
    print(json.dumps({"step": 0} | found), flush=True)
    best, best_net, best_centres = found["auc"], first, centres.detach().clone()
    start, step = time.monotonic(), 0
    while (gone := step / steps) < 1:
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * (1 - gone)
        rows = torch.randint(len(z), (BATCH,))
        mine = z[rows] * (torch.rand(BATCH, AXES) >= DROP) / (1 - DROP)
        cosines = normalize(mine @ after.T) @ normalize(centres).T
        loss = sface(cosines, labels[rows], a=A, b=B)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 200 == 0:
            found = watch(after, *seen, watched)
            if found["auc"] > best:
                best, best_net, best_centres = found["auc"], kept(), centres.detach().clone()
            angles = cosines.detach().clamp(-1, 1).acos()
            own = float(angles.gather(1, labels[rows][:, None]).mean())
            said = {"step": step, "minute": round((time.monotonic() - start) / 60, 2), "own angle": own, "all angles": float(angles.mean())}
            print(json.dumps(said | found), flush=True)
    torch.save({"net": best_net, "centres": best_centres, "start": first, "last": kept(), "last centres": centres.detach()}, out)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path, nargs="?")
    ask.add_argument("--labels", type=Path)
    ask.add_argument("--views", type=int, default=60)
    ask.add_argument("--steps", type=int, default=3000, help="of SFace, after the discriminant")
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
    train(x, labels, held, a.steps, a.out)


if __name__ == "__main__":
    main()
