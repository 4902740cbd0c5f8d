"""What the fine detail of a picture is like, as 410 numbers that judges of generated pictures learn from. Nothing in them is trained.

Spectra of luma and colour by ring and direction and how far the frequencies n/8 stand out (Durall et al. 2020, arXiv:2003.01826),
steps between cells as in NPR (Tan et al. 2024, arXiv:2312.10461), how often neighbouring residuals stand together (SPAM and SRM:
Fridrich & Kodovský 2012, doi:10.1109/TIFS.2012.2190402), how colours' residuals go together, and noise by brightness.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
MOST = 1024  # pixels a side: of a larger picture the middle is looked at, on the file's own grid of 8×8
TILE, RINGS, TURNS, PITCH = 64, 20, 8, 8  # of spectra; frequencies n/8
COUNT = 410
STEPS = (1.0, 2.0)  # 8-bit steps by which residuals are quantised
REACH, LEVELS = 2, 8  # residuals are cut at ± REACH; levels of brightness for noise


def statistics(a: Bytes) -> Floats:
    """All numbers of an H×W×3 picture of at least 64×64."""
    top, left = (max(0, n - MOST) // 16 * 8 for n in a.shape[:2])
    x = a[top : top + MOST, left : left + MOST].astype(np.float64)
    luma = x @ (0.299, 0.587, 0.114)
    return np.concatenate(list(groups(x, luma).values()))


def groups(x: Floats, luma: Floats) -> dict[str, Floats]:
    """By what they look at."""
    blue, red = x[..., 2] - x[..., 1], x[..., 0] - x[..., 1]
    return {
        "spectrum": np.concatenate([spectrum(luma, turns=True), spectrum(blue), spectrum(red)]),
        "steps": steps(luma),
        "neighbours": np.concatenate([neighbours(luma, q) for q in STEPS] + [neighbours(luma, 0.0)]),
        "colours": colours(x, luma),
        "noise": noise(luma),
    }


def spectrum(y: Floats, *, turns: bool = False) -> Floats:
    """Logarithmic power by ring, less its mean, and that mean; by direction in the outer half; at multiples of n/8."""
    h, w = (n // TILE for n in y.shape)
    tiles = y[: h * TILE, : w * TILE].reshape(h, TILE, w, TILE).swapaxes(1, 2).reshape(-1, TILE, TILE)
    window = np.hanning(TILE)[:, None] * np.hanning(TILE)
    power = np.abs(np.fft.fft2((tiles - tiles.mean((1, 2), keepdims=True)) * window)) ** 2
    log = np.log(power + 10).mean(0)
    fy, fx = np.meshgrid(np.fft.fftfreq(TILE), np.fft.fftfreq(TILE), indexing="ij")
    far = np.hypot(fy, fx)
    ring = np.minimum(RINGS - 1, far * 2 * RINGS / np.sqrt(2)).astype(int)
    mean = np.bincount(ring.ravel(), log.ravel(), RINGS) / np.maximum(1, np.bincount(ring.ravel(), minlength=RINGS))
    told = [mean - mean.mean(), [mean.mean()]]
    if turns:
        left = log - mean[ring]
        way = (np.arctan2(fy, fx) % np.pi * TURNS / np.pi).astype(int) % TURNS
        for low, high in ((0.15, 0.3), (0.3, 0.5)):
            inside = (far >= low) & (far < high)
            told.append(np.bincount(way[inside], left[inside], TURNS) / np.bincount(way[inside], minlength=TURNS))
        at = np.arange(0, TILE // 2 + 1, TILE // PITCH)
        grid = left[np.ix_(at, at)]
        told.append(((grid + grid.T) / 2)[np.triu_indices(len(at))][1:])
    return np.concatenate(told)


def steps(y: Floats) -> Floats:
    """Differences across the borders of cells beside those inside, and between the phases of a 2×2 cell."""
    told = []
    for axis in (0, 1):
        d = np.abs(np.diff(y, axis=axis)).mean(1 - axis)
        told += [np.log((d[phase::cell].mean() + 0.05) / (d.mean() + 0.05)) for cell in (2, 4, 8) for phase in range(min(cell, 4))]
    rough = (y - uniform_filter(y, 3)) ** 2
    cells = [np.log(rough[i::2, j::2].mean() + 0.1) for i in (0, 1) for j in (0, 1)]
    return np.array(told + list(np.array(cells) - np.mean(cells)))


def neighbours(y: Floats, step: float) -> Floats:
    """Triples of quantised residuals, of first and second differences, across and down; step 0: the residual's own spread."""
    told = []
    for order in (1, 2):
        counts = np.zeros(5**3)
        for axis in (0, 1):
            r = np.diff(y, order, axis=axis)
            q = np.clip(np.round(r / (step * order or 0.8 * np.abs(r).mean() + 0.2)), -REACH, REACH).astype(int) + REACH
            q = q if axis else q.T
            triples = (q[:, :-2] * 25 + q[:, 1:-1] * 5 + q[:, 2:]).ravel()
            counts += np.bincount(triples, minlength=125)
        told.append(np.sqrt(folded(counts / counts.sum())))
    return np.concatenate(told)


def folded(share: Floats) -> Floats:
    """Triples that are one another's mirror image or negative count as one."""
    cube = share.reshape(5, 5, 5)
    cube = (cube + cube[::-1, ::-1, ::-1] + cube.transpose(2, 1, 0) + cube[::-1, ::-1, ::-1].transpose(2, 1, 0)) / 4
    at = np.indices((5, 5, 5)).reshape(3, -1)
    alike = [(at[0] * 25 + at[1] * 5 + at[2]), (at[2] * 25 + at[1] * 5 + at[0])]
    alike += [124 - k for k in alike]
    first = np.min(alike, axis=0) == np.arange(125)
    out: Floats = cube.ravel()[first]
    return out


def colours(x: Floats, luma: Floats) -> Floats:
    """How residuals of red, green and blue go together at three scales; colour's share of fine detail; saturation."""
    told, y = [], x
    for scale in range(3):
        left = y - uniform_filter(y, (3, 3, 1))
        r = left.reshape(-1, 3)
        c = np.cov(r.T) + 0.02 * np.eye(3)
        d = np.sqrt(np.diag(c))
        told += [c[0, 1] / d[0] / d[1], c[0, 2] / d[0] / d[2], c[1, 2] / d[1] / d[2], np.log(d[0] / d[1]), np.log(d[2] / d[1])]
        even = r - r.mean(1, keepdims=True)
        told.append(np.log((even.var() + 0.01) / (r.mean(1).var() + 0.01)))
        if scale == 0:
            q = np.clip(np.round(r), -1, 1).astype(int) + 1
            counts = np.bincount(q @ (9, 3, 1), minlength=27) / len(q)
            told += list(np.sqrt((counts + counts[::-1])[:14] / 2))
        y = gaussian_filter(y, (1, 1, 0))[::2, ::2]
    spread = (x.max(2) - x.min(2)) / (x.max(2) + 1)
    told += list(np.quantile(spread, (0.05, 0.5, 0.95)))
    told += list(np.quantile(luma, (0.01, 0.1, 0.5, 0.9, 0.99)) / 255)
    return np.array(told)


def noise(y: Floats) -> Floats:
    """Of the quieter places at each brightness, how much noise; how peaked residuals are, and how uneven over the picture."""
    r = (
        y[1:-1, 1:-1] * 4
        + y[:-2, :-2]
        + y[:-2, 2:]
        + y[2:, :-2]
        + y[2:, 2:]
        - 2 * (y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:])
    )
    h, w = (n // 8 for n in r.shape)

    def blocks(a: Floats) -> Floats:
        return a[: h * 8, : w * 8].reshape(h, 8, w, 8).swapaxes(1, 2).reshape(-1, 64)

    level, spread = blocks(y[1:-1, 1:-1]).mean(1), np.log(blocks(r).std(1) / 6 + 0.05)
    quiet = np.quantile(spread, 0.2)
    bins = np.minimum(LEVELS - 1, level * LEVELS / 256).astype(int)
    told = [np.quantile(spread[bins == b], 0.2) - quiet if (bins == b).sum() >= 8 else 0.0 for b in range(LEVELS)]
    told += list(np.quantile(spread, (0.02, 0.2, 0.5, 0.8, 0.98)))
    for k in (1, 2):
        d = np.diff(y, k, axis=1)
        told += [np.log((d**4).mean() / ((d**2).mean() ** 2 + 0.1) + 0.1), (np.abs(d) < 0.5).mean()]
    blocked = blocks(r)
    told += [np.log((blocked**2).mean(1) + 0.1).std(), np.mean([(b[:-1] * b[1:]).mean() for b in (r, r.T)]) / (r.var() + 0.1)]
    return np.array(told)
