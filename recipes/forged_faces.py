"""Trains `ucf-assay`, `sjedd-assay` and FakeLocator, which does not ship: small nets that tell forged faces from real ones.

    python recipes/face_forgeries.py DATA --labels points.json --out BANK
    python recipes/forged_faces.py train plain BANK --out RUN/plain                          # goes on where it stopped
    python recipes/forged_faces.py train ucf BANK --start RUN/plain --out RUN/ucf            # likewise locator, sjedd
    python recipes/forged_faces.py export ucf RUN/ucf BANK --out ucf.safetensors
    python recipes/ship.py ucf.safetensors

`plain` names the kind of forgery, nothing else; it stands for the ImageNet weights that the authors begin with, and is what the others
are held against. STEPS says how long each is trained unless --steps does. Differences to the papers, all for want of data and time:
bodies of .1 million parameters at 96 pixels; forgeries of portraits instead of FaceForensics++; UCF without
dropout; SJEDD with learned words instead of CLIP and equal weights of its levels.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from abc import ABC, abstractmethod
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from assay.bench.verification import auc, roc
from assay.nets.forged_faces import (
    CHANGES,
    QUANTILES,
    SIDE,
    TAUGHT,
    TOUCHES,
    WIDE,
    Body,
    Decoder,
    Joint,
    Locator,
    Plain,
    Ucf,
    graph,
    middle,
)
from assay.ops.disentangle import code_contrast, exchange_loss, permuted_within
from assay.ops.fakeness import weighted_l1
from assay.ops.labelgraph import marginals
from assay.ops.regression import fidelity_loss
from self_blended import follow

STEPS = {"plain": 1500, "ucf": 500, "locator": 120, "sjedd": 500}
RATE, DECAY, AVERAGE, WARM = 2e-3, 1e-2, 0.98, 20
SHARE, EXCHANGED = 0.7, 48  # of UCF's batches whose common codes are permuted; pixels of what it rebuilds


class Batch(NamedTuple):
    """kind: 0 is real. Rows of one face stand `faces` apart: all real ones first, then forgeries of each in the same order."""

    x: Tensor  # N×3×96×96
    kind: Tensor  # N
    map: Tensor  # N×96×96
    touched: Tensor  # N×5


class Bank:
    """Groups made before, of one part."""

    def __init__(self, folder: Path, wanted: str) -> None:
        files = [torch.load(path, weights_only=True) for path in sorted(folder.glob(f"{wanted}-*.pt"))]
        self.chips, self.maps, self.locals, self.who = (torch.cat([f[k] for f in files]) for k in ("chips", "maps", "locals", "who"))

    def __len__(self) -> int:
        return len(self.chips)

    def batch(self, rows: Tensor, kinds: Tensor, dice: np.random.Generator) -> Batch:
        """Real faces and one or more forgeries of each, cut and mirrored alike.  rows: n; kinds: n×m, from 1."""
        n, m = kinds.shape
        top, left, flip = (torch.from_numpy(dice.integers(0, most, n)) for most in (WIDE - SIDE + 1, WIDE - SIDE + 1, 2))
        which = torch.cat([torch.zeros(n, 1, dtype=torch.long), kinds], 1).T  # (1+m)×n
        x, maps = self.chips[rows, which], torch.zeros(1 + m, n, WIDE, WIDE, dtype=torch.uint8)
        maps[1:] = self.maps[rows, which[1:] - 1]
        marks = torch.zeros(1 + m, n, self.locals.shape[-1])
        marks[1:] = self.locals[rows, which[1:] - 1].float()
        cut = []
        for i in range(n):
            both = torch.cat([x[:, i], maps[:, i, None]], 1)[..., top[i] : top[i] + SIDE, left[i] : left[i] + SIDE]
            cut.append(both.flip(-1) if flip[i] else both)
        both = torch.stack(cut, 1).flatten(0, 1).float() / 255
        return Batch(both[:, :3], which.flatten(), both[:, 3], marks.flatten(0, 1))


class Method(nn.Module, ABC):
    """A way to train: the net that ships, what only training needs, and a loss."""

    groups = 12  # real faces of a step
    net: nn.Module

    def kinds(self, dice: np.random.Generator) -> Tensor:
        """Which forgeries of each face: one of any kind."""
        return torch.from_numpy(dice.integers(1, 1 + len(TAUGHT), (self.groups, 1)))

    def begin(self, plain: Plain) -> None:
        self.net.body.load_state_dict(plain.body.state_dict())

    @abstractmethod
    def loss(self, b: Batch, dice: torch.Generator) -> Tensor:
        """What a step makes smaller."""


class PlainWay(Method):
    def __init__(self) -> None:
        super().__init__()
        self.net = Plain()

    def loss(self, b: Batch, dice: torch.Generator) -> Tensor:  # noqa: ARG002
        told = self.net(b.x)
        any_of_them = told[:, 1:].logsumexp(1) - told[:, 0]
        return bce(any_of_them, (b.kind > 0).float()) + 0.5 * cross_entropy(told, b.kind)


class UcfWay(Method):
    """L = CE(common) + .1 CE(specific) + .3 rebuilt + .05 triplets, as published."""

    groups = 8

    def __init__(self) -> None:
        super().__init__()
        self.net, self.content, self.decoder = Ucf(), Body(), Decoder()

    def begin(self, plain: Plain) -> None:
        super().begin(plain)
        self.content.load_state_dict(plain.body.state_dict())

    def loss(self, b: Batch, dice: torch.Generator) -> Tensor:
        codes, content = self.net.codes(b.x), self.content(b.x)[-1]
        is_forged = (b.kind > 0).long()
        common = codes.common
        if torch.rand((), generator=dice) < SHARE:
            common = common[permuted_within(is_forged, dice)]
        flat, own = common.mean((2, 3)), codes.specific.mean((2, 3))
        small = avg_pool2d(2 * b.x - 1, SIDE // EXCHANGED)
        rebuilt = exchange_loss(self.decoder, content, torch.cat([codes.specific, common], 1), small)
        named = cross_entropy(self.net.judge(flat), is_forged) + 0.1 * cross_entropy(self.net.name(own), b.kind)
        return named + 0.3 * rebuilt + 0.05 * code_contrast(flat, own, b.kind, dice)


class LocatorWay(Method):
    """L = weighted L1 of the map + .1 of the answer's cross entropy; the structural term is left out."""

    groups = 8

    def __init__(self) -> None:
        super().__init__()
        self.net = Locator()

    def loss(self, b: Batch, dice: torch.Generator) -> Tensor:  # noqa: ARG002
        told = self.net(b.x)
        return weighted_l1(told.map, b.map) + 0.1 * bce(told.logit, (b.kind > 0).float())


class SjeddWay(Method):
    """Fidelity losses of the marginals: forged, changes of the whole face, features."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Joint()
        self.register_buffer("legal", graph())
        changes = torch.tensor([[float(c in CHANGES[k]) for c in TOUCHES] for k in TAUGHT])
        self.register_buffer("changes", torch.cat([torch.zeros(1, len(TOUCHES)), changes]))

    def loss(self, b: Batch, dice: torch.Generator) -> Tensor:  # noqa: ARG002
        told, whole = marginals(self.net(b.x), self.legal), self.changes[b.kind]
        edge = 1 + len(TOUCHES)
        may = torch.tensor([[float(f in t) for f in TOUCHES["identity"]] for t in TOUCHES.values()])
        parts = b.touched * (whole @ may > 0)  # a feature that no change of this kind may touch does not count
        whole = whole * (parts @ may.T > 0)
        levels = ((told[:, 0], (b.kind > 0).float()), (told[:, 1:edge], whole), (told[:, edge:], parts))
        return torch.stack([fidelity_loss(p.clamp(0, 1), g) for p, g in levels]).sum()


WAYS: dict[str, type[Method]] = {"plain": PlainWay, "ucf": UcfWay, "locator": LocatorWay, "sjedd": SjeddWay}


@torch.no_grad()
def scores(net: nn.Module, bank: Bank, most: int | None = None) -> np.ndarray:
    """Of every chip, real first: groups×(1 + kinds)."""
    net.eval()
    chips = bank.chips[:most]
    return torch.stack([net.score(middle(g).float() / 255) for g in chips]).double().numpy()


def areas(told: np.ndarray) -> list[float]:
    """The area under the curve of each kind against the real faces."""
    n = len(told)
    truth = np.arange(2 * n) >= n
    return [round(auc(roc(np.concatenate([told[:, 0], told[:, k]]), truth)), 3) for k in range(1, told.shape[1])]


def train(way: str, folder: Path, start: Path | None, out: Path, steps: int, every: float) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    bank, check = Bank(folder, "train"), Bank(folder, "validation")
    method = WAYS[way]()
    if start:
        method.begin(shipped("plain", start))
    mean = deepcopy(method)
    wheel = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=RATE, weight_decay=DECAY)
    step, spent, lost, many = 0, 0.0, 0.0, 0
    out.mkdir(parents=True, exist_ok=True)
    if (out / "last.pt").exists():
        kept = torch.load(out / "last.pt", weights_only=True)
        method.load_state_dict(kept["method"]), mean.load_state_dict(kept["mean"]), wheel.load_state_dict(kept["wheel"])
        step, spent = kept["step"], kept["spent"]
    begun, saved = time.process_time(), time.monotonic()
    while step < steps:
        for g in wheel.param_groups:
            g["lr"] = RATE * min(1, (step + 1) / WARM) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        dice = np.random.default_rng([6, step])
        rows = torch.from_numpy(dice.choice(len(bank), method.groups, replace=False))
        method.train()
        loss = method.loss(bank.batch(rows, method.kinds(dice), dice), torch.Generator().manual_seed(step))
        wheel.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(method.parameters(), 2.0)
        wheel.step()
        step, lost, many = step + 1, lost + float(loss.detach()), many + 1
        follow(mean, method, min(AVERAGE, step / (step + 10)))
        if time.monotonic() - saved > every or step == steps:
            took = spent + time.process_time() - begun
            row = {"way": way, "step": step, "cpu minutes": round(took / 60, 2), "loss": round(lost / many, 4)}
            states = {"method": method.state_dict(), "mean": mean.state_dict(), "wheel": wheel.state_dict()}
            torch.save(states | {"step": step, "spent": took}, out / "last.part")
            (out / "last.part").replace(out / "last.pt")
            if step == steps:
                row["held-out areas"] = areas(scores(mean.net, check, 40))
            print(json.dumps(row), flush=True)
            saved, lost, many = time.monotonic(), 0.0, 0


def shipped(way: str, run: Path) -> nn.Module:
    """The net of a run, rounded to half precision as its file is."""
    method = WAYS[way]()
    kept = torch.load(run / "last.pt", weights_only=True)["mean"]
    method.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in kept.items()})
    return method.net.eval()


def export(way: str, run: Path, folder: Path, out: Path) -> None:
    """Half precision, with the quantiles of what real faces of the validation part score."""
    torch.set_num_threads(1)
    net = shipped(way, run)
    real = scores(net, Bank(folder, "validation"))[:, 0]
    own = {k for k, _ in net.named_parameters()} | {k for k in net.state_dict() if "running" in k}
    tensors = {k: v.half().contiguous() for k, v in net.state_dict().items() if k in own}
    tensors["real"] = torch.from_numpy(np.quantile(real, np.linspace(0, 1, QUANTILES))).float()
    save_file(tensors, out)
    print(f"{out}: {out.stat().st_size} bytes")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    acts = ask.add_subparsers(dest="act", required=True)
    first, second = acts.add_parser("train"), acts.add_parser("export")
    for one in (first, second):
        one.add_argument("way", choices=WAYS)
    second.add_argument("run", type=Path)
    for one in (first, second):
        one.add_argument("bank", type=Path)
        one.add_argument("--out", type=Path, required=True)
    first.add_argument("--start", type=Path, help="a run of the plain net to begin with")
    first.add_argument("--steps", type=int)
    first.add_argument("--every", type=float, default=60, help="seconds between checkpoints")
    given = ask.parse_args()
    if given.act == "train":
        train(given.way, given.bank, given.start, given.out, given.steps or STEPS[given.way], given.every)
    else:
        export(given.way, given.run, given.bank, given.out)


if __name__ == "__main__":
    main()
