"""Colour filter traces: does every part still show how the camera filled in its colours?"""

from __future__ import annotations

from math import log10

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label, uniform_filter

from assay.catalog import carded
from assay.ops.cfa import lean
from assay.ops.regions import log10_tail
from assay.ops.traces import drawn, plane
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

SIDE = 32  # of a window, pixels
MIN_SIDE = 256
LEAST = 36  # usable windows
GATE = -6.0  # log10 of the chance that as many windows lean one way, from which a picture has the trace
REACH = 3  # windows whose lean is averaged
TOGETHER = 4  # windows
ODD = 0.25  # of the typical lean: a part below lacks the trace or has it shifted
RARE = 0.02  # share of windows that lean the other way, at least
SURE = -2.0  # log10 NFA

CAVEAT = (
    "Flat, blurred and clipped places show no trace; cameras treat skies, faces and edges differently. Resizing, and a JPEG save below "
    "about quality 95, erase the trace everywhere, and then nothing is said. A picture of a screen or of a camera's own stitching differs."
)
Windows = NDArray[np.float64]


@carded(
    EvidenceCard(
        name="cfa",
        version="1",
        takes=("file",),
        paper="Ferrara, Bianchi, De Rosa & Piva 2012, doi:10.1109/TIFS.2012.2202227; Choi, Choi & Lee 2011 (votes)",
        caveat=CAVEAT,
    )
)
def cfa(picture: Picture) -> Finding:
    """Whether each part of a camera's picture still shows, in green, the chess board that its colour filter left, in one place.

    picture: the green of its pixels as stored, in windows of 32×32. Each window leans to one of the two boards; the picture
    has the trace where far more lean one way than chance allows. Parts that lean the other way were moved or pasted.
    data: statistic (how unlike the rest its oddest part leans, as -log10 of a number of false alarms), log10_nfa (of that part
    carrying the board shifted), log10_gate, lean (median, of log errors), share (of the windows with the picture's), regions.
    Raises CannotAssess below 256×256, for grey pictures, and where there is no trace: that is no evidence of anything.
    """
    stored = picture.stored()
    height, width = stored.shape[-2:]
    if len(stored) < 3:
        raise CannotAssess("The picture is grey: a colour filter leaves its trace in colours.")
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"Colour filter traces need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height}.")
    leans = lean(plane(stored, 1), SIDE)
    known = np.isfinite(leans)
    count = int(known.sum())
    if count < LEAST:
        raise CannotAssess("Too few parts of the picture have detail that is neither flat nor clipped: no colour filter can be told.")
    even = int((leans[known] > 0).sum())
    way = 1 if 2 * even >= count else -1
    with_it = max(even, count - even)
    gate = log10_tail(count, with_it, 0.5) + log10(2)
    if gate > GATE:
        raise CannotAssess("No trace of a colour filter: never had one, or resized or compressed since. That is no evidence of an edit.")
    leans = np.where(known, leans * way, 0.0)
    weight = uniform_filter(known.astype(float), REACH, mode="constant")
    mean = np.where(weight > 0.3, uniform_filter(leans, REACH, mode="constant") / np.maximum(weight, 0.3), np.nan)
    typical = float(np.median(leans[known]))
    unlike, shifted, box = _against(leans, mean, known, typical)
    told = shifted < SURE
    tops, lefts = (1 + SIDE * np.arange(n) for n in leans.shape)
    data: dict[str, object] = {
        "statistic": round(-unlike, 2),
        "log10_nfa": round(shifted, 2),
        "log10_gate": round(gate, 2),
        "lean": round(typical, 3),
        "share": round(with_it / count, 3),
        "regions": [],
    }
    says = (
        f"{with_it} of {count} places show the same colour filter pattern, as an unresized camera picture does (log10 of chance {gate:.0f})"
    )
    evidence = [Evidence(f"{says}.", caveat=CAVEAT)]
    if told:
        region = _region(box)
        data["regions"] = [region | {"log10_nfa": round(shifted, 2)}]
        where = f"{region['width']}×{region['height']} pixels at ({region['x']}, {region['y']})"
        other = f"A part carries the colour filter pattern shifted against the rest: {where}, log10 NFA {shifted:.1f}."
        evidence.append(Evidence(other, points_to="edited", weight="hint", caveat=CAVEAT))
    odd = np.where(np.isfinite(mean), ((typical - mean) / max(typical, 0.02)).clip(0, 3), 0)
    says = "Bright areas lack the colour filter pattern of the rest, or carry it shifted (over 1); flat places are left dark."
    return Finding(map=drawn(odd, tops, lefts, SIDE, (height, width)), map_says=says, evidence=tuple(evidence), data=data)


def _against(leans: Windows, mean: Windows, known: NDArray[np.bool_], typical: float) -> tuple[float, float, tuple[slice, slice]]:
    """Of the group of windows that lean with the picture least: how surprising it is if they were like the rest (log10 NFA),
    and how surprising if they had no trace at all, so that each leans either way by chance ½ (Choi et al.); and its box.

    Any box could have been looked at: the square of their number.
    """
    tests = 2 * log10(max(1, int(known.sum())))
    parts, _ = label(np.nan_to_num(mean, nan=typical) < ODD * typical, np.ones((3, 3)))
    best = (0.0, 0.0, (slice(0, 0), slice(0, 0)))
    for k, box in enumerate(find_objects(parts), start=1):
        inside = np.zeros(known.shape, bool)
        inside[box] = (parts[box] == k) & known[box]
        count, against = int(inside.sum()), int((leans[inside] < 0).sum())
        if count < TOGETHER:
            continue
        elsewhere = max(RARE, float((leans[known & ~inside] < 0).mean()))
        unlike, shifted = (tests + log10_tail(count, against, p) for p in (elsewhere, 0.5))
        if unlike < best[0]:
            best = (unlike, shifted, box)
    return best


def _region(box: tuple[slice, slice]) -> dict[str, object]:
    rows, columns = box
    return {
        "x": 1 + SIDE * int(columns.start),
        "y": 1 + SIDE * int(rows.start),
        "width": SIDE * int(columns.stop - columns.start),
        "height": SIDE * int(rows.stop - rows.start),
    }
