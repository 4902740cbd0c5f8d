"""Faces of people never trained on, for measuring: ORL, held-out portraits under made light, and press photographs.

DATA/faces/orl: 32 people × 10 pictures (AT&T Laboratories Cambridge). DATA/faces/deepface: press photographs with pairs.csv.
Faces come from a JSON file of points, see face_views. Nothing here is ever trained on.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from assay.types import Face
from face_views import jittered, main_face, part, picture, shaded

LIGHTS = ((0, 0), (-35, 10), (35, 10), (-60, 0), (60, 0), (-80, 10), (80, 10), (0, 60), (0, -45), (-45, 45))  # azimuth, elevation
JITTER = 0.03  # of the eye distance: what a finder errs by


@dataclass(frozen=True)
class Sample:
    """One picture with its face, and whose it is."""

    name: str
    person: str
    image: Tensor  # 3×H×W bytes
    face: Face


Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # first, second, mated


def to_bytes(image: Tensor) -> Tensor:
    return (image.clamp(0, 1) * 255).round().byte()


def orl(data: Path, labels: dict[str, list[Face]]) -> list[Sample]:
    out = []
    for path in sorted((data / "faces/orl").glob("s*.png")):
        face = main_face(labels.get(f"faces/orl/{path.name}", []))
        if face:
            out.append(Sample(path.name, path.name.split("_")[0], to_bytes(picture(path)), face))
    return out


def lights(data: Path, labels: dict[str, list[Face]], *, side: int = 144) -> list[Sample]:
    """The test part of the portraits, each under ten lamps, the points a little off each time."""
    out = []
    dice = np.random.default_rng(0)
    for path in sorted((data / "faces/portraits").glob("*.jpg")):
        face = main_face(labels.get(f"faces/portraits/{path.name}", []))
        if part(path.name) != "test" or not face:
            continue
        image, face = around(picture(path), face, side)
        for azimuth, elevation in LIGHTS:
            lit = shaded(image, face, azimuth, elevation)
            out.append(Sample(f"{path.stem}_{azimuth}_{elevation}", path.stem, to_bytes(lit), jittered(face, JITTER, dice)))
    return out


def around(image: Tensor, face: Face, side: int) -> tuple[Tensor, Face]:
    """The square about a face, 2.2 times its box, brought to so many pixels a side."""
    left, top, right, bottom = face.box
    x, y, half = (left + right) / 2, (top + bottom) / 2, 1.1 * max(right - left, bottom - top)
    h, w = image.shape[1:]
    x0, y0 = max(0, int(x - half)), max(0, int(y - half))
    r, b = min(w, int(x + half)), min(h, int(y + half))
    cut = image[:, y0:b, x0:r]
    times = side / max(cut.shape[1:])
    size = [max(1, round(n * times)) for n in cut.shape[1:]]
    small = torch.nn.functional.interpolate(cut[None], size, mode="bicubic", antialias=True, align_corners=False)[0].clamp(0, 1)

    def moved(px: float, py: float) -> tuple[float, float]:
        return (px - x0) * times, (py - y0) * times

    return small, Face((*moved(left, top), *moved(right, bottom)), tuple(moved(*p) for p in face.points), face.confidence)


def deepface(data: Path, labels: dict[str, list[Face]]) -> tuple[list[Sample], Pairs]:
    """The largest face of each photograph, and the pairs of the list whose two photographs have one; clusters of Yes name people."""
    folder = data / "faces/deepface"
    with (folder / "pairs.csv").open(encoding="utf-8") as f:
        rows = [(r["file_x"], r["file_y"], r["same"] == "Yes") for r in csv.DictReader(f)]
    names = sorted({n for a, b, _ in rows for n in (a, b)})
    person = {n: n for n in names}
    for _ in names:
        for a, b, same in rows:
            if same:
                person[a] = person[b] = min(person[a], person[b])
    samples = []
    for n in names:
        face = main_face(labels.get(f"faces/deepface/{n}", []))
        if face and (folder / n).exists():
            image, face = around(picture(folder / n), face, 320)
            samples.append(Sample(n, person[n], to_bytes(image), face))
    at = {s.name: i for i, s in enumerate(samples)}
    kept = [(at[a], at[b], same) for a, b, same in rows if a in at and b in at]
    first, second, mated = (np.array(column) for column in zip(*kept, strict=True))
    return samples, (first, second, mated)


def all_pairs(samples: list[Sample]) -> Pairs:
    pairs = np.array(list(combinations(range(len(samples)), 2)))
    who = np.array([s.person for s in samples])
    return pairs[:, 0], pairs[:, 1], who[pairs[:, 0]] == who[pairs[:, 1]]
