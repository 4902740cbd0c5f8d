"""Lateral chromatic aberration: do the colour fringes of every part grow from one centre, as one lens draws them?"""

from __future__ import annotations

from math import ceil, hypot, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from assay.catalog import carded
from assay.ops.aberration import BLOCK, Lens, Shifts, lens, shifts
from assay.ops.traces import LONG_SIDE, plane
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

MIN_SIDE = 256
LARGEST = 1_000_000  # pixels looked at; larger pictures are averaged down, which loses little: fringes are as wide as the lens is blurred
CORNER = 0.08  # pixels of displacement in the corner; real cameras had 0.1 to 0.4 in pictures of 640×480
SURE = 5.0  # standard errors of the growth
MIDDLE = (0.15, 0.85)  # of width and height: an axis farther out fits no uncut photograph
REACH = 3  # blocks that are judged together
CLEAR = 0.06  # pixels that the lens must displace a place by, to be compared there
ODD = 60.0  # degrees, Johnson & Farid's own threshold
TOLD = 20.0  # statistic; 31 camera pictures as they are, saved at quality 75 and reduced to 3/4 reached 18.9, of one of them
COLOURS = ((0, "red"), (2, "blue"))
CAVEAT = (
    "Cameras and programs that correct their lenses leave nothing to compare. Purple fringes around bright edges, coloured edges and "
    "strong JPEG of colours mimic a displacement; a part pasted at the place it had in a like photograph agrees."
)
MAP_SAYS = "Bright areas have colour fringes that point away from where one lens draws them, in standard errors; dark ones agree."
Array = NDArray[np.float64]


@carded(
    EvidenceCard(
        name="lateral_aberration",
        version="1",
        takes=("file",),
        paper="Johnson & Farid 2006, doi:10.1145/1161366.1161376; Mayer & Stamm 2018, doi:10.1109/TIFS.2018.2799421 (local against global)",
        caveat=CAVEAT,
    )
)
def lateral_aberration(picture: Picture) -> Finding:
    """Whether the colour fringes of each part fit the one lens that the rest of the picture was taken with.

    picture: its pixels as stored, at most 1 million (larger ones are averaged down). Red and blue are each placed against green in
    blocks of 32×32 pixels by least squares, and one lens is fitted to all: displacement = growth · (place − centre). Three by
    three blocks are compared with it.
    data: statistic (how many standard errors the oddest part lies beside the lens where it points elsewhere by more than 60°),
    degrees (by which that part deviates), lens (for each colour that has one: corner in pixels, its standard errors, centre
    as shares of width and height), regions.  map: h×w.
    Raises CannotAssess below 256×256, for grey pictures, and where no lens shows: corrected in the camera, reduced, cut or saved
    too coarsely. That is no evidence of anything.
    """
    stored = picture.stored()
    height, width = stored.shape[-2:]
    if len(stored) < 3:
        raise CannotAssess("The picture is grey: a lens displaces colours against each other.")
    reduced = max(1, ceil(sqrt(height * width / LARGEST)))
    if min(height, width) < MIN_SIDE * reduced:
        raise CannotAssess(f"Lateral aberration needs at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height}.")
    planes = [_averaged(stored, c, reduced) for c in range(3)]
    h, w = planes[1].shape
    found = shifts(planes[1], [planes[c] for c, _ in COLOURS])
    fits = [(name, s, fit) for (_, name), s in zip(COLOURS, found, strict=True) if _holds(fit := lens(s), w, h)]
    if not fits:
        raise CannotAssess("No lens shows in the colours: corrected in the camera, reduced, cut or coarsely saved. That is no evidence.")
    odd, degrees = _odd([(s, fit) for _, s, fit in fits])
    r, c = np.unravel_index(int(odd.argmax()), odd.shape)
    statistic, turned = float(odd[r, c]), float(degrees[r, c])
    told = statistic > TOLD
    side = REACH * BLOCK * reduced
    y, x = (max(0, int(i) - REACH // 2) * BLOCK * reduced for i in (r, c))
    region = {"x": x, "y": y, "width": min(side, width - x), "height": min(side, height - y)}
    data: dict[str, object] = {
        "statistic": round(statistic, 2),
        "degrees": round(turned, 1) if statistic else None,
        "lens": {name: _facts(fit, w, h, reduced) for name, _, fit in fits},
        "regions": [region] if told else [],
    }
    lenses = " and ".join(f"{name} by {abs(fit.growth) * hypot(h, w) / 2 * reduced:.2f} pixels in the corners" for name, _, fit in fits)
    evidence = [Evidence(f"The lens displaces {lenses}.", caveat=CAVEAT)]
    if told:
        where = f"{region['width']}×{region['height']} pixels at ({x}, {y})"
        says = f"The colour fringes of a part lie {turned:.0f}° off the lens of the rest ({statistic:.0f} standard errors): {where}."
        evidence.append(Evidence(says, "edited", "hint", CAVEAT))
    return Finding(map=_drawn(odd, (h, w)), map_says=MAP_SAYS, evidence=tuple(evidence), data=data)


def _averaged(stored: Tensor, channel: int, by: int) -> NDArray[np.float32]:
    if by == 1:
        return plane(stored, channel)
    h, w = (n // by * by for n in stored.shape[-2:])
    whole = torch.from_numpy(plane(stored, channel))[None, :h, :w]
    return np.asarray(avg_pool2d(whole, by)[0].numpy())


def _holds(fit: Lens, width: int, height: int) -> bool:
    """Whether this is a lens: clear, sure, and about the middle."""
    x, y = fit.centre[0] / width, fit.centre[1] / height
    clear = abs(fit.growth) * hypot(width, height) / 2 >= CORNER and abs(fit.growth) >= SURE * fit.error
    return clear and all(MIDDLE[0] < v < MIDDLE[1] for v in (x, y))


def _facts(fit: Lens, width: int, height: int, reduced: int) -> dict[str, object]:
    return {
        "corner": round(fit.growth * hypot(width, height) / 2 * reduced, 3),
        "errors": round(fit.growth / fit.error, 1),
        "centre": [round(fit.centre[0] / width, 3), round(fit.centre[1] / height, 3)],
    }


def _odd(fits: list[tuple[Shifts, Lens]]) -> tuple[Array, Array]:
    """For every group of blocks: standard errors beside the lens, 0 where it points the same way, and by how many degrees."""
    total, most = np.zeros(fits[0][0].vector.shape[:2]), np.zeros(fits[0][0].vector.shape[:2])
    for s, fit in fits:
        p = _together(fit.precision)
        here, there = (
            np.linalg.solve(p + 1e-6 * np.eye(2), _together(fit.precision @ v[..., None]))[..., 0] for v in (s.vector, fit.predicted)
        )
        lengths = np.linalg.norm(here, axis=-1) * np.linalg.norm(there, axis=-1)
        angle = np.degrees(np.arccos(((here * there).sum(-1) / np.maximum(lengths, 1e-9)).clip(-1, 1)))
        beside = (here - there)[..., None]
        odd = (angle > ODD) & (np.linalg.norm(there, axis=-1) > CLEAR)
        total += np.where(odd, (np.swapaxes(beside, -1, -2) @ p @ beside)[..., 0, 0], 0)
        most = np.maximum(most, np.where(odd, angle, 0))
    return np.sqrt(total / 2), most


def _together(x: Array) -> Array:
    """Sums over REACH×REACH blocks; nothing lies beyond the edge."""
    size = (REACH, REACH, *(1 for _ in x.shape[2:]))
    return np.asarray(uniform_filter(x, size, mode="constant")) * REACH**2


def _drawn(odd: Array, shape: tuple[int, int]) -> Tensor:
    """On the whole picture; blocks cover it but for a rest below one block."""
    reduce = ceil(max(shape) / LONG_SIDE)
    full = np.pad(odd, [(0, -(-n // BLOCK) - k) for n, k in zip(shape, odd.shape, strict=True)], mode="edge")
    size = [ceil(n * BLOCK / reduce) for n in full.shape]
    cells = torch.from_numpy(full).float()[None, None]
    drawn = interpolate(cells, size, mode="bilinear", align_corners=False)[0, 0]
    return drawn[: ceil(shape[0] / reduce), : ceil(shape[1] / reduce)]
