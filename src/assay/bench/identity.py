"""Is it still the same person: likeness of two faces, the threshold below which it is doubted, and drift over a clip.

Any recogniser serves: a function that takes a picture C×H×W and returns its face as D numbers, or raises CannotAssess without one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from torch import Tensor

from assay.bench.resample import Floats
from assay.bench.verification import threshold_at_fmr
from assay.types import BadInput, CannotAssess

Embed = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Drift:
    """How a person changes over a clip. Cosines: 1 is the same face; `per_second`: the fall of to_first each second, by least squares."""

    to_first: tuple[float | None, ...]  # None: no face in that frame
    to_mean: tuple[float | None, ...]
    per_second: float
    lowest: float  # of to_first


def drift(frames: Sequence[Tensor], *, embed: Embed, fps: float) -> Drift:
    """Follow one person through the frames of a clip.  frames: each C×H×W, in order; fps: frames each second.

    Raises BadInput; CannotAssess where fewer than two frames show a face.
    """
    if not fps > 0:
        raise BadInput(f"fps must be above 0; got {fps}.")
    seen = {i: face for i, frame in enumerate(frames) if (face := direction(embed, frame)) is not None}
    if len(seen) < 2:
        raise CannotAssess(f"A face was found in {len(seen)} of {len(frames)} frames; two are needed to see it change.")
    faces = np.stack(list(seen.values()))
    middle = faces.mean(0)
    first, mean = faces @ faces[0], faces @ middle / max(float(np.linalg.norm(middle)), 1e-12)
    slope = float(np.polyfit(np.array(list(seen)) / fps, first, 1)[0])
    by_first, by_mean = dict(zip(seen, first.tolist(), strict=True)), dict(zip(seen, mean.tolist(), strict=True))
    every = range(len(frames))
    return Drift(tuple(map(by_first.get, every)), tuple(map(by_mean.get, every)), -slope, float(first.min()))


def direction(embed: Embed, picture: Tensor) -> Floats | None:
    """The face as D numbers of length 1, so that the product of two is their cosine; None without a face."""
    try:
        v: Floats = embed(picture).detach().double().flatten().cpu().numpy()
    except CannotAssess:
        return None
    length = float(np.linalg.norm(v))
    if length == 0 or not np.isfinite(length):
        raise BadInput("the recogniser gave a vector without a direction (all zero, or not finite).")
    return v / length


def stranger_threshold(faces: Sequence[Floats], fmr: float = 0.01) -> float:
    """The cosine that no more than this share of pairs of different people reach.  faces: one of each person, as `direction` gives them.

    Raises CannotAssess where the pairs are fewer than 1/fmr.
    """
    if len(faces) * (len(faces) - 1) / 2 * fmr < 1:
        least = ceil((1 + sqrt(1 + 8 / fmr)) / 2)
        raise CannotAssess(f"A threshold from the inputs takes at least {least} of them with a face; there are {len(faces)}. Give one.")
    i, j = np.triu_indices(len(faces), 1)
    rows = np.stack(faces)
    return threshold_at_fmr((rows @ rows.T)[i, j], fmr)
