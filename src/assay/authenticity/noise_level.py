"""Noise level: does a part carry more or less noise than parts like it?"""

from __future__ import annotations

from math import ceil, log, log10, pi, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label, uniform_filter
from torch.nn.functional import interpolate

from assay.catalog import carded
from assay.ops.regions import log10_tail
from assay.ops.traces import LONG_SIDE, grain, light
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

Array = NDArray[np.floating]

CELL = 16  # pixels
COARSE = 4  # pixels that are averaged before content is measured, so that noise hardly counts as content
MIN_SIDE = 256
LEAST = 64  # cells to compare
TO_SIGMA = sqrt(pi / 2) * 4 / 6  # from the mean absolute error of [1 -2 1]⊗[1 -2 1]/4 (Immerkær 1996, doi:10.1006/cviu.1996.0060)
FLOOR = 0.15  # grey levels: below, rounding rules
DARK, FULL = 8.0, 247.0  # means beyond are clipped
CALM = 0.6  # share of the cells with least content that are judged
AWAY = 2.0  # robust standard deviations
SMOOTH = 3  # cells
ROUNDS = 8
TOLD = 150.0  # statistic; above it 3 of 280 clean pictures as they are, saved at quality 90 and 75, and reduced to 3/4: all of one photo

CAVEAT = (
    "Focus, fog, noise reduction of phones (stronger on skies and faces), vignetting and lettering make honest noise uneven; "
    "textures look like noise. Saving as JPEG at medium quality levels the difference."
)


@carded(
    EvidenceCard(
        name="noise_level",
        version="1",
        takes=("file",),
        paper="Mahdian & Saic 2009, doi:10.1016/j.imavis.2009.02.001; Immerkær 1996, doi:10.1006/cviu.1996.0060",
        caveat=CAVEAT,
    )
)
def noise_level(picture: Picture) -> Finding:
    """Whether a part of the picture is noisier or smoother than its lightness and content lead to expect.

    picture: luma of its pixels as stored, in cells of 16×16. Ours: the logarithm of the noise is regressed, robustly, on
    lightness and content; groups of calm cells on one side of the fit are tested a contrario against their share overall.
    data: statistic (-log10 of the number of false alarms of the clearest group, times the size of the logarithm of its ratio);
    log10_nfa; ratio (noise of that group over what was expected); sigma (the median noise, grey levels); regions.
    map: h×w, standard deviations from the fit, smoothed. A group is told only far beyond chance: cells of nature hang together.
    Raises CannotAssess below 256×256 and where fewer than 64 cells can be judged.
    """
    stored = picture.stored()
    y = light(stored)
    height, width = y.shape
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"Noise levels need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height}.")
    sigma, mean, content = _cells(y, grain(stored))
    known = (sigma > FLOOR) & (mean > DARK) & (mean < FULL)
    calm = known & (content <= np.quantile(content[known], CALM)) if known.any() else known
    if calm.sum() < LEAST:
        raise CannotAssess("Too few parts of the picture are calm and neither black nor white: its noise cannot be compared.")
    z, offset = _deviations(np.log(np.maximum(sigma, FLOOR)), mean, content, known, calm)
    surprise, box, inside = max((_group(z * sign, calm) for sign in (1, -1)), key=lambda g: g[0])
    ratio = float(np.exp(np.median(offset[inside]))) if inside.any() else 1.0
    rows, columns = box
    region = {
        "x": columns.start * CELL,
        "y": rows.start * CELL,
        "width": min(columns.stop * CELL, width) - columns.start * CELL,
        "height": min(rows.stop * CELL, height) - rows.start * CELL,
    }
    statistic = surprise * abs(log(ratio))
    told = statistic > TOLD
    data: dict[str, object] = {
        "statistic": round(statistic, 2),
        "log10_nfa": round(-surprise, 2),
        "sigma": round(float(np.median(sigma[known])), 3),
        "ratio": round(ratio, 3),
        "regions": [region] if told else [],
    }
    evidence = [
        Evidence(f"Noise of about {data['sigma']} grey levels; the clearest odd part has {ratio:.2f} times what is expected there.")
    ]
    if told:
        where = f"{region['width']}×{region['height']} pixels at ({region['x']}, {region['y']})"
        says = f"A part has {ratio:.2f} times the noise that its lightness and content lead to expect: {where} (log10 NFA {-surprise:.0f})."
        evidence.append(Evidence(says, points_to="edited", weight="hint", caveat=CAVEAT))
    return Finding(map=_drawn(z, calm, y.shape), map_says=MAP_SAYS, evidence=tuple(evidence), data=data)


MAP_SAYS = "Bright areas are noisier or smoother than calm parts of the same lightness elsewhere; textures and soft focus do so as well."


def _cells(y: NDArray[np.float32], errors: NDArray[np.float32]) -> tuple[Array, Array, Array]:
    """Noise (grey levels), mean, and content (log of the slopes of the picture 4 times smaller) of every cell."""
    rows, columns = y.shape[0] // CELL, y.shape[1] // CELL
    y = y[: rows * CELL, : columns * CELL]

    def average(x: Array, side: int) -> Array:
        return np.asarray(x.reshape(x.shape[0] // side, side, x.shape[1] // side, side).mean(axis=(1, 3)))

    inside = np.abs(errors[: len(y) - 2, : y.shape[1] - 2])
    noise = TO_SIGMA * average(np.pad(inside, 1, mode="edge"), CELL)
    small = average(y, COARSE)
    across, down = (np.abs(np.diff(small, axis=a, append=small[(slice(None),) * a + (slice(-1, None),)])) for a in (1, 0))
    return noise, average(small, CELL // COARSE), np.log(average(across + down, CELL // COARSE) + 0.5)


def _deviations(noise: Array, mean: Array, content: Array, known: NDArray[np.bool_], calm: NDArray[np.bool_]) -> tuple[Array, Array]:
    """How far the log noise lies from a robust fit (Tukey's biweight) on lightness and content: in standard deviations, and as it is."""
    m, c = mean / 255, content
    facts = np.stack([np.ones_like(m), m, m * m, m**3, c, c * c, m * c], axis=-1)
    weights = known.astype(float)
    rest = noise
    for _ in range(ROUNDS):
        root = np.sqrt(weights[known])[:, None]
        fit, *_ = np.linalg.lstsq(root * facts[known], root[:, 0] * noise[known], rcond=1e-8)
        rest = noise - facts @ fit
        spread = 1.4826 * float(np.median(np.abs(rest[calm]))) + 0.02
        weights = np.where(known, (1 - (rest / (4.685 * spread)).clip(-1, 1) ** 2) ** 2, 0)
    return np.asarray(rest / spread), np.asarray(rest)


def _group(z: Array, calm: NDArray[np.bool_]) -> tuple[float, tuple[slice, slice], NDArray[np.bool_]]:
    """The group of touching cells above AWAY that is least likely by chance: -log10 NFA, its box, its cells."""
    away = calm & (_smoothed(z, calm) > AWAY / 2) & (z > 0)
    parts, _ = label(away, np.ones((3, 3)))
    best = (0.0, (slice(0, z.shape[0]), slice(0, z.shape[1])), np.zeros(z.shape, bool))
    for k, box in enumerate(find_objects(parts), start=1):
        inside = parts[box] == k
        outside = max(1, int(calm.sum()) - int(calm[box].sum()))
        share = max(0.01, (int(away.sum()) - int(away[box].sum())) / outside)
        surprise = -2 * log10(calm.sum()) - log10_tail(int(calm[box].sum()), int(inside.sum()), share)
        if surprise > best[0]:
            best = (surprise, box, parts == k)
    return best


def _smoothed(z: Array, calm: NDArray[np.bool_]) -> Array:
    weight = uniform_filter(calm.astype(float), SMOOTH)
    return np.asarray(uniform_filter(np.where(calm, z.clip(-6, 6), 0), SMOOTH) / np.maximum(weight, 0.2))


def _drawn(z: Array, calm: NDArray[np.bool_], shape: tuple[int, ...]) -> torch.Tensor:
    values = torch.from_numpy(np.abs(_smoothed(z, calm))).float()
    reduce = ceil(max(shape) / LONG_SIDE)
    size = [ceil(n / reduce) for n in shape]
    return interpolate(values[None, None], size, mode="bilinear", align_corners=False)[0, 0]
