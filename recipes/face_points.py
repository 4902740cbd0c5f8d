"""Fits the steps by which the points of a found face are settled (nets/face_points.py). Takes a minute; no net is trained.

    python recipes/face_points.py DATA labels.json --out src/assay/weights/face_points.safetensors      # after face_finder.py

Faces are what the finder finds in pictures of face_finder_data.Pool and in portraits of the training part, at several sizes,
besides the same with their points shaken. Each step is a ridge regression on what the steps before it left.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file
from torch import Tensor

from assay.nets.face_finder import proposals
from assay.nets.face_points import moved, off, seen
from assay.ops.detections import overlap
from assay.types import CannotAssess, Face
from face_finder_data import WANTED, Pool, part, photographs

STEPS, RIDGE, SHAKEN, LEAST = 4, 30.0, 3, 20  # LEAST: pixels of the smallest face learned from
Case = tuple[Tensor, Face, Tensor]  # the grey picture, the face as found, the points as they should be


def cases(x: Tensor, truth: list[tuple[Any, Any]], smallest: float, rng: np.random.Generator) -> list[Case]:
    """The found faces that meet a true one (box, points), as they are and shaken."""
    grey, rows = x.float().mean(0, keepdim=True) / 255, []
    found = proposals(x, 0.4, smallest)
    for box, points in truth:
        shares = overlap(np.asarray(box, dtype=float), np.array([f.box for f in found]).reshape(-1, 4))
        if len(shares) and shares.max() > 0.5:
            face = found[int(shares.argmax())]
            for i in range(1 + SHAKEN):
                p = np.array(face.points)
                if i:
                    middle, t = p.mean(0), rng.normal(0, 0.12)
                    turn = np.exp(rng.normal(0, 0.08)) * np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
                    p = (p - middle) @ turn.T + middle + face.size * (rng.normal(0, 0.05, 2) + rng.normal(0, 0.015, (5, 2)))
                shaken = Face(face.box, tuple((float(a), float(b)) for a, b in p), face.confidence)
                rows.append((grey, shaken, torch.tensor(np.asarray(points), dtype=torch.float64)))
    return rows


def gathered(data: Path, labels: dict[str, Any], samples: int) -> list[Case]:
    pool = Pool(data, labels, seed=7)
    pool.hard, rows = 0.6, list[Case]()
    for _ in range(samples):
        s = pool.sample()
        f = s.faces[(s.faces[:, 14] == WANTED) & (s.faces[:, 3] > LEAST)]
        truth = [((*(r[:2] - r[2:4] / 2), *(r[:2] + r[2:4] / 2)), r[4:14].reshape(5, 2)) for r in f]
        rows += cases(torch.from_numpy(s.image.copy()).permute(2, 0, 1), truth, 12, pool.rng)
    for path in photographs(data / "faces/portraits"):
        found = labels[str(path.relative_to(data))]
        if part(path) == "train" and len(found) == 1 and found[0]["agree"]:
            for mirrored in (False, True):
                side = int(pool.rng.integers(100, 400))
                image = Image.open(path).convert("RGB")
                k = side / image.width
                image = image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2)
                box, points = np.array(found[0]["box"]) * k, np.array(found[0]["points"]) * k
                if mirrored:
                    image, box, points = ImageOps.mirror(image), box[[2, 1, 0, 3]], points[[1, 0, 2, 4, 3]]
                    box[[0, 2]], points[:, 0] = side - box[[0, 2]], side - points[:, 0]
                rows += cases(torch.from_numpy(np.array(image)).permute(2, 0, 1), [(box, points)], max(12, side / 8), pool.rng)
    return rows


def fitted(rows: list[Case]) -> dict[str, Tensor]:
    """One matrix for each step."""
    found = {}
    for step in range(STEPS):
        features, wanted, good = [], [], []
        for grey, face, points in rows:
            try:
                features.append(seen(grey, [face]))
            except CannotAssess:
                continue
            wanted.append(off(torch.tensor(face.points, dtype=torch.float64), points).reshape(1, 10))
            good.append((grey, face, points))
        a, b = torch.cat(features).double(), torch.cat(wanted)
        print(f"step {step}: {len(a)} faces, points off by {_error(good):.4f} eye distances", flush=True)
        matrix = torch.linalg.solve(a.T @ a + RIDGE * torch.eye(a.shape[1], dtype=torch.float64), a.T @ b).half().contiguous()
        found[f"step{step}"] = matrix
        by = (a.float() @ matrix.float()).reshape(-1, 5, 2)
        rows = [(grey, moved(face, d), points) for (grey, face, points), d in zip(good, by, strict=True)]
    print(f"at the end: {_error(rows):.4f}")
    return found


def _error(rows: list[Case]) -> float:
    far = [(torch.tensor(f.points, dtype=torch.float64) - p).norm(dim=1).mean() / (p[0] - p[1]).norm() for _, f, p in rows]
    return float(torch.stack(far).median())


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("labels", type=Path)
    cli.add_argument("--samples", type=int, default=250)
    cli.add_argument("--out", type=Path, required=True)
    args = cli.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode():
        save_file(fitted(gathered(args.data, json.loads(args.labels.read_text("utf-8")), args.samples)), args.out)
