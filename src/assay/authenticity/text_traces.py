"""Traces of text: was every word of a page drawn and saved like the others?"""

from __future__ import annotations

from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import max_pool2d

from assay.catalog import carded
from assay.ops.traces import LONG_SIDE, light
from assay.ops.words import TRACES, Words, deviations, is_page, words
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

MIN_SIDE = 200
SAYS = ("are inked", "have edges", "ring at their edges", "stand on paper")
TOLD = 10.0  # robust standard deviations; the oddest honest word of 70 drawn pages reached 8.6, of 40 others 9.7, each saved in four ways
CAVEAT = (
    "Bold, coloured and linked words, headings, stamps, logos and pictures in a page honestly differ. A word retyped by the same "
    "program in an unsaved screenshot does not differ at all. Measured on drawn pages only, not on scans of real ones."
)
MAP_SAYS = "Bright words were drawn or saved unlike words of their size on this page, in robust standard deviations; paper is dark."


@carded(
    EvidenceCard(
        name="text_traces",
        version="1",
        takes=("file",),
        paper="ours; task and operations of Luo et al. 2024 (RTM), doi:10.1016/j.patcog.2024.110828",
        caveat=CAVEAT,
    )
)
def text_traces(picture: Picture) -> Finding:
    """Whether every word of a document or screenshot is drawn, printed and saved like the words beside it.

    picture: the luma of its pixels as stored. Of every word: how dark its ink is, how soft its edges are, how much JPEG rings
    beside it and how light the paper around it is, each against words of like height, in robust standard deviations.
    data: statistic (of the oddest word), trace (what is odd about it), words (how many), regions (x, y, width, height, statistic,
    trace of every word that is told).  map: h×w.
    Raises CannotAssess below 200×200 and where this is no page: fewer than 30 words, words that stand in no lines, or little even paper.
    """
    y = light(picture.stored())
    height, width = y.shape
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"Words are compared from {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height} (width×height).")
    found = words(y)
    if not is_page(found):
        raise CannotAssess("This is no page of printed words: too few of them, no lines, or too little even paper.")
    z = deviations(found)
    odd, which = z.max(1), z.argmax(1)
    order = np.argsort(-odd)
    told = [int(i) for i in order if odd[i] > TOLD]
    first = int(order[0])
    data: dict[str, object] = {
        "statistic": round(float(odd[first]), 2),
        "trace": TRACES[which[first]],
        "words": len(odd),
        "regions": [_region(found, i, float(odd[i]), TRACES[which[i]]) for i in told],
    }
    evidence = [Evidence(f"{len(odd)} words were compared; the oddest lies {odd[first]:.1f} deviations from its like.", caveat=CAVEAT)]
    if told:
        rows, columns = found.boxes[first]
        more = f", and {len(told) - 1} more" if len(told) > 1 else ""
        how = SAYS[which[first]]
        says = f"The word at ({columns.start}, {rows.start}){more}: letters that {how} unlike the others ({odd[first]:.0f} deviations)."
        evidence.append(Evidence(says, "edited", "hint", CAVEAT))
    return Finding(map=_drawn(found, odd, y.shape), map_says=MAP_SAYS, evidence=tuple(evidence), data=data)


def _region(found: Words, i: int, odd: float, trace: str) -> dict[str, object]:
    rows, columns = found.boxes[i]
    place = {"x": columns.start, "y": rows.start, "width": columns.stop - columns.start, "height": rows.stop - rows.start}
    return {**place, "statistic": round(odd, 2), "trace": trace}


def _drawn(found: Words, odd: NDArray[np.float64], shape: tuple[int, ...]) -> Tensor:
    drawn = torch.zeros(shape)
    for (rows, columns), value in zip(found.boxes, odd, strict=True):
        drawn[rows, columns] = float(value)
    reduce = ceil(max(shape) / LONG_SIDE)
    return drawn if reduce == 1 else max_pool2d(drawn[None], reduce, ceil_mode=True)[0]
