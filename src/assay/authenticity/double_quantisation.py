"""Double quantisation: was this JPEG saved as JPEG before, and which parts were not there then?"""

from __future__ import annotations

from math import ceil, log
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label, uniform_filter
from torch import Tensor

from assay.catalog import carded
from assay.ops import doublejpeg, jpegtables
from assay.ops.dct import block_dct
from assay.ops.doublejpeg import Fit
from assay.ops.jpegcoefficients import Luma, luma
from assay.ops.jpegfile import ZIGZAG
from assay.ops.regions import EIGHT
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

MIN_SIDE = 64
FREQUENCIES = ZIGZAG[1:16]  # the first 15 after the mean, as Bianchi & Piva 2012
ENOUGH = 32768  # blocks to learn from what coefficients look like before they are quantised
# A first save counts when it explains at least three frequencies better by these than a single one does. On single saves the
# gain stayed below 10 nats at qualities of 90 and 14 at 75, on a second save finer than the first it was over 700.
GAIN, GAIN_EACH = 50.0, 0.03  # nats; nats for each value
SHARE = 0.3  # of the values must have been saved twice
FEWEST = 3
WHOLE = 0.75  # of the values, as a median over frequencies: less is no picture saved twice with a part added, but one saved three times
CLIPPED = (3, 252)  # darker or brighter, in any channel, and the decoder has cut the values
AROUND = 3  # blocks on a side that judge together
PRIOR = 0.1  # ours: of a block being younger than the first save
ALARM = 250.0  # nats an area must have against it; at most 88 in 120 clean photographs saved twice
CAVEAT = (
    "Sees only a second save that is finer than the first, on the same grid. Areas without texture say nothing. Text and stamps that "
    "a program adds are younger than the first save too, with no intent to deceive."
)


@carded(
    EvidenceCard(
        name="double_quantisation",
        version="1",
        takes=("file",),
        paper="Bianchi & Piva 2012, doi:10.1109/TIFS.2012.2187516; Lin, He, Tang & Tang 2009, doi:10.1016/j.patcog.2009.03.019",
        caveat=CAVEAT,
    )
)
def double_quantisation(picture: Picture) -> Finding:
    """Saved as JPEG before, at which quality, and which parts came in only after that: their coefficients lack the first save.

    picture: a JPEG file with luma; its quantised coefficients are used.
    data: statistic (nats against the clearest area, 0 where none or where there is no first save), first_quality (that
    libjpeg would have to have for most of the recovered steps, or None), frequencies (each with row, column, step,
    first_step, gain and share), regions (x, y, width, height, nats). map: one value for each 8×8 block, the probability
    that it was not there at the first save; None where no first save shows.
    Raises CannotAssess for other formats, CMYK, and pictures below 64×64.
    """
    if min(picture.media.width, picture.media.height) < MIN_SIDE:
        size = f"{picture.media.width}×{picture.media.height}"
        raise CannotAssess(f"double quantisation needs at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {size} (width×height).")
    file = luma(picture.data)
    fits = _fits(file)
    if len(fits) < FEWEST or median(f.share for f in fits.values()) < WHOLE:
        says = "No trace of an earlier, coarser JPEG save: saved once, or more finely before, or cropped off its grid or resized since."
        return Finding(
            evidence=(Evidence(says, caveat=CAVEAT),), data={"statistic": 0.0, "first_quality": None, "frequencies": [], "regions": []}
        )
    against = -doublejpeg.evidence_of_blocks(file.coefficients, fits)
    against[_clipped(picture.stored(), against.shape)] = 0
    around = uniform_filter(against, AROUND, mode="constant")
    areas = _areas(against, around)
    quality = _first_quality(fits)
    data: dict[str, object] = {
        "statistic": round(max((float(a["nats"]) for a in areas), default=0.0), 1),
        "first_quality": quality,
        "frequencies": [_facts(place, f, file) for place, f in fits.items()],
        "regions": [a for a in areas if a["nats"] >= ALARM],
    }
    odds = np.clip(around * AROUND**2 + log(PRIOR / (1 - PRIOR)), -30, 30)
    return Finding(
        map=_over_all(torch.from_numpy(1 / (1 + np.exp(-odds))), *file.pixels.shape),
        map_says="Bright blocks lack the first JPEG save that the rest of the picture has gone through: they may have been added after it.",
        evidence=(_twice(fits, file, quality), *_younger(data["regions"])),
        data=data,
    )


def _fits(file: Luma) -> dict[int, Fit]:
    """What was found at each frequency that shows a first save, by its place in the block."""
    values = file.coefficients.reshape(-1, 64)
    rows, columns = file.coefficients.shape[:2]
    keep = range(0, rows - 1, ceil(rows * columns / ENOUGH))  # rows of blocks, between the file's own
    strips = [torch.from_numpy(file.pixels[8 * r + 4 : 8 * r + 12, 4:]) for r in keep]
    once = block_dct(torch.stack(strips).float() - 128).reshape(-1, 64).numpy()
    found = {}
    for place in FREQUENCIES:
        f = doublejpeg.fit(values[:, place], int(file.steps.flat[place]), doublejpeg.density(once[:, place]))
        coarser = f.first > file.steps.flat[place]  # a finer first save leaves too little: it raised alarms on 2 of 144 clean pictures
        if coarser and f.gain > max(GAIN, GAIN_EACH * f.values) and f.share > SHARE:
            found[place] = f
    return found


def _clipped(stored: Tensor, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Blocks in which a channel touches black or white."""
    out = np.empty(shape, dtype=bool)
    for r in range(shape[0]):
        strip = stored[:, 8 * r : 8 * r + 8, : 8 * shape[1]]
        levels: NDArray[np.generic] = (strip * 255 if strip.is_floating_point() else strip).cpu().numpy().reshape(-1, shape[1], 8)
        out[r] = (levels.min((0, 2)) < CLIPPED[0]) | (levels.max((0, 2)) > CLIPPED[1])
    return out


def _areas(against: NDArray[np.float32], around: NDArray[np.float32]) -> list[dict[str, float]]:
    """Connected blocks whose surroundings speak against the first save, the clearest first."""
    labels, count = label(around > 0, EIGHT)
    nats = np.bincount(labels.ravel(), against.ravel(), minlength=count + 1)
    found = []
    for number, box in enumerate(find_objects(labels), start=1):
        (top, bottom), (left, right) = ((8 * s.start, 8 * s.stop) for s in box)
        found.append({"x": left, "y": top, "width": right - left, "height": bottom - top, "nats": round(float(nats[number]), 1)})
    return sorted(found, key=lambda a: -a["nats"])


def _first_quality(fits: dict[int, Fit]) -> int | None:
    """The libjpeg quality whose luma table has the most of the recovered steps, if more than half."""
    places = list(fits)
    tables = np.array([jpegtables.scaled(jpegtables.LUMA, q) for q in range(1, 101)])
    same = (tables[:, places] == [fits[p].first for p in places]).sum(1)
    return int(same.argmax()) + 1 if 2 * same.max() > len(fits) else None


def _facts(place: int, f: Fit, file: Luma) -> dict[str, object]:
    step = int(file.steps.flat[place])
    return {
        "row": place // 8,
        "column": place % 8,
        "step": step,
        "first_step": f.first,
        "gain": round(f.gain, 1),
        "share": round(f.share, 3),
    }


def _over_all(blocks: Tensor, height: int, width: int) -> Tensor:
    """The map with its last row and column repeated over what is left of the picture at the border."""
    rows, columns = (torch.arange(-(-n // 8)).clamp_(max=m - 1) for n, m in zip((height, width), blocks.shape, strict=True))
    return blocks[rows][:, columns].float()


def _twice(fits: dict[int, Fit], file: Luma, quality: int | None) -> Evidence:
    known = f", as libjpeg does at quality {quality}" if quality else ""
    pairs = ", ".join(f"{f.first}→{file.steps.flat[place]}" for place, f in list(fits.items())[:5])
    says = f"Saved as JPEG at least twice: before this save, on the same grid, with coarser steps{known} (steps first→now {pairs}"
    return Evidence(
        f"{says}; seen at {len(fits)} of {len(FREQUENCIES)} frequencies).", caveat="Websites and messengers save pictures again."
    )


def _younger(regions: object) -> tuple[Evidence, ...]:
    if not isinstance(regions, list) or not regions:
        return ()
    r, more = regions[0], f", the clearest of {len(regions)} areas," if len(regions) > 1 else ""
    says = f"{r['width']}×{r['height']} pixels at ({r['x']}, {r['y']}){more} lack the first JPEG save that the rest has gone through"
    return (Evidence(f"{says} ({r['nats']:.0f} nats against it): added or repainted after it.", "edited", "hint", CAVEAT),)
