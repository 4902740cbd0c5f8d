"""Photographs changed on purpose, with masks, and the ways they then travel: what cues of authenticity are calibrated and tested on.

    python recipes/forgeries.py DATA --show sheet.png      # a look at some

DATA holds pristine/* and camera/*. `cases` gives, for every photograph of a part, the photograph as it is and forgeries of it;
`saved` gives the bytes of a file, and the mask that goes with them, after one of WAYS. Both depend on names and a seed alone.
Every photograph travels like its forgeries: the same JPEG save before, the same way after; so nothing but the forgery differs.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

Pixels = np.ndarray[Any, Any]  # H×W×3, uint8
FOLDERS = ("pristine/kodak", "pristine/gb82", "pristine/camera", "camera/native_crop")
SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif"}
LONGEST = 768  # pixels: larger photographs are cut, not reduced
KINDS = ("splice", "scaled splice", "copy-move", "turned copy-move", "removal", "blur", "noise", "recolour")
HISTORIES = (None, 60, 70, 80, 90, 95)  # JPEG quality before the forgery; None for none
WAYS = ("raw", "q90", "q75", "resized", "resized q90", "webp80")


@dataclass(frozen=True)
class Case:
    """One picture before it is saved. `kind` is "" for the photograph itself, whose mask is empty."""

    name: str
    kind: str
    history: int | None
    pixels: Pixels
    mask: Pixels  # H×W, bool


def part(name: str) -> str:
    """What a photograph is for, by its name alone: "test" a fifth, "interval" (to calibrate) a fifth, the rest "train"."""
    return {0: "test", 1: "interval"}.get(hashlib.sha256(name.encode()).digest()[0] % 5, "train")


def photographs(data: Path, which: str, folders: tuple[str, ...] = FOLDERS) -> list[Path]:
    """The photographs of one part ("" for all), sorted."""
    found = (p for f in folders for p in sorted((data / f).iterdir()) if p.suffix.lower() in SUFFIXES)
    return [p for p in found if which in ("", part(p.name))]


def cases(photos: list[Path], *, kinds: tuple[str, ...] = KINDS, per_photo: int = 2, seed: int = 0) -> Iterator[Case]:
    """Of every photograph: itself, and `per_photo` forgeries of it, all with one history. Donors are other photographs of the list."""
    for i in range(len(photos)):
        yield from cases_of(photos, i, kinds=kinds, per_photo=per_photo, seed=seed)


def cases_of(photos: list[Path], i: int, *, kinds: tuple[str, ...] = KINDS, per_photo: int = 2, seed: int = 0) -> Iterator[Case]:
    """Those of one photograph."""
    path = photos[i]
    rng = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:4], "big")])
    name = f"{path.parent.name}/{path.name}"
    history = HISTORIES[int(rng.integers(len(HISTORIES)))]
    host = compressed(read(path, rng), history)
    yield Case(name, "", history, host, np.zeros(host.shape[:2], bool))
    for j in range(per_photo):
        kind = kinds[(i * per_photo + j + seed) % len(kinds)]
        other = photos[int(rng.integers(len(photos) - 1))]
        donor = compressed(read(other if other != path else photos[-1], rng), HISTORIES[int(rng.integers(len(HISTORIES)))])
        yield Case(name, kind, history, *forged(host, donor, kind, rng))


def read(path: Path, rng: np.random.Generator) -> Pixels:
    with Image.open(path) as im:
        x = np.array(im.convert("RGB"))
    top, left = (int(rng.integers(0, max(1, n - LONGEST + 1))) // 8 * 8 for n in x.shape[:2])
    return np.ascontiguousarray(x[top : top + LONGEST, left : left + LONGEST])


def compressed(x: Pixels, quality: int | None) -> Pixels:
    """As it comes back from a JPEG file."""
    if quality is None:
        return x
    out = io.BytesIO()
    Image.fromarray(x).save(out, "JPEG", quality=quality)
    with Image.open(out) as im:
        return np.array(im)


def blob(h: int, w: int, rng: np.random.Generator) -> Pixels:
    """A closed shape with a wavy outline somewhere in h×w, 2 to 15 % of it: bool."""
    radius = np.sqrt(rng.uniform(0.02, 0.15) * h * w / np.pi)
    stretch = rng.uniform(0.7, 1.4)
    ry, rx = min(radius * stretch, 0.4 * h), min(radius / stretch, 0.4 * w)
    cy, cx = rng.uniform(ry, h - ry), rng.uniform(rx, w - rx)
    y, x = np.ogrid[:h, :w]
    angle, turns = np.arctan2((y - cy) / ry, (x - cx) / rx), np.arange(2, 7)
    waves = rng.normal(0, 0.25, (2, 5)) / turns
    edge = 1 + sum(a * np.cos(n * angle) + b * np.sin(n * angle) for n, a, b in zip(turns, *waves, strict=True))
    return np.asarray(((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < edge**2)


def forged(host: Pixels, donor: Pixels, kind: str, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The host with one area changed, and where."""
    h, w = host.shape[:2]
    mask = blob(h, w, rng)
    soft = gaussian_filter(mask.astype(np.float32), rng.choice([0.01, 0.7, 1.5]))[..., None]
    if kind in ("splice", "scaled splice"):
        new = _taken(donor, h, w, rng, *_placing(rng, kind == "scaled splice"))
    elif kind in ("copy-move", "turned copy-move"):
        mask, new = _moved(host, mask, rng, *_placing(rng, kind == "turned copy-move"))
        soft = gaussian_filter(mask.astype(np.float32), 0.7)[..., None]
    elif kind == "removal":
        new = _filled(host, mask)
    else:
        new = _touched(host, kind, rng)
    pixels = (host * (1 - soft) + new * soft).round().clip(0, 255).astype(np.uint8)
    return pixels, mask


def _placing(rng: np.random.Generator, warped: bool) -> tuple[float, float]:
    """Scale and angle."""
    return (float(rng.choice([rng.uniform(0.6, 0.9), rng.uniform(1.1, 1.6)])), float(rng.uniform(-0.5, 0.5))) if warped else (1.0, 0.0)


def _sampled(x: Pixels, rows: Pixels, columns: Pixels) -> Pixels:
    planes = [map_coordinates(x[..., c].astype(np.float32), [rows, columns], order=1, mode="reflect") for c in range(3)]
    return np.stack(planes, -1)


def _taken(donor: Pixels, h: int, w: int, rng: np.random.Generator, scale: float, angle: float) -> Pixels:
    """h×w of the donor, turned and scaled; as it is, at whole pixels, where scale is 1."""
    y, x = np.mgrid[:h, :w].astype(np.float32)
    dy, dx = (float(rng.integers(0, max(1, n))) for n in donor.shape[:2])
    if scale == 1:
        return donor[(y.astype(int) + int(dy)) % donor.shape[0], (x.astype(int) + int(dx)) % donor.shape[1]]
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    return _sampled(donor, c * y - s * x + dy, s * y + c * x + dx)


def _moved(host: Pixels, mask: Pixels, rng: np.random.Generator, scale: float, angle: float) -> tuple[Pixels, Pixels]:
    """The area `mask` copied elsewhere: where it lands, and the picture moved so that it lies there."""
    h, w = mask.shape
    ys, xs = np.nonzero(mask)
    cy, cx = ys.mean(), xs.mean()
    ty, tx = max(
        ((rng.uniform(0.15, 0.85) * h, rng.uniform(0.15, 0.85) * w) for _ in range(8)), key=lambda t: np.hypot(t[0] - cy, t[1] - cx)
    )
    y, x = np.mgrid[:h, :w].astype(np.float32)
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    ty, tx = (round(cy + 0.0) + round(ty - cy), round(cx + 0.0) + round(tx - cx)) if scale == 1 else (ty, tx)
    cy, cx = (round(cy), round(cx)) if scale == 1 else (cy, cx)
    rows, columns = c * (y - ty) - s * (x - tx) + cy, s * (y - ty) + c * (x - tx) + cx
    inside = (rows >= 0) & (rows <= h - 1) & (columns >= 0) & (columns <= w - 1)
    near = mask[rows.round().astype(int).clip(0, h - 1), columns.round().astype(int).clip(0, w - 1)] & inside
    return near & ~mask if (near & ~mask).sum() > 200 else near, _sampled(host, rows, columns)


def _filled(host: Pixels, mask: Pixels) -> Pixels:
    """The area painted over from its surroundings: coarse to fine averages of what is known, and no grain."""
    known, new = (~mask).astype(np.float32), host.astype(np.float32)
    total = np.zeros_like(new)
    left = np.ones(mask.shape, np.float32)
    for sigma in (2, 4, 8, 16, 32, 64, 128):
        weight = gaussian_filter(known, sigma)
        mean = np.stack([gaussian_filter(new[..., c] * known, sigma) for c in range(3)], -1) / np.maximum(weight, 1e-6)[..., None]
        share = left * np.clip(weight * 4, 0, 1)
        total += mean * share[..., None]
        left -= share
    return np.asarray(total / np.maximum(1 - left, 1e-6)[..., None])


def _touched(host: Pixels, kind: str, rng: np.random.Generator) -> Pixels:
    if kind == "blur":
        return gaussian_filter(host.astype(np.float32), (s := rng.uniform(1, 3), s, 0))
    if kind == "noise":
        return host + rng.normal(0, rng.uniform(4, 12), host.shape)
    gains = rng.uniform(0.6, 1.4, 3)
    return host * gains / gains.mean()


def saved(case: Case, way: str) -> tuple[bytes, Pixels]:
    """The file after one of WAYS, and its mask. Raw is PNG; resized is to 75 %, Lanczos, as PNG unless it says otherwise."""
    im, mask = Image.fromarray(case.pixels), case.mask
    if way.startswith("resized"):
        size = (round(im.width * 0.75), round(im.height * 0.75))
        im = im.resize(size, Image.Resampling.LANCZOS)
        mask = np.array(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    out = io.BytesIO()
    last = way.split()[-1]
    if last.startswith("q"):
        im.save(out, "JPEG", quality=int(last[1:]))
    elif last.startswith("webp"):
        im.save(out, "WEBP", quality=int(last[4:]), method=2)
    else:
        im.save(out, "PNG", compress_level=1)
    return out.getvalue(), mask


def show(data: Path, out: Path) -> None:
    """A sheet: every kind of forgery above its mask."""
    shown = [c for c in cases(photographs(data, "train")[:16], per_photo=1) if c.kind][:16]
    side = 240
    sheet = Image.new("RGB", (8 * side, 4 * side))
    for i, c in enumerate(shown):
        at = (i % 8 * side, i // 8 * 2 * side)
        sheet.paste(Image.fromarray(c.pixels).resize((side, side)), at)
        sheet.paste(Image.fromarray((c.mask * 255).astype(np.uint8)).convert("RGB").resize((side, side)), (at[0], at[1] + side))
    sheet.save(out)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("--show", type=Path, required=True)
    args = cli.parse_args()
    show(args.data, args.show)
