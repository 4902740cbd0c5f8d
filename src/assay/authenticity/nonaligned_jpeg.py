"""Non-aligned double JPEG: was the picture, or a part of it, saved as JPEG on another grid before this save?"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label, uniform_filter

from assay.catalog import carded
from assay.ops import doublejpeg, jpegshift
from assay.ops.dct import block_dct
from assay.ops.jpegcoefficients import Luma, luma
from assay.ops.jpegshift import Lead
from assay.ops.regions import EIGHT
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

MIN_SIDE = 128
ALARM = 20.0  # robust standard deviations over six frequencies
CLEAR = 3.0  # of one frequency, for it to help with the map
WHOLE = 0.4  # share of the blocks that were saved on the other grid, from which on the picture as a whole was
AROUND = 5  # blocks on a side that judge together
PRIOR = 0.1  # ours: of a block having another history than most
LEAST = 0.01  # of the picture, for an area to be told
CAVEAT = (
    "Needs a save that is about as fine as the earlier one or finer. Cropping, turning, collages and screenshots move or mix grids "
    "with no intent to deceive."
)


@carded(
    EvidenceCard(
        name="nonaligned_jpeg",
        version="1",
        takes=("file",),
        paper="Bianchi & Piva 2012, doi:10.1109/TIFS.2011.2170836",
        caveat=CAVEAT,
    )
)
def nonaligned_jpeg(picture: Picture) -> Finding:
    """An earlier JPEG save on a grid that the present one does not keep: cropped or moved since, or parts from other JPEG pictures.

    picture: a JPEG file with luma. On each of the other 63 grids it is asked whether coefficients keep near multiples of a step.
    data: statistic (how far the best grid is ahead of the others, in robust standard deviations, summed over six frequencies),
    origin [x, y] of that grid and share of the blocks that were saved on it (None without an alarm), regions (x, y, width,
    height). map: one value for each 8×8 block, the probability that its history differs from most; None without an alarm.
    Raises CannotAssess for other formats, CMYK, and pictures below 128×128.
    """
    if min(picture.media.width, picture.media.height) < MIN_SIDE:
        size = f"{picture.media.width}×{picture.media.height}"
        raise CannotAssess(f"non-aligned JPEG grids need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {size} (width×height).")
    file = luma(picture.data)
    lead = jpegshift.foremost_of(picture.data)
    data: dict[str, object] = {"statistic": round(lead.total, 2), "origin": None, "share": None, "regions": []}
    if lead.total < ALARM:
        says = f"No earlier JPEG save on another grid shows (the best of 63 is {lead.total:.0f} deviations ahead, {ALARM:.0f} would count)."
        return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data=data)
    earlier, share = _earlier(file, lead)
    whole = share > WHOLE
    odds = (-earlier if whole else earlier) + log(PRIOR / (1 - PRIOR))
    areas = _areas(odds > 0)
    origin = [lead.origin % 8, lead.origin // 8]
    data |= {"origin": origin, "share": round(share, 3), "regions": areas}
    lacking, having = "lack the earlier JPEG save", "were saved as JPEG on another grid before"
    return Finding(
        map=torch.from_numpy(1 / (1 + np.exp(-np.clip(odds, -30, 30)))).float(),
        map_says=f"Bright blocks {lacking if whole else having}, unlike most of the picture.",
        evidence=(_evidence(whole, origin, lead, areas),),
        data=data,
    )


def _earlier(file: Luma, lead: Lead) -> tuple[NDArray[np.float32], float]:
    """For each block of the picture, how much it and its surroundings speak for the earlier save; and the share of such blocks."""
    here, other = (_on_grid(file.pixels, origin) for origin in (lead.origin, jpegshift.mirrored(lead.origin)))
    values = np.rint(here).astype(np.int16)
    fits = {}
    for (u, v), ahead, step in list(zip(jpegshift.FREQUENCIES, lead.each, lead.steps, strict=True))[1:]:  # the mean has no folded density
        if ahead > CLEAR:
            # The present save has since moved the values by the rounding error of its own step.
            noise = round(sqrt(doublejpeg.NOISE**2 + float(file.steps[u, v]) ** 2 / 12), 1)
            once = doublejpeg.density(other[..., u, v].ravel())
            fits[8 * u + v] = doublejpeg.fit(
                values[..., u, v].ravel(), 1, once, noise=noise, firsts=[step, min(2 * step, doublejpeg.COARSEST)]
            )
    speaks = uniform_filter(doublejpeg.evidence_of_blocks(values, fits), AROUND, mode="nearest") * AROUND**2
    share = float(np.mean([f.share for f in fits.values()])) if fits else 0.0
    return _where(speaks, lead.origin, file.pixels.shape), share


def _on_grid(pixels: NDArray[np.uint8], origin: int) -> NDArray[np.float32]:
    part = torch.from_numpy(pixels[origin // 8 :, origin % 8 :]).float() - 128
    return np.asarray(block_dct(part).numpy(), dtype=np.float32)


def _where(blocks: NDArray[np.float32], origin: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Values on the other grid, taken over to the nearest blocks of the picture's own."""
    take = []
    for at, count, size in zip((origin // 8, origin % 8), blocks.shape, shape, strict=True):
        middles = 8 * np.arange(-(-size // 8)) + 4 - at
        take.append(np.clip(middles // 8, 0, count - 1))
    return blocks[np.ix_(*take)]


def _areas(mask: NDArray[np.bool_]) -> list[dict[str, int]]:
    labels, _ = label(mask, EIGHT)
    sizes = np.bincount(labels.ravel())
    boxes = [(sizes[n], b) for n, b in enumerate(find_objects(labels), start=1) if sizes[n] >= LEAST * mask.size]
    out = []
    for _, (rows, columns) in sorted(boxes, key=lambda pair: -pair[0]):
        spans = ((8 * s.start, 8 * (s.stop - s.start)) for s in (columns, rows))
        (x, width), (y, height) = spans
        out.append({"x": x, "y": y, "width": width, "height": height})
    return out


def _evidence(whole: bool, origin: list[int], lead: Lead, areas: list[dict[str, int]]) -> Evidence:
    grid = f"on a grid that starts at column {origin[0]}, row {origin[1]} ({lead.total:.0f} deviations ahead of the other grids)"
    r = areas[0] if areas else None
    where = f"{r['width']}×{r['height']} pixels at ({r['x']}, {r['y']})" if r else ""
    if not whole:
        what = where or "Parts of the picture"
        return Evidence(f"{what} were saved as JPEG before, {grid}, unlike the rest.", "edited", "hint", CAVEAT)
    lacking = f"; {where} lack that save" if r else ""
    says = f"Saved as JPEG before, {grid}: cropped, turned or moved between the two saves{lacking}."
    return Evidence(says, "edited", "hint", CAVEAT)
