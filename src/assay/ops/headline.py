"""The headline quality model: measured attributes in, one number from 0 to 100 and its reasons out. Standard library only.

Each attribute has a cost, a rising line between a few knots; costs add up and the score is 100·exp(−sum). The lines,
and how far the score may be off, were fitted by recipes/headline.py and lie in weights/headline.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from math import exp, inf, log, sqrt
from pathlib import Path
from typing import Any, cast

SCREEN = 2_000_000  # pixels; a larger photo is judged as on a screen of this size (1920×1080), where it is seen reduced
FINER = {"sharpness": -1, "noise": -1, "resolution": 1}  # the power of the reduction by which each changes on that screen

Headline = tuple[float, tuple[float, float], list[tuple[str, float]]]


def headline(values: Mapping[str, float], *, pixels: int = 0) -> Headline | None:
    """Quality 0..100 (100 is best), an interval that holds 90 % of the time, and the points each attribute costs, most first.

    values: attribute name → value; names the model does not know are ignored. One that is missing costs nothing and
    widens the interval. None when less than half of the model's attributes are there.
    pixels: width × height of the picture, 0 if not known; above 2 million, blur, noise and resolution are those of
    the picture as seen on a screen.
    """
    fitted = model()
    terms: dict[str, Any] = fitted["terms"]
    seen = {name: on_screen(name, values[name], pixels) for name in terms if name in values}
    if 2 * len(seen) < len(terms):
        return None
    costs = {name: cost(terms[name], value) for name, value in seen.items()}
    total = sum(costs.values())
    score = 100 * exp(-total)
    missing = sum(terms[name]["missing"] for name in terms if name not in values)
    lost = {name: (100 - score) * c / total for name, c in costs.items() if c > 0}
    return score, _interval(fitted["interval"], score, missing), sorted(lost.items(), key=lambda item: -item[1])


def on_screen(name: str, value: float, pixels: int) -> float:
    """An attribute's value as it is when a picture larger than the screen is reduced to it."""
    return value * sqrt(max(1.0, pixels / SCREEN)) ** FINER.get(name, 0)


def cost(term: Mapping[str, Any], value: float) -> float:
    """What a value costs: linear between the knots (on a logarithmic scale where the term says so), level beyond them."""
    at = log(max(value, 1e-3)) if term["log"] else value
    knots = [log(k) if term["log"] else k for k in term["knots"]]
    left, low = -inf, term["costs"][0]
    for knot, high in zip(knots, term["costs"], strict=True):
        if at <= knot:
            return float(low if left == -inf else low + (high - low) * (at - left) / (knot - left))
        left, low = knot, high
    return float(low)


def _interval(bins: list[dict[str, float]], score: float, missing: float) -> tuple[float, float]:
    """The bin's conformal bounds around the score, widened by what is missing, within 0..100."""
    found = next(b for b in bins if score <= b["up_to"])
    return max(0.0, score - found["below"] - missing), min(100.0, score + found["above"] + missing)


@cache
def model() -> dict[str, Any]:
    """The fitted lines, intervals and figures."""
    return cast(dict[str, Any], json.loads((Path(__file__).parent.parent / "weights" / "headline.json").read_text("utf-8")))
