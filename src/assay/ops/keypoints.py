"""Scale-invariant points of a grey picture, and what their surroundings look like.

Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94: extrema of the difference of Gaussians, refined once to a fraction of a pixel,
with the strongest direction of their gradients; descriptors are 4×4 histograms of 8 directions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import pi
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = NDArray[np.float32]
INTERVALS = 3  # scales in an octave
SIGMA, CAMERA = 1.6, 0.5  # blur of the first scale, and what the camera is taken to have
EDGE = 10.0  # largest ratio of curvatures
SMALLEST = 24  # side of the last octave
SAMPLES = 16  # on a side, from which a descriptor is made
STEP = 0.75  # of the blur, between them: 4 cells of 3 blurs each
BATCH = 1000  # descriptors at a time
CLIP = 0.2  # of a descriptor's length, against glare


class Keypoints(NamedTuple):
    """Points with the same index belong together."""

    x: Floats
    y: Floats
    scale: Floats
    angle: Floats  # radians, from x towards y
    descriptors: Floats  # N×128, of length 1


def keypoints(grey: Floats, *, contrast: float = 0.5, most: int = 5000) -> Keypoints:
    """The strongest points of an H×W picture in grey levels of 0..255; contrast: least difference of Gaussians."""
    found: list[tuple[Floats, Floats, Floats, Floats, Floats, int]] = []
    octaves = list(_octaves(grey))
    for o, planes in enumerate(octaves):
        x, y, s, strength = _extrema(planes, contrast)
        found.append((x, y, s, strength, np.full_like(x, o), o))
    if not sum(len(f[0]) for f in found):
        none = np.zeros(0, np.float32)
        return Keypoints(none, none, none, none, np.zeros((0, 128), np.float32))
    least = np.sort(np.concatenate([f[3] for f in found]))[::-1][:most][-1]
    parts = []
    for x, y, s, strength, _, o in found:
        keep = strength >= least
        if keep.any():
            parts.append(_described(octaves[o], x[keep], y[keep], s[keep], 2.0**o))
    return Keypoints(*(np.concatenate(p)[:most] for p in zip(*parts, strict=True)))


def _octaves(grey: Floats) -> Iterator[Floats]:
    """The Gaussians of every octave, (INTERVALS + 3)×H×W, each octave half the size of the one before."""
    image = gaussian_filter(grey, (SIGMA**2 - CAMERA**2) ** 0.5, truncate=3)
    while min(image.shape) >= SMALLEST:
        planes = np.empty((INTERVALS + 3, *image.shape), np.float32)
        planes[0] = image
        for i in range(1, INTERVALS + 3):
            more = SIGMA * (2 ** (2 * i / INTERVALS) - 2 ** (2 * (i - 1) / INTERVALS)) ** 0.5
            gaussian_filter(planes[i - 1], more, output=planes[i], truncate=3)
        yield planes
        image = planes[INTERVALS][::2, ::2]


def _extrema(planes: Floats, contrast: float) -> tuple[Floats, Floats, Floats, Floats]:
    """x, y, interval and strength of the extrema in one octave."""
    d = np.diff(planes, axis=0)
    found = []
    for i in range(1, INTERVALS + 1):
        for sign in (1, -1):
            here = d[i] if sign > 0 else -d[i]
            middle = here[5:-5, 5:-5]
            peak = middle > contrast
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):  # a quick look first: few stay
                peak &= middle >= here[5 + dy : here.shape[0] - 5 + dy, 5 + dx : here.shape[1] - 5 + dx]
            y, x = (v + 5 for v in np.nonzero(peak))
            around = [sign * d[i + ds, y + dy, x + dx] for ds in (-1, 0, 1) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            keep = here[y, x] >= np.max(around, axis=0)
            found.append((np.full(int(keep.sum()), i), y[keep], x[keep]))
    s, y, x = (np.concatenate(v) for v in zip(*found, strict=True))
    return _refined(d, s, y, x)


def _refined(d: Floats, s: NDArray[np.int64], y: NDArray[np.int64], x: NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Floats]:
    """One step of Newton's to the extremum of the parabola through each point; edges are dropped (Lowe 2004, section 4)."""

    def at(ds: int, dy: int, dx: int) -> Floats:
        return np.asarray(d[s + ds, y + dy, x + dx], dtype=np.float32)

    here = at(0, 0, 0)
    slope = np.stack([at(0, 0, 1) - at(0, 0, -1), at(0, 1, 0) - at(0, -1, 0), at(1, 0, 0) - at(-1, 0, 0)], -1) / 2
    xx, yy, ss = (a + b - 2 * here for a, b in ((at(0, 0, 1), at(0, 0, -1)), (at(0, 1, 0), at(0, -1, 0)), (at(1, 0, 0), at(-1, 0, 0))))
    xy = (at(0, 1, 1) - at(0, 1, -1) - at(0, -1, 1) + at(0, -1, -1)) / 4
    xs = (at(1, 0, 1) - at(1, 0, -1) - at(-1, 0, 1) + at(-1, 0, -1)) / 4
    ys = (at(1, 1, 0) - at(1, -1, 0) - at(-1, 1, 0) + at(-1, -1, 0)) / 4
    curve = np.stack([np.stack([xx, xy, xs], -1), np.stack([xy, yy, ys], -1), np.stack([xs, ys, ss], -1)], -2)
    flat = np.abs(np.linalg.det(curve)) < 1e-9
    curve[flat] = np.eye(3)
    move = np.clip(-np.linalg.solve(curve, slope[..., None])[..., 0], -0.6, 0.6)
    ratio = (xx + yy) ** 2 * EDGE < (EDGE + 1) ** 2 * (xx * yy - xy**2)
    keep = ratio & ~flat
    strength = np.abs(here + (slope * move).sum(-1) / 2)
    out = (x + move[:, 0], y + move[:, 1], s + move[:, 2], strength)
    a, b, c, e = (v[keep].astype(np.float32) for v in out)
    return a, b, c, e


def _described(planes: Floats, x: Floats, y: Floats, s: Floats, scale: float) -> tuple[Floats, ...]:
    """The points of one octave, in the coordinates of the picture, with direction and descriptor."""
    blur = (SIGMA * 2 ** (s / INTERVALS)).astype(np.float32)
    level = np.clip(np.rint(s), 0, len(planes) - 1)
    angle = np.concatenate([_direction(*_gradients(planes, level[i:j], y[i:j], x[i:j], blur[i:j], None)) for i, j in _batches(len(x))])
    vectors = [_histograms(*_gradients(planes, level[i:j], y[i:j], x[i:j], blur[i:j], angle[i:j])) for i, j in _batches(len(x))]
    return x * np.float32(scale), y * np.float32(scale), blur * np.float32(scale), angle, np.concatenate(vectors)


def _batches(n: int) -> list[tuple[int, int]]:
    return [(i, min(i + BATCH, n)) for i in range(0, n, BATCH)]


def _gradients(planes: Floats, level: Floats, y: Floats, x: Floats, blur: Floats, angle: Floats | None) -> tuple[Floats, Floats]:
    """Length and direction of the gradients on a square around each point, turned by its angle: N×16×16 each."""
    along = (np.arange(SAMPLES + 2, dtype=np.float32) - (SAMPLES + 1) / 2) * STEP
    v, u = np.meshgrid(along, along, indexing="ij")
    c, s = (np.ones_like(x), np.zeros_like(x)) if angle is None else (np.cos(angle), np.sin(angle))
    b = blur[:, None, None]
    rows = y[:, None, None] + b * (s[:, None, None] * u + c[:, None, None] * v)
    columns = x[:, None, None] + b * (c[:, None, None] * u - s[:, None, None] * v)
    where = np.stack([np.broadcast_to(level[:, None, None], rows.shape), rows, columns])
    if angle is None:  # the nearest pixels will do
        at = np.rint(where).astype(np.int64)
        patch = planes[at[0], np.clip(at[1], 0, planes.shape[1] - 1), np.clip(at[2], 0, planes.shape[2] - 1)]
    else:
        patch = map_coordinates(planes, where, order=1, mode="nearest", output=np.float32)
    gx, gy = patch[:, 1:-1, 2:] - patch[:, 1:-1, :-2], patch[:, 2:, 1:-1] - patch[:, :-2, 1:-1]
    return np.hypot(gx, gy), np.arctan2(gy, gx)


def _direction(length: Floats, direction: Floats) -> Floats:
    """The most frequent direction, in 36 smoothed bins, to a fraction of a bin."""
    n = len(length)
    weight = length * _bell(SAMPLES / 4)
    turn = (direction / (2 * pi) * 36).reshape(n, -1)
    low = np.floor(turn)
    part = (turn - low).astype(np.float32)
    base = 36 * np.arange(n)[:, None]
    w = weight.reshape(n, -1)
    bins = np.concatenate([(base + (low.astype(int) + more) % 36).ravel() for more in (0, 1)])
    shares = np.concatenate([(w * (1 - part)).ravel(), (w * part).ravel()])
    h = np.asarray(np.bincount(bins, shares, 36 * n), dtype=np.float64).reshape(n, 36)
    for _ in range(2):
        h = np.asarray((np.roll(h, 1, 1) + h + np.roll(h, -1, 1)) / 3, dtype=np.float64)
    best, at = h.argmax(1), np.arange(n)
    left, mid, right = h[at, best - 1], h[at, best], h[at, (best + 1) % 36]
    bend = left - 2 * mid + right
    offset = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0)
    return np.asarray((best + offset) * (2 * pi / 36), dtype=np.float32)


def _histograms(length: Floats, direction: Floats) -> Floats:
    """N×128: for each of 4×4 cells how much gradient points in each of 8 directions, of length 1 and clipped once."""
    n = len(length)
    turn = direction.reshape(n, -1, 1) * np.float32(8 / (2 * pi))
    apart = np.abs((turn - np.arange(8, dtype=np.float32) + 4) % 8 - 4)
    weight = (length * _bell(SAMPLES / 2)).reshape(n, -1, 1)
    planes = weight * np.maximum(1 - apart, 0)
    out: Floats = np.einsum("nsb,sc->ncb", planes, _cells(), optimize=True).reshape(n, 128).astype(np.float32)
    for _ in range(2):
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
        np.minimum(out, CLIP, out=out)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    return out


@cache
def _bell(sigma: float) -> Floats:
    at = np.arange(SAMPLES) - (SAMPLES - 1) / 2
    return np.asarray(np.exp(-(at[:, None] ** 2 + at**2) / (2 * sigma**2)), dtype=np.float32)


@cache
def _cells() -> Floats:
    """256×16: how much each sample counts for each cell, linearly less from its middle on."""
    at, middles = np.arange(SAMPLES), np.arange(4) * 4 + 1.5
    share = np.maximum(1 - np.abs(at[:, None] - middles) / 4, 0)
    return np.asarray(np.einsum("ia,jb->ijab", share, share).reshape(SAMPLES**2, 16), dtype=np.float32)
