"""Trains `exif_faces-assay`: an encoder that learned to read a camera's settings, and how usual a face looks to it.

    python recipes/face_blends.py DATA --labels points.json --out BANK
    python recipes/exif_faces.py photos DATA --out PHOTOS
    python recipes/exif_faces.py train PHOTOS BANK --weights learned --steps 450 --out RUN      # goes on where it stopped
    python recipes/exif_faces.py train PHOTOS BANK --weights equal --steps 450 --out EQUAL
    python recipes/exif_faces.py export RUN BANK --out src/assay/weights/exif_faces.safetensors

After BLADES (arXiv:2507.22824) and its predecessor, which ranks EXIF values (arXiv:2501.02207); small, and with much less to learn from.
Tasks, one loss each: the order of ISO, f-number, exposure time and focal length in crops of camera files (only 138 crops and 45 files
carry EXIF, and a fifth of each is never touched); made ones, because EXIF is scarce: the order of JPEG quality, of resampling and of
noise, and where the mosaic of a sensor begins; whether a face was blended with itself, and where. Their weights are learned
(ops/bilevel) so that a step makes the loss of blended faces of other people small, or are equal. Then a Gaussian mixture over what
the encoder sees in real faces of the portraits gives a likelihood, and a head of two layers tells them from blends and from faces that
were reduced and enlarged again. No generated face is ever shown.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from assay.authenticity.metadata import MEASURED
from assay.bench.verification import auc, roc
from assay.nets.face_traces import AXES, FEATURES, ORDINALS, Encoder, Head, Read, warped
from assay.nets.face_traces import CHIP as WIDE
from assay.ops import declared
from assay.ops.bilevel import hypergradient
from assay.ops.mixture import fitted
from assay.ops.regression import fidelity_loss, preferred
from assay.types import AssayError
from face_blends import Bank, jpeg, straight, travelled
from forgeries import FOLDERS, photographs

SIDE, SHARE = 96, 0.6  # a crop for training: of a photograph as it is, or this share of a face that is 160 pixels wide
FACE = 160
ROWS = 16  # of each of three kinds per step: photographs with EXIF, made photographs, pairs of faces (12)
PAIRS = 12
RATE, DECAY, WARM, AVERAGE = 2e-3, 1e-2, 50, 0.99
EVERY, AHEAD, WEIGH = 4, 0.01, 0.03  # steps between two of the outer loss; its virtual step; Adam's rate for the weights
TASKS = (*ORDINALS, "mosaic", "blended", "where")
GAP = 0.5  # BLADES: of two scores that lie so far apart, the greater is greater with 84.13 %
LARGEST = 768  # pixels: larger photographs are cut
COMPONENTS, JOURNEYS = 3, 8  # of the mixture; versions of each portrait it is fitted to
HEAD_STEPS = 600
QUANTILES = 101
BAYER = ((0, 1), (1, 2))  # red, green; green, blue
Batch = dict[str, Tensor]


def settings(path: Path) -> list[float]:
    """Base-2 logarithms of ISO, f-number, exposure time in seconds, focal length in mm; NaN where the file does not tell."""
    try:
        tags = declared.read(path.read_bytes()).tags
    except AssayError:  # a file of no known kind has no settings
        return [math.nan] * 4
    found = {key: tags.number(tag, "Exif") for tag, key in MEASURED}
    return [math.log2(v) if (v := found[k]) and v > 0 else math.nan for k in ORDINALS[:4]]


def photos(data: Path, out: Path) -> None:
    """Camera files with their settings, and photographs to make more of: uint8 crops in one file a part."""
    out.mkdir(parents=True, exist_ok=True)
    for wanted in ("train", "interval", "test"):
        shots, values, plain = [], [], []
        for path in photographs(data, wanted, ("camera/native_crop", "camera/original")):
            row = settings(path)
            if np.isfinite(row).any():
                shots.append(middle(path)), values.append(row)
        plain = [middle(p) for p in photographs(data, wanted, FOLDERS)]
        torch.save({"shots": shots, "values": torch.tensor(values), "plain": plain}, out / f"{wanted}.pt")
        known = np.isfinite(np.array(values)).sum(0).tolist()
        print(f"{wanted}: {len(shots)} files with EXIF ({dict(zip(ORDINALS, known, strict=False))}), {len(plain)} photographs", flush=True)


def middle(path: Path) -> Tensor:
    with Image.open(path) as im:
        x = np.asarray(im.convert("RGB"))
    top, left = (max(0, n - LARGEST) // 16 * 8 for n in x.shape[:2])
    return torch.from_numpy(x[top : top + LARGEST, left : left + LARGEST].copy()).permute(2, 0, 1)


def window(x: Tensor, side: int, dice: np.random.Generator) -> Tensor:
    top, left = (int(dice.integers(0, n - side + 1)) for n in x.shape[1:])
    return x[:, top : top + side, left : left + side].float() / 255


def mosaic(x: Tensor, phase: int) -> Tensor:
    """What a sensor with a Bayer filter keeps of a picture, filled in again from the nearest pixels."""
    kept = torch.zeros_like(x)
    for i in range(2):
        for j in range(2):
            c = BAYER[i][j]
            at = (slice((i + phase // 2) % 2, None, 2), slice((j + phase % 2) % 2, None, 2))
            kept[c][at] = x[c][at]
    near = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])[None, None] / 4
    cross = torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]])[None, None] / 4
    r, g, b = kept[:, None, None]
    return torch.cat([conv2d(r, near, padding=1), conv2d(g, cross, padding=1), conv2d(b, near, padding=1)])[:, 0]


def made(plain: list[Tensor], dice: np.random.Generator) -> tuple[Tensor, list[float], int]:
    """A crop with a history, what JPEG quality, resampling and noise it has, and its mosaic's phase (−1: none)."""
    x = plain[int(dice.integers(len(plain)))]
    sigma, camera = 2 ** dice.uniform(-9, -4.5), dice.random() < 0.5
    times = 1.0 if camera else 2 ** dice.uniform(-0.9, 1)
    quality, phase = int(dice.integers(85, 101) if camera else dice.integers(40, 101)), int(dice.integers(4)) if camera else -1
    y = window(x, min(*x.shape[1:], round((SIDE + 8) / times)), dice)
    y = y + torch.from_numpy(dice.normal(0, sigma, y.shape)).float()
    if camera:
        y = mosaic(y, phase)
    else:
        mode = str(dice.choice(["bilinear", "bicubic"]))
        y = interpolate(y[None], (SIDE + 8, SIDE + 8), mode=mode, antialias=True, align_corners=False)[0]
    y = jpeg(y, quality)[:, 4 : 4 + SIDE, 4 : 4 + SIDE]
    return y, [quality / 10, math.log2(times), math.log2(sigma)], phase


def batch(shots: dict[str, Any], bank: Bank, dice: np.random.Generator) -> Batch:
    """Crops of three kinds, and what is known of each; NaN and −1 mean: unknown."""
    rows = dice.choice(len(shots["shots"]), ROWS)
    real = [window(shots["shots"][i], SIDE, dice) for i in rows]
    other = [made(shots["plain"], dice) for _ in range(ROWS)]
    which = dice.choice(len(bank), PAIRS, replace=False)
    a, b, _ = bank.views(which, dice, SIDE, SHARE)
    faces = 2 * PAIRS
    ordinals = torch.full((2 * ROWS + faces, len(ORDINALS)), math.nan)
    ordinals[:ROWS, :4] = shots["values"][rows]
    ordinals[ROWS : 2 * ROWS, 4:] = torch.tensor([v for _, v, _ in other])
    nothing = torch.full((2 * ROWS,), -1)
    return {
        "x": torch.cat([torch.stack(real), torch.stack([y for y, _, _ in other]), a, b]),
        "ordinals": ordinals,
        "phase": torch.cat([nothing[:ROWS], torch.tensor([p for _, _, p in other]), nothing.new_full((faces,), -1)]),
        "face": torch.cat([nothing, torch.zeros(PAIRS, dtype=torch.long), torch.ones(PAIRS, dtype=torch.long)]),
        "region": torch.cat([nothing, nothing.new_full((PAIRS,), -1), bank.regions[which]]),
    }


def order(score: Tensor, value: Tensor) -> Tensor:
    """Thurstone's pairs and the fidelity loss, over all pairs whose values are known (arXiv:2501.02207)."""
    known = value.isfinite()
    s, v = score[known], value[known]
    i, j = torch.triu_indices(len(s), len(s), 1)
    return fidelity_loss(preferred((s[i] - s[j]) / GAP), ((v[i] - v[j]).sign() + 1) / 2)


def named(logits: Tensor, truth: Tensor) -> Tensor:
    """The focal fidelity loss of BLADES over the rows whose class is known."""
    p = logits[truth >= 0].softmax(1).gather(1, truth[truth >= 0, None])
    return ((1 - p).square() * (1 - (p + 1e-8).sqrt())).mean()


def blended(read: Read, b: Batch) -> Tensor:
    known = b["face"] >= 0
    return fidelity_loss(read.face[known].sigmoid(), b["face"][known].float())


def losses(read: Read, b: Batch) -> Tensor:
    """One for each of TASKS."""
    ranks = [order(read.ordinals[:, k], b["ordinals"][:, k]) for k in range(len(ORDINALS))]
    return torch.stack([*ranks, named(read.phase, b["phase"]), blended(read, b), named(read.region, b["region"])])


@torch.no_grad()
def held(net: Encoder, shots: dict[str, Any], bank: Bank, *, count: int = 3) -> dict[str, Any]:
    """On what was not trained on: the share of pairs in the right order, of right phases, and the area under the curve of blends."""
    net.eval()
    dice = np.random.default_rng(7)
    found: dict[str, list[float]] = {k: [] for k in TASKS}
    told, truth = [], []
    for _ in range(count):
        b = batch(shots, bank, dice)
        read = net(b["x"])
        for k, name in enumerate(ORDINALS):
            known = b["ordinals"][:, k].isfinite()
            s, v = read.ordinals[known, k], b["ordinals"][known, k]
            i, j = torch.triu_indices(len(s), len(s), 1)
            clear = v[i] != v[j]
            found[name] += (((s[i] - s[j]) * (v[i] - v[j]))[clear] > 0).float().tolist()
        for name, logits, known in (("mosaic", read.phase, b["phase"]), ("where", read.region, b["region"])):
            found[name] += (logits.argmax(1) == known)[known >= 0].float().tolist()
        told.append(read.face[b["face"] >= 0]), truth.append(b["face"][b["face"] >= 0])
    out = {k: round(float(np.mean(v)), 3) for k, v in found.items() if v}
    return out | {"blended": round(auc(roc(torch.cat(told).double().numpy(), torch.cat(truth).numpy() == 1)), 4)}


def train(photo: Path, folder: Path, out: Path, way: str, steps: int, every: float) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    shots = {k: torch.load(photo / f"{k}.pt", weights_only=True) for k in ("train", "interval")}
    bank, check = Bank(folder, "train"), Bank(folder, "validation")
    net, mean = (Encoder().to(memory_format=torch.channels_last) for _ in range(2))
    mean.load_state_dict(net.state_dict())
    weights = torch.ones(len(TASKS), requires_grad=True)
    wheel = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    balance = torch.optim.Adam([weights], lr=WEIGH)
    parts = {"net": net, "mean": mean, "wheel": wheel, "balance": balance}
    state: dict[str, Any] = {"step": 0, "spent": 0.0, "path": [], "log": []}
    out.mkdir(parents=True, exist_ok=True)
    if (out / "last.pt").exists():
        kept = torch.load(out / "last.pt", weights_only=True)
        for k, p in parts.items():
            p.load_state_dict(kept[k])
        state = {k: kept[k] for k in state}
        weights.data.copy_(kept["weights"])
    start = saved = time.monotonic()
    before = state["spent"]
    params, total, many = [*net.parameters()], torch.zeros(len(TASKS)), 0
    while state["step"] < steps:
        step = state["step"]
        for g in wheel.param_groups:
            g["lr"] = RATE * min(1, (step + 1) / WARM) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        dice = np.random.default_rng([2, step])
        b = batch(shots["train"], bank, dice)
        net.train()
        if way == "learned" and step % EVERY == 0 and step >= WARM:
            target = batch(shots["interval"], check, np.random.default_rng([3, step]))
            weights.grad = hypergradient(
                params,
                lambda b=b: losses(net(b["x"]), b),
                lambda t=target: blended(net(t["x"]), t),
                weights,
                rate=AHEAD,  # type: ignore[misc]
            )
            balance.step()
            weights.data.clamp_(min=0)
            state["path"].append([step, *(round(v, 4) for v in weights.tolist())])
        each = losses(net(b["x"]), b)
        wheel.zero_grad()
        (weights.detach() * each).sum().backward()
        nn.utils.clip_grad_norm_(params, 2.0)
        wheel.step()
        total, many = total + each.detach(), many + 1
        state["step"] = step + 1
        follow(mean, net, min(AVERAGE, (step + 1) / (step + 11)))
        now = time.monotonic()
        if now - saved > every or step + 1 == steps:
            state["spent"] = before + now - start
            row = {"step": step + 1, "minutes": round(state["spent"] / 60, 1), "held": held(mean, shots["interval"], check)}
            row |= {"losses": [round(v, 3) for v in (total / many).tolist()], "weights": [round(v, 2) for v in weights.tolist()]}
            state["log"].append(row)
            print(json.dumps(row), flush=True)
            torch.save({k: p.state_dict() for k, p in parts.items()} | state | {"weights": weights.detach()}, out / "last.part")
            (out / "last.part").replace(out / "last.pt")
            saved, total, many = time.monotonic(), torch.zeros(len(TASKS)), 0


@torch.no_grad()
def follow(mean: nn.Module, net: nn.Module, keep: float) -> None:
    """A running average of the weights."""
    for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
        a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)


def encoder(run: Path) -> Encoder:
    """As it will be shipped: rounded to half precision."""
    kept = torch.load(run / "last.pt", weights_only=True)["mean"]
    net = Encoder().eval()
    net.load_state_dict({k: v.half().float() if v.is_floating_point() else v for k, v in kept.items()})
    return net


@torch.no_grad()
def features(net: Encoder, x: Tensor) -> Tensor:
    """Chips N×3×192×192 in [0, 1] → N×128, as seen at 160 pixels."""
    return torch.cat([net.body(warped(part_, straight(1.0).expand(len(part_), -1, -1), FACE).clamp(0, 1))[1] for part_ in x.split(16)])


def wanderers(folder: Path, wanted: str, journeys: int) -> Tensor:
    """The plain portraits of a part, each after some ways, and as it is."""
    plain = torch.load(folder / f"{wanted}_plain.pt", weights_only=True)
    return torch.cat([torch.stack([way(x, i, j) for i, x in enumerate(plain)]) for j in range(journeys)])


def way(x: Tensor, i: int, j: int) -> Tensor:
    x = x.float() / 255
    return x if j == 0 else travelled(x if j % 2 else x.flip(2), 1000 * j + i)


def outliers(bank: Bank, rows: np.ndarray) -> Tensor:
    """What the head is to tell from real faces: blends, and faces that were reduced and enlarged again, as decoders enlarge."""
    fake = torch.from_numpy(bank.both[rows, 1].copy()).float() / 255
    for k in range(0, len(fake), 2):
        dice = np.random.default_rng([4, int(rows[k])])
        x = torch.from_numpy(bank.both[rows[k], 0].copy())[None].float() / 255
        small = interpolate(x, size=WIDE // 2, mode="bilinear", antialias=True, align_corners=False)
        mode = str(dice.choice(["nearest", "bilinear", "bicubic"]))
        fake[k] = interpolate(small, (WIDE, WIDE), mode=mode, **({} if mode == "nearest" else {"align_corners": False}))[0].clamp(0, 1)
    return fake


def space(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of N×128 features, and 128×24: the directions in which they vary most, scaled to variance 1."""
    centre = x.double().mean(0)
    _, s, v = torch.linalg.svd(x.double() - centre, full_matrices=False)
    return centre, (v[:AXES] / (s[:AXES, None] / len(x) ** 0.5).clamp_min(1e-6)).T


@torch.enable_grad()
def heads(real: Tensor, fake: Tensor) -> Head:
    """The two layers, trained anew each time; the encoder stays as it is."""
    torch.manual_seed(0)
    head = Head()
    x = torch.cat([real, fake])
    truth = torch.cat([torch.zeros(len(real)), torch.ones(len(fake))])
    wheel = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=5e-2)
    for _ in range(HEAD_STEPS):
        at = torch.randint(len(x), (128,))
        loss = nn.functional.binary_cross_entropy_with_logits(head(x[at]), truth[at])
        wheel.zero_grad()
        loss.backward()
        wheel.step()
    return head.eval().requires_grad_(False)


def model(net: Encoder, folder: Path) -> dict[str, Tensor]:
    """All that the detector needs beside the encoder."""
    torch.set_num_threads(1)
    train_, check = Bank(folder, "train"), Bank(folder, "validation")
    real, other = features(net, wanderers(folder, "train", JOURNEYS)), features(net, wanderers(folder, "validation", 4))
    centre, axes = space(real)
    mixture = fitted((real.double() - centre) @ axes, COMPONENTS)
    rows = np.arange(0, len(train_), max(1, len(train_) // len(real)))
    head = heads((real - centre.float()) @ axes.float(), (features(net, outliers(train_, rows)) - centre.float()) @ axes.float())
    z = (other.double() - centre) @ axes
    grid = np.linspace(0, 1, QUANTILES)
    kept = {"centre": centre, "axes": axes, "shares": mixture.shares, "means": mixture.means, "roots": mixture.roots}
    kept["likelihood"] = torch.from_numpy(np.quantile(-mixture.log_density(z).numpy(), grid))
    kept["head"] = torch.from_numpy(np.quantile(head(z.float()).numpy(), grid))
    print(f"{len(real)} views of real faces; {FEATURES} features, {AXES} axes, {COMPONENTS} Gaussians; {len(check)} pairs left alone")
    return {k: v.float().contiguous() for k, v in kept.items()} | {f"judge.{k}": v for k, v in head.state_dict().items()}


def export(run: Path, folder: Path, out: Path) -> None:
    net = encoder(run)
    kept = model(net, folder)
    body = {f"body.{k}": v.half().contiguous() for k, v in net.body.state_dict().items() if v.is_floating_point()}
    save_file(body | kept, out)
    print(f"{out}: {out.stat().st_size} bytes")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    acts = ask.add_subparsers(dest="act", required=True)
    acts.add_parser("photos").add_argument("data", type=Path)
    one = acts.add_parser("train")
    one.add_argument("photos", type=Path)
    one.add_argument("bank", type=Path)
    one.add_argument("--weights", choices=("learned", "equal"), default="learned")
    one.add_argument("--steps", type=int, default=450)
    one.add_argument("--every", type=float, default=150, help="seconds between checkpoints")
    two = acts.add_parser("export")
    two.add_argument("run", type=Path)
    two.add_argument("bank", type=Path)
    for a in acts.choices.values():
        a.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    if given.act == "photos":
        photos(given.data, given.out)
    elif given.act == "train":
        train(given.photos, given.bank, given.out, given.weights, given.steps, given.every)
    else:
        export(given.run, given.bank, given.out)


if __name__ == "__main__":
    main()
