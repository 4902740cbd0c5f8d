"""Trains the three tiny regressors of the face components: blur, compression and open eyes.

    python recipes/face_components.py PORTRAITS --points points.json --out src/assay/weights/face_components.safetensors

points.json: {file: [{"box": …, "points": …, "confidence": …}, …]} as `assay faces` finds them. A portrait whose name's sha256 begins
with a byte divisible by 5 is held out, one with remainder 1 chooses when to stop. Five minutes on one core.

blur: portraits are reduced to 0.4…1 or enlarged 1.6 times, blurred by a known σ, then made noisy and saved as JPEG by chance; what is
learned is log2 σ. compression: portraits reduced by half or more are saved as JPEG with a random phase of the grid; what is learned
is how the structural similarity (Wang 2004) to the unsaved one falls short of 1. eyes: the upper lid of open eyes is drawn down by a
warp that keeps the lashes and covers the iris; what is learned is the gap between the lids, 0.067 of the distance from
eyes to chin when open (the median of OFIQ's published test faces).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.stats import spearmanr
from torch import Tensor

from assay.nets.face_components import perceptron
from assay.ops.eyelids import OPEN, features, patch
from assay.ops.facedetail import detail, grid, middle
from assay.ops.facemask import canvas
from assay.quality.ssim import ssim
from assay.types import CannotAssess, Face

Row = tuple[list[float], float, int]  # measurements, what they should say, which portrait
SIGMA = 0.5  # pixels: the blur that a reduced photograph has
LIDS = (-8.0, 6.0, 27.0)  # canvas pixels from the point of an open eye: upper lid, lower lid, half width
BROW = -26.0  # where the skin above the lid begins to stretch


def part(name: str) -> str:
    return {0: "test", 1: "choose"}.get(hashlib.sha256(name.encode()).digest()[0] % 5, "train")


def jpeg(a: np.ndarray[Any, Any], quality: int, **options: Any) -> np.ndarray[Any, Any]:
    out = io.BytesIO()
    Image.fromarray(a).save(out, "JPEG", quality=quality, **options)
    return np.asarray(Image.open(out))


def tensor(a: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(np.array(a)).permute(2, 0, 1).contiguous()


def cut(picture: Image.Image, found: dict[str, Any]) -> tuple[Image.Image, Face]:
    """What surrounds the face, to be quick."""
    face = Face(tuple(found["box"]), tuple(map(tuple, found["points"])), 1.0)
    x, y = np.mean(face.points, axis=0)
    left, top, right, bottom = (round(v + s * 1.5 * face.eye_distance) for v, s in ((x, -1), (y, -1), (x, 1), (y, 1)))
    left, top = max(0, left), max(0, top)
    part = picture.convert("RGB").crop((left, top, min(picture.width, right), min(picture.height, bottom)))
    return part, Face(face.box, tuple((u - left, v - top) for u, v in face.points), 1.0)


def scaled(picture: Image.Image, face: Face, by: float) -> tuple[np.ndarray[Any, Any], Face]:
    w, h = (round(n * by) for n in picture.size)
    sx, sy = w / picture.width, h / picture.height
    points = tuple((x * sx, y * sy) for x, y in face.points)
    box = tuple(v * s for v, s in zip(face.box, (sx, sy, sx, sy), strict=True))
    return np.asarray(picture.resize((w, h), Image.Resampling.LANCZOS)), Face(box, points, 1.0)  # type: ignore[arg-type]


def blurred(picture: Image.Image, face: Face, rng: np.random.Generator, portrait: int) -> Iterator[Row]:
    for sigma in (0, 0.5, 0.8, 1.2, 1.7, 2.4, 3.4, 4.8, 6.8):
        by = float(rng.choice([0.4, 0.5, 0.7, 1, 1.6]))
        a, f = scaled(picture, face, by)
        soft = gaussian_filter(a.astype(np.float32), (sigma, sigma, 0)) if sigma else a.astype(np.float32)
        soft += rng.normal(0, float(rng.choice([0, 0, 1, 2, 4, 8])), soft.shape)
        a = soft.round().clip(0, 255).astype(np.uint8)
        a = jpeg(a, int(rng.integers(50, 96))) if rng.random() < 0.5 else a
        total = float(np.hypot(SIGMA * max(1, 1.6 * by), sigma))
        yield [*detail(middle(tensor(a), f)).tolist(), float(np.log(f.eye_distance))], float(np.log2(total)), portrait


def compressed(picture: Image.Image, face: Face, rng: np.random.Generator, portrait: int) -> Iterator[Row]:
    for quality in (100, 95, 90, 82, 72, 60, 45, 30, 20, 12, 6):
        a, f = scaled(picture, face, float(rng.choice([0.4, 0.5, 0.6])))
        sigma = float(rng.choice([0, 0, 0.5, 1, 2]))
        a = gaussian_filter(a, (sigma, sigma, 0)) if sigma else a
        b = jpeg(a, quality, subsampling=int(rng.integers(0, 3)))
        x, y = (int(v) for v in rng.integers(0, 8, 2))
        f = Face(f.box, tuple((u - x, v - y) for u, v in f.points), 1.0)
        before, after = (middle(tensor(p)[:, y:, x:], f) for p in (a, b))
        kept = float(ssim(after[None, None] / 255, ref=before[None, None] / 255))
        yield [*grid(after).tolist(), *detail(after)[:6].tolist()], float(np.log(1 - min(kept, 0.998))), portrait


def closed(patch: np.ndarray[Any, Any], by: float) -> np.ndarray[Any, Any]:
    """An eye, in the middle of its patch, with its upper lid drawn down by that share: the skin above is stretched over the iris."""
    upper, lower, half = LIDS
    h, w = patch.shape
    y, x = np.mgrid[:h, :w].astype(np.float64)
    x, y = x - w / 2, y - h / 2
    arc = np.clip(1 - (x / half) ** 2, 0, None)
    top, bottom = upper * arc + 2, lower * arc + 1
    now = top + by * (bottom - top)
    source = np.where((y >= BROW) & (y < now) & (arc > 0), BROW + (y - BROW) * (top - BROW) / (now - BROW), y)
    out: np.ndarray[Any, Any] = map_coordinates(patch, (source + h / 2, x + w / 2), order=1, mode="nearest")
    return out


def lids(picture: Image.Image, face: Face, rng: np.random.Generator, portrait: int) -> Iterator[Row]:
    for by in (0, 0.3, 0.6, 0.8, 0.95, 1):
        a, f = scaled(picture, face, float(rng.choice([0.3, 0.5, 1])))
        bright = (canvas(tensor(a), f).float() / 255).mean(0) ** float(rng.uniform(0.6, 1.6))
        for side in (0, 1):
            around = patch(bright, side, 8).numpy()
            shut = torch.from_numpy(closed(around, by))
            x, y = (int(v) for v in rng.integers(3, 14, 2))  # where the detector puts the eye varies
            h, w = shut.shape
            yield features(shut[y : y + h - 16, x : x + w - 16], side).tolist(), OPEN * (1 - by), portrait


def fit(rows: list[Row], names: list[str], hidden: int, prefix: str, steps: int = 2000, decay: float = 1e-4) -> dict[str, Tensor]:
    """A perceptron trained on the portraits that are for it; the step that is best on those for choosing. Prints both errors."""
    x = torch.tensor([r[0] for r in rows])
    y = torch.tensor([r[1] for r in rows])
    role = np.array([part(names[r[2]]) for r in rows])
    train, choose = (torch.from_numpy(np.flatnonzero(role == p)) for p in ("train", "choose"))
    torch.manual_seed(0)
    w = {"mean": x[train].mean(0), "spread": x[train].std(0) + 1e-3, "in": torch.randn(x.shape[1], hidden) / x.shape[1] ** 0.5}
    w |= {"bias": torch.zeros(hidden), "out": torch.zeros(hidden), "last": y[train].mean()}
    learned = [w[k].requires_grad_() for k in ("in", "bias", "out", "last")]
    optimizer = torch.optim.AdamW(learned, lr=3e-3, weight_decay=decay)
    named = {f"{prefix}.{k}": v for k, v in w.items()}
    best, kept = float("inf"), {}
    for step in range(steps):
        batch = train[torch.randint(len(train), (256,))]
        loss = torch.nn.functional.smooth_l1_loss(perceptron(x[batch], named, prefix), y[batch], beta=0.3 * float(y.std()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            with torch.no_grad():
                error = float((perceptron(x[choose], named, prefix) - y[choose]).abs().mean())
            if error < best:
                best, kept = error, {k: v.detach().clone() for k, v in named.items()}
    with torch.no_grad():
        for p in ("train", "choose", "test"):
            at = torch.from_numpy(np.flatnonzero(role == p))
            said = perceptron(x[at], kept, prefix)
            rank = spearmanr(said.numpy(), y[at].numpy()).statistic
            print(f"{prefix} {p}: {len(at)} rows, mean error {float((said - y[at]).abs().mean()):.4f}, rank correlation {rank:.4f}")
    return kept


TASKS: dict[str, tuple[Callable[..., Iterator[Row]], int, float]] = {
    "blur": (blurred, 16, 1e-4),
    "compression": (compressed, 16, 1e-4),
    "eyes": (lids, 8, 1e-2),
}


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("portraits", type=Path)
    cli.add_argument("--points", type=Path, required=True)
    cli.add_argument("--out", type=Path, required=True)
    cli.add_argument("--cache", type=Path, help="a folder that keeps the measurements")
    cli.add_argument("--only", choices=sorted(TASKS), nargs="*", default=sorted(TASKS))
    told = cli.parse_args()
    torch.set_num_threads(1)
    found = {Path(k).name: v for k, v in json.loads(told.points.read_text()).items() if "portraits/" in k and v}
    names = sorted(found)
    weights: dict[str, Tensor] = {}
    for task in told.only:
        make, hidden, decay = TASKS[task]
        kept = told.cache / f"{task}.pt" if told.cache else None
        rows: list[Row] = torch.load(kept) if kept and kept.exists() else []
        for i, name in enumerate(() if rows else names):
            rng = np.random.default_rng([i, len(task)])
            with Image.open(told.portraits / name) as picture:
                try:
                    rows += make(*cut(picture, found[name][0]), rng, i)
                except CannotAssess as reason:
                    print(f"{name}: {reason}")
        if kept:
            torch.save(rows, kept)
        weights |= fit(rows, names, hidden, task, decay=decay)
    save_file({k: v.half().contiguous() for k, v in weights.items()}, told.out)
    print(told.out, hashlib.sha256(told.out.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
