"""The pictures that `assay-q` learns from: photographs, the damage bank on them, and what full-reference metrics say of it.

    python recipes/quality_nr_data.py PHOTOS… --out FOLDER [--workers 2]

Of every photograph two 256×256 crops are kept: one of the picture as it is, one of the picture at 60 %. Each crop is damaged
in groups. A group is one damage, or a chain of two or three, at five rising levels drawn near those on the cards. Two more
pictures per crop carry damage in one rectangle only. Every picture is compared with its clean crop by five metrics; what they
agree on is the target (see `consensus`). One .npz per photograph: pixels, distances, strengths of the families of damage,
rectangles; and one .npy: the statistics that the net looks at. An interrupted run goes on where it stopped.

A fifth of the photographs and seven kinds of damage are only for the figures: `part` and HELD_OUT say which.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from assay.catalog import get
from assay.nets.assay_q import KINDS, statistics

SIDE = 256
LEVELS = 5
SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif"}
DISTANCES = ("ms_ssim", "gmsd", "haarpsi", "mdsi", "vif_p")
FAMILIES: dict[str, tuple[str, ...]] = {
    "blur": ("gaussian_blur", "defocus"),
    "motion blur": ("motion_blur", "zoom_blur"),
    "low resolution": ("downscale", "pixelate"),
    "smearing": ("smear",),
    "noise": ("gaussian_noise", "poisson_noise", "speckle", "colour_noise"),
    "impulse noise": ("salt_and_pepper",),
    "JPEG compression": ("jpeg",),
    "other compression": ("webp", "avif", "jpeg2000"),
    "over-sharpening": ("over_sharpen", "ringing"),
    "banding": ("posterize", "palette"),
    "overexposure": ("overexpose",),
    "underexposure": ("underexpose", "vignette"),
    "low contrast": ("low_contrast", "haze"),
    "high contrast": ("high_contrast",),
    "oversaturation": ("oversaturate",),
    "faded colour": ("desaturate",),
    "colour cast": ("colour_cast",),
    "chromatic aberration": ("chromatic_aberration",),
    "warping": ("glass", "row_jitter"),
    "moire": ("moire",),
    "missing blocks": ("block_loss", "local_patches"),
}
FAMILY = {kind: KINDS.index(family) for family, kinds in FAMILIES.items() for kind in kinds}
HELD_OUT = ("defocus", "zoom_blur", "speckle", "avif", "palette", "row_jitter", "haze")
# What changes light and colour only: how a scene was meant to look, no picture tells. These are named, never scored.
TONE = ("overexpose", "underexpose", "vignette", "low_contrast", "haze", "high_contrast", "oversaturate", "desaturate", "colour_cast")
FIRST = ("gaussian_blur", "motion_blur", "downscale", "smear", "gaussian_noise", "poisson_noise", "over_sharpen", "oversaturate",
         "overexpose", "underexpose", "low_contrast", "chromatic_aberration", "defocus", "speckle", "haze")  # fmt: skip
LAST = ("jpeg", "webp", "jpeg2000", "over_sharpen", "gaussian_noise", "downscale", "oversaturate", "avif")
SINGLES, CHAINS, LOCALS = 7, 3, 2  # groups per crop, and locally damaged pictures
ANCHORS = {"90": 88.0, "10": 28.0}  # what the median photograph reads when saved as JPEG of that quality

Steps = tuple[tuple[str, float], ...]


def part(photo: str) -> str:
    """What a photograph is for, by its name alone: `test` a fifth, `interval` a tenth, the rest `train`."""
    draw = int(hashlib.sha256(photo.encode()).hexdigest()[:8], 16) % 100
    return "test" if draw < 20 else "interval" if draw < 30 else "train"


def read(path: Path) -> Tensor:
    with Image.open(path) as im:
        return torch.from_numpy(np.ascontiguousarray(np.asarray(im.convert("RGB")).transpose(2, 0, 1)))[None]


def crops(path: Path, dice: random.Random) -> list[Tensor]:
    """One crop as the picture is, one of the picture at 60 %; the place is drawn among eight where most happens."""
    out = []
    with Image.open(path) as im:
        rgb = im.convert("RGB")
        for scale in (1.0, 0.6):
            size = [max(SIDE, round(n * scale)) for n in rgb.size]
            small = rgb if scale == 1 else rgb.resize((size[0], size[1]), Image.Resampling.LANCZOS)
            a = np.asarray(small)
            if min(a.shape[:2]) < SIDE:
                continue
            places = [[dice.randrange(n - SIDE + 1) for n in a.shape[:2]] for _ in range(8)]
            tried = [a[y : y + SIDE, x : x + SIDE] for y, x in places]
            busiest = sorted(tried, key=lambda t: float(np.abs(np.diff(t.astype(float), axis=0)).mean()))[5]  # not the wildest
            out.append(torch.from_numpy(np.ascontiguousarray(busiest.transpose(2, 0, 1)))[None])
    return out


def between(kind: str, at: float) -> float:
    """The level at place `at` (0 first … 1 last) of the card's levels, as the knob wants it."""
    card: Any = get(kind).card
    levels = [float(v) for v in card.levels]
    x = at * (len(levels) - 1)
    i = min(int(x), len(levels) - 2)
    value = levels[i] + (x - i) * (levels[i + 1] - levels[i])
    return float(round(value)) if all(v == int(v) for v in levels) else value


def group(kinds: Sequence[str], dice: random.Random) -> list[Steps]:
    """Five rising levels of one damage or chain."""
    first, last = dice.uniform(0, 0.15), dice.uniform(0.8, 1)
    if len(kinds) > 1:
        first, last = 0.0, dice.uniform(0.55, 0.9)
    places = [first + (last - first) * i / (LEVELS - 1) for i in range(LEVELS)]
    return [tuple((kind, p) for kind in kinds) for p in places]


def damage(x: Tensor, steps: Steps, seed: int) -> Tensor:
    for i, (kind, at) in enumerate(steps):
        fn: Any = get(kind)
        knobs: dict[str, Any] = {fn.card.knob: between(kind, at)}
        known = signature(fn).parameters
        if "seed" in known:
            knobs["seed"] = seed + i
        if kind == "downscale":
            knobs["kernel"] = ("bicubic", "bilinear", "bicubic", "nearest")[seed % 4]
        x = fn(x, **knobs)
    return x


def strengths(steps: Steps) -> np.ndarray:
    out = np.zeros(len(FAMILIES), np.float32)
    for kind, at in steps:
        out[FAMILY[kind]] = max(out[FAMILY[kind]], 0.2 + 0.8 * at)
    return out


def distances(x: Tensor, ref: Tensor) -> list[float]:
    return [abs(get(d).card.scale.best - float(get(d)(x, ref=ref)[0])) for d in DISTANCES]  # type: ignore[attr-defined]


def photograph(job: tuple[Path, Path]) -> str:
    """All pictures made of one photograph, saved as one file."""
    path, out = job
    name = f"{path.parent.name}/{path.name}"
    file = out / (name.replace("/", "_") + ".npz")
    if file.exists():
        return name
    torch.set_num_threads(1)
    dice = random.Random(name)
    rows: dict[str, list[Any]] = {k: [] for k in ("pixels", "distances", "strengths", "crop", "group", "level", "kinds", "box", "inside")}

    def keep(x: Tensor, ref: Tensor, steps: Steps, crop: int, at: int, level: int, box: tuple[int, ...] = (0, 0, SIDE, SIDE)) -> None:
        rows["pixels"].append(x[0].numpy())
        rows["distances"].append(distances(x, ref))
        rows["strengths"].append(strengths(steps))
        rows["kinds"].append("+".join(k for k, _ in steps))
        for key, value in (("crop", crop), ("group", at), ("level", level), ("box", box)):
            rows[key].append(value)
        rows["inside"].append(rows["distances"][-1])  # how far the rectangle alone is; here it is the whole picture

    for c, ref in enumerate(crops(path, dice)):
        seed = dice.randrange(1 << 20)
        keep(ref, ref, (), c, -1, 0)
        for quality in ANCHORS:
            jpeg: Any = get("jpeg")
            x = jpeg(ref, quality=float(quality))
            keep(x, ref, (("jpeg", (90 - float(quality)) / 83),), c, -2, int(quality))
        chosen = [(k,) for k in dice.sample(sorted(FAMILY), SINGLES)]
        for _ in range(CHAINS):
            a, b = dice.choice(FIRST), dice.choice(LAST)
            chosen.append((a, b) if a != b else (a,))
        for g, kinds in enumerate(chosen):
            for level, steps in enumerate(group(kinds, dice), 1):
                keep(damage(ref, steps, seed + g), ref, steps, c, g, level)
        for _ in range(LOCALS):
            at = dice.choice([j for j, n in enumerate(rows["level"]) if rows["crop"][j] == c and rows["group"][j] >= 0 and n >= 3])
            sides = [dice.randrange(80, 177) for _ in range(2)]
            top, left = (dice.randrange(SIDE - s + 1) for s in sides)
            there = (slice(top, top + sides[0]), slice(left, left + sides[1]))
            x = ref.clone()
            x[0][:, *there] = torch.from_numpy(rows["pixels"][at])[:, *there]
            keep(x, ref, (), c, -3, rows["level"][at], (top, left, top + sides[0], left + sides[1]))
            for key in ("strengths", "kinds"):
                rows[key][-1] = rows[key][at]
            rows["inside"][-1] = rows["distances"][at]
    part_file = file.with_suffix(".part.npz")
    np.savez(part_file, **{k: np.array(v) for k, v in rows.items()})  # type: ignore[arg-type]
    part_file.rename(file)
    return name


@torch.no_grad()
def measured(file: Path) -> str:
    """The statistics that the net sees of every picture of one photograph, beside its file."""
    torch.set_num_threads(1)
    out = file.with_suffix(".npy")
    if not out.exists():
        with np.load(file) as z:
            found = [
                statistics(torch.from_numpy(p).float() / 255).half().numpy() for p in np.array_split(z["pixels"], len(z["level"]) // 4)
            ]
        draft = out.with_suffix(".part")
        with draft.open("wb") as f:
            np.save(f, np.concatenate(found))
        draft.rename(out)
    return file.name


def consensus(far: np.ndarray, scale: Sequence[tuple[float, float]]) -> np.ndarray:
    """0..100 from distances (n × metrics): the mean of 100·exp(−a·d^b) over the metrics."""
    return np.mean([100 * np.exp(-a * np.maximum(far[:, i], 0) ** b) for i, (a, b) in enumerate(scale)], axis=0)


def scales(far: np.ndarray, group: np.ndarray, level: np.ndarray) -> list[tuple[float, float]]:
    """a and b of every metric, from the two anchors."""
    (mild, high), (severe, low) = ((int(q), t) for q, t in ANCHORS.items())
    need = [-np.log(high / 100), -np.log(low / 100)]
    out = []
    for i in range(far.shape[1]):
        at = [float(np.median(far[(group == -2) & (level == q), i])) for q in (mild, severe)]
        b = np.log(need[1] / need[0]) / np.log(at[1] / at[0])
        out.append((float(need[1] / at[1] ** b), float(b)))
    return out


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("photos", nargs="+", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--workers", type=int, default=2)
    given = ask.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    photos = [p for folder in given.photos for p in sorted(folder.iterdir()) if p.suffix.lower() in SUFFIXES]
    random.Random(0).shuffle(photos)
    with ProcessPoolExecutor(given.workers) as pool:
        for i, name in enumerate(pool.map(photograph, ((p, given.out) for p in photos))):
            print(f"damaged {i + 1}/{len(photos)} {name}", flush=True)
        for i, name in enumerate(pool.map(measured, sorted(given.out.glob("*.npz")))):
            print(f"measured {i + 1}/{len(photos)} {name}", flush=True)


if __name__ == "__main__":
    main()
