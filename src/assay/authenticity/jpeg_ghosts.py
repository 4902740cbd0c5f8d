"""JPEG ghosts: parts that were saved as JPEG at a lower quality than the rest."""

from __future__ import annotations

from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_opening, find_objects, label, uniform_filter

from assay.catalog import carded
from assay.ops import jpegfile, jpegshift, jpegtables
from assay.ops.dct import block_dct, luma8
from assay.ops.jpegcoefficients import luma
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

MIN_SIDE = 128
QUALITIES = tuple(range(30, 100, 5))  # saved at; Farid 2009 goes from 30 to 90
ASKED = (40, 90)  # of these, those in which a ghost is looked for
OWN = 5  # a picture hardly changes near its own quality
WINDOW = 3  # blocks on a side; Farid: 16 pixels
STRIP = 64  # rows of blocks at a time
PIXELS = 4 << 20  # looked at; of larger pictures every second, third … block, down and across
CHANGING = 2.0  # squared grey levels between the least and the most changed copy; less is flat
LOW = 0.15  # of the way from the least to the most change: hardly changed
LEAST = 0.01  # of the picture
ALARM = 0.35
CAVEAT = (
    "Finds parts of lower quality than the rest, on the picture's own grid or the one other that stands out. Blurred or smooth parts "
    "change little at any quality."
)


class Ghost(NamedTuple):
    """The area that stands out most at one quality on one grid."""

    score: float
    quality: int
    origin: int  # of the grid, x + 8·y
    step: int  # pixels from one block that was looked at to the next
    odd: NDArray[np.float32]  # for each of these blocks, 0 (as most of the picture) to 1
    mostly: bool  # the area is most of the picture: what is odd is the rest


@carded(
    EvidenceCard(
        name="jpeg_ghosts",
        version="1",
        takes=("file",),
        paper="Farid 2009, doi:10.1109/TIFS.2008.2012215",
        caveat=CAVEAT,
    )
)
def jpeg_ghosts(picture: Picture) -> Finding:
    """Parts that hardly change when the picture is saved at a certain lower quality: they had been saved at it before.

    picture: its luma is quantised at libjpeg qualities 30 to 95, on its own grid and on the one other that stands out most.
    data: statistic (of the clearest area: how much less it changes than the rest, 0 to 1, times its share of its box),
    quality and origin [x, y] of its grid (None where no area stands out), regions (x, y, width, height).
    map: one value for each 8×8 block, 1 where saving at that quality changes it least (or, where it changes most of the
    picture little, as much as any other quality does), 0 as most of the picture; None without an alarm.
    Raises CannotAssess for flat pictures and those below 128×128.
    """
    pixels, quality = _luma(picture)
    if min(pixels.shape) < MIN_SIDE:
        size = f"{pixels.shape[1]}×{pixels.shape[0]}"
        raise CannotAssess(f"JPEG ghosts need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {size} (width×height).")
    lead = jpegshift.foremost(pixels) if quality is None else jpegshift.foremost_of(picture.data)
    found = [_ghost(pixels, origin, quality) for origin in (0, lead.origin)]
    best = max((g for g in found if g is not None), key=lambda g: g.score, default=None)
    if best is None or best.score < ALARM:
        score = best.score if best else 0.0
        says = f"No part stands out when the picture is saved at lower qualities (the clearest {score:.2f}, {ALARM} would count)."
        data: dict[str, object] = {"statistic": round(score, 4), "quality": None, "origin": None, "regions": []}
        return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data=data)
    origin, regions = [best.origin % 8, best.origin // 8], _regions(best)
    return Finding(
        map=torch.from_numpy(_over_all(best, pixels.shape)),
        map_says=f"Bright blocks change {'more' if best.mostly else 'less'} than most when saved at JPEG quality {best.quality}.",
        evidence=(_evidence(best, regions[0] if regions else None),),
        data={"statistic": round(best.score, 4), "quality": best.quality, "origin": origin, "regions": regions},
    )


def _luma(picture: Picture) -> tuple[NDArray[np.uint8], int | None]:
    """Luma, and the quality that the file was saved at where it is a JPEG."""
    if picture.data[:2] == b"\xff\xd8":
        file = jpegfile.parse(picture.data)
        steps = file.tables.get(file.components[0].table)
        if len(file.components) in (1, 3) and steps is not None:
            return luma(picture.data).pixels, jpegtables.nearest(steps)[0]
    return luma8(picture.stored()).cpu().numpy(), None


def _ghost(pixels: NDArray[np.uint8], origin: int, quality: int | None) -> Ghost | None:
    """The clearest area on one grid."""
    step = ceil(sqrt(pixels.size / PIXELS))
    changes = _changes(_thinned(pixels[origin // 8 :, origin % 8 :], step))
    low, high = changes.min(0), changes.max(0)
    flat = high - low < CHANGING
    if flat.all():
        raise CannotAssess("No part of the picture changes when it is saved at a lower quality: it is flat.")
    changes = (changes - low) / np.maximum(high - low, CHANGING)
    best = None
    for q, change in zip(QUALITIES, changes, strict=True):
        if not ASKED[0] <= q <= ASKED[1] or (quality is not None and abs(q - quality) <= OWN):
            continue
        areas, count = label(binary_opening((change < LOW) & ~flat, np.ones((2, 2))))
        sizes = np.bincount(areas.ravel())[1:]
        if not count or sizes.max() < LEAST * areas.size:
            continue
        inside = areas == sizes.argmax() + 1
        rest = change[~inside & ~flat]
        box = find_objects(areas)[sizes.argmax()]
        fills = sizes.max() / inside[box].size
        usual = float(rest.mean()) if rest.size else 0.0
        score = (usual - float(change[inside].mean())) * float(fills)
        if usual and (best is None or score > best.score):
            mostly = 2 * int(inside.sum()) > int((~flat).sum())
            less = np.clip(1 - change / usual, 0, 1)
            best = Ghost(score, q, origin, 8 * step, np.where(flat, np.float32(0), 1 - less if mostly else less), mostly)
    return best


def _thinned(pixels: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Every so manyth block, down and across, side by side."""
    rows, columns = pixels.shape[0] // 8, pixels.shape[1] // 8
    blocks = pixels[: 8 * rows, : 8 * columns].reshape(rows, 8, columns, 8)[::step, :, ::step]
    return blocks.reshape(8 * len(blocks), -1)


def _changes(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """For each quality, how much saving at it would change the surroundings of each block: mean squares."""
    rows, columns = pixels.shape[0] // 8, pixels.shape[1] // 8
    out = np.empty((len(QUALITIES), rows, columns), np.float32)
    tables = [torch.tensor(jpegtables.scaled(jpegtables.LUMA, q)).float().reshape(8, 8) for q in QUALITIES]
    for top in range(0, rows, STRIP):
        blocks = block_dct(torch.from_numpy(pixels[8 * top : 8 * (top + STRIP)]).float() - 128)
        for n, table in enumerate(tables):
            out[n, top : top + STRIP] = (blocks / table).round_().mul_(table).sub_(blocks).square_().mean((-2, -1)).numpy()
    for plane in out:
        uniform_filter(plane, WINDOW, output=plane, mode="nearest")
    return out


def _regions(g: Ghost) -> list[dict[str, int]]:
    """The largest area of odd blocks."""
    areas, count = label(binary_opening(g.odd > 0.5, np.ones((2, 2))))
    if not count:
        return []
    rows, columns = find_objects(areas)[np.bincount(areas.ravel())[1:].argmax()]
    x, y = g.step * columns.start + g.origin % 8, g.step * rows.start + g.origin // 8
    return [{"x": x, "y": y, "width": g.step * (columns.stop - columns.start), "height": g.step * (rows.stop - rows.start)}]


def _evidence(g: Ghost, r: dict[str, int] | None) -> Evidence:
    where = f"{r['width']}×{r['height']} pixels at ({r['x']}, {r['y']})" if r else "parts"
    figures = f"({g.score:.2f}, {ALARM} counts)"
    if g.mostly:
        says = f"Most of the picture hardly changes when saved at quality {g.quality}, as if saved at it before; {where} do {figures}."
    else:
        says = (
            f"Saving at quality {g.quality} hardly changes {where}, unlike the rest: probably saved at about that quality before {figures}."
        )
    return Evidence(says, "edited", "hint", CAVEAT)


def _over_all(g: Ghost, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """How odd the nearest block of the grid is, for each 8×8 block of the picture."""
    take = []
    for at, count, size in zip((g.origin // 8, g.origin % 8), g.odd.shape, shape, strict=True):
        take.append(np.clip((8 * np.arange(-(-size // 8)) + 4 - at) // g.step, 0, count - 1))
    return g.odd[np.ix_(*take)]
