"""JPEG grids: was the picture saved as JPEG, cropped since, or put together from parts?"""

from __future__ import annotations

import io
from math import inf

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter
from torch import Tensor

from assay.catalog import carded
from assay.ops.dct import NONE, grid_votes, luma8
from assay.ops.regions import CELL, GRIDS, Region, closed, grid_nfa, per_cell, significant, tally
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

MIN_SIDE = 64
CLOSING = 19  # side of the square that closes the map (Nikoukhah et al. 2021)
FAINT = 4  # ours: a grid with less than a quarter of the votes must stand alone and be everywhere to be the picture's grid
RIVAL = 0.25  # ours: share of the lead over chance; at most 0.13 on JPEGs of quality 99, 0.37 to 1 after enlarging by 4/3, 2 and 4
# Missing grids, ours: the paper saves again at quality 99 and takes every significant area. On 24 photographs at quality 75
# that marked a textured area in 4, and found 5 of 24 pasted areas that never had a grid. So only places count where, within
# about 15 pixels, few vote for the main grid and many for others (flat skies cast no vote), and areas that hardly know it:
# 0 marked, 24 found.
RESAVE = 98
NEAR = 3  # cells, each of CELL×CELL pixels
FEW, MANY = 1 / 3, 0.4  # share of the pixels nearby
MAIN_SHARE = 1 / 20  # of an area; 0.00 to 0.034 in 25 pasted areas, 0.07 and more in the 4 false ones of 113 clean pictures

CAVEAT = (
    "Blind where the picture was saved again as JPEG after the edit, at high quality, or resized, and on noise and flat areas. "
    "Lossless turning, a digital zoom, collages and screenshots of web pages move or mix grids with no intent to deceive."
)
Found = list[tuple[Region, float]]  # with log10 NFA


@carded(
    EvidenceCard(
        name="jpeg_grid",
        version="1",
        takes=("file",),
        paper="Nikoukhah, Anger, Colom, Morel & Grompone von Gioi 2021, doi:10.5201/ipol.2021.390",
        caveat=CAVEAT,
    )
)
def jpeg_grid(picture: Picture) -> Finding:
    """Traces of the 8×8 grid of JPEG: saved as JPEG before, cropped since, and areas that came from another picture.

    picture: its pixels as stored are used, at full size. Every detection has a number of false alarms (NFA): how many
    as strong are expected in a picture without any grid; those below 1 count.
    data: origin [x, y] of the main grid or None; log10_nfa, votes and pixels for it; regions, each with x, y, width,
    height, origin [x, y] (None where a grid is missing) and log10_nfa; statistic: -log10 NFA of the clearest of these, else 0.
    map: H×W, 1 where an area has another grid or none, 0 elsewhere; None when there is no such area.
    Raises CannotAssess for pictures below 64×64 and where no pixel votes (flat).
    """
    stored = picture.stored()
    height, width = stored.shape[-2:]
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"JPEG grids need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height} (width×height).")
    luma = luma8(stored)
    votes = grid_votes(luma).cpu().numpy()
    counts = tally(votes, kinds=GRIDS, cell=CELL)
    per_grid = counts.sum(axis=(1, 2))
    if not per_grid.any():
        raise CannotAssess("No block of the picture shows which JPEG grid it fits: it is flat or its blocks all look alike.")
    best = int(per_grid.argmax())
    log_nfa = _main_nfa(votes, counts, best)
    data: dict[str, object] = {"origin": None, "log10_nfa": round(log_nfa, 2), "votes": int(per_grid[best]), "pixels": votes.size}
    if log_nfa < 0 and FAINT * per_grid[best] < per_grid.sum() and _rivalled(per_grid):
        return Finding(evidence=(_rivals(log_nfa),), data=data | {"regions": []})
    main = best if log_nfa < 0 else None
    foreign = significant(votes, [g for g in range(GRIDS) if g != main], counts)
    clear = 2 * per_grid[best] > per_grid.sum()  # a fainter grid is not there to be missed
    missing = _missing(luma, votes, counts, best, _mask(votes.shape, foreign)) if main is not None and clear else []
    data |= {
        "origin": None if main is None else _origin(main),
        "statistic": round(max((-nfa for _, nfa in foreign + missing), default=0), 2),
    }
    data |= {"regions": [_facts(r, nfa, _origin(r.of)) for r, nfa in foreign] + [_facts(r, nfa, None) for r, nfa in missing]}
    evidence = (_main_grid(main, log_nfa), *_foreign(foreign, main), *_gaps(missing))
    if not foreign and not missing:
        return Finding(evidence=evidence, data=data)
    mask = torch.from_numpy(_mask(votes.shape, foreign + missing)).float()
    says = "Bright areas carry another JPEG grid than the rest of the picture, or none where the rest has one."
    return Finding(map=mask, map_says=says, evidence=evidence, data=data)


def _main_nfa(votes: NDArray[np.uint8], counts: NDArray[np.int16], best: int) -> float:
    """log10 NFA of the most voted grid over the whole picture, as in the paper, with two exceptions of ours.

    Where it has most votes that were cast, only over those: else a moon in a flat sky would have no grid.
    Where it is faint, lives in areas whose boxes cover less than half of the picture and is at chance level outside,
    the level outside: it is the grid of pasted areas.
    """
    mine, cast = int(counts[best].sum()), int(counts.sum())
    log_nfa = grid_nfa(cast if 2 * mine > cast else votes.size, mine, votes.size)
    if log_nfa >= 0 or FAINT * mine >= cast:
        return log_nfa
    areas = [r for r, _ in significant(votes, [best], counts)]
    boxes = sum(r.width * r.height for r in areas)
    outside = grid_nfa(votes.size - boxes, mine - sum(r.size for r in areas), votes.size) if 2 * boxes < votes.size else -inf
    return outside if outside >= 0 else log_nfa


def _rivalled(per_grid: NDArray[np.int64]) -> bool:
    """Whether another grid stands out as well: enlarging by 2, 4 or 4/3 favours several, a JPEG save one."""
    second, first = np.sort(per_grid)[-2:]
    chance = float(np.median(per_grid))
    return bool(second - chance > RIVAL * (first - chance))


def _missing(luma: Tensor, votes: NDArray[np.uint8], counts: NDArray[np.int16], main: int, foreign: NDArray[np.bool_]) -> Found:
    """Areas that had no grid: saved once more, lightly, they take on the new grid, whose origin is (0, 0)."""
    cast, mine = (uniform_filter(c / CELL**2, NEAR, mode="nearest") for c in (counts.sum(0), counts[main]))
    bare = (mine < FEW) & (cast - mine > MANY)
    if not bare.any():
        return []
    bare = np.repeat(np.repeat(bare, CELL, 0), CELL, 1)
    again = io.BytesIO()
    Image.fromarray(luma.cpu().numpy()).save(again, "JPEG", quality=RESAVE)
    with Image.open(again) as im:
        resaved = grid_votes(torch.from_numpy(np.array(im))).numpy().copy()
    resaved[(votes == main) | ~bare[: votes.shape[0], : votes.shape[1]]] = NONE
    found: Found = []
    for r, log_nfa in significant(resaved, [0], per_cell(resaved == 0, cell=CELL)[None]):
        box = (slice(r.y, r.y + r.height), slice(r.x, r.x + r.width))
        gone = (votes[box][closed(r.mask, CLOSING)] == main).mean() < MAIN_SHARE
        if gone and 2 * (foreign[box] & r.mask).sum() < r.size:  # not what is already told as another grid
            found.append((r, log_nfa))
    return found


def _mask(shape: tuple[int, ...], found: Found) -> NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=bool)
    for r, _ in found:
        mask[r.y : r.y + r.height, r.x : r.x + r.width] |= closed(r.mask, CLOSING)
    return mask


def _origin(grid: int) -> list[int]:
    return [grid % 8, grid // 8]


def _facts(r: Region, log_nfa: float, origin: list[int] | None) -> dict[str, object]:
    return {"x": r.x, "y": r.y, "width": r.width, "height": r.height, "origin": origin, "log10_nfa": round(log_nfa, 2)}


def _main_grid(main: int | None, log_nfa: float) -> Evidence:
    if main is None:
        says = "No JPEG grid over the whole picture: never saved as JPEG, saved at a very high quality, or resized or heavily edited since"
        return Evidence(f"{says} (log10 NFA of the best grid {log_nfa:.1f}; 0 or more is chance).", caveat=CAVEAT)
    if main == 0:
        return Evidence(f"JPEG grid at the picture's corner, as a plain save leaves it (log10 NFA {log_nfa:.0f}).", caveat=CAVEAT)
    x, y = _origin(main)
    says = f"JPEG grid starts at column {x}, row {y} instead of the corner: cropped, turned or moved after an earlier JPEG save"
    return Evidence(f"{says} (log10 NFA {log_nfa:.0f}).", points_to="edited", weight="hint", caveat=CAVEAT)


def _rivals(log_nfa: float) -> Evidence:
    says = "No JPEG grid can be told: several stand out alike, as enlarging by a simple factor leaves them"
    return Evidence(f"{says} (log10 NFA {log_nfa:.0f}).", caveat=CAVEAT)


def _foreign(found: Found, main: int | None) -> tuple[Evidence, ...]:
    if not found:
        return ()
    r, log_nfa = min(found, key=lambda pair: pair[1])
    what = "a JPEG grid that the rest of the picture lacks" if main is None else "another JPEG grid than the rest of the picture"
    says = f"{_areas(found)} {what}: {_where(r)}, grid origin ({r.of % 8}, {r.of // 8}), log10 NFA {log_nfa:.1f}."
    return (Evidence(says, points_to="edited", weight="hint" if main is None else "strong", caveat=CAVEAT),)


def _gaps(found: Found) -> tuple[Evidence, ...]:
    if not found:
        return ()
    r, log_nfa = min(found, key=lambda pair: pair[1])
    says = f"{_areas(found)} no JPEG grid where the rest of the picture has one: {_where(r)}, log10 NFA {log_nfa:.1f}."
    return (Evidence(says, points_to="edited", weight="hint", caveat=CAVEAT),)


def _areas(found: Found) -> str:
    return "One area has" if len(found) == 1 else f"{len(found)} areas, the clearest named here, have"


def _where(r: Region) -> str:
    return f"{r.width}×{r.height} pixels at ({r.x}, {r.y})"
