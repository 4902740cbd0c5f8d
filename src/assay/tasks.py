"""Names in, tasks out: which algorithms a run asks, with which knobs, and what their answers become."""

from __future__ import annotations

import inspect as signatures
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Any, TypeAlias

from assay.catalog import Carded, get, index, nearest
from assay.types import AlterCard, AssayError, BadInput, CannotAssess, Card, Failure, Finding, Result, ScoreCard

if TYPE_CHECKING:
    from torch import Tensor

Algorithm: TypeAlias = "str | Carded[Card, ..., Any] | Task"

TOO_SLOW = ("il_niqe-assay", "cpbd")  # seconds for what niqe-assay, assay-q and sharpness say in a tenth of one; by name they run
# seconds as well, but nothing else sees what they do: `verify` asks them, `inspect` does not
VERIFIED = ("copy_move", "lateral_aberration", "splices")
LONG = (*VERIFIED, "error_level", "jpeg_ghosts", "resampling")  # begun first where several run at a time, else one runs alone at the end
# err often, compare shots of one scene, or never met a real document: told only where asked by name
UNASKED = (
    *("attribution-assay", "exif_faces-assay", "eyes_open", "face_manipulation-assay", "fake_locator-assay", "landmark_forest"),
    *("light_direction", "lsda-assay", "portrait-assay", "sjedd-assay", "text_traces", "ucf-assay"),
)


@dataclass(frozen=True)
class Task:
    """One algorithm with its knobs, ready to run."""

    fn: Carded[Card, ..., Any]
    knobs: dict[str, object] = field(default_factory=dict)
    scene: Tensor | None = field(default=None, repr=False, compare=False)  # M×C×h×w, for what takes "images" beside a picture
    scene_sha256: str = ""

    @property
    def name(self) -> str:
        return Result(self.fn.card, None, self.knobs).name

    @property
    def identity(self) -> str:
        """What a stored result must carry to be this task's: name, knobs, the version of the card, and the scene."""
        return f"{self.name}@{self.fn.card.version}" + (f"+{self.scene_sha256}" if self.scene_sha256 else "")


def task(algorithm: Algorithm) -> Task:
    """Look up "name" or "name:knob=value:knob=value".  Raises BadInput with the nearest names."""
    if isinstance(algorithm, Task):
        return algorithm
    if not isinstance(algorithm, str):
        return Task(algorithm)
    name, *settings = algorithm.split(":")
    fn = get(name.strip())
    if isinstance(fn.card, AlterCard):
        raise BadInput(f"{name} changes a picture and scores none; `assay list quality` shows what does.")
    known = {k: p for k, p in signatures.signature(fn).parameters.items() if p.kind is p.KEYWORD_ONLY and k not in ("ref", "scene")}
    knobs: dict[str, object] = {}
    for setting in settings:
        knob, _, text = setting.partition("=")
        if knob not in known:
            raise BadInput(f"{name} has no knob {knob!r}; {nearest(knob, list(known)) if known else 'it has none.'}")
        value = _value(knob, text, known[knob].default)
        if value != known[knob].default:
            knobs[knob] = value
    return Task(fn, knobs)


def _value(knob: str, text: str, default: object) -> object:
    """Text from a command line as the type that the knob's default has."""
    try:
        if isinstance(default, bool):
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
        if isinstance(default, int | float):
            return type(default)(text)
    except (ValueError, KeyError):
        raise BadInput(f"{knob} must be {type(default).__name__}; got {text!r}.") from None
    return text


ALL = {"all-fr": ["image", "reference"], "all-nr": ["image"]}  # what the metrics of each take


def tasks(algorithms: Iterable[Algorithm]) -> tuple[Task, ...]:
    """Every algorithm as a task. "all-fr" and "all-nr" stand for the quality metrics with and without a reference that need
    nothing but this package; what was named before is not repeated.  Raises BadInput with the nearest names."""
    found: dict[str, Task] = {}
    for a in algorithms:
        for t in map(task, _quality(ALL[a]) if isinstance(a, str) and a in ALL else (a,)):
            found.setdefault(t.identity, t)
    return tuple(found.values())


def _quality(takes: list[str]) -> list[str]:
    rows = {name: row for name, row in index().items() if row["at"].startswith("assay.quality.") and row["takes"] == takes}
    return [name for name, row in rows.items() if not row["needs"] and not any(w["url"] for w in row["weights"])]


def offline() -> tuple[str, ...]:
    """The algorithms that answer about one file with nothing but this package, and soon: what `inspect` runs."""
    return tuple(name for name in _alone() if name not in VERIFIED)


def evidence() -> tuple[str, ...]:
    """The algorithms that tell of the origin of one file, also those that take a while: what `verify` runs."""
    return tuple(name for name in _alone() if index()[name]["at"].startswith("assay.authenticity."))


def _alone() -> tuple[str, ...]:
    return tuple(
        name
        for name, row in index().items()
        if row["answers"] in ("score", "evidence")
        and row["takes"] in (["image"], ["file"], ["face"])
        and not any(w["url"] for w in row["weights"])
        and name not in (*TOO_SLOW, *UNASKED)
    )


def to_result(t: Task, found: Finding) -> Result:
    value = None if found.score is None else float(found.score)
    if value is not None and isnan(value):
        raise CannotAssess(f"{t.name} has no answer for this picture (its score is not a number).")
    if value is None and isinstance(t.fn.card, ScoreCard):
        raise CannotAssess(f"{t.name} gave no score.")
    return Result(t.fn.card, value, t.knobs, found.interval, found.evidence, found.data, found.map, found.map_says)


def failure(what: str, error: BaseException) -> Failure:
    """An exception as a row's sentence. One that we did not raise on purpose says so."""
    kind = type(error).__name__
    return Failure(what, str(error) if isinstance(error, AssayError) else f"unexpected {kind}: {error}", kind)
