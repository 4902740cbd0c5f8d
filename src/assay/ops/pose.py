"""How a head is turned, from five points: a rigid head seen from afar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.ops.shared import shared
from assay.types import CannotAssess, Face

# Centimetres; x to the right of the picture, y down, z towards the camera, for a head that faces it. Eyes (between the corners of
# the lids), tip of the nose, corners of the mouth: vertices 33, 133, 362, 263, 1, 61 and 291 of MediaPipe's canonical face model.
EYE, NOSE, MOUTH = (3.1511, -2.6246, 3.4657), (0, 1.1269, 7.4756), (2.4562, 4.3426, 4.2839)
HEAD = np.array([(-EYE[0], *EYE[1:]), EYE, NOSE, (-MOUTH[0], *MOUTH[1:]), MOUTH])
CHIN = 1.77  # eyes to chin over eyes to mouth: 1.80 and 1.02 eye distances, medians of OFIQ's test faces and of 271 portraits
YAWS, PITCHES = np.arange(-85, 86, 5.0), np.arange(-60, 61, 5.0)  # degrees tried at first
FINER, PASSES = 4, 6  # how much closer the next angles lie, and how often: to 0.001°


@shared
def pose(face: Face) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees; 0, 0, 0 faces the camera upright.

    yaw > 0: the face looks to the right of the picture. pitch > 0: it looks up. roll > 0: its eye on the right is the lower one.
    Least squares over scale, shift and three angles under weak perspective: yaw and pitch are searched, the rest follows.
    Heads differ, so expect errors of some degrees.  Raises CannotAssess where the points lie on one spot.
    """
    points = np.array(face.points) @ np.array([1, 1j])
    points = points - points.mean()
    if float(np.abs(points).max()) < 1e-3:
        raise CannotAssess("The five points of this face lie on one spot, so its pose has no answer.")
    yaws, pitches, step = YAWS, PITCHES, YAWS[1] - YAWS[0]
    for _ in range(PASSES):
        fit = _fit(points, yaws, pitches)
        best = np.unravel_index(np.argmax(np.abs(fit)), fit.shape)
        yaw, pitch, roll = yaws[best[0]], pitches[best[1]], np.angle(fit[best], deg=True)
        near = np.arange(-FINER, FINER + 1) * step / FINER
        yaws, pitches, step = yaw + near, pitch + near, step / FINER
    return float(yaw), float(pitch), float(roll)


def turned(points: NDArray[np.float64], yaw: NDArray[np.float64] | float, pitch: NDArray[np.float64] | float) -> NDArray[np.complex128]:
    """N×3 points of a head that faces the camera, as seen (x + iy) once it is turned by degrees: …×N."""
    y, p = (np.radians(np.asarray(v))[..., None] for v in (yaw, pitch))
    deep = points[:, 2] * np.cos(y) - points[:, 0] * np.sin(y)
    out: NDArray[np.complex128] = points[:, 0] * np.cos(y) + points[:, 2] * np.sin(y) + 1j * (points[:, 1] * np.cos(p) - deep * np.sin(p))
    return out


def _fit(points: NDArray[np.complex128], yaws: NDArray[np.float64], pitches: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Correlation of the points with the head at every yaw and pitch; its angle is the best turn in the picture."""
    seen = turned(HEAD, yaws[:, None], pitches[None, :])
    seen = seen - seen.mean(-1, keepdims=True)
    out: NDArray[np.complex128] = (seen.conj() * points).sum(-1) / np.sqrt(np.square(np.abs(seen)).sum(-1))
    return out


def chin_distance(face: Face) -> float:
    """From the middle of the eyes to the chin, in pixels of the picture: where the mean head has its chin.

    By the distance from eyes to mouth, which a turn of the head to the side leaves alone.
    """
    eyes, mouth = (np.mean(face.points[i:j], axis=0) for i, j in ((0, 2), (3, 5)))
    return CHIN * float(np.hypot(*(eyes - mouth)))
