"""Copy-move: was a part of the picture copied to another place in it?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import find_objects, label

from assay.catalog import carded
from assay.ops.copies import Copy, copies
from assay.ops.dct import luma8
from assay.ops.keypoints import Keypoints, keypoints
from assay.ops.regions import EIGHT
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

MIN_SIDE = 64
ENLARGED, LARGEST = 600_000, 1_500_000  # pixels: smaller pictures are doubled for the search, larger ones reduced
CONTRAST = 0.4  # grey levels; far below Lowe's, because copies often cover with what has little
APART = 0.04  # of the diagonal, and at least 24 pixels: nearer points are alike without having been copied
FEW = 20  # points need to be found for the question to make sense
ALARM = 12.0  # pairs, weighed; clean photographs had none or one group, of at most 2
GRAIN = 0.5  # correlation of the noise: 1 in copies, 0.77 in turned ones at quality 75; 0.2 at most in two prints of one logo
CAVEAT = (
    "Windows, tiles, printed letters and logos repeat by themselves; only copies that agree in their fine detail are told, but exact "
    "repeats in drawings and screenshots do agree. Smooth areas give no points, and copies of them are missed."
)


@carded(
    EvidenceCard(
        name="copy_move",
        version="1",
        takes=("file",),
        paper="Amerini, Ballan, Caldelli, Del Bimbo & Serra 2011, doi:10.1109/TIFS.2011.2129512; Lowe 2004",
        caveat=CAVEAT,
    )
)
def copy_move(picture: Picture) -> Finding:
    """Parts of a picture that appear twice under one shift, turn and scale: cloned to add or to cover something.

    picture: its luma as stored, at most 1.5 million pixels (larger ones are reduced).
    data: statistic (pairs of points that share a motion, weighed by how well fine detail and grain agree, for the clearest copy),
    regions (x, y, width, height of each area of the copies that raise the alarm), copies (each with shift [x, y] of its
    middle, turn in degrees, scale, pairs, agreement and grain, None where
    there is too little noise). map: 1 in both areas of a copy, 0 elsewhere, on the picture as
    searched; None without an alarm.  Raises CannotAssess for pictures below 64×64 and those with hardly a point to find.
    """
    luma = luma8(picture.stored()).cpu().numpy()
    height, width = luma.shape
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"copies need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height} (width×height).")
    grey = _reduced(luma)
    points = _points(grey)
    if len(points.x) < FEW:
        raise CannotAssess("The picture is too smooth to find points by which a copy would be known.")
    found = copies(grey, points, apart=max(24.0, APART * float(np.hypot(*grey.shape))))
    found.sort(key=_strength, reverse=True)
    statistic = _strength(found[0]) if found else 0.0
    told = [c for c in found if _strength(c) >= ALARM and not _own_grain(c)]
    by = width / grey.shape[1]
    mask = np.any([c.mask for c in told], axis=0) if told else np.zeros(grey.shape, dtype=bool)
    data = {"statistic": round(statistic, 2), "copies": [_facts(c, by) for c in told], "regions": _regions(mask, by)}
    if not told:
        says = f"No part of the picture appears twice (of {len(points.x)} points, no group agrees on a motion and in its fine detail)."
        return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data=data)
    return Finding(
        map=torch.from_numpy(mask).float(),
        map_says="Bright areas appear twice in the picture: one is a copy of the other; which, the pixels do not say.",
        evidence=(_evidence(told, by),),
        data=data,
    )


def _strength(c: Copy) -> float:
    """Pairs that agree, counted by how well fine detail and grain do."""
    grain = 1.0 if c.grain is None else max(c.grain, 0.0)
    return len(c.pairs) * (max(c.agreement, 0.0) * grain) ** 2


def _own_grain(c: Copy) -> bool:
    """Two of a kind, not a thing and its copy: each has noise of its own."""
    return c.grain is not None and c.grain < GRAIN


def _reduced(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    scale = (LARGEST / luma.size) ** 0.5
    if scale < 1:
        size = (max(1, round(luma.shape[1] * scale)), max(1, round(luma.shape[0] * scale)))
        luma = np.asarray(Image.fromarray(luma).resize(size, Image.Resampling.LANCZOS))
    return luma.astype(np.float32)


def _points(grey: NDArray[np.float32]) -> Keypoints:
    if grey.size >= ENLARGED:
        return keypoints(grey, contrast=CONTRAST)
    double = Image.fromarray(grey).resize((2 * grey.shape[1], 2 * grey.shape[0]), Image.Resampling.BICUBIC)
    k = keypoints(np.asarray(double), contrast=CONTRAST)
    half = np.float32(0.5)
    x, y = (np.asarray((v + half) * half - half, np.float32) for v in (k.x, k.y))
    return k._replace(x=x, y=y, scale=np.asarray(k.scale * half, np.float32))


def _facts(c: Copy, by: float) -> dict[str, object]:
    dx, dy = (c.pairs[:, 2:] - c.pairs[:, :2]).mean(0) * by
    shift = [round(float(dx), 1), round(float(dy), 1)]
    return {
        "shift": shift,
        "turn": round(c.turn, 2),
        "scale": round(c.scale, 3),
        "pairs": len(c.pairs),
        "agreement": round(c.agreement, 3),
        "grain": None if c.grain is None else round(c.grain, 3),
    }


def _regions(mask: NDArray[np.bool_], by: float) -> list[dict[str, int]]:
    out = []
    for rows, columns in find_objects(label(mask, EIGHT)[0]):
        x, y = round(columns.start * by), round(rows.start * by)
        out.append({"x": x, "y": y, "width": round(columns.stop * by) - x, "height": round(rows.stop * by) - y})
    return sorted(out, key=lambda r: -r["width"] * r["height"])


def _evidence(told: list[Copy], by: float) -> Evidence:
    c = told[0]
    (x, y), (u, v) = (np.rint(ends.mean(0) * by).astype(int) for ends in (c.pairs[:, :2], c.pairs[:, 2:]))
    changes = [f"turned by {c.turn:.0f}°"] * (abs(c.turn) >= 2) + [f"scaled by {c.scale:.2f}"] * (abs(c.scale - 1) >= 0.03)
    how = " and ".join(changes) or "unturned and at the same size"
    more = f"; {len(told) - 1} more" if len(told) > 1 else ""
    says = f"The part around ({x}, {y}) appears again around ({u}, {v}), {how}: {len(c.pairs)} points agree"
    return Evidence(f"{says}, fine detail to {c.agreement:.2f}{more}.", "edited", "hint", CAVEAT)
