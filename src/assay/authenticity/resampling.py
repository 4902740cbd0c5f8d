"""Resampling: was the picture, or only a part of it, enlarged, reduced or turned?"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log10, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from assay.catalog import carded
from assay.ops import resampling as traces
from assay.ops.traces import drawn, grain, light, places, stride
from assay.types import BadInput, CannotAssess, Evidence, EvidenceCard, Finding, Picture

SIDE = traces.SIDE
MIN_SIDE = 2 * SIDE
STEP, MOST = 32, 1000  # pixels between windows, more where that makes over MOST windows
ALONE = 64  # pixels that windows must be apart to be independent, under a Hann window
CAPABLE = 0.5  # a window can show the same trace where its errors are at least this share of those of the suspect one
ENOUGH = 3  # independent windows outside that can, else nothing is said of the place
CHANCE = 0.5  # the mean, and the standard deviation, of the lesser of two standard exponential variables
SPREAD, RESAMPLED = 3.0, 6.0  # standard deviations above chance: the trace is outside as well; the rest has traces of its own
USUAL, COMMON = 0.35, 0.75  # the median by chance; a bin that so many windows exceed is the whole picture's
WHOLE = 1.5  # mean over all windows: from here the whole picture counts as resampled
REST = 1.0  # and at least this
TRIES = 12  # frequencies
NEAR = 2  # bins
SURE = -3.0  # log10 NFA

CAVEAT = (
    "Parts enlarged or turned are common in collages, screenshots and pictures with lettering; weaves, screens and tiled walls that run "
    "in squares imitate the trace. A JPEG save at medium quality, or resizing the whole afterwards, hides it."
)
Places = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class Trace:
    """The strongest rhythm that only a part of the picture has. `at`: its window; `of`: its place in `fours`."""

    peak: float
    log_nfa: float
    at: tuple[int, int]
    of: tuple[int, int]
    inside: NDArray[np.bool_]  # windows that have it


@carded(
    EvidenceCard(
        name="resampling",
        version="1",
        takes=("file",),
        paper="Popescu & Farid 2005, doi:10.1109/TSP.2004.839932; Kirchner 2008, doi:10.1145/1411328.1411333",
        caveat=CAVEAT,
    )
)
def resampling(picture: Picture, *, method: str = "linear") -> Finding:
    """Traces of resizing and turning: of the whole picture, which is a note, and of a part alone, which speaks for an edit.

    picture: luma of its pixels as stored, at full size. method: "linear" predicts pixels with fixed weights (Kirchner);
    "em" fits the weights to the picture (Popescu & Farid), slower.
    data: statistic (the strongest trace that a part has alone: the least of four peaks, over their surroundings); its
    log10_nfa (how many as strong are expected by chance) and frequency [x, y] in cycles per pixel; regions; whole (the
    same peaks on average over the picture) with whole_frequency; delta (Kirchner's statistic of the average spectrum).
    Raises CannotAssess below 256×256 and for flat pictures, BadInput for another method.
    """
    if method not in ("linear", "em"):
        raise BadInput(f"method must be 'linear' or 'em'; got {method!r}.")
    stored = picture.stored()
    height, width = stored.shape[-2:]
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"Traces of resampling need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height}.")
    y = light(stored)
    errors = np.abs(grain(stored))
    p = traces.linear_map(errors) if method == "linear" else traces.em_map(y)[0]
    step = stride(p.shape[0], p.shape[1], SIDE, STEP, MOST)
    grid = places(p.shape[0], SIDE, step), places(p.shape[1], SIDE, step)
    busy = np.array([[errors[t : t + SIDE, x : x + SIDE].mean() for x in grid[1]] for t in grid[0]])
    if busy.max() < traces.CALM / 4:
        raise CannotAssess("The picture is flat or smooth all over: no pixel shows whether it was interpolated.")
    fours, mean = _peaks(p, grid)
    common = fours.mean(axis=(0, 1), dtype=np.float32)
    row, column = _place(common)
    top = row, column
    found = _alone(fours, busy, step)
    data: dict[str, object] = {
        "statistic": round(found.peak, 3),
        "log10_nfa": round(found.log_nfa, 2),
        "frequency": [round(f, 4) for f in traces.frequency(found.of)],
        "whole": round(float(common[top]), 3),
        "whole_frequency": [round(f, 4) for f in traces.frequency(top)],
        "delta": round(traces.delta(mean), 3),
        "regions": [],
    }
    evidence = _whole(float(common[top]), traces.frequency(top))
    if found.log_nfa >= SURE:
        return Finding(evidence=evidence, data=data)
    box = _box(found.inside, grid, (height, width))
    strength = np.where(found.inside, fours[:, :, found.of[0], found.of[1]], 0).clip(0, found.peak)
    says = "Bright areas carry a rhythm of resizing or turning that the rest of the picture lacks."
    data["regions"] = [box | {"log10_nfa": data["log10_nfa"]}]
    drawing = drawn(strength, *grid, SIDE, (height, width))
    return Finding(map=drawing, map_says=says, evidence=(*evidence, _part(found, box)), data=data)


def _peaks(p: traces.Array, grid: Places) -> tuple[NDArray[np.float16], NDArray[np.floating]]:
    """The fourfold peaks of every window, rows × columns × HALF × HALF, and the mean spectrum."""
    fours, total = [], np.zeros((SIDE, SIDE // 2 + 1), np.float32)
    for top in grid[0]:
        z = traces.spectra(p, int(top), grid[1])
        fours.append(traces.fours(z).astype(np.float16))
        total += z.mean(axis=0)
    return np.stack(fours), total / len(grid[0])


def _place(fours: NDArray[np.floating]) -> list[int]:
    return [int(i) for i in np.unravel_index(int(fours.argmax()), fours.shape)]


def _alone(fours: NDArray[np.float16], busy: NDArray[np.floating], step: int) -> Trace:
    """The strongest trace of a window that the windows outside its area lack, though they could show it."""
    tests = busy.size * int((fours.max(axis=(0, 1)) > 0).sum())
    left = np.where((fours > USUAL).mean(axis=(0, 1)) > COMMON, np.float16(0), fours)
    share = min(1.0, (step / ALONE) ** 2)  # of a window that is not in its neighbours as well
    trace = Trace(0.0, log10(tests), (0, 0), (0, 0), np.zeros(busy.shape, bool))
    reach = -(-SIDE // step) - 1
    for _ in range(TRIES):
        row, column, i, j = _place(left)
        peak, here = float(left[row, column, i, j]), fours[:, :, i, j].astype(np.float32)
        parts, _ = label(here > max(peak / 8, 2.0), np.ones((3, 3)))
        inside = parts == parts[row, column]
        outside = (busy >= CAPABLE * busy[row, column]) & ~_overlapping(inside, (row, column), reach)
        alone = share * outside.sum()
        if alone >= ENOUGH:
            level = fours[outside].mean(axis=0, dtype=np.float32)
            if level.max() > max(REST, CHANCE * (1 + RESAMPLED / sqrt(alone))):
                return trace  # the rest is resampled itself, and shows its own rhythms here more, there less
            if level[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].max() < CHANCE * (1 + SPREAD / sqrt(alone)):
                return Trace(peak, log10(tests) - 2 * peak / log(10), (row, column), (i, j), inside)
        left[:, :, max(0, i - NEAR) : i + NEAR + 1, max(0, j - NEAR) : j + NEAR + 1] = 0
    return trace


def _overlapping(inside: NDArray[np.bool_], at: tuple[int, int], reach: int) -> NDArray[np.bool_]:
    """The windows that have the trace, and those that share pixels with the strongest."""
    out = inside.copy()
    out[max(0, at[0] - reach) : at[0] + reach + 1, max(0, at[1] - reach) : at[1] + reach + 1] = True
    return out


def _box(inside: NDArray[np.bool_], grid: Places, shape: tuple[int, int]) -> dict[str, object]:
    tops, lefts = grid[0][inside.any(1)], grid[1][inside.any(0)]
    x, y = int(lefts[0]), int(tops[0])
    return {"x": x, "y": y, "width": min(int(lefts[-1]) + SIDE + 2, shape[1]) - x, "height": min(int(tops[-1]) + SIDE + 2, shape[0]) - y}


def _whole(peak: float, frequency: tuple[float, float]) -> tuple[Evidence, ...]:
    if peak < WHOLE:
        return ()
    x, y = frequency
    where = f"at ({x:.3f}, {y:.3f}) cycles per pixel and turned by 90°"
    as_by = f", as enlarging by {1 / (1 - x):.2f} or reducing to {1 / (1 + x):.2f} leaves it" if y == 0 else ""
    says = (
        f"The whole picture was resized or turned: the rhythm of its pixels peaks {peak:.1f} times above the surroundings {where}{as_by}."
    )
    return (Evidence(says, caveat="Cameras' digital zoom, panoramas, websites and editors resize without intent to deceive."),)


def _part(found: Trace, box: dict[str, object]) -> Evidence:
    x, y = traces.frequency(found.of)
    says = (
        f"A part was resized or turned alone: {box['width']}×{box['height']} pixels at ({box['x']}, {box['y']}) have a rhythm at "
        f"({x:.3f}, {y:.3f}) cycles per pixel, {found.peak:.1f} times above its surroundings, that the rest lacks "
        f"(log10 NFA {found.log_nfa:.1f})."
    )
    return Evidence(says, points_to="edited", weight="hint", caveat=CAVEAT)
