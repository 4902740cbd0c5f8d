"""How a measurement of a face becomes a quality component: the mappings of ISO/IEC 29794-5 as its reference, OFIQ, has them."""

from __future__ import annotations

from math import exp, floor

from assay.types import CannotAssess, Face, Finding

PAPER = "ISO/IEC 29794-5; formula of its reference implementation, BSI OFIQ 1.0.3, github.com/BSI-OFIQ/OFIQ-Project"
OWN = "own measurement for a component of ISO/IEC 29794-5; OFIQ 1.0.3 has a net in its place"
LEAST = 20  # pixels between the eyes: with fewer, the parts of a face are a few pixels each


def curve(x: float, x0: float, w: float, *, h: float = 100, a: float = 0, s: float = 1) -> float:
    """h (a + s / (1 + e^((x0 − x) / w))): the sigmoid that most components use."""
    return h * (a + s / (1 + exp(min(700.0, (x0 - x) / w))))


def component(raw: float, unit: str, value: float, **facts: object) -> Finding:
    """A component: the measurement in its unit, and its value on 0…100, a whole number as in the standard."""
    score = float(min(100, max(0, floor(value + 0.5))))
    return Finding(score=score, data={"raw": raw, "unit": unit, **facts})


def large_enough(face: Face, least: float = LEAST) -> Face:
    """The face itself, where its parts can be told apart.  Raises CannotAssess."""
    if face.eye_distance < least:
        raise CannotAssess(f"The eyes of this face are {face.eye_distance:.3g} px apart; at least {least:g} are needed.")
    return face
