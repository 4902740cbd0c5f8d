"""A detector that is taught one decoder after another: what it forgets, in three ways of teaching.

    python recipes/attribution_data.py BANK --out FEATURES.npz
    python recipes/continual.py FEATURES.npz --out RUN [--plot docs/forgetting.png]
    assay bench forgetting RUN/stages.csv

Each task is photographs against what one decoder family made of them, in the order of TASKS; each has photographs of its own. Features are
`plain` of recipes/attribution_data.py: nothing was trained for them. `fine-tuning` goes on with one head; `replay` mixes in KEEP random
rows of each class of each task before; `isolation` (SUR-LID, `assay.ops.replay`) chooses them sparsely and uniformly, gives each task its
head, keeps classes of tasks apart, distils and aligns. `together`, all tasks at once, is what cannot be lost. AUC on test crops of other
photographs; of several heads the mean logit counts. The mean over --seeds starts is written.
"""

from __future__ import annotations

import argparse
import csv
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from assay.bench.forgetting import forgetting
from assay.bench.verification import auc, roc
from assay.ops.replay import align, distillation, isolation, refilled, soft_distillation, sparse_uniform

TASKS = ("deconv", "linear", "vae", "bilinear", "style")
WAYS = ("fine-tuning", "replay", "isolation", "together")
KEEP = 6  # rows of each class of each task before
NEW, RATE, DECAY = 32, 1e-3, 1e-4
CONTRAST, DISTIL, SOFT = 4.0, 10.0, 1.0  # weights of the losses; the last two as the paper has them, the first too


class Task(NamedTuple):
    """Features and classes (1: made by the decoder) for learning and for testing; `other`: the same rows after a disturbance."""

    x: Tensor
    other: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor


class Model(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(size, 64), nn.ReLU(), nn.Linear(64, 32))
        self.heads = nn.ModuleList()

    def add(self) -> None:
        self.heads.append(nn.Linear(32, 2))

    def score(self, x: Tensor) -> Tensor:
        """Logit of "made" less that of "photograph", the mean of all heads."""
        seen = self.body(x)
        told = torch.stack([h(seen) for h in self.heads]).mean(0)
        return told[:, 1] - told[:, 0]


def tasks(file: Path) -> list[Task]:
    """The tasks in order; standardised by the photographs of the first. Task k has every len(TASKS)-th photograph."""
    f = dict(np.load(file))
    x, made = f["plain"].astype(np.float32), f["family"] != "photograph"
    number = {s: i for i, s in enumerate(dict.fromkeys(f["subject"].tolist()))}
    turn = np.array([number[s] for s in f["subject"]]) % len(TASKS)
    first = (f["part"] == "train") & ~made & (turn == 0)
    x = (x - x[first].mean(0)) / (x[first].std(0) + 1e-3)
    found = []
    for k, name in enumerate(TASKS):
        its = (f["family"] == name) | ~made
        train = its & (f["part"] != "test") & (turn == k)
        plain, drawn = train & (f["drawn"] == 0), train & (f["drawn"] == 1)
        test = its & (f["part"] == "test") & (f["drawn"] == 0)
        found.append(Task(*map(torch.from_numpy, (x[plain], x[drawn], made[plain].astype(int), x[test], made[test].astype(int)))))
    return found


def figure(model: Model, task: Task) -> float:
    with torch.no_grad():
        s = model.score(task.test_x).double().numpy()
    return auc(roc(s, task.test_y.numpy() > 0))


def batch(task: Task, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    at = torch.randint(len(task.x), (NEW,), generator=dice)
    return task.x[at], task.y[at]


def run(way: str, every: list[Task], steps: int, seed: int) -> list[tuple[int, int, float]]:
    """Stage, task and AUC."""
    torch.manual_seed(seed)
    dice = torch.Generator().manual_seed(seed)
    model, kept, told = Model(every[0].x.shape[1]), [], []
    teacher = model
    for t, task in enumerate(every):
        if way == "isolation" or t == 0:
            model.add()
        wheel = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
        learn = every if way == "together" else [task]
        for step in range(steps):
            drawn = [batch(k, dice) for k in learn]
            lost = loss(way, model, teacher, drawn, kept, dice)
            wheel.zero_grad()
            lost.backward()
            wheel.step()
            if way == "isolation" and t and step > steps // 10:
                align(list(model.heads))
        teacher = deepcopy(model).eval().requires_grad_(False)
        kept.append(chosen(way, model, task, dice))
        told += [(t, k, figure(model, other)) for k, other in enumerate(every)]
    return told


@torch.no_grad()
def chosen(way: str, model: Model, task: Task, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows of a task to keep, the same number of either class."""
    rows = []
    for c in (0, 1):
        mine = torch.nonzero(task.y == c)[:, 0]
        if way == "isolation":
            seen, other = model.body(task.x[mine]), model.body(task.other[mine])
            at = sparse_uniform(seen, torch.cosine_similarity(seen, other), KEEP)
        else:
            at = torch.randperm(len(mine), generator=dice)[:KEEP]
        rows.append(mine[at])
    both = torch.cat(rows)
    return task.x[both], task.y[both]


def loss(
    way: str, model: Model, teacher: Model, drawn: list[tuple[Tensor, Tensor]], kept: list[tuple[Tensor, Tensor]], dice: torch.Generator
) -> Tensor:
    x, y = torch.cat([a for a, _ in drawn]), torch.cat([b for _, b in drawn])
    seen = model.body(x)
    total = cross_entropy(model.heads[-1](seen), y)
    if not kept or way not in ("replay", "isolation"):
        return total
    if way == "replay":
        old = torch.cat([a for a, _ in kept]), torch.cat([b for _, b in kept])
        return total + cross_entropy(model.heads[-1](model.body(old[0])), old[1])
    parts, groups = [seen], [2 * len(kept) + y]
    for t, (a, b) in enumerate(kept):
        again, before = model.body(a), teacher.body(a)
        total = total + (cross_entropy(model.heads[t](again), b) + DISTIL * distillation(again, before)) / len(kept)
        total = total + SOFT * soft_distillation(model.heads[t](again), teacher.heads[t](before)) / len(kept)
        for c in (0, 1):
            mine = again[b == c]
            parts += [mine, refilled(mine, mine.mean(0).detach(), dice)]
            groups += [torch.full((2 * len(mine),), 2 * t + c)]
    return total + CONTRAST * isolation(torch.cat(parts), torch.cat(groups))


def draw(rows: dict[str, list[float]], alone: dict[str, list[float]], path: Path) -> None:
    """Average over the tasks learned so far, and the first task alone, by stage."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure_ = Figure(figsize=(8, 3.4), layout="constrained", dpi=120)
    FigureCanvasAgg(figure_)
    panels = {"all tasks learned so far": rows, f"the first task alone: {TASKS[0]}": alone}
    for axis, (title, lines) in zip(figure_.subplots(1, 2, sharey=True), panels.items(), strict=True):
        for name, values in lines.items():
            axis.plot(range(len(values)), values, marker="o", markersize=4, label=name)
        axis.set_xticks(range(len(TASKS)), [f"+ {t}" if i else t for i, t in enumerate(TASKS)], rotation=20)
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    figure_.axes[0].set_ylabel("AUC")
    figure_.axes[0].legend(frameon=False, fontsize=8)
    figure_.savefig(path)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("features", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--steps", type=int, default=150, help="of each task")
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--plot", type=Path)
    given = ask.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    every = tasks(given.features)
    table = {w: np.mean([[v for *_, v in run(w, every, given.steps, s)] for s in range(given.seeds)], 0) for w in WAYS}
    cells = [(TASKS[i], TASKS[k]) for i in range(len(TASKS)) for k in range(len(TASKS))]
    with (given.out / "stages.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["stage", "task", *WAYS])
        out.writerows([*cell, *(round(float(table[w][i]), 4) for w in WAYS)] for i, cell in enumerate(cells))
    stages = {w: forgetting([c[0] for c in cells], [c[1] for c in cells], table[w]) for w in WAYS}
    for w, told in stages.items():
        print(f"{w}: average {told[-1].average:.3f}, worst {told[-1].worst:.3f}, forgetting {told[-1].forgetting:.3f}", flush=True)
    if given.plot:
        alone = {w: table[w].reshape(len(TASKS), -1)[:, 0].tolist() for w in WAYS}
        draw({w: [s.average for s in told] for w, told in stages.items()}, alone, given.plot)


if __name__ == "__main__":
    main()
