"""The shared vocabulary of Assay. Standard library only; imports nothing of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

Take = Literal["image", "reference", "face", "clip", "images", "file"]
Origin = Literal["camera original", "edited", "generated", "inconclusive"]


class AssayError(Exception):
    """Everything we raise on purpose; its text is a sentence for a person."""


class BadInput(AssayError, ValueError):
    """The caller can fix this: a wrong shape, range, dtype, name or file."""


class CannotAssess(AssayError):
    """The input is fine, but the question has no answer here (a flat image, no metadata)."""


class MissingWeights(AssayError):
    """A parameter file is needed and is not on this machine."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a score lives. The order of the two ends is the direction."""

    worst: float
    best: float
    unit: str = ""
    usual: tuple[float, float] | None = None  # (poor, good) as met in practice

    def __post_init__(self) -> None:
        if self.worst == self.best:
            raise ValueError("a scale needs two different ends")
        if self.usual is None and not (isfinite(self.worst) and isfinite(self.best)):
            raise ValueError("an open-ended scale needs usual=(poor, good)")

    def good(self, value: float) -> float:
        """Map a raw score to 0..1, where 1 is good: linear between the usual ends."""
        poor, fine = self.usual or (self.worst, self.best)
        return min(1.0, max(0.0, (value - poor) / (fine - poor)))


@dataclass(frozen=True, slots=True)
class Weights:
    """One parameter file, and where it comes from: `recipe` if we trained it, `url` if others did."""

    file: str
    sha256: str
    license: str
    recipe: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What a newcomer, a table, a test and a web form need to know about an algorithm."""

    name: str
    version: str
    takes: tuple[Take, ...]
    paper: str
    weights: tuple[Weights, ...] = ()
    needs: str = ""  # an extra to install: `pip install assay[needs]`


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCard(Card):
    """The card of an algorithm that answers with a number."""

    scale: Scale
    differentiable: bool = False
    min_side: int = 1  # pixels; smaller images raise BadInput
    map: str = ""  # a function beside it that returns N×h×w: where the score comes from


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceCard(Card):
    """The card of an algorithm that answers with sentences or a picture to look at, not a number."""

    caveat: str  # what could fool it


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterCard(Card):
    """The card of an algorithm that changes a medium: a damage, a mark, a repair."""

    knob: str  # the keyword that says how much
    levels: tuple[float, ...]  # values of that keyword, from hardly visible to severe
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence that speaks for an origin, and how much it should weigh.

    `weight`: "note" (worth knowing, speaks for nothing), "hint", or "strong" (decides unless contradicted).
    `llr`: natural logarithm of the likelihood ratio, only where it was calibrated on held-out data.
    """

    says: str
    points_to: Origin | None = None
    weight: Literal["note", "hint", "strong"] = "note"
    caveat: str = ""
    llr: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What an algorithm may say about one item beyond a number."""

    score: Tensor | float | None = None
    map: Tensor | None = None  # h×w, any range (see `map_says`), or 3×h×w in [0, 1]: a picture as it is
    map_says: str = ""  # one sentence: how to read the map
    evidence: tuple[Evidence, ...] = ()
    interval: tuple[float, float] | None = None
    data: dict[str, object] = field(default_factory=dict)  # facts for machines, JSON-able


@dataclass(frozen=True, slots=True)
class Media:
    """Facts of a file, before anything was done to it."""

    format: str  # "JPEG", "PNG", … or "array"
    width: int  # pixels, as stored
    height: int
    mode: str  # the file's own colour mode: "RGB", "CMYK", "P", "L", "I;16", …
    bit_depth: int = 8
    orientation: int = 1  # EXIF tag 274
    icc: str = ""  # profile description; "" means none, taken as sRGB
    frames: int = 1
    alpha: bool = False
    notes: tuple[str, ...] = ()  # what decoding did or saw, in sentences


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded image: what a viewer shows, and the bytes it came from.

    pixels: C×H×W (C is 1 or 3), sRGB, upright; uint8 for 8-bit files, float32 in [0, 1] for deeper ones.
    data: the untouched bytes of the file; b"" for an array in memory.
    stored: gives C×H×W as the file stores it: no orientation, no colour conversion. Evidence about
        compression needs these, because turning or converting a picture moves or erases its traces.
    """

    pixels: Tensor
    data: bytes
    path: str
    sha256: str
    media: Media
    stored: Callable[[], Tensor] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Face:
    """One face in a picture; coordinates are pixels of the upright picture, (0, 0) the outer corner of the first pixel.

    box: left, top, right, bottom; may reach outside the picture.
    points: x, y of the eye on the left of the picture, the eye on its right, the tip of the nose, and the corners of the mouth
        on the left and on the right.
    """

    box: tuple[float, float, float, float]
    points: tuple[tuple[float, float], ...]
    confidence: float  # of the detector, 0 to 1

    @property
    def size(self) -> float:
        """The shorter side of the box in pixels."""
        return min(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def eye_distance(self) -> float:
        """From pupil to pupil in pixels."""
        (ax, ay), (bx, by) = self.points[:2]
        return float(((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5)


@dataclass(frozen=True, slots=True)
class Result:
    """A finding beside its card. Only the runner makes one."""

    card: Card
    value: float | None
    knobs: dict[str, object] = field(default_factory=dict)  # only those that differ from the defaults
    interval: tuple[float, float] | None = None
    evidence: tuple[Evidence, ...] = ()
    data: dict[str, object] = field(default_factory=dict)
    map: Tensor | None = field(default=None, repr=False, compare=False)
    map_says: str = ""

    @property
    def name(self) -> str:
        """The card's name, and the knobs that were turned: "ssim", "ssim:variant=box"."""
        return ":".join((self.card.name, *(f"{k}={v}" for k, v in self.knobs.items())))

    @property
    def good(self) -> float | None:
        """The value on 0..1 of its card's usual range, 1 is good; None where there is no number."""
        if self.value is None or not isinstance(self.card, ScoreCard):
            return None
        return self.card.scale.good(self.value)

    def __str__(self) -> str:
        parts = [self.name]
        if self.value is not None and isinstance(self.card, ScoreCard):
            s = self.card.scale
            way = "higher" if s.best > s.worst else "lower"
            parts[0] += f" {self.value:.4g}{' ' + s.unit if s.unit else ''} ({way} is better; {self.good:.0%} of usual range)"
        return "; ".join((*parts, *(e.says for e in self.evidence)))


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be done, in a sentence. `what` is an algorithm's name, or "decode", "read", "reference"."""

    what: str
    says: str
    kind: str  # the exception's class: "BadInput", "CannotAssess", "MissingWeights", …


@dataclass(frozen=True, slots=True)
class FaceItem:
    """All that is known about one face of a picture.

    results: one for each algorithm that answered; errors: one for each that could not.
    advice: what to change when the picture is taken again, the most pressing first.
    """

    face: Face
    results: tuple[Result, ...] = ()
    errors: tuple[Failure, ...] = ()
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """How good the picture is, 0..100 (100 is best), with an interval and what pulls it down, strongest first."""

    score: float
    interval: tuple[float, float]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Weighing:
    """All calibrated evidence on one question, as one likelihood ratio.

    llr: natural logarithm of p(evidence | so altered) / p(evidence | authentic), and its 95 % interval.
    authentic, altered: how usual such a ratio is among either kind of picture (conformal p-values, 0 to 1).
    parts: what each algorithm adds; they sum up to the ratio before its last calibration.
    """

    question: Origin  # "edited" or "generated"
    llr: float
    interval: tuple[float, float]
    authentic: float
    altered: float
    parts: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class OriginVerdict:
    """Where the picture came from. `probability`: that it is generated, at even odds before looking; None where nothing was weighed."""

    label: Origin
    evidence: tuple[Evidence, ...] = ()
    probability: float | None = None
    interval: tuple[float, float] | None = None
    unavailable: tuple[str, ...] = ()  # what could not be asked, and why
    weighed: tuple[Weighing, ...] = ()


@dataclass(frozen=True, slots=True)
class Region:
    """Where most of something lies. `share`: the % of it that lies there; `area`: the % of the picture that this is."""

    where: str  # "in the upper left", "along the right edge", "all over the picture"
    share: float
    area: float


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that a statement rests on."""

    name: str  # a result's name, "quantisation.quality" for a fact of its data, or "quality" for the verdict
    value: float
    unit: str = ""
    of: str = ""  # "reference", "A" or "B" where more than one picture was measured


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence, and every measurement that it says."""

    aspect: str  # "quality", "detail", "noise", "compression", "light", "colour", "reference", "difference", "origin"
    says: str
    measures: tuple[Measure, ...]
    region: Region | None = None
    brief: bool = False  # belongs to the short description


@dataclass(frozen=True, slots=True)
class Description:
    """What the measurements say, in sentences. `str()` is a paragraph, or one for each aspect where it is detailed."""

    statements: tuple[Statement, ...]

    @property
    def brief(self) -> Description:
        """Its one to three most important sentences."""
        return Description(tuple(s for s in self.statements if s.brief))

    def __str__(self) -> str:
        if all(s.brief for s in self.statements):
            return " ".join(s.says for s in self.statements)
        aspects = dict.fromkeys(s.aspect for s in self.statements)
        return "\n\n".join(" ".join(s.says for s in self.statements if s.aspect == a) for a in aspects)


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """All that is known about one file after a run; one row of every output."""

    path: str
    sha256: str = ""
    media: Media | None = None
    reference: str = ""  # path of the reference image; "" means none
    reference_sha256: str = ""
    results: tuple[Result, ...] = ()
    faces: tuple[FaceItem, ...] = ()  # the largest first; empty too where nobody asked for faces
    quality: QualityVerdict | None = None
    origin: OriginVerdict | None = None
    description: Description | None = None
    errors: tuple[Failure, ...] = ()
    picture: Picture | None = field(default=None, repr=False)  # kept only while the item is being reported
    saved: dict[str, Any] | None = field(default=None, repr=False)  # the row of an earlier run, passed on as it is
