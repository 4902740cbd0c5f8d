"""What `lateral_aberration` says of photographs as they are, and of photographs with a part of another pasted in.

    python recipes/fringes.py DATA --out docs/lateral-aberration.json

Real lenses: camera/original, and a seventh of the crops and reduced photographs of the other folders, with a part of another
photograph pasted in. Drawn ones: pristine/kodak, whose own lenses hardly show, through a lens that displaces red and blue by 0.5 or
1 pixel in the corners, and likewise.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import affine_transform

from assay.authenticity.lateral_aberration import lateral_aberration
from assay.types import CannotAssess, Media, Picture
from origin import pixel_auc

Pixels = np.ndarray[Any, Any]
WAYS = ("raw", "q90", "q75", "resized")
SIDE = 160  # pixels of the part
OUT = 0.45  # of the half diagonal: nearer the centre a lens displaces too little to tell


def through(x: Pixels, shift: float) -> Pixels:
    """As a lens would draw it that makes red larger and blue smaller, by `shift` pixels in the corners."""
    out, part = x.copy(), shift / np.hypot(*x.shape[:2]) * 2
    for c, times in ((0, 1 + part), (2, 1 - part)):
        offset = [(n - 1) / 2 * (1 - 1 / times) for n in x.shape[:2]]
        moved = affine_transform(x[..., c].astype(np.float32), [1 / times] * 2, offset, order=3, mode="nearest")
        out[..., c] = moved.round().clip(0, 255)
    return out


def pasted(host: Pixels, donor: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The host with a part of the donor, and where: H×W bool."""
    h, w = host.shape[:2]
    while True:
        y, x = int(rng.integers(h - SIDE)), int(rng.integers(w - SIDE))
        if np.hypot(y + SIDE / 2 - h / 2, x + SIDE / 2 - w / 2) > OUT * np.hypot(h, w) / 2:
            break
    v, u = (int(rng.integers(n - SIDE)) for n in donor.shape[:2])
    out, mask = host.copy(), np.zeros((h, w), bool)
    out[y : y + SIDE, x : x + SIDE] = donor[v : v + SIDE, u : u + SIDE]
    mask[y : y + SIDE, x : x + SIDE] = True
    return out, mask


def travelled(x: Pixels, way: str) -> Pixels:
    im = Image.fromarray(x)
    if way == "resized":
        return np.array(im.resize((im.width * 3 // 4, im.height * 3 // 4), Image.Resampling.LANCZOS))
    if way == "raw":
        return x
    out = io.BytesIO()
    im.save(out, "JPEG", quality=int(way[1:]))
    with Image.open(out) as saved:
        return np.array(saved)


def asked(x: Pixels, mask: Pixels) -> tuple[float, bool, float] | None:
    """Statistic, alarm and the area under the curve of the map; None where there is no answer."""
    planes = torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))
    media = Media("array", x.shape[1], x.shape[0], "RGB")
    try:
        found = lateral_aberration(Picture(planes, b"", "", "", media, lambda: planes))
    except CannotAssess:
        return None
    statistic = found.data["statistic"]
    where = np.array(Image.fromarray(mask).resize(x.shape[1::-1], Image.Resampling.NEAREST))
    drawn = float("nan") if found.map is None else pixel_auc(found.map, where)
    return (float(statistic) if isinstance(statistic, float) else 0.0), bool(found.data["regions"]), drawn


def groups(data: Path) -> Iterator[tuple[str, list[Pixels]]]:
    real = [np.array(Image.open(p).convert("RGB")) for p in sorted((data / "camera/original").iterdir())]
    yield "camera/original", [x for x in real if min(x.shape[:2]) >= 256 and x.shape[0] * x.shape[1] < 1_200_000]
    folders = ("camera/native_crop", "pristine/camera", "pristine/gb82", "pristine/kodak")
    others = [p for f in folders for p in sorted((data / f).iterdir())[::7]]
    crops = [np.array(Image.open(p).convert("RGB"))[:768, :768] for p in others]
    yield "crops and reduced photographs", [x for x in crops if min(x.shape[:2]) >= 256]
    drawn = [np.array(Image.open(p).convert("RGB")) for p in sorted((data / "pristine/kodak").iterdir())[::2]]
    for shift in (0.5, 1.0):
        yield f"kodak, lens of {shift} pixels", [through(x, shift) for x in drawn]


def measured(data: Path) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, photos in groups(data):
        rng = np.random.default_rng(0)
        forged = [pasted(x, photos[(i + 5) % len(photos)], rng) for i, x in enumerate(photos)]
        for way in WAYS:
            clean = [asked(travelled(x, way), mask) for x, (_, mask) in zip(photos, forged, strict=True)]
            edited = [asked(travelled(x, way), mask) for x, mask in forged]
            calm, odd = ([a for a in part if a is not None] for part in (clean, edited))
            wins = [(a[0] > b[0]) + 0.5 * (a[0] == b[0]) for a in odd for b in calm]
            told = {"photographs": len(clean), "answered": len(calm), "false alarms": sum(a[1] for a in calm)}
            told |= {"largest": max((a[0] for a in calm), default=None), "pasted, answered": len(odd), "found": sum(a[1] for a in odd)}
            told |= {"auc": round(float(np.mean(wins)), 3) if wins else None}
            for of, answers in (("pixel auc", odd), ("pixel auc, nothing pasted", calm)):  # corners are judged more readily than the middle
                told[of] = round(float(np.mean([a[2] for a in answers])), 3) if answers else None
            out[f"{name}, {way}"] = told
            print(name, way, out[f"{name}, {way}"], flush=True)
    return out


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("--out", type=Path, required=True)
    args = cli.parse_args()
    torch.set_num_threads(1)
    figures = {"command": f"python recipes/fringes.py DATA --out {args.out}", **measured(args.data)}
    args.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
