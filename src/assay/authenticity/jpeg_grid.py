"""JPEG grids: was the picture saved as JPEG, cropped since, or put together from parts?"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from math import ceil, log10

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from assay.catalog import carded
from assay.ops.dct import NONE, grid_votes, luma8
from assay.ops.regions import Region, closed, grow, log10_tail, tally
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

# All constants: Nikoukhah et al. 2021
GRIDS = 64
RADIUS = 9  # pixels between neighbours of a region
CLOSING = 19  # side of the square that closes the map
MIN_SIDE = 64
FAINT = 4  # ours: a grid with less than a quarter of the votes must stand alone and be everywhere to be the picture's grid
RIVAL = 0.25  # ours: share of the lead over chance; at most 0.13 on JPEGs of quality 99, 0.37 to 1 after enlarging by 4/3, 2 and 4
# Missing grids, ours: the paper saves again at quality 99 and takes every significant area. On 24 photographs at quality 75
# that marked a textured area in 4, and found 5 of 24 pasted areas that never had a grid; what follows gave 0 and 21.
RESAVE = 98
MISSING_NFA = -10.0  # log10
MAIN_SHARE = 1 / 8  # of the area may vote for the main grid; chance is 1/64
SCATTERED = 1 / 2  # of the area must vote for other grids (0.57 to 0.72 seen); flat skies mostly cast no vote

CAVEAT = (
    "Blind where the picture was saved again as JPEG after the edit, at high quality, or resized, and on noise and flat areas. "
    "Lossless turning, a digital zoom, collages and screenshots of web pages move or mix grids with no intent to deceive."
)


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
    height, origin [x, y] (None where a grid is missing) and log10_nfa. map: H×W, 1 where an area has another grid or
    none, 0 elsewhere; None when there is no such area.
    Raises CannotAssess for pictures below 64×64 and where no pixel votes (flat).
    """
    stored = picture.stored()
    height, width = stored.shape[-2:]
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"JPEG grids need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height} (width×height).")
    luma = luma8(stored)
    votes = grid_votes(luma).cpu().numpy()
    counts = tally(votes, cell=RADIUS + 1)
    per_grid = counts[:GRIDS].sum(axis=(1, 2))
    if not per_grid.any():
        raise CannotAssess("No block of the picture shows which JPEG grid it fits: it is flat or its blocks all look alike.")
    main = int(per_grid.argmax())
    log_nfa = _main_nfa(int(per_grid[main]), int(per_grid.sum()), votes.size)
    found = log_nfa < 0
    if found and FAINT * per_grid[main] < per_grid.sum():
        found = not _local(votes, main, counts)
        if found and _rivalled(per_grid):
            return Finding(evidence=(_enlarged(log_nfa),), data=_data(None, log_nfa, per_grid, votes, []))
    others = [g for g in range(GRIDS) if not (found and g == main)]
    foreign = list(_significant(votes, others, counts))
    clear = found and 2 * per_grid[main] > per_grid.sum()  # a fainter grid is not there to be missed
    missing = list(_missing(luma, votes, main)) if clear else []
    mask = _mask(votes.shape, [r for r, _ in foreign])
    missing = [(r, nfa) for r, nfa in missing if 2 * _overlap(r, mask) < r.size]
    mask |= _mask(votes.shape, [r for r, _ in missing])
    regions = [_facts(r, nfa, _origin(r.of)) for r, nfa in foreign] + [_facts(r, nfa, None) for r, nfa in missing]
    data = _data(_origin(main) if found else None, log_nfa, per_grid, votes, regions)
    evidence = [_main_grid(main, log_nfa) if found else _no_grid(log_nfa)]
    if foreign:
        evidence.append(_foreign(foreign, found))
    if missing:
        evidence.append(_gaps(missing))
    if not foreign and not missing:
        return Finding(evidence=tuple(evidence), data=data)
    says = "White areas carry another JPEG grid than the rest of the picture, or none where the rest has one."
    return Finding(map=torch.from_numpy(mask.astype(np.float32)), map_says=says, evidence=tuple(evidence), data=data)


def _log_tests(pixels: int) -> float:
    """log10 of the number of tests: 64 grids for every box in the picture, (64·X·Y)²."""
    return 2 * log10(GRIDS * pixels)


def _log_nfa(area: int, votes: int, pixels: int) -> float:
    """log10 NFA of so many equal votes in an area: neighbouring pixels share blocks, so one in 64 is independent."""
    return _log_tests(pixels) + log10_tail(area // GRIDS, votes // GRIDS, 1 / GRIDS)


def _main_nfa(votes: int, cast: int, pixels: int) -> float:
    """log10 NFA of the most voted grid, over the whole picture (as in the paper).

    Where one grid has most votes that were cast, only over those: else a small moon in a flat sky would have no grid.
    """
    return _log_nfa(cast if 2 * votes > cast else pixels, votes, pixels)


def _local(votes: NDArray[np.uint8], main: int, counts: NDArray[np.int64]) -> bool:
    """Whether a grid lives only in areas whose boxes cover less than half of the picture, and is at chance level outside."""
    mine = [region for region, _ in _significant(votes, [main], counts)]
    area = sum(region.width * region.height for region in mine)
    left = int(counts[main].sum()) - sum(region.size for region in mine)
    return 2 * area < votes.size and _log_nfa(votes.size - area, left, votes.size) >= 0


def _rivalled(per_grid: NDArray[np.int64]) -> bool:
    """Whether another grid stands out as well: enlarging by 2, 4 or 4/3 favours several, a JPEG save one."""
    second, first = np.sort(per_grid)[-2:]
    chance = float(np.median(per_grid))
    return bool(second - chance > RIVAL * (first - chance))


def _significant(votes: NDArray[np.uint8], grids: Iterable[int], counts: NDArray[np.int64]) -> Iterator[tuple[Region, float]]:
    least = ceil(GRIDS * _log_tests(votes.size) / log10(GRIDS))  # fewer votes cannot be significant even if they fill their box
    for region in grow(votes, grids, radius=RADIUS, least=least, counts=counts):
        log_nfa = _log_nfa(region.width * region.height, region.size, votes.size)
        if log_nfa < 0:
            yield region, log_nfa


def _missing(luma: Tensor, votes: NDArray[np.uint8], main: int) -> Iterator[tuple[Region, float]]:
    """Areas that had no grid: saved once more, lightly, they take on the new grid, whose origin is (0, 0)."""
    again = io.BytesIO()
    Image.fromarray(luma.cpu().numpy()).save(again, "JPEG", quality=RESAVE)
    with Image.open(again) as im:
        resaved = grid_votes(torch.from_numpy(np.array(im))).numpy()
    resaved[votes == main] = NONE
    for r, log_nfa in _significant(resaved, [0], tally(resaved, cell=RADIUS + 1)):
        area = closed(r.mask, CLOSING)
        before = votes[r.y : r.y + r.height, r.x : r.x + r.width][area]
        scattered = ((before != main) & (before != NONE)).mean()
        if log_nfa < MISSING_NFA and (before == main).mean() < MAIN_SHARE and scattered > SCATTERED:
            yield r, log_nfa


def _mask(shape: tuple[int, ...], regions: list[Region]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=bool)
    for r in regions:
        mask[r.y : r.y + r.height, r.x : r.x + r.width] |= closed(r.mask, CLOSING)
    return mask


def _overlap(r: Region, mask: NDArray[np.bool_]) -> int:
    return int((mask[r.y : r.y + r.height, r.x : r.x + r.width] & r.mask).sum())


def _origin(grid: int) -> list[int]:
    return [grid % 8, grid // 8]


def _data(
    origin: list[int] | None, log_nfa: float, per_grid: NDArray[np.int64], votes: NDArray[np.uint8], regions: list[dict[str, object]]
) -> dict[str, object]:
    return {"origin": origin, "log10_nfa": round(log_nfa, 2), "votes": int(per_grid.max()), "pixels": votes.size, "regions": regions}


def _facts(r: Region, log_nfa: float, origin: list[int] | None) -> dict[str, object]:
    return {"x": r.x, "y": r.y, "width": r.width, "height": r.height, "origin": origin, "log10_nfa": round(log_nfa, 2)}


def _no_grid(log_nfa: float) -> Evidence:
    return Evidence(
        "No JPEG grid: never saved as JPEG, saved at a very high quality, or resized or heavily edited since "
        f"(log10 NFA of the best grid {log_nfa:.1f}, 0 or more is chance).",
        caveat=CAVEAT,
    )


def _enlarged(log_nfa: float) -> Evidence:
    return Evidence(
        "No JPEG grid can be told: several grids stand out alike, as enlarging by a simple factor leaves them "
        f"(log10 NFA {log_nfa:.0f}).",
        caveat=CAVEAT,
    )


def _main_grid(main: int, log_nfa: float) -> Evidence:
    x, y = _origin(main)
    if main == 0:
        return Evidence(f"JPEG grid at the picture's corner, as a plain save leaves it (log10 NFA {log_nfa:.0f}).", caveat=CAVEAT)
    return Evidence(
        f"JPEG grid starts at column {x}, row {y} instead of the corner: cropped, turned or moved after an earlier JPEG save "
        f"(log10 NFA {log_nfa:.0f}).",
        points_to="edited",
        weight="hint",
        caveat=CAVEAT,
    )


def _foreign(regions: list[tuple[Region, float]], main_found: bool) -> Evidence:
    r, log_nfa = min(regions, key=lambda pair: pair[1])
    where = f"{r.width}×{r.height} pixels at ({r.x}, {r.y})"
    what = "another JPEG grid than the rest of the picture" if main_found else "a JPEG grid that the rest of the picture lacks"
    return Evidence(
        f"{_areas(len(regions))} {what}: {where}, grid origin ({r.of % 8}, {r.of // 8}), log10 NFA {log_nfa:.1f}.",
        points_to="edited",
        weight="strong" if main_found else "hint",
        caveat=CAVEAT,
    )


def _gaps(regions: list[tuple[Region, float]]) -> Evidence:
    r, log_nfa = min(regions, key=lambda pair: pair[1])
    return Evidence(
        f"{_areas(len(regions))} no JPEG grid where the rest of the picture has one: {r.width}×{r.height} pixels at "
        f"({r.x}, {r.y}), log10 NFA {log_nfa:.1f}.",
        points_to="edited",
        weight="hint",
        caveat=CAVEAT,
    )


def _areas(count: int) -> str:
    return "One area has" if count == 1 else f"{count} areas, the clearest named here, have"
