"""Weighs the evidence of many algorithms on one question: was the picture edited, was it generated?

Every algorithm that puts a "statistic" into its data is read through its own curve (ops/calibration), for files like this one; what
they say is added with weights that correlated ones share, and calibrated once more as a whole. All curves, weights and the ratios of
the pictures they were fitted on stand in weights/origin.json, which recipes/origin.py makes. What is missing adds nothing.
Where none of the slow algorithms was asked, weights that were fitted without them hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from assay import weights
from assay.ops.calibration import Curve, p_values
from assay.types import MissingWeights, Origin, Result, Weighing

QUESTIONS: tuple[Origin, ...] = ("edited", "generated")
FINE = 88  # the quality of a JPEG file from which it keeps most traces; the nearest that libjpeg has
KINDS = ("lossless", "JPEG", "strong JPEG", "other")  # of files: their traces differ
LEAST = 70  # no picture of the calibration was saved at less: below, traces of the save itself look like those of others
ROUGH = "rough JPEG"  # such a file; what its traces weigh is unknown
LOSSLESS = ("PNG", "TIFF", "BMP", "PPM", "array", "GIF")


def kind(file_format: str, results: Sequence[Result]) -> str:
    """Which of KINDS a file is, or ROUGH: by its format, and the quality that its quantisation tables are nearest to."""
    if file_format in ("JPEG", "MPO"):
        found = next((r.data.get("nearest_quality") for r in results if r.card.name == "quantisation"), None)
        quality = found if isinstance(found, int | float) else 100
        return ROUGH if quality < LEAST else "strong JPEG" if quality < FINE else "JPEG"
    return "lossless" if file_format in LOSSLESS else "other"


def weigh(results: Sequence[Result], file_format: str) -> tuple[Weighing, ...]:
    """One weighing for each question on which at least one calibrated algorithm has spoken."""
    found = {r.card.name: float(s) for r in results if isinstance(s := r.data.get("statistic"), int | float)}
    return weigh_statistics(found, kind(file_format, results))


def weigh_statistics(found: Mapping[str, float], of: str) -> tuple[Weighing, ...]:
    """The same from statistics by algorithm and one of KINDS."""
    asked = [q for q in QUESTIONS if q in fitted()] if of in KINDS else []
    weighed = (_weighing(q, _table(q, found), found, of) for q in asked)
    return tuple(w for w in weighed if w is not None)


def calibrated() -> frozenset[str]:
    """The algorithms that are weighed; a hint of theirs must not count a second time."""
    return frozenset(name for q in fitted().values() for name in q["curves"])


def _table(question: Origin, found: Mapping[str, float]) -> dict[str, Any]:
    """The parameters with all algorithms, or those without the slow ones where none of these has spoken."""
    everything = fitted()[question]
    quick: dict[str, Any] = everything.get("quick", everything)
    return everything if found.keys() & (everything["curves"].keys() - quick["curves"].keys()) else quick


def _weighing(question: Origin, table: dict[str, Any], found: Mapping[str, float], of: str) -> Weighing | None:
    parts = {n: table["weights"][n] * Curve(**table["curves"][n][of])(found[n]) for n in table["curves"] if n in found}
    if not parts:
        return None
    raw = table["bias"] + sum(parts.values())
    llr, low, high = (float(np.interp(raw, table["final"]["scores"], table["final"][k])) for k in ("llrs", "low", "high"))
    authentic, altered = p_values(raw, table["authentic"], table["altered"])
    telling = sorted(((n, v) for n, v in parts.items() if v), key=lambda part: -abs(part[1]))
    return Weighing(question, llr, (low, high), authentic, altered, tuple(telling))


@cache
def fitted() -> dict[str, dict[str, Any]]:
    """The parameters, by question.  Raises MissingWeights where the package came without them."""
    path = weights.HERE / "origin.json"
    if not path.is_file():
        raise MissingWeights("origin.json is not on this machine. It should have come with the package; recipes/origin.py makes it.")
    found: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))["questions"]
    return found
