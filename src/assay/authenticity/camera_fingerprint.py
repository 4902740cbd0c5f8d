"""Camera fingerprint: was this picture taken by the very camera that took the others?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor

from assay.catalog import carded
from assay.ops import prnu
from assay.ops.traces import drawn, light, places
from assay.types import BadInput, CannotAssess, Evidence, EvidenceCard, Finding, Picture

MIN_SIDE = 256
THRESHOLD = 60.0  # usual (Goljan, Fridrich & Filler 2009): about 2 false alarms in 100,000 over all shifts
FEW = 20  # pictures; with fewer the fingerprint is faint
SIDE, STEP = 128, 64  # of the windows of the map, pixels
FLAT = 0.05  # grey levels
MAPPED = 200.0  # peak to correlation energy from which single windows can be judged
CLEAR = 5.0  # standard deviations that a window ought to show, to be missed
MISSED = 2.0  # standard deviations that it has at most
TOGETHER = 4  # windows that touch

CAVEAT = (
    "Phones correct lenses, stack frames and cut zooms, which moves or erases the fingerprint; some models share a pattern, so that two "
    "phones of one make may match. A stranger's picture can carry a planted fingerprint. No match proves nothing."
)


@carded(
    EvidenceCard(
        name="camera_fingerprint",
        version="1",
        takes=("file", "images"),
        paper="Chen, Fridrich, Goljan & Lukáš 2008, doi:10.1109/TIFS.2007.916285; Goljan, Fridrich & Filler 2009, doi:10.1117/12.805701",
        caveat=CAVEAT,
    )
)
def camera_fingerprint(picture: Picture, *, scene: Tensor) -> Finding:
    """Whether this picture was taken by the camera that took the others, by the noise its sensor leaves in all of them.

    picture: its pixels as stored, or a cut-out of such a picture; scene: M×C×H×W, pictures of one camera at full size as
    stored, uint8 or float in [0, 1]; 20 or more, bright, smooth and not saturated, make a good fingerprint.
    data: statistic (the negative of the peak to correlation energy: larger speaks less for this camera), pce, pce_in_place,
    shift [right, down] of the best fit, references; missing: regions of a matching picture that lack the fingerprint.
    Raises CannotAssess below 256×256, for flat pictures and ones larger than the references; BadInput for a wrong scene.
    """
    if scene.ndim != 4 or len(scene) < 2:
        raise BadInput(f"scene must be M×C×H×W, at least two pictures of one camera; got {'×'.join(map(str, scene.shape))}.")
    plane = light(picture.stored())
    height, width = plane.shape
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"A camera's fingerprint needs at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height}.")
    if height > scene.shape[2] or width > scene.shape[3]:
        size = f"{width}×{height} pixels, they have {scene.shape[3]}×{scene.shape[2]}"
        raise CannotAssess(f"The picture is larger than the references: it has {size}. It is of another camera, enlarged or turned.")
    noise = prnu.residual(plane)
    if float(noise.std()) < FLAT:
        raise CannotAssess("The picture is flat: no noise of a sensor is left in it.")
    print_ = prnu.fingerprint(light(x) for x in scene)
    noise = prnu.cleaned(noise)
    whole = plane.shape == print_.shape
    pce, (down, right), in_place = prnu.match(noise, print_ * prnu.bright(plane) if whole else print_)
    best = max(pce, in_place)
    data: dict[str, object] = {
        "statistic": round(-best, 2),
        "pce": round(pce, 2),
        "pce_in_place": round(in_place, 2),
        "shift": [right, down],
        "references": len(scene),
        "missing": [],
    }
    says = _says(best, (right, down), len(scene))
    if best < MAPPED:
        return Finding(evidence=(says,), data=data)
    expected = print_[down : down + height, right : right + width] * prnu.bright(plane)
    return _localised(plane, noise, expected, says, data)


def _localised(plane: prnu.Array, noise: prnu.Array, expected: prnu.Array, says: Evidence, data: dict[str, object]) -> Finding:
    """Where a picture that matches as a whole lacks the fingerprint, though its light and texture would show it."""
    tops, lefts = (places(n, SIDE, STEP) for n in plane.shape)
    windows = [[(slice(t, t + SIDE), slice(x, x + SIDE)) for x in lefts] for t in tops]
    fit = np.array([[_correlation(noise[w], expected[w]) for w in row] for row in windows]) * SIDE  # in standard deviations of chance
    facts = np.array([[_facts(plane[w], noise[w]) for w in row] for row in windows]).reshape(fit.size, -1)
    ought = _predicted(facts, fit.ravel()).reshape(fit.shape)
    lacking = (ought > CLEAR) & (fit < MISSED)
    parts, _ = label(lacking, np.ones((3, 3)))
    boxes = [box for k, box in enumerate(find_objects(parts), start=1) if (parts[box] == k).sum() >= TOGETHER]
    drawing = drawn((ought - fit).clip(0), tops, lefts, SIDE, plane.shape)
    evidence = [says]
    regions = []
    for rows, columns in boxes:
        y, x = int(tops[rows][0]), int(lefts[columns][0])
        regions.append({"x": x, "y": y, "width": int(lefts[columns][-1]) + SIDE - x, "height": int(tops[rows][-1]) + SIDE - y})
    if regions:
        r = regions[0]
        lack = f"{r['width']}×{r['height']} pixels at ({r['x']}, {r['y']}) lack the fingerprint of the camera that took the rest"
        evidence.append(
            Evidence(f"{lack}, though their light and texture would show it.", points_to="edited", weight="hint", caveat=CAVEAT)
        )
    map_says = "Bright areas lack the fingerprint that the rest of the picture shares with the references, by standard deviations."
    return Finding(map=drawing, map_says=map_says, evidence=tuple(evidence), data=data | {"missing": regions})


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-9))


def _facts(plane: NDArray[np.floating], noise: NDArray[np.floating]) -> tuple[float, ...]:
    """What the fingerprint's visibility depends on (Chen et al. 2008, section V-B): light, texture, saturation."""
    light_, texture = float(plane.mean()) / 255, float(np.log(noise.std() + 0.1))
    return 1.0, light_, light_ * light_, texture, light_ * texture, float((plane >= prnu.FULL).mean())


def _predicted(facts: NDArray[np.floating], fit: NDArray[np.floating]) -> NDArray[np.floating]:
    """Least squares over the windows, without those that fall far short in a first fit: they are what is looked for."""
    kept = np.ones(len(fit), bool)
    for _ in range(3):
        weights, *_ = np.linalg.lstsq(facts[kept], fit[kept], rcond=1e-6)
        rest = fit - facts @ weights
        kept = rest > -2 * max(float(np.median(np.abs(rest[kept]))) * 1.4826, 1.0)
    return np.asarray(facts @ weights)


def _says(pce: float, shift: tuple[int, int], references: int) -> Evidence:
    few = f" The fingerprint is made of {references} pictures only; {FEW} or more are better." if references < FEW else ""
    if pce < THRESHOLD:
        says = f"No fingerprint of this camera: the peak to correlation energy is {pce:.1f}, below {THRESHOLD:.0f}"
        return Evidence(f"{says}. Taken by another camera, or resized, turned or heavily processed since.{few}", caveat=CAVEAT)
    where = "" if shift == (0, 0) else f", cut out at ({shift[0]}, {shift[1]})"
    says = (
        f"Taken by the camera of the references{where}: peak to correlation energy {pce:.0f}, where {THRESHOLD:.0f} is the usual threshold"
    )
    return Evidence(f"{says}.{few}", caveat=CAVEAT)
