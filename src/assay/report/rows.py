"""One item as plain data: the row that every output is made from. Its shape is schema.json, told in docs/json-lines.md."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from math import isinf, isnan
from typing import Any

from assay import __version__
from assay.types import (
    Evidence,
    FaceItem,
    Failure,
    Item,
    Media,
    OriginVerdict,
    QualityVerdict,
    Result,
    ScoreCard,
    Statement,
    Weighing,
)

SCHEMA = "assay/1"
BANDS = ((2, "says nothing either way"), (10, "weak"), (100, "moderate"), (1000, "strong"), (math.inf, "very strong"))  # of ratios
DIGITS = 6  # float32 carries seven; the last one depends on the order of a sum, so it is not written

Row = dict[str, Any]


def row(item: Item, *, key: str = "") -> Row:
    """All that is known about an item, JSON-able and the same on every run: no times, no machine, no pixels.

    key: what `key()` made of the inputs and the settings, so that a later run may reuse the row.
    Raises ValueError for a score that is not a number: a score that does not exist is a Failure.
    """
    return {
        "schema": SCHEMA,
        "assay": __version__,
        "key": key or None,
        "path": item.path,
        "sha256": item.sha256 or None,
        "media": _media(item.media) if item.media else None,
        "reference": item.reference or None,
        "results": [_result(r) for r in item.results],
        "faces": [_face(f) for f in item.faces],
        "verdicts": {
            "quality": _quality(item.quality) if item.quality else None,
            "origin": _origin(item.origin) if item.origin else None,
        },
        "description": [statement(s) for s in item.description.statements] if item.description else [],
        "errors": [_failure(e) for e in item.errors],
    }


def key(*parts: str) -> str:
    """A digest of everything a row depends on: path, hashes of the files, algorithms as name@version, options."""
    told = json.dumps((SCHEMA, __version__, *parts))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def line(row: Row) -> bytes:
    """The row as one line of JSON. A path that is not text (possible on Linux) keeps its bytes as \\udcXX escapes."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"


def base(name: str) -> str:
    """The algorithm of a result: "ssim" for "ssim:variant=box"."""
    return name.split(":")[0]


def printable(text: str) -> str:
    """Text that is safe to show: control and direction characters, which could fake what a screen says, are spelt out."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def _number(value: float) -> float | str:
    if isnan(value):
        raise ValueError("a score is NaN; an algorithm without an answer must raise CannotAssess")
    if isinf(value):
        return "Infinity" if value > 0 else "-Infinity"  # as protobuf's JSON does; JSON itself has no infinity
    return float(f"{value:.{DIGITS}g}") + 0.0  # + 0.0: no minus zero


def _numbers(values: Iterable[float] | None) -> list[float | str] | None:
    return None if values is None else [_number(v) for v in values]


def _data(value: object) -> Any:
    """Facts for machines: an unknown number (NaN, as in EXIF 0/0) is null, all else as it is."""
    if isinstance(value, dict):
        return {str(k): _data(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_data(v) for v in value]
    if isinstance(value, float):
        return None if isnan(value) else _number(value)
    return value


def _media(media: Media) -> Row:
    return {
        "kind": "image",
        "format": media.format,
        "width": media.width,
        "height": media.height,
        "mode": media.mode,
        "bit_depth": media.bit_depth,
        "orientation": media.orientation,
        "icc": media.icc or None,
        "frames": media.frames,
        "alpha": media.alpha,
        "notes": list(media.notes),
    }


def _result(result: Result) -> Row:
    scale = result.card.scale if isinstance(result.card, ScoreCard) and result.value is not None else None
    return {
        "name": result.name,  # with the knobs that were turned
        "version": result.card.version,
        "value": _number(result.value) if scale and result.value is not None else None,
        "unit": scale.unit if scale else None,
        "scale": {
            "worst": _number(scale.worst),
            "best": _number(scale.best),
            "usual": _numbers(scale.usual or (scale.worst, scale.best)),
        }
        if scale
        else None,
        "good": _number(result.good) if scale and result.good is not None else None,
        "interval": _numbers(result.interval) if scale else None,
        "evidence": [_evidence(e) for e in result.evidence],
        "data": _data(result.data),
    }


def _face(item: FaceItem) -> Row:
    """Where one face is, and what was said of it."""
    face = item.face
    return {
        "box": _numbers(face.box),
        "points": [_numbers(p) for p in face.points],
        "confidence": _number(face.confidence),
        "eye_distance": _number(face.eye_distance),
        "results": [_result(r) for r in item.results],
        "advice": list(item.advice),
        "errors": [_failure(e) for e in item.errors],
    }


def _failure(e: Failure) -> Row:
    return {"what": e.what, "says": e.says, "kind": e.kind}


def _evidence(e: Evidence) -> Row:
    llr = None if e.llr is None else _number(e.llr)
    return {"says": e.says, "points_to": e.points_to, "weight": e.weight, "caveat": e.caveat or None, "llr": llr}


def statement(s: Statement) -> Row:
    """A sentence, and the measurements it is made from."""
    return {
        "aspect": s.aspect,
        "says": s.says,
        "brief": s.brief,
        "measures": [{"name": m.name, "value": _number(m.value), "unit": m.unit, "of": m.of or None} for m in s.measures],
        "region": {"where": s.region.where, "share": _number(s.region.share), "area": _number(s.region.area)} if s.region else None,
    }


def _quality(v: QualityVerdict) -> Row:
    return {"score": _number(v.score), "interval": _numbers(v.interval), "reasons": list(v.reasons)}


def _origin(v: OriginVerdict) -> Row:
    return {
        "label": v.label,
        "probability_generated": None if v.probability is None else _number(v.probability),
        "interval": _numbers(v.interval),
        "evidence": [_evidence(e) for e in v.evidence],
        "unavailable": list(v.unavailable),
        "weighed": [_weighing(w) for w in v.weighed],
    }


def ratio(w: Row) -> str:
    """A weighing in words."""
    times = math.exp(abs(w["llr"]))
    band = next(word for limit, word in BANDS if times < limit)
    among = w["question"] if w["llr"] > 0 else "authentic"
    return band if times < BANDS[0][0] else f"{band} evidence, {times:.2g} times as usual among {among} pictures"


def _weighing(w: Weighing) -> Row:
    return {
        "question": w.question,
        "llr": _number(w.llr),
        "interval": _numbers(w.interval),
        "p_authentic": _number(w.authentic),
        "p_altered": _number(w.altered),
        "parts": [{"name": n, "llr": _number(v)} for n, v in w.parts],
    }
