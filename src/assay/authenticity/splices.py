"""Splices and copies: which areas do not go with the rest of the picture?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor
from torch.nn.functional import interpolate, pad

from assay.catalog import carded
from assay.nets.splices import loaded
from assay.ops import jpegfile
from assay.ops.blocktraces import CELL
from assay.ops.localtraces import traces
from assay.types import BadInput, CannotAssess, Evidence, EvidenceCard, Finding, Picture, Weights

MODEL = Weights(
    file="splices.safetensors",
    sha256="47c7e5836beac857ea041be69625c264d9c876f35b7397b9044206116cd8ffdf",
    license="Apache-2.0; trained on Kodak (free use), gb82 (CC0) and free camera photographs",
    recipe="recipes/splices.py",
)
MIN_SIDE = 128  # pixels: a picture needs a rest that an area can differ from
LONG_SIDE = 2048  # of the map, pixels
MARKED = 0.5  # of the map
LEAST = 3  # squares: smaller areas are not told
MOST = 20  # areas told
SHOWN = 3  # areas named in the sentence

CAVEAT = (
    "Trained on a few hundred photographs and on forgeries made by a program. Depth of field, sky beside texture, collages, captions and "
    "local retouching look like pastes; a resize or a strong JPEG save after the edit hides real ones."
)


@carded(
    EvidenceCard(
        name="splices",
        version="1",
        takes=("file",),
        paper="own; after Guillaro et al. 2023 (TruFor), arXiv:2212.10957, and Kwon et al. 2022 (CAT-Net), doi:10.1007/s11263-022-01617-5",
        weights=(MODEL,),
        caveat=CAVEAT,
    )
)
def splices(picture: Picture) -> Finding:
    """Which areas do not go with the rest: pasted from elsewhere, copied within the picture, or painted over. A small net, with its doubts.

    picture: its pixels as stored, seen in squares of 8×8 pixels, or larger ones where there would be more than 9216; of a square
    over 16 pixels wide only the middle 16×16 are looked at, and copies are sought in a reduction to 27 000 pixels.
    data: statistic (for the whole picture; larger speaks for an edit, 0 and more is a hint); confidence, the mean of how far the map can
    be trusted, 0..1; area, the share of the picture marked; square, in pixels; regions, each with x, y, width, height, share (of the
    picture), likelihood and confidence. map: h×w, 0..1; long side 2048 at most. Of copies both ends may be marked.
    Raises CannotAssess for pictures with a side under 128 and for flat ones.
    """
    stored = picture.stored()
    height, width = stored.shape[-2:]
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"Splices need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height} (width×height).")
    if bool((stored == stored[:, :1, :1]).all()):
        raise CannotAssess("The picture is flat: no area differs from another.")
    found, side = traces(stored, steps(picture.data))
    net, limits = loaded(MODEL)
    with torch.no_grad():
        seen = net(found[None])
    changed, sure = seen.map[0].sigmoid(), seen.confidence[0].sigmoid()
    statistic = float(seen.whole[0] - limits[min(side // CELL, len(limits)) - 1])  # larger squares make the net calmer
    regions = areas(changed.numpy(), sure.numpy(), side)
    data: dict[str, object] = {"statistic": round(statistic, 4), "confidence": round(float(sure.mean()), 3)}
    data |= {"area": round(float((changed >= MARKED).float().mean()), 4), "square": side, "regions": regions}
    return Finding(
        map=drawn(changed, side, height, width),
        map_says=(
            "Bright areas do not go with the rest of the picture: pasted, copied or painted over. Of a copy both ends may be bright. "
            f"Confidence {float(sure.mean()):.2f} of 1 on average."
        ),
        evidence=(_told(statistic, regions),),
        data=data,
    )


def steps(data: bytes) -> tuple[int, ...] | None:
    """The luma steps of a JPEG file; None for any other file, and for a damaged one."""
    if data[:2] != b"\xff\xd8":
        return None
    try:
        file = jpegfile.parse(data)
    except BadInput:
        return None
    return file.tables.get(file.components[0].table) if file.components else None


def areas(changed: NDArray[np.float32], sure: NDArray[np.float32], side: int) -> list[dict[str, object]]:
    """Connected squares that are marked, the weightiest first."""
    pieces = label(changed >= MARKED, np.ones((3, 3)))[0]
    found = []
    for of, (rows, columns) in enumerate(find_objects(pieces), 1):
        mine = pieces == of
        if mine.sum() < LEAST:
            continue
        box = {"x": columns.start, "y": rows.start, "width": columns.stop - columns.start, "height": rows.stop - rows.start}
        likely, trust = float(changed[mine].mean()), float(sure[mine].mean())
        told = {k: v * side for k, v in box.items()} | {"share": round(float(mine.mean()), 4)}
        found.append((likely * trust * mine.sum(), told | {"likelihood": round(likely, 3), "confidence": round(trust, 3)}))
    return [told for _, told in sorted(found, key=lambda pair: -pair[0])[:MOST]]


def drawn(changed: Tensor, side: int, height: int, width: int) -> Tensor:
    """The map at the picture's size, or reduced by a whole factor; the rest beyond the last square is as that square."""
    reduce = -(-max(height, width) // LONG_SIDE)
    h, w = -(-height // side), -(-width // side)
    full = pad(changed[None, None], (0, w - changed.shape[1], 0, h - changed.shape[0]), mode="replicate")
    large = interpolate(full, (round(h * side / reduce), round(w * side / reduce)), mode="bilinear", align_corners=False)
    return large[0, 0, : -(-height // reduce), : -(-width // reduce)].clone()


def _told(statistic: float, regions: list[dict[str, object]]) -> Evidence:
    if statistic < 0 or not regions:
        says = f"No area clearly fails to go with the rest of the picture (statistic {statistic:.2f}; 0 would count)"
        return Evidence(f"{says}. That does not show that the picture is untouched.", caveat=CAVEAT)
    what = "One area does" if len(regions) == 1 else f"{len(regions)} areas do"
    places = "; ".join(
        f"{r['width']}×{r['height']} pixels at ({r['x']}, {r['y']}), confidence {r['confidence']:.2f}" for r in regions[:SHOWN]
    )
    says = f"{what} not go with the rest of the picture, as pasted, copied or painted ones do not: {places}"
    says += f" (statistic {statistic:.2f}; fewer than 1 in 100 untouched photographs reach 0)."
    return Evidence(says, points_to="edited", weight="hint", caveat=CAVEAT)
