"""Spectral peaks: the checkered rhythm that a generator's last enlarging steps leave in the finest grain."""

from __future__ import annotations

import numpy as np

from assay.catalog import carded
from assay.ops import resampling as traces
from assay.ops.traces import grain, places
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

SIDE = traces.SIDE
MIN_SIDE = 2 * SIDE
MOST = 8  # windows along each side, evenly spread
RAISED = 1.0  # at most 0.59 in 268 clean photographs as they are, as JPEG and reduced to 3/4; 0.75 in 66 enlarged by 2
LATTICE = 16  # pixels: four doublings; 8 is left out because JPEG's blocks leave the same
FLAT = 0.3  # grey levels of grain

CAVEAT = (
    "Enlarging a photograph by 2 or 4, video frames (blocks of 16) and some cameras' noise reduction leave like peaks; most generators of "
    "today leave none, and a JPEG save or a resize removes or moves them: without peaks nothing is said of the origin."
)


@carded(
    EvidenceCard(
        name="spectral_peaks",
        version="1",
        takes=("file",),
        paper="Frank et al. 2020, arXiv:2003.08685; Corvi et al. 2023, arXiv:2304.06408",
        caveat=CAVEAT,
    )
)
def spectral_peaks(picture: Picture) -> Finding:
    """Regular peaks in the spectrum of the finest grain, as the enlarging layers of some generators leave them.

    picture: luma of its pixels as stored, high-passed, in up to 64 windows of 128×128 pixels, evenly spread.
    Ours: the mean over the windows of every bin's power over its surroundings, at the multiples of 1/16 cycles per pixel that are
    none of 1/8, both ways and turned by 90°.
    data: statistic (the geometric mean of the lesser of those; 0.53 by chance), strongest (of all bins but the multiples of 1/8) with
    frequency [x, y] in cycles per pixel, windows.
    Raises CannotAssess below 256×256 and for flat pictures.
    """
    stored = picture.stored()
    height, width = stored.shape[-2:]
    if min(height, width) < MIN_SIDE:
        raise CannotAssess(f"Spectral peaks need at least {MIN_SIDE}×{MIN_SIDE} pixels; this picture has {width}×{height}.")
    left = grain(stored)
    tops, lefts = (places(n, SIDE, max(SIDE // 2, (n - SIDE) // MOST + 1)) for n in left.shape)
    rows = [(t, lefts[[left[t : t + SIDE, x : x + SIDE].std() > FLAT for x in lefts]]) for t in tops]
    spectra = [traces.spectra(left, int(t), xs) for t, xs in rows if len(xs)]
    if not spectra:
        raise CannotAssess("The picture has no grain: it is flat or smooth all over.")
    mean = np.concatenate(spectra).mean(axis=0)
    peaks = traces.fours(mean)
    at = np.unravel_index(int(peaks.argmax()), peaks.shape)
    lattice = float(np.exp(np.log(np.maximum(_lattice(peaks), 1e-3)).mean()))
    frequency = traces.frequency((int(at[0]), int(at[1])))
    data: dict[str, object] = {
        "statistic": round(lattice, 4),
        "strongest": round(float(peaks.max()), 3),
        "frequency": [round(f, 4) for f in frequency],
        "windows": sum(map(len, spectra)),
    }
    if lattice < RAISED:
        says = (
            f"No regular peaks of enlarging layers: the power at multiples of 1/{LATTICE} cycles per pixel is {lattice:.2f} of that around."
        )
        return Finding(evidence=(Evidence(f"{says} That says nothing of the origin.", caveat=CAVEAT),), data=data)
    where = f"at multiples of 1/{LATTICE} cycles per pixel, {lattice:.1f} times their surroundings"
    says = f"Regular peaks {where}, as enlarging layers of generators leave them."
    return Finding(evidence=(Evidence(says, points_to="generated", weight="hint", caveat=CAVEAT),), data=data)


def _lattice(peaks: traces.Array) -> traces.Array:
    """The bins at multiples of 1/LATTICE in both directions that are not multiples of 1/8 in both."""
    step = SIDE // LATTICE
    bins = peaks[::step, step - 1 :: step]  # vertical 0, 1/16 …; horizontal 1/16, 2/16 …
    return bins[bins > 0]
