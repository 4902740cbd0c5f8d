"""Trains `portrait-assay`, the judge of whole portraits that ships with the package.

    python recipes/portrait.py data PORTRAITS --faces labels.json --out BANK
    python recipes/portrait.py train BANK --out RUN
    python recipes/portrait.py export RUN --out src/assay/weights/portrait_assay.safetensors

Every portrait is damaged in some versions: all over, in the face only, or in the background only. Pairs of versions of one
portrait are the data (one scene, as DN-PIQA's pairs are); which one would be preferred is the normal distribution of the
difference in their consensus, POINTS of it to a JOD: the mean of that over the whole picture and of that over the face, of five
full-reference metrics each (quality_nr_data.consensus). The loss is DN-PIQA's. The branches begin as `assay-q` and `fiqa-assay`
are, as the paper's begin with nets for pictures and for faces. Portraits held out and kinds of damage held out: as in fiqa_data.
The shipped weights are one run of these commands, 320 steps.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import spearmanr
from torch import Tensor

from assay.nets.assay_q import STRIDE, statistics
from assay.nets.portrait import SIDE, Portrait, shrunk
from assay.ops.regression import fidelity_loss, preferred
from assay.ops.views import resized, square
from assay.types import Face
from fiqa_data import KNOWN, MARGIN, UNKNOWN, byte, face_of, of_part, part
from quality_nr_data import ANCHORS, Steps, consensus, damage, distances, read, scales

WEIGHTS = Path(__file__).parent.parent / "src/assay/weights"
WHERE = ("all", "face", "background")
POINTS = 12.5  # of consensus to one JOD
SCENES, PER = 6, 4  # per batch: portraits, and versions of each
PATCH = 10  # places a side of what is cut from the face's statistics, so that it learns faster
RATE, DECAY, AVERAGE = 5e-4, 1e-3, 0.995
Cut = tuple[int, int, int]


def face_mask(shape: torch.Size, cut: Cut) -> Tensor:
    """1 on the head, 0 far from it, soft in between."""
    left, top, n = cut
    y, x = (torch.arange(s)[:, None] if i == 0 else torch.arange(s)[None] for i, s in enumerate(shape[2:]))
    far = (((x - left - n / 2) / (0.32 * n)) ** 2 + ((y - top - n / 2) / (0.42 * n)) ** 2).sqrt()
    return ((1.15 - far) / 0.3).clamp(0, 1)


def looks(x: Tensor, cut: Cut) -> tuple[Tensor, Tensor]:
    """Bytes as the two branches see them: the whole picture, and the face."""
    left, top, n = cut
    face = resized(x[:, :, top : top + n, left : left + n].float(), SIDE)
    return byte(255 * shrunk(x.float() / 255)), byte(face)


@torch.no_grad()
def versions(job: tuple[Path, Path, Face, int]) -> str:
    """One portrait in all its versions, saved as one file."""
    path, out, face, count = job
    file = out / f"{path.stem}.npz"
    if file.exists():
        return path.name
    torch.set_num_threads(1)
    dice, x = random.Random(f"portrait {path.name}"), read(path)
    cut = square(face, x.shape[3], x.shape[2], MARGIN)
    mask, ref = face_mask(x.shape, cut), looks(x, cut)
    rows: dict[str, list[Any]] = {k: [] for k in ("whole", "face", "far_whole", "far_face", "where", "kinds", "held", "anchor")}

    def keep(y: Tensor, where: str, kinds: str, held: bool, anchor: int = 0) -> None:
        seen = looks(y, cut)
        row = (*(statistics(s.float() / 255)[0].half().numpy() for s in seen), *(distances(s, r) for s, r in zip(seen, ref, strict=True)))
        for key, value in zip(rows, (*row, where, kinds, held, anchor), strict=True):
            rows[key].append(value)

    keep(x, "all", "", False)
    for quality in ANCHORS:
        keep(damage(x, (("jpeg", (90 - float(quality)) / 83),), 0), "all", "jpeg", False, int(quality))
    for i in range(count):
        held = part(path.name) != "train" and i % 4 == 3
        kinds = [dice.choice(UNKNOWN)] if held else dice.sample(KNOWN, dice.choice((1, 1, 2)))
        steps: Steps = tuple((k, dice.uniform(0, 1 if len(kinds) == 1 else 0.7)) for k in kinds)
        where = WHERE[i % 3]
        y = damage(x, steps, dice.randrange(1 << 20))
        if where != "all":
            share = mask if where == "face" else 1 - mask
            y = byte(y.float() * share + x.float() * (1 - share))
        keep(y, where, "+".join(kinds), held)
    draft = file.with_suffix(".part")
    with draft.open("wb") as f:
        np.savez(f, **{k: np.array(v) for k, v in rows.items()})  # type: ignore[arg-type]
    draft.rename(file)
    return path.name


class Bank:
    """Versions of portraits: statistics of both looks, and how good they are, in JOD."""

    def __init__(self, folder: Path, wanted: str) -> None:
        files = sorted(folder.glob("*.npz"))
        scale = {look: scale_of(files, f"far_{look}") for look in ("whole", "face")}
        self.whole, self.face, jod, self.who = [], [], [], []
        self.where, self.held, self.kinds = [], [], []
        for file in files:
            if part(f"{file.stem}.jpg") != wanted:
                continue
            with np.load(file) as z:
                self.whole.append(torch.from_numpy(z["whole"])), self.face.append(torch.from_numpy(z["face"]))
                jod.append(sum(consensus(z[f"far_{k}"], scale[k]) / 2 for k in scale) / POINTS)
                self.where += z["where"].tolist()
                self.held += z["held"].tolist()
                self.kinds += z["kinds"].tolist()
                self.who += [file.stem] * len(z["held"])
        self.jod = torch.from_numpy(np.concatenate(jod)).float()
        self.rows: dict[str, list[int]] = {}
        for i, who in enumerate(self.who):
            self.rows.setdefault(who, []).append(i)
        self.whole, self.face = torch.cat(self.whole), torch.cat(self.face)


def scale_of(files: list[Path], key: str) -> list[tuple[float, float]]:
    far, anchor = [], []
    for file in files:
        if part(f"{file.stem}.jpg") == "train":
            with np.load(file) as z:
                far.append(z[key]), anchor.append(z["anchor"])
    level = np.concatenate(anchor)
    return scales(np.concatenate(far), np.where(level > 0, -2, -1), level)


@torch.no_grad()
def predict(net: Portrait, bank: Bank) -> Tensor:
    net.eval()
    return torch.cat([net(a.float(), b.float()) for a, b in zip(bank.whole.split(32), bank.face.split(32), strict=True)])


def check(net: Portrait, bank: Bank) -> dict[str, float]:
    """Inside portraits never seen: the share of pairs in the right order, and the mean rank correlation."""
    told, right, all_pairs, ranks = predict(net, bank), 0, 0, []
    for rows in bank.rows.values():
        s, t = told[rows], bank.jod[rows]
        i, j = torch.triu_indices(len(rows), len(rows), 1)
        clear = (t[i] - t[j]).abs() > 0.1
        right += int((((s[i] - s[j]) * (t[i] - t[j]))[clear] > 0).sum())
        all_pairs += int(clear.sum())
        ranks.append(float(spearmanr(s, t)[0]))
    return {"order": round(right / all_pairs, 4), "srcc in a scene": round(float(np.mean(ranks)), 4)}


def begun() -> Portrait:
    """The branches as `assay-q` and `fiqa-assay` are."""
    net = Portrait()
    for branch, file in ((net.picture, "assay_q"), (net.face, "fiqa_assay")):
        tensors = {k: v.float() for k, v in load_file(WEIGHTS / f"{file}.safetensors").items()}
        tensors.pop("interval")
        branch.load_state_dict(tensors)
    return net


def train(folder: Path, out: Path, steps: int, watch: float) -> None:
    torch.manual_seed(0)
    dice, bank, held = random.Random(0), Bank(folder, "train"), Bank(folder, "interval")
    net = begun()
    mean, wheel = deepcopy(net), torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    start, told, step, total = time.monotonic(), 0.0, 0, 0.0
    out.mkdir(parents=True, exist_ok=True)
    print(f"{len(bank.who)} versions of {len(bank.rows)} portraits", flush=True)
    while step < steps:
        for g in wheel.param_groups:
            g["lr"] = RATE * min(1, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        rows = [i for who in dice.sample(list(bank.rows), SCENES) for i in dice.sample(bank.rows[who], PER)]
        net.train()
        y, x = (dice.randrange(SIDE // STRIDE - PATCH + 1) for _ in range(2))
        face = bank.face[rows, :, y : y + PATCH, x : x + PATCH]
        s = net(bank.whole[rows].float(), face.float()).view(SCENES, PER)
        t = bank.jod[rows].view(SCENES, PER)
        i, j = torch.triu_indices(PER, PER, 1)
        lost = fidelity_loss(preferred(s[:, i] - s[:, j]), preferred(t[:, i] - t[:, j]))
        wheel.zero_grad()
        lost.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        wheel.step()
        step, total = step + 1, total + float(lost.detach())
        keep = min(AVERAGE, step / (step + 10))
        with torch.no_grad():
            for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
        if (spent := (time.monotonic() - start) / 60) - told >= watch:
            told = spent
            print(json.dumps({"minute": round(spent, 1), "step": step, "loss": round(total / step, 4)} | check(mean, held)), flush=True)
            torch.save(mean.state_dict(), out / "net.pt")
    with torch.no_grad():  # only differences are learned: 0 is the middle of the versions for training
        mean.judge[3].bias -= predict(mean, bank).median()
    torch.save(mean.state_dict(), out / "net.pt")
    usual = torch.quantile(predict(mean, bank), torch.tensor([0.05, 0.95])).tolist()
    print(json.dumps({"step": step, "5 and 95 %": usual} | check(mean, held)), flush=True)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("act", choices=("data", "train", "export"))
    ask.add_argument("source", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--faces", type=Path)
    ask.add_argument("--versions", type=int, default=12)
    ask.add_argument("--limit", type=int, default=67, help="portraits to learn from; of the others half as many")
    ask.add_argument("--workers", type=int, default=2)
    ask.add_argument("--steps", type=int, default=320)
    ask.add_argument("--watch", type=float, default=2)
    given = ask.parse_args()
    if given.act == "train":
        train(given.source, given.out, given.steps, given.watch)
    elif given.act == "export":
        kept = torch.load(given.source / "net.pt", weights_only=True)
        save_file({k: v.half().contiguous() for k, v in kept.items() if v.is_floating_point()}, given.out)
        print(f"{given.out}: {given.out.stat().st_size} bytes")
    else:
        given.out.mkdir(parents=True, exist_ok=True)
        labels = {"/".join(Path(k).parts[-2:]): v for k, v in json.loads(given.faces.read_text("utf-8")).items()}
        found = {p: face_of(labels, f"{p.parent.name}/{p.name}") for p in sorted(given.source.iterdir())}
        jobs: dict[str, list[tuple[Path, Path, Face, int]]] = {}
        for p, f in found.items():
            if f is not None:
                jobs.setdefault(part(p.name), []).append((p, given.out, f, given.versions))
        todo = [job for name, some in jobs.items() for job in some[: of_part(name, given.limit)]]
        random.Random(0).shuffle(todo)
        with ProcessPoolExecutor(given.workers) as pool:
            for i, name in enumerate(pool.map(versions, todo)):
                print(f"{i + 1}/{len(todo)} {name}", flush=True)


if __name__ == "__main__":
    main()
