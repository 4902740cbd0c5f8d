"""Parts of a picture that are copies of each other, moved, turned or scaled: pairs of alike points that share one motion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_closing,
    gaussian_filter,
    gaussian_gradient_magnitude,
    label,
    map_coordinates,
    maximum_filter,
    uniform_filter,
)

from assay.ops.keypoints import Keypoints

Floats = NDArray[np.float32]
CANDIDATES = 10  # nearest descriptors looked at
RATIO = 0.6  # of a distance to the next (Amerini 2011, doi:10.1109/TIFS.2011.2129512, generalised 2NN)
PAIRS = 1200  # at most, the most distinct
MOTIONS = 4  # at most
TURN, ZOOM = np.deg2rad(20), np.log(1.5)  # by which keypoints of one motion may disagree
REACH = 0.25  # of the diagonal: how far a pair supports another
TIGHT = 3.0  # pixels from where the motion says
FEWEST = 5  # pairs
WINDOW = 9  # pixels on a side, compared
ALIKE = 0.75  # correlation of a window
CONTRAST = 1.0  # grey levels: with less, a window cannot be told from another
LEAST_GRAIN = 1000  # pixels of an area, for its calmest tenth to be judged by
CALM = 0.1  # with half of them, the edges of two prints of one logo correlate to 0.85; so to 0.2, and copies to 0.77 and more
NOISY = 0.4  # grey levels of standard deviation
BATCH = 1000


class Copy(NamedTuple):
    """One area and where it is again: [x', y'] = motion @ [x, y, 1]."""

    motion: NDArray[np.float64]  # 2×3
    pairs: NDArray[np.float64]  # N×4: x, y and x', y'
    mask: NDArray[np.bool_]  # of the picture, both areas
    agreement: float  # how alike the two areas are: mean correlation of their fine detail
    grain: float | None  # correlation of what noise there is beside edges; None where there is too little to tell
    pixels: int  # in the smaller one

    @property
    def scale(self) -> float:
        return float(abs(np.linalg.det(self.motion[:, :2])) ** 0.5)

    @property
    def turn(self) -> float:
        """Degrees, from x towards y."""
        m = self.motion
        return float(np.rad2deg(np.arctan2(m[1, 0] - m[0, 1], m[0, 0] + m[1, 1])))


def alike(k: Keypoints, *, apart: float) -> NDArray[np.int64]:
    """Pairs of points, M×2, whose descriptors are much closer than the next ones: those of the copies of one thing count as one."""
    near = []
    for i in range(0, len(k.x), BATCH):
        mine = slice(i, i + BATCH)
        s = k.descriptors[mine] @ k.descriptors.T
        top = np.argpartition(-s, min(CANDIDATES, s.shape[1] - 1), axis=1)[:, : CANDIDATES + 1]
        close = np.take_along_axis(s, top, 1)
        distance = np.hypot(k.x[top] - k.x[mine, None], k.y[top] - k.y[mine, None])
        close[distance < apart] = -1
        order = np.argsort(-close, axis=1)
        close, top = np.take_along_axis(close, order, 1), np.take_along_axis(top, order, 1)
        d = np.sqrt(np.maximum(2 - 2 * close, 1e-6))
        # The first n are taken where the step from the n-th to the next is large.
        steps = (d[:, :3] < RATIO * d[:, 1:4]) & (close[:, :3] > 0)
        last = np.where(steps.any(1), 2 - steps[:, ::-1].argmax(1), -1)
        good = np.arange(3) <= last[:, None]
        r, c = np.nonzero(good)
        near.append(np.stack([r + i, top[r, c], (d[r, c] * 1e6).astype(np.int64)], 1))
    if not near:
        return np.zeros((0, 2), np.int64)
    found = np.concatenate(near)
    found = found[np.argsort(found[:, 2], kind="stable")]
    _, first = np.unique(np.sort(found[:, :2], axis=1), axis=0, return_index=True)
    return np.asarray(found[np.sort(first)[:PAIRS], :2])


def copies(grey: Floats, k: Keypoints, *, apart: float) -> list[Copy]:
    """Areas that are alike under one motion, the best supported first."""
    pairs = alike(k, apart=apart)
    if len(pairs) < FEWEST:
        return []
    both = np.concatenate([pairs, pairs[:, ::-1]])
    p, q = (np.stack([k.x[both[:, e]], k.y[both[:, e]]], 1).astype(np.float64) for e in (0, 1))
    turn = (k.angle[both[:, 1]] - k.angle[both[:, 0]]).astype(np.float64)
    zoom = np.log(k.scale[both[:, 1]] / k.scale[both[:, 0]]).astype(np.float64)
    left = np.ones(len(both), dtype=bool)
    found: list[Copy] = []
    for _ in range(MOTIONS):
        seed = _seed(p, q, turn, zoom, left, REACH * float(np.hypot(*grey.shape)))
        if seed.sum() < FEWEST:
            break
        motion, support = _fitted(p, q, turn, left, seed)
        left &= ~(seed | support)
        left[: len(pairs)] &= left[len(pairs) :]
        left[len(pairs) :] &= left[: len(pairs)]
        if support.sum() >= FEWEST and (copy := _compared(grey, motion, np.hstack([p[support], q[support]]), apart)) is not None:
            found.append(copy)
    return found


def _seed(
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    turn: NDArray[np.float64],
    zoom: NDArray[np.float64],
    left: NDArray[np.bool_],
    reach: float,
) -> NDArray[np.bool_]:
    """The pairs that agree with the motion of the one pair with which most agree, as its own direction and scale tell it."""
    at = np.nonzero(left)[0]
    z = p[at, 0] + 1j * p[at, 1]
    w = q[at, 0] + 1j * q[at, 1]
    factor = np.exp(zoom[at] + 1j * turn[at])
    apart = z[None] - z[:, None]  # row: the pair that leads
    miss = np.abs(w[:, None] + factor[:, None] * apart - w[None])
    far = np.abs(apart)
    agree = (miss < TIGHT + 0.1 * far * np.exp(zoom[at])[:, None]) & (far < reach)
    agree &= np.abs(np.angle(factor[None] / factor[:, None])) < TURN
    agree &= np.abs(zoom[at][None] - zoom[at][:, None]) < ZOOM
    out = np.zeros(len(p), dtype=bool)
    if len(at):
        out[at[agree[agree.sum(1).argmax()]]] = True
    return out


def _fitted(
    p: NDArray[np.float64], q: NDArray[np.float64], turn: NDArray[np.float64], left: NDArray[np.bool_], seed: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The affine motion of the seed, and all pairs that follow it."""
    support = seed
    motion = np.hstack([np.eye(2), np.zeros((2, 1))])
    for tolerance in (3 * TIGHT, 1.5 * TIGHT, TIGHT, TIGHT):
        motion = _motion(p[support], q[support])
        miss = np.hypot(*(p @ motion[:, :2].T + motion[:, 2] - q).T)
        whirl = np.arctan2(motion[1, 0] - motion[0, 1], motion[0, 0] + motion[1, 1])
        support = left & (miss < tolerance) & (np.abs(np.angle(np.exp(1j * (turn - whirl)))) < TURN)
        if support.sum() < FEWEST:
            break
    return motion, support


def _motion(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares: affine where the points are many and spread in two directions, else turned and scaled alone."""
    middle = p.mean(0)
    spread = np.linalg.svd(p - middle, compute_uv=False)
    if len(p) >= 8 and spread[1] > 0.2 * spread[0]:
        solved = np.linalg.lstsq(np.hstack([p - middle, np.ones((len(p), 1))]), q, rcond=None)[0].T
        return np.hstack([solved[:, :2], (solved[:, 2] - solved[:, :2] @ middle)[:, None]])
    z, w = (p - middle) @ [1, 1j], (q - q.mean(0)) @ [1, 1j]
    f = (np.conj(z) @ w) / max(float((np.abs(z) ** 2).sum()), 1e-9)
    turned = np.array([[f.real, -f.imag], [f.imag, f.real]])
    return np.hstack([turned, (q.mean(0) - turned @ middle)[:, None]])


def _compared(grey: Floats, motion: NDArray[np.float64], pairs: NDArray[np.float64], apart: float) -> Copy | None:
    """How alike the two areas are, pixel by pixel, and how far they reach; None where nothing around the points is."""
    if not 0.3 < abs(np.linalg.det(motion[:, :2])) ** 0.5 < 3.3:
        return None
    here = _matching(grey, motion, pairs[:, :2], apart)
    back = np.linalg.inv(np.vstack([motion, [0, 0, 1]]))[:2]
    there = _matching(grey, back, pairs[:, 2:], apart)
    if here is None or there is None:
        return None
    pixels = int(min(here[0].sum(), there[0].sum()))
    grains = [g for g in (here[2], there[2]) if g is not None]
    return Copy(motion, pairs, here[0] | there[0], min(here[1], there[1]), max(grains, default=None), pixels)


def _matching(
    grey: Floats, motion: NDArray[np.float64], points: NDArray[np.float64], apart: float
) -> tuple[NDArray[np.bool_], float, float | None] | None:
    """The area around the points that looks as its image under the motion, and the mean correlation of the fine detail there."""
    span = np.ptp(points, axis=0)
    margin = np.maximum(32, 0.5 * span)
    low = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0) + margin), [grey.shape[1] - 1, grey.shape[0] - 1]).astype(int)
    y, x = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1].astype(np.float64)
    if min(x.shape) < WINDOW:
        return None
    columns, rows = (m[0] * x + m[1] * y + m[2] for m in motion)
    inside = (columns >= 0) & (columns <= grey.shape[1] - 1) & (rows >= 0) & (rows <= grey.shape[0] - 1)
    inside &= np.hypot(columns - x, rows - y) > apart / 2
    image = map_coordinates(grey, [rows, columns], order=1, mode="nearest", output=np.float32)
    own = grey[low[1] : high[1] + 1, low[0] : high[0] + 1]
    same = _correlation(own, image)
    mask = inside & (same > ALIKE)
    mask = binary_closing(np.pad(mask, 5), np.ones((9, 9)))[5:-5, 5:-5] & inside
    parts, _ = label(mask)
    px, py = (np.rint(points - low).astype(int)).T
    seen = parts[np.clip(py, 0, parts.shape[0] - 1), np.clip(px, 0, parts.shape[1] - 1)]
    kept = np.unique(seen[seen > 0])
    if not kept.size:
        return None
    mask = np.isin(parts, kept)
    fine = _correlation(own - gaussian_filter(own, 1.5), image - gaussian_filter(image, 1.5))
    out = np.zeros(grey.shape, dtype=bool)
    out[low[1] : high[1] + 1, low[0] : high[0] + 1] = mask
    hull = maximum_filter(_spots(mask.shape, px, py), 25) & inside
    return out, float(fine[hull].mean()) if hull.any() else 0.0, _grain(own, image, mask)


def _grain(a: Floats, b: Floats, mask: NDArray[np.bool_]) -> float | None:
    """Correlation of the noise of two areas, where both are smoothest: copies share it, two of a kind have each their own."""
    slope = np.maximum(*(gaussian_gradient_magnitude(v, 2) for v in (a, b)))
    if mask.sum() < LEAST_GRAIN:
        return None
    calm = mask & (slope <= np.quantile(slope[mask], CALM))
    p, q = ((v - gaussian_filter(v, 1))[calm] for v in (a, b))
    if min(p.std(), q.std()) < NOISY:
        return None
    return float(np.corrcoef(p, q)[0, 1])


def _spots(shape: tuple[int, ...], x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    out = np.zeros(shape, dtype=bool)
    out[np.clip(y, 0, shape[0] - 1), np.clip(x, 0, shape[1] - 1)] = True
    return out


def _correlation(a: Floats, b: Floats) -> Floats:
    """Of every WINDOW×WINDOW neighbourhood; 0 where one of the two is flat."""

    def mean(v: Floats) -> Floats:
        return np.asarray(uniform_filter(v, WINDOW, mode="nearest"), dtype=np.float32)

    ma, mb = mean(a), mean(b)
    va, vb = np.maximum(mean(a * a) - ma * ma, 0), np.maximum(mean(b * b) - mb * mb, 0)
    least = np.float32(CONTRAST**2)
    both = np.sqrt(np.maximum(va, 1e-6) * np.maximum(vb, 1e-6))
    return np.where(np.minimum(va, vb) > least, (mean(a * b) - ma * mb) / both, 0).astype(np.float32)
