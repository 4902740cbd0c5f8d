"""Trains `ucf-assay`, `lsda-assay`, `fake_locator-assay` and `sjedd-assay`: small nets that tell forged faces from real ones.

    python recipes/face_forgeries.py DATA --labels points.json --out BANK
    python recipes/forged_faces.py train plain BANK --out RUN/plain                          # goes on where it stopped
    python recipes/forged_faces.py train ucf BANK --start RUN/plain --out RUN/ucf            # likewise lsda, locator, sjedd
    python recipes/forged_faces.py export ucf RUN/ucf BANK --out ucf.safetensors             # FakeLocator's: fake_locator.safetensors
    python recipes/ship.py ucf.safetensors

`plain` names the kind of forgery, nothing else; it stands for the ImageNet weights that the authors begin with, and is what the others
are held against. STEPS says how long each is trained unless --steps does. Differences to the papers, all for want of data and time:
bodies of .1 million parameters at 96 pixels; forgeries of portraits instead of FaceForensics++; UCF without
dropout; LSDA with one frozen teacher (the plain net) whose kinds differ in a 1×1 layer, its real features the target of real faces,
without the identity constraint; FakeLocator without single-sample clustering; SJEDD with learned words instead of CLIP and equal
weights of its levels.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy, cross_entropy, interpolate, mse_loss, one_hot
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from assay.bench.verification import auc, roc
from assay.nets.forged_faces import (
    CHANGES,
    CHANNELS,
    QUANTILES,
    SIDE,
    TAUGHT,
    TOUCHES,
    WIDE,
    Body,
    Decoder,
    Fusion,
    Joint,
    Locator,
    Plain,
    Student,
    Ucf,
    graph,
    middle,
)
from assay.ops import latent
from assay.ops.disentangle import code_contrast, exchange_loss, permuted_within
from assay.ops.fakeness import weighted_l1
from assay.ops.labelgraph import marginals
from assay.ops.moments import ssim_mean
from assay.ops.regression import fidelity_loss
from face_blends import jpeg
from self_blended import follow

STEPS = {"plain": 1500, "ucf": 500, "lsda": 500, "locator": 1500, "sjedd": 500}
RATE, DECAY, AVERAGE, WARM = 2e-3, 1e-2, 0.98, 20
RIPPLE = 8  # what FakeLocator's maps are divided by for the SSIM
DEGRADED, OTHERS = 0.5, 2  # share of FakeLocator's faces that are degraded; photographs of other things in each of its batches
DISTILLED = 0.25  # weight of LSDA's distances
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
        self.photographs: Tensor = torch.load(folder / f"photographs-{wanted}.pt", weights_only=True)

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

    def batch(self, bank: Bank, dice: np.random.Generator) -> Batch:
        rows = torch.from_numpy(dice.choice(len(bank), self.groups, replace=False))
        return bank.batch(rows, self.kinds(dice), dice)

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
    """L = .5 weighted L1 of the map + .5 (1 − SSIM) + cross entropies of the map and, times .1, of the answer.

    For the SSIM maps are taken at an eighth: at full size it charges the least ripple of an empty map as much as a wrong one, and
    the net learns to draw nothing. The map's own cross entropy keeps a slope where the others have none. Untouched photographs of other
    things are among what is real. One half of the faces is degraded, each with its forgery.
    """

    groups = 6

    def __init__(self) -> None:
        super().__init__()
        self.net = Locator()

    def batch(self, bank: Bank, dice: np.random.Generator) -> Batch:
        b, n = super().batch(bank, dice), self.groups
        x = b.x.clone()
        for i in np.flatnonzero(dice.random(n) < DEGRADED).tolist():
            way = degradation(dice)
            x[i::n] = torch.stack([way(face) for face in x[i::n]])
        others = bank.photographs[torch.from_numpy(dice.choice(len(bank.photographs), OTHERS, replace=False))]
        top, left = dice.integers(0, WIDE - SIDE + 1, 2).tolist()
        x = torch.cat([x, others[..., top : top + SIDE, left : left + SIDE].float() / 255])
        return Batch(x, *(torch.cat([t, t.new_zeros(OTHERS, *t.shape[1:])]) for t in b[1:]))

    def loss(self, b: Batch, dice: torch.Generator) -> Tensor:  # noqa: ARG002
        told = self.net(b.x)
        alike = ssim_mean(told.map[:, None] / RIPPLE, b.map[:, None] / RIPPLE).mean()
        map_loss = 0.5 * weighted_l1(told.map, b.map) + 0.5 * (1 - alike) + binary_cross_entropy(told.map, b.map)
        return map_loss + 0.1 * bce(told.logit, (b.kind > 0).float())


def degradation(dice: np.random.Generator) -> Callable[[Tensor], Tensor]:
    """One way to lose detail, drawn: a save as JPEG, a blur, noise, or a smaller size and back."""
    way, quality, much, seed = int(dice.integers(4)), int(dice.integers(50, 96)), float(dice.random()), int(dice.integers(1 << 31))

    def degraded(x: Tensor) -> Tensor:
        if way == 0:
            return jpeg(x, quality)
        if way == 1:
            return torch.from_numpy(gaussian_filter(x.numpy(), (0, *(0.3 + 1.2 * much,) * 2)))
        if way == 2:
            return (x + 4 / 255 * much * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))).clamp(0, 1)
        side = round(SIDE * (0.5 + 0.5 * much))
        small = interpolate(x[None], (side, side), mode="bilinear", antialias=True, align_corners=False)
        return interpolate(small, x.shape[1:], mode="bilinear", align_corners=False)[0]

    return degraded


class LsdaWay(Method):
    """L = CE of domains + .5 CE of the student + squared distances to the teacher's real and its augmented forged latents.

    The student's share of it never reaches the teacher's side; latents are standardised and the fusion is bounded. Otherwise they
    grow without end: what is farther away is easier to tell apart.
    """

    groups = 5

    def __init__(self) -> None:
        super().__init__()
        width = CHANNELS[-1]
        self.net, self.fusion, self.teacher = Student(), Fusion(), Body()
        self.scale = nn.BatchNorm2d(width, affine=False)
        self.adapters = nn.ModuleList(nn.Conv2d(width, width, 1, bias=False) for _ in TAUGHT)
        self.domain = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(), nn.Linear(width, 1 + len(TAUGHT)))
        for adapter in self.adapters:
            nn.init.dirac_(adapter.weight)

    def begin(self, plain: Plain) -> None:
        super().begin(plain)
        self.teacher.load_state_dict(plain.body.state_dict())
        self.teacher.requires_grad_(False)

    def kinds(self, dice: np.random.Generator) -> Tensor:  # noqa: ARG002
        return torch.arange(1, 1 + len(TAUGHT)).expand(self.groups, -1)

    def loss(self, b: Batch, dice: torch.Generator) -> Tensor:
        n, k, named = self.groups, len(TAUGHT), b.kind
        latent.complete(named.view(1 + k, n).T.tolist(), 1 + k)
        with torch.no_grad():
            known = self.teacher.eval()(b.x)[-1]
        adapted = [adapter(z) for adapter, z in zip(self.adapters, known[n:].chunk(k), strict=True)]
        known = self.scale(torch.cat([known[:n], *adapted]))
        real, own = known[:n], torch.stack(known[n:].chunk(k), 1)
        near = torch.stack([latent.within(z, dice) for z in own.unbind(1)], 1)
        orders, share = latent.domain_orders(n, k, dice), latent.mixing_share(dice)
        far = latent.across(own, orders, share)
        fused = self.fusion(near.flatten(0, 1), far.flatten(0, 1))
        told = self.domain(known.mean((2, 3)))
        kinds = one_hot(torch.stack([torch.arange(k).expand(n, -1), orders]) + 1, 1 + k).float()
        mixture = (1 + share) / 2 * kinds[0] + (1 - share) / 2 * kinds[1]  # of what is fused, half comes from the kind itself
        teachers = cross_entropy(told, named) + cross_entropy(self.domain(fused.mean((2, 3))), mixture.flatten(0, 1))
        logits, seen = self.net(b.x)
        binary = cross_entropy(logits, (named > 0).long(), weight=torch.tensor([float(k), 1.0]))  # one real face beside k forged ones
        wanted = fused.detach().view(n, k, *known.shape[1:]).transpose(0, 1).flatten(0, 1)
        apart = mse_loss(seen[:n], real.detach()) + mse_loss(seen[n:], wanted)
        return teachers + 0.5 * binary + DISTILLED * apart


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


WAYS: dict[str, type[Method]] = {"plain": PlainWay, "ucf": UcfWay, "lsda": LsdaWay, "locator": LocatorWay, "sjedd": SjeddWay}


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
        method.train()
        loss = method.loss(method.batch(bank, np.random.default_rng([6, step])), torch.Generator().manual_seed(step))
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
