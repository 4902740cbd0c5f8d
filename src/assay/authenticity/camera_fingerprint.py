"""Camera fingerprint: was this picture taken by the very camera that took the others?"""

from __future__ import annotations

from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.catalog import carded
from assay.ops import prnu
from assay.ops.traces import drawn, light, places
from assay.types import BadInput, CannotAssess, Evidence, EvidenceCard, Finding, Picture

MIN_SIDE = 256
THRESHOLD = 60.0  # usual (Goljan, Fridrich & Filler 2009): about 2 false alarms in 100,000 over all shifts
FEW = 20  # pictures; with fewer the fingerprint is faint
SIDE, STEP = 128, 64  # of the windows of the map, pixels
FLAT = 2.0  # grey levels: a fingerprint is no fingerprint where the references hold nothing
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
    if float(noise.std()) < 0.05:
        raise CannotAssess("The picture is flat: no noise of a sensor is left in it.")
    print_ = prnu.fingerprint(light(x) for x in scene)
    noise = prnu.cleaned(noise)
    pce, (down, right), in_place = prnu.match(noise, print_ if (height, width) != print_.shape else print_ * prnu.bright(plane))
    best = max(pce, in_place)
    data: dict[str, object] = {
        "statistic": round(-best, 2),
        "pce": round(pce, 2),
        "pce_in_place": round(in_place, 2),
        "shift": [right, down],
        "references": len(scene),
        "missing": [],
    }
    return Finding(evidence=(_says(best, (right, down), len(scene)),), data=data)


def _says(pce: float, shift: tuple[int, int], references: int) -> Evidence:
    few = f" The fingerprint is made of {references} pictures only; {FEW} or more are better." if references < FEW else ""
    if pce < THRESHOLD:
        says = f"No fingerprint of this camera: the peak to correlation energy is {pce:.1f}, below {THRESHOLD:.0f}"
        return Evidence(f"{says}. Taken by another camera, or resized, turned or heavily processed since.{few}", caveat=CAVEAT)
    where = "" if shift == (0, 0) else f", cut out at ({shift[0]}, {shift[1]})"
    says = f"Taken by the camera of the references{where}: peak to correlation energy {pce:.0f}, where {THRESHOLD:.0f} is the usual threshold"
    return Evidence(f"{says}.{few}", caveat=CAVEAT)
