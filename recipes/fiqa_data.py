"""The faces that `fiqa-assay` learns from: portraits, the damage bank on them, and what full-reference metrics say of it.

    python recipes/fiqa_data.py PORTRAITS --faces labels.json --out FOLDER [--workers 2]

PORTRAITS is a folder of pictures with one face each; labels.json says where the faces are: {"folder/name": [{"box": [left,
top, right, bottom], "points": [[x, y]×5], "confidence": c}]}, the largest first or not. Every face is cut out as the model
will see it (ops/views.py). It is damaged in groups of rising levels: one damage, a chain of two, or the degradation of blind
face restoration (blur, small, noise, JPEG, enlarged). The damage is done at several sizes of the face, from 112 pixels to the
picture's own, and seen at one. No human opinion is at hand: the target is the consensus of five full-reference metrics between
the damaged face and the clean one (quality_nr_data.consensus). Light and colour of some faces are changed before, of the clean
one as well, because no picture tells how they were meant.

Two pools of other draws carry no target; they are for self-training. One .npz per portrait: pixels, distances, strengths of the
families of damage; one .npy: the statistics that the student looks at. An interrupted run goes on where it stopped.
A fifth of the portraits and seven kinds of damage are only for the figures: `part` and quality_nr_data.HELD_OUT.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.catalog import get
from assay.face.fiqa_assay import MARGIN, SIDE
from assay.nets.assay_q import statistics
from assay.ops.views import resized, square
from assay.types import Face
from quality_nr_data import ANCHORS, FAMILIES, FAMILY, FIRST, HELD_OUT, LAST, TONE, Steps, damage, distances, read
from quality_nr_data import strengths as strong

LEVELS = 4
WORK = (0, 0, SIDE, 160, 112)  # sides at which a face is damaged; 0 is the picture's own
TONES = tuple(k for k in TONE if k not in HELD_OUT)
KNOWN = tuple(k for k in sorted(FAMILY) if k not in TONE and k not in HELD_OUT)
UNKNOWN = tuple(k for k in HELD_OUT if k not in TONE)
BLIND = "blind"  # the degradation of blind face restoration
PLANS = {"train": (5, 2, 2, 0), "interval": (3, 1, 1, 2), "test": (4, 2, 2, 4)}  # groups: single, chain, blind, held out
POOL = 6  # pictures per portrait in each of the two pools
Draw = dict[str, float]


def part(name: str) -> str:
    """What a portrait is for, by its file name alone: `test` a fifth, `interval` a fifth, the rest `train`."""
    draw = hashlib.sha256(name.encode()).digest()[0] % 5
    return {0: "test", 1: "interval"}.get(draw, "train")


def of_part(name: str, limit: int) -> int:
    """How many portraits are wanted of a part."""
    return limit if name == "train" else (limit + 1) // 2


def face_of(labels: dict[str, Any], name: str) -> Face | None:
    """The largest face of a portrait."""
    found = [Face(tuple(f["box"]), tuple(tuple(p) for p in f["points"]), f["confidence"]) for f in labels.get(name, [])]
    return max(found, key=lambda f: f.size, default=None)


def byte(x: Tensor) -> Tensor:
    return x.clamp(0, 255).round().to(torch.uint8)


def seen(x: Tensor) -> Tensor:
    """As the model sees it: 1×3×SIDE×SIDE bytes."""
    return byte(resized(x.float(), SIDE))


def blind_draw(dice: random.Random) -> Draw:
    """The worst level of one blind degradation; the ranges of GFPGAN and CodeFormer, halved where they count pixels of 512."""
    return {"blur": dice.uniform(0.5, 7), "small": dice.uniform(1.5, 12), "noise": dice.uniform(0, 20), "jpeg": dice.uniform(30, 90)}


def blind(x: Tensor, worst: Draw, at: float, seed: int) -> Tensor:
    """JPEG((y ⊗ k)↓ + n)↑ of 1×3×SIDE×SIDE bytes, at a share of its worst level."""
    blur, noise, jpeg = (get(k) for k in ("gaussian_blur", "gaussian_noise", "jpeg"))
    x = blur(x, sigma=max(0.1, worst["blur"] * at))
    x = byte(resized(x.float(), round(SIDE / worst["small"] ** at)))
    x = noise(x, sigma=max(0.1, worst["noise"] * at), seed=seed)
    x = jpeg(x, quality=float(round(100 - (100 - worst["jpeg"]) * at)))
    return byte(resized(x.float(), SIDE))


def blind_strengths(at: float) -> np.ndarray:
    names = list(FAMILIES)
    out = np.zeros(len(names), np.float32)
    for family, share in (("blur", 1.0), ("low resolution", 1.0), ("noise", 0.7), ("JPEG compression", 0.7)):
        out[names.index(family)] = (0.2 + 0.8 * at) * share
    return out


class Rows:
    """What is kept of one portrait."""

    def __init__(self, portrait: Tensor, cut: tuple[int, int, int], dice: random.Random) -> None:
        left, top, n = cut
        self.face = portrait[:, :, top : top + n, left : left + n]
        self.dice = dice
        self.rows: dict[str, list[Any]] = {k: [] for k in ("pixels", "distances", "strengths", "group", "level", "kinds", "pool")}

    def base(self, work: int) -> Tensor:
        """The clean face at the side where it will be damaged, in some light."""
        x = self.face if work == 0 else byte(resized(self.face.float(), work))
        if self.dice.random() < 0.35:
            x = damage(x, ((self.dice.choice(TONES), self.dice.uniform(0, 0.5)),), self.dice.randrange(1 << 20))
        return x

    def keep(self, x: Tensor, ref: Tensor | None, strength: np.ndarray, kinds: str, group: int, level: int, pool: int = 0) -> None:
        far = [float("nan")] * 5 if ref is None else distances(x, ref)
        for key, value in zip(self.rows, (x[0].numpy(), far, strength, group, level, kinds, pool), strict=True):
            self.rows[key].append(value)

    def group(self, at: int, kinds: tuple[str, ...]) -> None:
        """Rising levels of one damage or chain."""
        base, seed = self.base(self.dice.choice(WORK)), self.dice.randrange(1 << 20)
        first, last = self.dice.uniform(0, 0.2), self.dice.uniform(0.7, 1) if len(kinds) == 1 else self.dice.uniform(0.5, 0.85)
        for level in range(LEVELS):
            place = first + (last - first) * level / (LEVELS - 1)
            steps: Steps = tuple((k, place) for k in kinds)
            self.keep(seen(damage(base, steps, seed)), seen(base), strong(steps), "+".join(kinds), at, level + 1)

    def blind(self, at: int) -> None:
        base, worst, seed = self.base(SIDE), blind_draw(self.dice), self.dice.randrange(1 << 20)
        for level in range(1, LEVELS + 1):
            self.keep(blind(base, worst, level / LEVELS, seed), base, blind_strengths(level / LEVELS), BLIND, at, level)

    def unlabelled(self, pool: int) -> None:
        """One picture as it may come from anywhere: blind, or one to three damages, and no target."""
        dice, seed = self.dice, self.dice.randrange(1 << 20)
        if dice.random() < 0.4:
            at = dice.uniform(0.05, 1)
            self.keep(blind(self.base(SIDE), blind_draw(dice), at, seed), None, blind_strengths(at), BLIND, -4, 0, pool)
            return
        kinds = dice.sample(KNOWN, dice.choice((1, 2, 2, 3)))
        steps = tuple((k, dice.uniform(0, 0.8)) for k in kinds)
        self.keep(seen(damage(self.base(dice.choice(WORK)), steps, seed)), None, strong(steps), "+".join(kinds), -4, 0, pool)


def portrait(job: tuple[Path, Path, Face]) -> str:
    """All pictures made of one portrait, saved as one file, and their statistics as another."""
    path, out, face = job
    file = out / f"{path.stem}.npz"
    if file.exists():
        return path.name
    torch.set_num_threads(1)
    dice = random.Random(path.name)
    x = read(path)
    made = Rows(x, square(face, x.shape[3], x.shape[2], MARGIN), dice)
    nothing = np.zeros(len(FAMILIES), np.float32)
    clean = seen(made.face)
    made.keep(clean, clean, nothing, "", -1, 0)
    for quality in ANCHORS:
        jpeg: Any = get("jpeg")
        made.keep(jpeg(clean, quality=float(quality)), clean, strong((("jpeg", (90 - float(quality)) / 83),)), "jpeg", -2, int(quality))
    single, chained, blinds, held = PLANS[part(path.name)]
    plan = [(k,) for k in dice.sample(KNOWN, single)]
    plan += [tuple(dict.fromkeys((dice.choice(known(FIRST)), dice.choice(known(LAST))))) for _ in range(chained)]
    plan += [(k,) for k in dice.sample(UNKNOWN, held)]
    for g, kinds in enumerate(plan):
        made.group(g, kinds)
    for g in range(blinds):
        made.blind(len(plan) + g)
    if part(path.name) == "train":
        for pool in (1, 2):
            for _ in range(POOL):
                made.unlabelled(pool)
    write(file, made.rows)
    return path.name


def known(kinds: tuple[str, ...]) -> list[str]:
    return [k for k in kinds if k in KNOWN]


@torch.no_grad()
def write(file: Path, rows: dict[str, list[Any]]) -> None:
    pixels = torch.from_numpy(np.array(rows["pixels"]))
    found = np.concatenate([statistics(p.float() / 255).half().numpy() for p in pixels.split(4)])
    draft = file.with_suffix(".part")
    with draft.open("wb") as f:
        np.save(f, found)
    draft.rename(file.with_suffix(".npy"))
    with draft.open("wb") as f:
        np.savez(f, **{k: np.array(v) for k, v in rows.items()})  # type: ignore[arg-type]
    draft.rename(file)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("portraits", type=Path)
    ask.add_argument("--faces", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--limit", type=int, default=67, help="portraits to learn from; of the others half as many")
    ask.add_argument("--parts", nargs="+", default=list(PLANS), choices=list(PLANS))
    ask.add_argument("--workers", type=int, default=2)
    given = ask.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    labels = json.loads(given.faces.read_text("utf-8"))
    short = {"/".join(Path(k).parts[-2:]): v for k, v in labels.items()}
    jobs: dict[str, list[tuple[Path, Path, Face]]] = {}
    for path in sorted(given.portraits.iterdir()):
        face = face_of(short, f"{path.parent.name}/{path.name}")
        if face is not None:
            jobs.setdefault(part(path.name), []).append((path, given.out, face))
    todo = [job for name in given.parts for job in jobs.get(name, [])[: of_part(name, given.limit)]]
    random.Random(0).shuffle(todo)
    with ProcessPoolExecutor(given.workers) as pool:
        for i, name in enumerate(pool.map(portrait, todo)):
            print(f"{i + 1}/{len(todo)} {name}", flush=True)


if __name__ == "__main__":
    main()
