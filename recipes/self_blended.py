"""Trains `face_manipulation-assay`: a net that has seen real faces, and the same faces blended with a changed copy of themselves.

    python recipes/face_blends.py DATA --labels points.json --out BANK
    python recipes/self_blended.py train BANK --steps 450 --out RUN         # goes on where it stopped
    python recipes/self_blended.py export RUN BANK --out src/assay/weights/face_manipulation.safetensors

After Shiohara & Yamasaki 2022 (arXiv:2204.08376): no manipulated face is ever shown, only blends of a face with itself. A small net
(.3 million parameters) takes the place of EfficientNet-B4, 112 pixels that of 380, AdamW that of SAM; the mask is learned beside the
answer. 271 portraits train, 77 others choose the checkpoint and give the quantiles, 88 are for recipes/face_authenticity_report.py.
The shipped weights: see TOOK in docs/face-authenticity.md.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from assay.bench.verification import auc, roc
from assay.nets.face_traces import Blended
from face_blends import Bank

SIDE = 112
PAIRS = 16  # per step
RATE, DECAY, AVERAGE, WARM = 2e-3, 1e-2, 0.99, 50
MASK = 0.5  # weight of the mask's loss
QUANTILES = 101  # of what real faces that were not trained on score


@torch.no_grad()
def scores(net: Blended, bank: Bank) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the real and of the blended faces of a bank."""
    net.eval()
    out: list[list[Tensor]] = [[], []]
    for rows in np.array_split(np.arange(len(bank)), max(1, len(bank) // 32)):
        real, fake, _ = bank.views(rows, None, SIDE)
        for kept, x in zip(out, (real, fake), strict=True):
            kept.append(net(x)[0])
    return tuple(torch.cat(k).double().numpy() for k in out)  # type: ignore[return-value]


def held(net: Blended, bank: Bank) -> float:
    real, fake = scores(net, bank)
    return auc(roc(np.concatenate([real, fake]), np.arange(len(real) + len(fake)) >= len(real)))


def train(folder: Path, out: Path, steps: int, every: float) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    bank, check = Bank(folder, "train"), Bank(folder, "validation")
    net = Blended().to(memory_format=torch.channels_last)
    wheel = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    mean, step, spent, lost, seen = deepcopy(net), 0, 0.0, 0.0, 0
    out.mkdir(parents=True, exist_ok=True)
    if (out / "last.pt").exists():
        kept = torch.load(out / "last.pt", weights_only=True)
        net.load_state_dict(kept["net"]), mean.load_state_dict(kept["mean"]), wheel.load_state_dict(kept["wheel"])
        step, spent = kept["step"], kept["spent"]
    start = saved = time.monotonic()
    while step < steps:
        for g in wheel.param_groups:
            g["lr"] = RATE * min(1, (step + 1) / WARM) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        dice = np.random.default_rng([1, step])
        real, fake, mask = bank.views(dice.choice(len(bank), PAIRS, replace=False), dice, SIDE)
        net.train()
        told, where = net(torch.cat([real, fake]))
        truth = torch.cat([torch.zeros(PAIRS), torch.ones(PAIRS)])
        loss = bce(told, truth) + MASK * bce(where, torch.cat([torch.zeros_like(mask), mask.clamp(0, 1)]))
        wheel.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        wheel.step()
        step, lost, seen = step + 1, lost + float(loss.detach()), seen + 1
        follow(mean, net, min(AVERAGE, step / (step + 10)))
        now = time.monotonic()
        if now - saved > every or step == steps:
            row = {"step": step, "minutes": round((spent + now - start) / 60, 1), "loss": round(lost / seen, 4), "auc": held(mean, check)}
            print(json.dumps(row), flush=True)
            states = {"net": net.state_dict(), "mean": mean.state_dict(), "wheel": wheel.state_dict()}
            torch.save(states | {"step": step, "spent": spent + now - start}, out / "last.part")
            (out / "last.part").replace(out / "last.pt")
            saved, lost, seen = time.monotonic(), 0.0, 0


@torch.no_grad()
def follow(mean: torch.nn.Module, net: torch.nn.Module, keep: float) -> None:
    """A running average of the weights."""
    for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
        a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)


def export(run: Path, folder: Path, out: Path) -> None:
    """Half precision, with the quantiles of what real faces score after the usual ways."""
    torch.set_num_threads(1)
    kept = torch.load(run / "last.pt", weights_only=True)["mean"]
    net = Blended()
    net.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in kept.items()})
    real, fake = scores(net, Bank(folder, "validation"))
    tensors = {k: v.half().contiguous() for k, v in kept.items() if v.is_floating_point()}
    tensors["real"] = torch.from_numpy(np.quantile(real, np.linspace(0, 1, QUANTILES))).float()
    save_file(tensors, out)
    found = (fake > tensors["real"][QUANTILES - 2].item()).mean()
    print(f"{out}: {out.stat().st_size} bytes; {100 * found:.0f} % of blends lie above 99 % of real faces")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    acts = ask.add_subparsers(dest="act", required=True)
    first = acts.add_parser("train")
    first.add_argument("bank", type=Path)
    first.add_argument("--steps", type=int, default=450)
    first.add_argument("--every", type=float, default=150, help="seconds between checkpoints")
    second = acts.add_parser("export")
    second.add_argument("run", type=Path)
    second.add_argument("bank", type=Path)
    for one in (first, second):
        one.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    if given.act == "train":
        train(given.bank, given.out, given.steps, given.every)
    else:
        export(given.run, given.bank, given.out)


if __name__ == "__main__":
    main()
