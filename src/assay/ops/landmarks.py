"""The geometry of five points of a face: 24 numbers that do not know where in the picture the face is, nor how it is turned in the plane.

Card of the landmark forest (arXiv:2507.15961 names normalised landmarks and a forest; these features are our own choice).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay.types import CannotAssess, Face

FEATURES = (
    *(f"{axis} of {p}" for p in ("left eye", "right eye", "nose", "left of mouth", "right of mouth") for axis in "xy"),
    "log2 of the eye distance",
    "log2 of the box's width",
    "log2 of the box's height",
    "aspect of the box",
    "nose beside the midline",  # yaw
    "eyes to nose by nose to mouth",  # pitch
    "angle of the eyes",  # roll
    "angle of the mouth to the eyes",
    "width of the mouth",
    "log of left by right eye to nose",
    "confidence",
    "margin at a side",
    "margin above",
    "margin below",
)
PROFILE = 0.25  # of the box's height: eyes nearer than this are those of a profile, and their distance is no measure
MOUTH = 0.05  # eye distances between the heights of nose and mouth, at least


def profile(face: Face) -> bool:
    """Whether the eyes lie so near one another that the face must be seen from the side."""
    return face.eye_distance < PROFILE * (face.box[3] - face.box[1])


def geometry(faces: Sequence[Face], height: int, width: int) -> Tensor:
    """N×24, in the order of FEATURES, float64: eye midpoint at 0, eye distance 1, turned until the eyes are level."""
    return torch.stack([_one(f, height, width) for f in faces]) if faces else torch.zeros(0, len(FEATURES), dtype=torch.float64)


def _one(face: Face, height: int, width: int) -> Tensor:
    left, top, right, bottom = face.box
    wide, high = right - left, bottom - top
    if wide <= 0 or high <= 0:
        raise CannotAssess("The box of this face has no area.")
    points = torch.tensor(face.points, dtype=torch.float64)
    eyes = points[1] - points[0]
    unit = max(face.eye_distance, PROFILE * high)
    angle = torch.atan2(eyes[1], eyes[0])
    c, s = angle.cos(), angle.sin()
    level = (points - points[:2].mean(0)) / unit @ torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
    nose, mouth = level[2], level[3:]
    span = mouth[1] - mouth[0]
    below = mouth[:, 1].mean() - nose[1]
    below = torch.where(below < 0, -1.0, 1.0) * below.abs().clamp_min(MOUTH)
    near = ((level[:2] - nose).norm(dim=1)).clamp_min(1e-3)
    rest = torch.tensor(
        [unit, wide, high, wide / high, face.confidence, min(left, width - right) / unit, top / unit, (height - bottom) / unit],
        dtype=torch.float64,
    )
    shape = torch.stack([nose[0], nose[1] / below, angle, torch.atan2(span[1], span[0]), span.norm(), (near[0] / near[1]).log()])
    return torch.cat([level.flatten(), rest[:3].log2(), rest[3:4], shape, rest[4:]])
