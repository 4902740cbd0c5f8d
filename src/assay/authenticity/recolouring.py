"""Recolouring: do the colours of every part hang together with their neighbours as the camera left them?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor

from assay.catalog import carded
from assay.nets.recolouring import loaded
from assay.ops.colourties import NAMES, beside_the_rest, ties
from assay.ops.traces import drawn
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture, Weights

MODEL = Weights(
    file="recolouring.safetensors",
    sha256="d9cc7e8ee51d9c549a5b4b8587b0f557d3f9f9ab4857f3dcbac639b46e0d50a5",
    license="Apache-2.0; trained on Kodak (free use), gb82 (CC0) and free camera photographs",
    recipe="recipes/recolouring.py",
)
MIN_SIDE = 128  # pixels: a part needs a rest that it can differ from
LEAST = 25  # squares with detail
GREY = 1.5  # grey levels between the channels, on average: below, there are no colours to compare
MARKED = 0.5  # of the map
FEW, MOST, SHOWN = 4, 20, 3  # squares of an area at least; areas told; areas named in the sentence
EVERY = 4  # pixels: the look for colours and for flatness
DETAIL = NAMES.index("green steps, 1")

CAVEAT = (
    "Trained on parts that a program recoloured. Neon light, coloured reflections, captions, collages and local retouching look "
    "alike; JPEG with colours at half size, and a change of colours that is gentle, hide real ones."
)


@carded(
    EvidenceCard(
        name="recolouring",
        version="1",
        takes=("file",),
        paper="own; after the claim of arXiv:2204.10973 that recolouring breaks the correlation of neighbouring colours",
        weights=(MODEL,),
        caveat=CAVEAT,
    )
)
def recolouring(picture: Picture) -> Finding:
    """Which parts had their colours changed: fine steps of red, green and blue, and gaps in their values, unlike the rest.

    picture: its pixels as stored, in squares of 16×16, or larger ones where there would be more than 9216; of these only 16×16 are
    looked at, each with its neighbours. What colour a part has is no trace; how its channels vary together is.
    data: statistic (for the whole picture; larger speaks for an edit, 0 and more is a hint); area, the share of the picture marked;
    square, in pixels; regions, each with x, y, width, height, share (of the picture) and likelihood.  map: h×w, 0..1.
    Raises CannotAssess below 128×128, for grey, CMYK and palette pictures, and where there is too little detail.
    """
    stored = picture.stored()
    height, width = stored.shape[-2:]
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"Colours are compared from {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height} (width×height).")
    _refuse(stored, picture.media.mode)
    found, side = ties(stored)
    if int((found[DETAIL] > 0).sum()) < LEAST:
        raise CannotAssess("Too few parts of the picture have detail: its colours cannot be compared.")
    net, limit = loaded(MODEL)
    with torch.no_grad():
        seen = net(beside_the_rest(found))
    likely = seen.map.sigmoid().numpy()
    statistic, regions = float(seen.whole) - limit, areas(likely, side)
    data: dict[str, object] = {"statistic": round(statistic, 4), "area": round(float((likely >= MARKED).mean()), 4)}
    tops, lefts = (side * np.arange(n) for n in likely.shape)
    return Finding(
        map=drawn(likely, tops, lefts, side, (height, width)),
        map_says="In bright areas red, green and blue vary together unlike in the rest of the picture, as they do after recolouring.",
        evidence=(_told(statistic, regions),),
        data=data | {"square": side, "regions": regions},
    )


def _refuse(stored: Tensor, mode: str) -> None:
    """What has no colours as a camera leaves them."""
    if mode in ("P", "CMYK"):
        raise CannotAssess("The picture was stored in a few colours or in inks: how its colours varied before is lost.")
    few = stored[:, ::EVERY, ::EVERY].float() * (255 if stored.is_floating_point() else 1)
    if len(stored) != 3 or float((few.amax(0) - few.amin(0)).mean()) < GREY:
        raise CannotAssess("The picture is grey: there are no colours to compare.")


def areas(likely: NDArray[np.float32], side: int) -> list[dict[str, object]]:
    """Connected squares that are marked, the weightiest first."""
    pieces = label(likely >= MARKED, np.ones((3, 3)))[0]
    found = []
    for of, (rows, columns) in enumerate(find_objects(pieces), 1):
        mine = pieces == of
        if mine.sum() < FEW:
            continue
        box = {"x": columns.start, "y": rows.start, "width": columns.stop - columns.start, "height": rows.stop - rows.start}
        told = {k: v * side for k, v in box.items()} | {"share": round(float(mine.mean()), 4)}
        found.append((float(likely[mine].sum()), told | {"likelihood": round(float(likely[mine].mean()), 3)}))
    return [told for _, told in sorted(found, key=lambda pair: -pair[0])[:MOST]]


def _told(statistic: float, regions: list[dict[str, object]]) -> Evidence:
    if statistic < 0 or not regions:
        says = f"No part clearly has colours unlike the rest (statistic {statistic:.2f}; 0 would count)"
        return Evidence(f"{says}. That does not show that none was recoloured.", caveat=CAVEAT)
    what = "In one area" if len(regions) == 1 else f"In {len(regions)} areas"
    places = "; ".join(f"{r['width']}×{r['height']} pixels at ({r['x']}, {r['y']})" for r in regions[:SHOWN])
    says = f"{what} red, green and blue vary together unlike in the rest, as after recolouring: {places} (statistic {statistic:.2f})."
    return Evidence(says, points_to="edited", weight="hint", caveat=CAVEAT)
