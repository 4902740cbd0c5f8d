"""Grows the forest of `landmark_forest`.

    python recipes/landmark_forest.py DATA --labels points.json --out src/assay/weights/landmark_forest.safetensors

Needs scikit-learn. Every training portrait is seen a dozen times: the head turned (a cylinder, no true third dimension), cut closer,
made 1 to 16 times smaller, the points off by 1 to 5 % of the eye distance. Its label is how like the untouched portrait the
face recogniser finds it, 0 where the likest strangers are (99.9 % of them below) and 1 where the best of the same person are (95 %).
Run again on labels made anew, it explained R² .804 of other people's labels (what ships .806); a minute of a core to itself.
Printed: how much of the labels of other people, the validation part, is explained, and which features matter there.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from assay.nets.face_recogniser import embed
from assay.ops.align import chips
from assay.ops.forest import Forest
from assay.ops.landmarks import FEATURES, geometry
from assay.types import AssayError, Face
from face_sets import around
from face_views import faces, jittered, main_face, part, picture

VIEWS, SIDE = 10, 128
TREES, LEAF, SHARE, DEPTH = 200, 5, 1 / 3, 16


def turned(image: Tensor, face: Face, yaw: float, pitch: float) -> tuple[Tensor, Face]:
    """A face on a ball of two eye distances across, seen from another side; its points move along."""
    h, w = image.shape[1:]
    points = torch.tensor(face.points)
    centre, unit = points.mean(0), 2.2 * face.eye_distance
    v, u = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    at = torch.stack([(u - centre[0]) / unit, (v - centre[1]) / unit], -1)
    for axis, angle in ((0, yaw), (1, pitch)):
        p = at[..., axis].clamp(-0.98, 0.98)
        depth = (1 - p.square()).sqrt()
        away = (at[..., axis].abs() - 0.98).clamp_min(0) * at[..., axis].sign()
        moved = p * math.cos(angle) + (depth - 0.75) * math.sin(angle) + away
        at = at.clone()
        at[..., axis] = moved
    source = at * unit + centre
    scale = torch.tensor([2 / w, 2 / h])
    seen = grid_sample(image[None], (source * scale - 1)[None], mode="bilinear", padding_mode="border", align_corners=False)[0]

    def whither(p: tuple[float, float]) -> tuple[float, float]:
        k = int((source - torch.tensor(p)).square().sum(-1).argmin())
        return k % w + 0.5, k // w + 0.5

    return seen, Face(face.box, tuple(whither(p) for p in face.points), face.confidence)


def smaller(image: Tensor, face: Face, times: float) -> tuple[Tensor, Face]:
    size = [max(8, round(n / times)) for n in image.shape[1:]]
    small = interpolate(image[None], size, mode="bilinear", antialias=True, align_corners=False)[0]
    x, y = size[1] / image.shape[2], size[0] / image.shape[1]
    box = tuple(v * s for v, s in zip(face.box, (x, y, x, y), strict=True))
    return small, Face(box, tuple((px * x, py * y) for px, py in face.points), face.confidence)  # type: ignore[arg-type]


def closer(image: Tensor, face: Face, dice: np.random.Generator) -> tuple[Tensor, Face]:
    """A cut with random margins about the box, which may touch the face."""
    h, w = image.shape[1:]
    left, top, right, bottom = face.box
    size = right - left
    cut = dice.uniform(-0.1, 1.2, 4) * size
    x0, y0 = int(max(0, left - cut[0])), int(max(0, top - cut[1]))
    r, b = int(min(w, right + cut[2])), int(min(h, bottom + cut[3]))
    return image[:, y0:b, x0:r], Face(
        (left - x0, top - y0, right - x0, bottom - y0), tuple((x - x0, y - y0) for x, y in face.points), face.confidence
    )


def samples(data: Path, labels: dict[str, list[Face]], wanted: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features N×24, cosine to the person's untouched portrait, person; and the strangers' cosines are made from the same."""
    dice = np.random.default_rng(0)
    rows, views, clean, who = [], [], [], []
    for path in sorted((data / "faces/portraits").glob("*.jpg")):
        face = main_face(labels.get(f"faces/portraits/{path.name}", []))
        if part(path.name) != wanted or not face:
            continue
        image, face = around(picture(path), face, SIDE)
        clean.append(chips(image, [face])[0])
        for _ in range(VIEWS):
            seen, moved = turned(image, face, *dice.normal(0, (0.35, 0.2)))
            seen, moved = closer(seen, moved, dice)
            seen, moved = smaller(seen, moved, 2 ** dice.uniform(0, 4))
            tilted = jittered(moved, dice.uniform(0.01, 0.05), dice)
            sure = Face(tilted.box, tilted.points, min(1.0, max(0.5, dice.normal(0.95, 0.05))))
            try:
                rows.append(geometry([sure], *seen.shape[1:])[0])
                views.append(chips(seen, [sure])[0])
            except AssayError:
                rows = rows[: len(views)]
                continue
            who.append(len(clean) - 1)
    known, found = (torch.cat([embed(p) for p in torch.stack(x).split(64)]) for x in (clean, views))
    return torch.stack(rows).numpy(), (found @ known.T).numpy(), np.array(who)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--labels", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    a = ask.parse_args()
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    torch.set_num_threads(1)
    labels = faces(a.labels)
    x, likeness, who = samples(a.data, labels, "train")
    x_held, held, who_held = samples(a.data, labels, "validation")
    own = likeness[np.arange(len(who)), who]
    strangers = likeness[np.arange(likeness.shape[1])[None] != who[:, None]]
    low, high = np.quantile(strangers, 0.999), np.quantile(own, 0.95)
    y = ((own - low) / (high - low)).clip(0, 1)
    y_held = ((held[np.arange(len(who_held)), who_held] - low) / (high - low)).clip(0, 1)
    print(f"{len(y)} views; strangers' 99.9 % {low:.3f}, own 95 % {high:.3f}; mean label {y.mean():.3f}, held out {y_held.mean():.3f}")
    forest = RandomForestRegressor(TREES, min_samples_leaf=LEAF, max_features=SHARE, max_depth=DEPTH, random_state=0, n_jobs=1).fit(x, y)
    stored = arrays(forest)
    save_file(stored, a.out)
    ours = Forest.of(stored).answers(torch.from_numpy(x_held)).mean(1).numpy()
    explained = 1 - ((ours - y_held) ** 2).mean() / y_held.var()
    moved = np.abs(ours - forest.predict(x_held)).max()
    print(f"held out: R² {explained:.3f}, r {np.corrcoef(ours, y_held)[0, 1]:.3f}; the stored forest is off by {moved:.4f} at most")
    matter = permutation_importance(forest, x_held, y_held, n_repeats=3, random_state=0).importances_mean
    print(", ".join(f"{FEATURES[i]} {matter[i]:.3f}" for i in matter.argsort()[::-1][:8]))
    print(f"{a.out}: {a.out.stat().st_size} bytes")


def arrays(forest) -> dict[str, Tensor]:  # type: ignore[no-untyped-def]
    """All nodes in one row, children counted from their tree's root, leaves their own children."""
    columns: dict[str, list[np.ndarray]] = {k: [] for k in ("feature", "threshold", "left", "right", "value")}
    roots, depth = [], 0
    for tree in (e.tree_ for e in forest.estimators_):
        roots.append(sum(len(c) for c in columns["feature"]))
        me = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        columns["feature"].append(np.where(leaf, 0, tree.feature).astype(np.uint8))
        columns["threshold"].append(np.where(leaf, 0, tree.threshold).astype(np.float32))
        columns["left"].append(np.where(leaf, me, tree.children_left).astype(np.int16))
        columns["right"].append(np.where(leaf, me, tree.children_right).astype(np.int16))
        columns["value"].append(tree.value[:, 0, 0].astype(np.float16))
        depth = max(depth, tree.max_depth)
    out = {k: torch.from_numpy(np.concatenate(v)) for k, v in columns.items()}
    return out | {"roots": torch.tensor(roots, dtype=torch.int32), "depth": torch.tensor(depth, dtype=torch.int32)}


if __name__ == "__main__":
    main()
