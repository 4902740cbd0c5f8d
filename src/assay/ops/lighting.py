"""Where the light on a face comes from, taking the head for an ellipsoid of one colour.

Light from afar on a dull surface is a0 + a·normal to first order (Basri & Jacobs 2003; Ramamoorthi & Hanrahan 2001): four numbers by least
squares. Johnson & Farid 2007 (doi:10.1109/TIFS.2007.903848) compare such numbers of two people in one picture.
"""

from __future__ import annotations

import cmath
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.ops.align import SIDE, TEMPLATE, chips, fitted
from assay.types import Face

Array = NDArray[np.float64]
CENTRE, AXES = (56.0, 66.0), (42.0, 56.0)  # pixels of the chip: middle and half axes of the face; depth as its width
INSIDE = 0.9  # of the axes: beyond lie hair and background
KEPT = 0.7  # share of the pixels that fit best: eyes, brows, mouth, beard and glasses do not


class Light(NamedTuple):
    """angle: degrees in the picture, 0 from the right, 90 from above; strength: of the light from the side, as a share of all; fit: R²."""

    angle: float
    strength: float
    fit: float


def lights(image: Tensor, faces: Sequence[Face]) -> list[Light]:
    """The light on every face of a C×H×W picture."""
    return [_light(chip, face) for chip, face in zip(chips(image, faces), faces, strict=True)]


def _light(chip: Tensor, face: Face) -> Light:
    y = chip.double().mean(0).numpy() ** 2.2  # about linear light
    inside, normals = _head()
    seen = y[inside]
    kept = np.ones(len(seen), bool)
    a: Array = np.zeros(4)
    for _ in range(6):
        a = np.asarray(np.linalg.lstsq(normals[kept], seen[kept], rcond=None)[0], np.float64)
        off = np.abs(seen - normals @ a)
        kept = off <= np.quantile(off, KEPT)
    rest = seen[kept] - normals[kept] @ a
    fit = 1 - float(rest.var() / max(float(seen[kept].var()), 1e-12))
    turn, _ = fitted(face.points, TEMPLATE)
    side = complex(a[1], a[2]) / turn  # from the chip back to the picture
    return Light(-cmath.phase(side) * 180 / cmath.pi, abs(complex(a[1], a[2])) / max(float(a[0]), 1e-6), fit)


@cache
def _head() -> tuple[NDArray[np.bool_], Array]:
    """Which pixels of the chip show the ellipsoid, and 1 and its normal (x right, y down, z to the camera) at each of them."""
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    u, v = (x.double().numpy() - CENTRE[0]) / AXES[0], (y.double().numpy() - CENTRE[1]) / AXES[1]
    inside = np.hypot(u, v) < INSIDE
    z = np.sqrt(1 - u[inside] ** 2 - v[inside] ** 2)
    normal = np.stack([u[inside] / AXES[0], v[inside] / AXES[1], z / AXES[0]], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return inside, np.column_stack([np.ones(len(z)), normal])


def between(a: float, b: float) -> float:
    """Degrees between two directions, 0 to 180."""
    return abs((a - b + 180) % 360 - 180)
