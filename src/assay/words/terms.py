"""The table from measurement to sentence. A new source of statements is a new row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

from assay.types import Measure, Result, ScoreCard

JUDGE = "assay-q"  # whose score is the quality
SCREEN = 2_000_000  # pixels, as `assay-q` has it
STEPS = (0.1, 0.33, 0.67)  # of the way from good to poor on the card's usual range: from here on slight, clear, strong
HOW = ("", "slightly", "clearly", "strongly")
COLOURFUL = {  # the words of the viewers of Hasler & Süsstrunk 2003, table 2, and where each begins: halfway from the one before
    7.5: "slightly colourful",
    24: "moderately colourful",
    39: "averagely colourful",
    52: "quite colourful",
    70.5: "highly colourful",
    95.5: "extremely colourful",
}


@dataclass(frozen=True)
class Term:
    """How one measurement is put into words.

    source: a result's name, or "name.key.key" for a number in its data.
    calm, fault: the sentence where nothing is wrong, and where something is; {how} is slightly, clearly or strongly.
    amount: what stands in brackets behind it; {} is the value.
    less, more: how a picture with a worse or a better value stands beside another; "" where the two are not compared.
    steps: where slight, clear and strong begin. ends: (poor, good), for a source without a card's scale.
    unless: another source that makes this one superfluous where it has a number.
    echoes: another source whose fault shows here too, so that a short description names only one of the two.
    finer: the power of the reduction by which the value changes where a large picture is seen reduced to a screen.
    neutral: a description, of which neither more nor less is better.
    spot: the map shows places of the fault, so that the sentence may say where.
    """

    source: str
    aspect: str
    amount: str
    calm: str = ""
    fault: str = ""
    less: str = ""
    more: str = ""
    steps: tuple[float, float, float] = STEPS
    ends: tuple[float, float] | None = None
    unless: str = ""
    echoes: str = ""
    finer: int = 0
    neutral: bool = False
    spot: bool = False


TERMS = (
    Term(
        "sharpness",
        "detail",
        "blur of σ {} px",
        "Edges in focus are sharp",
        "Edges are {how} blurred",
        "blurrier",
        "sharper",
        steps=(0.1, 0.2, 0.45),  # σ 0.9, 1.3 and 2.1
        finer=-1,
    ),
    Term(
        "resolution",
        "detail",
        "detail up to {} % of the finest",
        "Fine detail fills the pixel grid",
        "Detail {how} falls short of what the pixel grid can carry",
        "coarser in detail",
        "finer in detail",
        echoes="sharpness",
        finer=1,
    ),
    Term(
        "noise",
        "noise",
        "grain of σ {} of 255",
        "There is little noise",
        "The picture is {how} noisy",
        "noisier",
        "cleaner",
        steps=(0.1, 0.25, 0.55),  # σ 3.4, 7 and 14
        finer=-1,
    ),
    Term(
        "blockiness",
        "compression",
        "jumps of {} of 255",
        "The borders of 8×8 blocks do not show",
        "The borders of 8×8 blocks show {how}",
        "blockier",
        "less blocky",
        spot=True,
    ),
    Term(
        "banding",
        "compression",
        "{} % of the area",
        "Gradients are smooth, without bands",
        "Gradients have {how} broken into bands",
        "more banded",
        "less banded",
        spot=True,
    ),
    Term("quantisation.quality", "compression", "JPEG quality {}", "The file was saved with the tables of libjpeg", ends=(0, 100)),
    Term(
        "quantisation.nearest_quality",
        "compression",
        "closest to JPEG quality {}",
        "The file was saved with tables that are not those of libjpeg",
        ends=(0, 100),
        unless="quantisation.quality",
    ),
    Term(
        "overexposure",
        "light",
        "{} % of the area is white",
        "No highlights to speak of are lost",
        "Highlights are {how} burnt out",
        "more burnt out",
        "less burnt out",
        spot=True,
    ),
    Term(
        "underexposure",
        "light",
        "{} % of the area is black",
        "No shadows to speak of are lost",
        "Shadows have {how} sunk to black",
        "blacker in the shadows",
        "less black in the shadows",
        spot=True,
    ),
    Term("brightness", "light", "mean brightness {} of 255", "", "The picture is {how} dark", "darker", "brighter", neutral=True),
    Term(
        "contrast",
        "light",
        "tones span {} of 255",
        "The range of tones is wide",
        "Contrast is {how} low",
        "lower in contrast",
        "higher in contrast",
        steps=(0.3, 0.6, 0.85),  # good photographs span 140 and more
    ),
    Term("colourfulness", "colour", "colourfulness {}", less="paler", more="more colourful", neutral=True),
    Term(
        "niqe-assay",
        "detail",
        "distance {}",
        "Local contrast is like that of good photographs",
        "Local contrast {how} strays from that of good photographs",
        steps=(0.3, 0.5, 0.75),  # good photographs reach 5
    ),
)

DISTANCES = (  # with a reference; the first that is there leads
    Term(
        "ms_ssim",
        "reference",
        "MS-SSIM {}, 1 is equal",
        "Structure is as in the reference",
        "Structure differs {how} from the reference",
        steps=(0.025, 0.15, 0.4),  # 0.99, 0.94 and 0.84
    ),
    Term(
        "ssim",
        "reference",
        "SSIM {}, 1 is equal",
        "Structure is as in the reference",
        "Structure differs {how} from the reference",
        unless="ms_ssim",
    ),
    Term("gmsd", "reference", "GMSD {}, 0 is equal", "Edges are damaged evenly or not at all", "Edges are {how} and unevenly damaged"),
    Term(
        "ciede2000",
        "reference",
        "ΔE00 {} on average; 1 is just visible",
        "Colours are the same to the eye",
        "Colours are {how} off",
        spot=True,
    ),
    Term("sam", "reference", "mean angle {} rad", "Hues and saturations are unmoved", "Hues and saturations have {how} moved"),
)
SOURCES = tuple(dict.fromkeys(t.source.split(".")[0] for t in TERMS))
REFERENCE = ("psnr", *(t.source for t in DISTANCES))


def figure(value: float) -> str:
    """A number as a sentence shows it: three digits."""
    if not isfinite(value):
        return "infinite"
    text = f"{value:.0f}" if abs(value) >= 100 else f"{float(f'{value:.3g}'):g}" if abs(value) >= 1 else f"{round(value, 3) + 0.0:g}"
    return text.replace("-", "−")


def find(results: Sequence[Result], term: Term) -> tuple[Result, float] | None:
    """The result that a term speaks of, and its number; None where there is none or another source makes it superfluous."""
    if term.unless and _number(results, term.unless) is not None:
        return None
    return _number(results, term.source)


def _number(results: Sequence[Result], source: str) -> tuple[Result, float] | None:
    name, *path = source.split(".")
    result = next((r for r in results if r.name == name), None)
    if result is None:
        return None
    value: object = result.data if path else result.value
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return (result, float(value)) if isinstance(value, int | float) and isfinite(value) else None


def ends(term: Term, result: Result) -> tuple[float, float]:
    """(poor, good) of a term's numbers."""
    if term.ends or not isinstance(result.card, ScoreCard):
        return term.ends or (1.0, 0.0)
    scale = result.card.scale
    return scale.usual or (scale.worst, scale.best)


def seen(term: Term, value: float, pixels: int) -> float:
    """The value as it is on a screen, where a picture larger than the screen is seen reduced."""
    return value * sqrt(max(1.0, pixels / SCREEN)) ** term.finer


def level(away: float, steps: tuple[float, float, float]) -> int:
    """0 none, 1 slight, 2 clear, 3 strong."""
    return sum(away >= s for s in steps)


def strength(term: Term, result: Result, value: float, pixels: int) -> tuple[int, float]:
    """How strong a fault is, as a level and as the share of the way from good to poor."""
    poor, good = ends(term, result)
    away = (seen(term, value, pixels) - good) / (poor - good)
    return level(away, term.steps), away


def measure(term: Term, result: Result, value: float, of: str = "") -> Measure:
    unit = result.card.scale.unit if isinstance(result.card, ScoreCard) and "." not in term.source else ""
    return Measure(term.source, value, unit, of)
