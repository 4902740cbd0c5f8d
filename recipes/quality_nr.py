"""Trains `assay-q`, the no-reference quality model that ships with the package.

    python recipes/quality_nr_data.py PHOTOS… --out BANK        # first: the damaged pictures and their targets
    python recipes/quality_nr.py BANK --minutes 60 --out run/   # then: the net; checkpoints as it goes
    python recipes/quality_nr.py BANK --export run/ --out src/assay/weights/assay_q.safetensors   # half precision, with its interval

Nobody's opinion is used. The absolute scale is the consensus of five full-reference metrics; the order within a group of
rising damage, and between pictures, is learned with the fidelity loss under Thurstone's model (Zhang et al. 2021,
arXiv:2005.13983); two crops of one picture must agree; locally damaged pictures teach the map; the strengths of the damage are
what the bank applied. Changes of light and colour are named but never scored: how a scene was meant to look, no picture tells,
and a judge that guesses takes a dark film for a damaged one. Seven kinds of damage and a fifth of the photographs are never
seen (quality_nr_data.HELD_OUT, part).

The shipped weights took 4257 steps in 40 minutes of one core while light and colour were still scored, then 1730 steps in 13
minutes as it stands here, with `--start-from`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from assay.nets.assay_q import KINDS, STRIDE, AssayQ, Seen
from quality_nr_data import DISTANCES, HELD_OUT, SIDE, TONE, consensus, part, scales

PLACES = SIDE // STRIDE  # a side of a whole picture's statistics
CROPS = (8, 10, 12, 14, 16)  # sides of what is cut from them; one for each batch
GROUPS, LOCALS, TWINS = 8, 10, 6  # per batch: groups of five levels, locally damaged pictures, second crops
TAU = 8.0  # points of consensus that turn a coin toss into 76 %
RATE, DECAY, AVERAGE = 2e-3, 1e-3, 0.998


class Bank:
    """Every picture in memory, as the net sees it, with its target."""

    def __init__(self, folder: Path, wanted: str, *, pixels: bool = False) -> None:
        files = sorted(p for p in folder.glob("*.npz") if p.with_suffix(".npy").exists())
        self.scale = scale_of(files)
        rows: dict[str, list[Any]] = {}
        self.photo: list[str] = []
        for file in files:
            name = photo_of(file)
            if part(name) != wanted:
                continue
            with np.load(file) as z:
                for key in z.files:
                    if pixels or key != "pixels":
                        rows.setdefault(key, []).append(z[key])
                self.photo += [name] * len(z["level"])
            rows.setdefault("found", []).append(np.load(file.with_suffix(".npy")))
        one = {k: np.concatenate(v) for k, v in rows.items()}
        self.pixels = torch.from_numpy(one["pixels"]) if pixels else torch.empty(0)
        self.found, self.strengths, self.box = torch.from_numpy(one["found"]), torch.from_numpy(one["strengths"]), one["box"]
        self.kinds, self.group, self.level, self.crop = one["kinds"], one["group"], one["level"], one["crop"]
        self.target = consensus(one["distances"], self.scale).astype(np.float32)
        self.inside = consensus(one["inside"], self.scale).astype(np.float32)
        self.scored = np.array([not set(str(k).split("+")) & set(TONE) for k in self.kinds])
        self.seen = np.array([not set(str(k).split("+")) & set(HELD_OUT) for k in self.kinds])
        self.groups: dict[tuple[str, int, int], list[int]] = {}
        for i in np.flatnonzero((self.group >= 0) & self.seen):
            self.groups.setdefault((self.photo[i], int(self.crop[i]), int(self.group[i])), []).append(int(i))
        self.clean = {(self.photo[i], int(self.crop[i])): int(i) for i in np.flatnonzero(self.group == -1)}
        self.local = np.flatnonzero((self.group == -3) & self.seen).tolist()


def photo_of(file: Path) -> str:
    return file.stem.replace("_", "/", 1)


def scale_of(files: list[Path]) -> list[tuple[float, float]]:
    """The anchors' scale, from the photographs for training alone."""
    far, group, level = [], [], []
    for file in files:
        if part(photo_of(file)) == "train":
            with np.load(file) as z:
                far.append(z["distances"]), group.append(z["group"]), level.append(z["level"])
    return scales(np.concatenate(far), np.concatenate(group), np.concatenate(level))


def batch(bank: Bank, dice: random.Random) -> tuple[Tensor, list[int], list[tuple[int, int]]]:
    """Crops of rising groups with their clean picture, then of local damage, then second crops: what, which rows, which corners."""
    side = dice.choice(CROPS)

    def corner() -> tuple[int, int]:
        return dice.randrange(PLACES - side + 1), dice.randrange(PLACES - side + 1)

    rows: list[int] = []
    corners: list[tuple[int, int]] = []
    for key in dice.sample(list(bank.groups), GROUPS):
        some = [*bank.groups[key], bank.clean[key[:2]]]
        rows += some
        corners += [corner()] * len(some)
    for i in dice.sample(bank.local, LOCALS):
        rows.append(i)
        corners.append(corner())
    for i in rows[:: len(rows) // TWINS][:TWINS]:
        rows.append(i)
        corners.append(corner())
    x = torch.stack([bank.found[i, :, y : y + side, z : z + side] for i, (y, z) in zip(rows, corners, strict=True)])
    return x.float(), rows, corners


def loss(bank: Bank, seen: Seen, rows: list[int], corners: list[tuple[int, int]]) -> dict[str, Tensor]:
    score = 100 * seen.score.sigmoid()
    spread = seen.spread.exp().clamp(0.5, 40)
    whole = [k for k, i in enumerate(rows) if bank.group[i] != -3]
    scored = [k for k in whole if bank.scored[rows[k]]]
    want = torch.from_numpy(bank.target[rows])
    s, t, d = score[scored], want[scored], spread[scored]
    out = {"level": smooth_l1_loss(s / 100, t / 100, beta=0.05)}
    i, j = torch.triu_indices(len(scored), len(scored), 1)
    truth = torch.special.ndtr((t[i] - t[j]) / TAU)
    told = torch.special.ndtr((s[i] - s[j]) / (d[i].square() + d[j].square()).sqrt())
    tiny = 1e-6
    out["order"] = (1 - (truth * told + tiny).sqrt() - ((1 - truth) * (1 - told) + tiny).sqrt()).mean()
    out["spread"] = 0.02 * (((s - t).detach() / d).square() / 2 + d.log()).mean()
    first = len(rows) - TWINS
    out["twins"] = torch.stack([(score[rows.index(i)] - score[first + k]).abs() for k, i in enumerate(rows[first:])]).mean() / 100
    strong = bank.strengths[rows]
    out["kinds"] = 0.6 * binary_cross_entropy_with_logits(seen.kinds[whole], strong[whole])
    out["map"] = local_loss(bank, seen, rows, corners)
    return out


def local_loss(bank: Bank, seen: Seen, rows: list[int], corners: list[tuple[int, int]]) -> Tensor:
    """Places wholly inside the rectangle read as the damage, places wholly outside as clean; its edge is nobody's."""
    total = seen.score.new_zeros(())
    for k, i in enumerate(rows):
        if bank.group[i] != -3:
            continue
        top, left, bottom, right = (int(b) - c * STRIDE for b, c in zip(bank.box[i], (*corners[k], *corners[k]), strict=True))
        at = torch.arange(seen.score_map.shape[1]) * STRIDE
        deep = ((at >= top) & (at + STRIDE <= bottom))[:, None] & ((at >= left) & (at + STRIDE <= right))
        far = ((at + STRIDE <= top) | (at >= bottom))[:, None] | ((at + STRIDE <= left) | (at >= right))
        score = seen.score_map[k].sigmoid()
        kinds = seen.kinds_map[k]
        for places, level, strong in ((deep, bank.inside[i], bank.strengths[i]), (far, 99.0, torch.zeros_like(bank.strengths[i]))):
            if places.any():
                if bank.scored[i]:
                    total = total + smooth_l1_loss(score[places], torch.full_like(score[places], float(level) / 100), beta=0.05)
                total = total + 0.3 * binary_cross_entropy_with_logits(kinds[:, places], strong[:, None].expand(-1, int(places.sum())))
    return total / LOCALS


@torch.no_grad()
def check(net: AssayQ, bank: Bank, limit: int = 1500) -> dict[str, float]:
    """How well pictures never seen are ranked: of known kinds of damage and of kinds held out."""
    net.eval()
    pick = np.random.default_rng(0).permutation(np.flatnonzero((bank.group >= -2) & bank.scored))[:limit]
    got = torch.cat([100 * net(bank.found[p].float()).score.sigmoid() for p in np.array_split(pick, max(1, len(pick) // 32))]).numpy()
    known = bank.seen[pick]
    return {
        "known": round(float(spearmanr(got[known], bank.target[pick][known])[0]), 4),
        "held out": round(float(spearmanr(got[~known], bank.target[pick][~known])[0]), 4),
        "mae": round(float(np.abs(got - bank.target[pick]).mean()), 2),
    }


def train(folder: Path, out: Path, minutes: float, seed: int, watch: float, start_from: Path | None) -> None:
    torch.manual_seed(seed)
    dice = random.Random(seed)
    bank, test = Bank(folder, "train"), Bank(folder, "interval")
    print(f"{len(bank.found)} pictures, {len(bank.groups)} groups; scale {bank.scale}", flush=True)
    net = AssayQ()
    torch.nn.init.constant_(net.whole[3].bias[1:2], 2.3)  # begin with a standard deviation of ten points
    sample = bank.found[torch.from_numpy(np.random.default_rng(seed).permutation(len(bank.found))[:2000])].float()
    net.centre.copy_(sample.mean((0, 2, 3)))
    net.scale.copy_(sample.std((0, 2, 3)).clamp_min(1e-3))
    if start_from:
        net.load_state_dict(torch.load(start_from / "net.pt", weights_only=True)["net"])
    mean = deepcopy(net)
    wheel = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    start, told, step = time.monotonic(), 0.0, 0
    sums: dict[str, float] = {}
    while (spent := (time.monotonic() - start) / 60) < minutes:
        left = 1 - spent / minutes
        warm = min(1.0, (step + 1) / 100)
        for g in wheel.param_groups:
            g["lr"] = RATE * warm * (0.5 - 0.5 * np.cos(np.pi * left) if left < 0.999 else 1.0)
        x, rows, corners = batch(bank, dice)
        net.train()
        parts = loss(bank, net(x), rows, corners)
        total = torch.stack(list(parts.values())).sum()
        wheel.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        wheel.step()
        step += 1
        keep = min(AVERAGE, step / (step + 10))
        with torch.no_grad():
            for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
        for k, v in parts.items():
            sums[k] = sums.get(k, 0.0) + float(v.detach())
        if spent - told >= watch or step == 50:
            told = spent
            n = step - sums.pop("since", 0)
            print(
                json.dumps({"minute": round(spent, 1), "step": step, **{k: round(v / n, 4) for k, v in sums.items()}, **check(mean, test)}),
                flush=True,
            )
            sums = {"since": step}
            save(mean, bank, out, step)
    save(mean, bank, out, step)


def save(net: AssayQ, bank: Bank, out: Path, step: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    draft = out / "net.part"
    torch.save({"net": net.state_dict(), "scale": bank.scale, "distances": DISTANCES, "families": list(KINDS), "step": step}, draft)
    draft.rename(out / "net.pt")


@torch.no_grad()
def export(folder: Path, run: Path, out: Path, limit: int = 2000) -> None:
    """The net in half precision, with how many of its standard deviations hold 95 % of the consensus below and above.

    Fitted on photographs that served for nothing else, over all kinds of damage, the unknown ones too (split conformal).
    """
    kept = torch.load(run / "net.pt", weights_only=True)
    net = AssayQ()
    net.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in kept["net"].items()})
    net.eval()
    bank = Bank(folder, "interval")
    pick = np.random.default_rng(0).permutation(np.flatnonzero((bank.group >= -1) & bank.scored))[:limit]
    off = []
    for i in pick:
        seen = net(bank.found[int(i)][None].float())
        off.append(float((100 * seen.score.sigmoid() - bank.target[i]) / seen.spread.exp()))
    below, above = (max(0.0, float(np.quantile(sign * np.array(off), 0.95))) for sign in (1, -1))
    tensors = {k: v.half().contiguous() for k, v in net.state_dict().items() if v.is_floating_point()}
    save_file(tensors | {"interval": torch.tensor([below, above]).half()}, out)
    print(f"{out}: {out.stat().st_size} bytes, interval {below:.2f} {above:.2f}, step {kept['step']}")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("bank", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--minutes", type=float, default=60)
    ask.add_argument("--watch", type=float, default=4, help="minutes between checks and checkpoints")
    ask.add_argument("--start-from", type=Path, metavar="RUN", help="go on from a checkpoint, with a fresh schedule")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--export", type=Path, metavar="RUN")
    given = ask.parse_args()
    if given.export:
        export(given.bank, given.export, given.out)
    else:
        train(given.bank, given.out, given.minutes, given.seed, given.watch, given.start_from)


if __name__ == "__main__":
    main()
