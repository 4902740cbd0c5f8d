"""Face restoration as NTIRE 2025 judges it: a score without a reference, behind a gate that asks whether it is still the same person.

    S = CLIPIQA + MANIQA + MUSIQ/100 + max(0, (10 − NIQE)/10) + QALIGN/5 + max(0, (100 − FID)/100)

Chen et al. 2025 (arXiv:2504.14600), read in the official eval.py: every metric is averaged within each test set, these means are
averaged by set size, and only then taken into S; FID is that of all restored pictures. The gate fails where more than 10 restored
faces are less like their input than the threshold of their set. Names are kept apart: the *official* tier is S and needs all six
metrics; the *core* tier is the sum of what the metrics at hand are worth (each 0 to 1) and is called after them. Metrics, reader and
recogniser come in as functions, so that nothing here chooses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from assay.bench.identity import Embed, direction, stranger_threshold
from assay.bench.resample import TIMES, Figure, Floats, figures
from assay.io.find import pair
from assay.types import BadInput, CannotAssess

ALLOWED = 10  # faces below the threshold, over all sets
THRESHOLDS = {"CelebA": 0.5, "LFW-Test": 0.6, "CelebChild-Test": 0.6, "Wider-Test": 0.3, "WebPhoto-Test": 0.3}  # for AdaFace IR-50
COUNTS = {"CelebA": 100, "LFW-Test": 100, "CelebChild-Test": 50, "Wider-Test": 100, "WebPhoto-Test": 100}
OFFICIAL: dict[str, Callable[[float], float]] = {
    "clipiqa": lambda v: v,
    "maniqa": lambda v: v,
    "musiq": lambda v: v / 100,
    "niqe": lambda v: max(0.0, (10 - v) / 10),
    "qalign": lambda v: v / 5,
    "fid": lambda v: max(0.0, (100 - v) / 100),
}

Thresholds = Mapping[str, float] | float | None


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of the core score. measure: a picture C×H×W → its value; worth: the mean value → 0 to 1."""

    name: str
    measure: Callable[[Tensor], float]
    worth: Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One restored picture. likeness: cosine to its input; None where no face was found in the restored one, which fails the gate."""

    set: str
    file: str
    likeness: float | None
    values: dict[str, float]
    failed: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One method's result. missing: inputs without a restored picture, which make the entry invalid; unknown: inputs without a face."""

    name: str
    rows: tuple[Row, ...]
    score: Figure
    worths: dict[str, float]
    official: float | None
    official_needs: tuple[str, ...]
    thresholds: Mapping[str, float] | float
    allowed: int
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[Row, ...]:
        """The pictures that show another person, worst first."""
        return tuple(sorted((r for r in self.rows if r.failed), key=lambda r: -2.0 if r.likeness is None else r.likeness))

    @property
    def passed(self) -> bool:
        """Whether it has every picture and no more failing faces than are allowed."""
        return not self.missing and len(self.failing) <= self.allowed

    def table(self) -> list[dict[str, object]]:
        """A row for each set and one for all, as the official CSV has them: means, likeness, failing faces."""
        sets = {s: [r for r in self.rows if r.set == s] for s in dict.fromkeys(r.set for r in self.rows)}
        return [_line(s or "all", rows) for s, rows in sets.items()] + ([_line("all", list(self.rows))] if len(sets) > 1 else [])

    def sentences(self) -> list[str]:
        """What must be known beside the table."""
        gate = "passed" if self.passed else "failed"
        told = [f"Identity gate {gate}: {len(self.failing)} of {len(self.rows)} faces below the threshold, {self.allowed} allowed."]
        told += [f"Threshold {self.thresholds:.3f}."] if isinstance(self.thresholds, float) else []
        told += [f"Another face: {_list([r.file for r in self.failing])}."] if self.failing else []
        told += [f"Not restored: {_list(self.missing)}."] if self.missing else []
        told += [f"No face in the input: {_list(self.unknown)}."] if self.unknown else []
        told += [f"Core score, the worth of {' + '.join(self.worths)}: {self.score}."]
        none = f"No official score: {', '.join(self.official_needs)} missing."
        return [*told, none if self.official is None else f"Official score {self.official:.4f}."]


def official(values: Mapping[str, float]) -> float:
    """S from the six weighted means, 0 to 6.  Raises CannotAssess: which are missing; no other metric stands in for them."""
    if needs := [n for n in OFFICIAL if n not in values]:
        raise CannotAssess(
            f"The official score takes {', '.join(OFFICIAL)}; {', '.join(needs)} {'is' if len(needs) == 1 else 'are'} missing."
        )
    return sum(worth(values[n]) for n, worth in OFFICIAL.items())


def limit(thresholds: Mapping[str, float] | float, folder: str) -> float:
    """The cosine that a restored face of this set must reach.  Raises BadInput: a set that the thresholds do not know."""
    if not isinstance(thresholds, Mapping):
        return thresholds
    if folder not in thresholds:
        raise BadInput(f"no threshold is known for the set {folder or 'without a name'!r}, only for {', '.join(thresholds)}; give one.")
    return thresholds[folder]


def judge(
    name: str,
    restored: str | Path,
    inputs: str | Path,
    *,
    read: Callable[[Path], Tensor],
    embed: Embed,
    terms: Sequence[Term],
    fid: Callable[[Sequence[Path]], float] | None = None,
    thresholds: Thresholds = THRESHOLDS,
    allowed: int = ALLOWED,
    times: int = TIMES,
) -> Entry:
    """Judge a folder of restored faces by the folder of inputs that it was made from.

    Files are paired by place and stem; the first folder inside is the set ("" where there is none).
    read: a file → C×H×W.  fid: all restored files → their distance from clean faces; without it S is not complete.
    thresholds: by set (those published hold for AdaFace IR-50 alone), one for all, or None: the cosine that 1 % of pairs of
    different inputs reach, each input taken for another person.
    Raises BadInput: no pictures, no pair at all, an unknown set; CannotAssess from a metric, or with too few inputs for None.
    """
    if not terms or len({t.name for t in terms}) < len(terms):
        raise BadInput("at least one metric is needed, and none twice.")
    found = [(a, str(a.relative_to(inputs)), b) for a, b in pair([inputs], restored)]
    pairs = [(a, place, b) for a, place, b in found if not isinstance(b, BadInput)]
    if not pairs:
        raise BadInput(f"no picture of {restored} has the name of one in {inputs}.")
    if thresholds is not None:
        for _, place, _ in pairs:
            limit(thresholds, _set(place))  # an unknown set is said before the long work
    looks = []
    for source, place, file in pairs:
        picture = read(file)
        faces = direction(embed, read(source)), direction(embed, picture)
        looks.append((place, *faces, {t.name: t.measure(picture) for t in terms}))
    bars = stranger_threshold([a for _, a, _, _ in looks if a is not None]) if thresholds is None else thresholds
    rows = tuple(_row(place, before, after, values, bars) for place, before, after, values in looks)
    means = _means(rows, np.ones(len(rows)))
    score = figures(lambda w: {"score": sum(_worths(terms, _means(rows, w)).values())}, len(rows), times=times)["score"]
    whole = means if fid is None else means | {"fid": fid([b for _, _, b in pairs])}
    needs = tuple(n for n in OFFICIAL if n not in whole)
    missing = tuple(place for _, place, b in found if isinstance(b, BadInput))
    unknown = tuple(place for place, before, _, _ in looks if before is None)
    return Entry(name, rows, score, _worths(terms, means), None if needs else official(whole), needs, bars, allowed, missing, unknown)


def rank(entries: Iterable[Entry]) -> list[Entry]:
    """Best first; those behind the gate stay in the table, after those that passed."""
    return sorted(entries, key=lambda e: (not e.passed, -e.score.value))


def _set(place: str) -> str:
    parts = Path(place).parts
    return parts[0] if len(parts) > 1 else ""


def _row(place: str, before: Floats | None, after: Floats | None, values: dict[str, float], bars: Mapping[str, float] | float) -> Row:
    """An input without a face asks nothing; a restored one without a face fails."""
    folder = _set(place)
    likeness = None if before is None or after is None else float(before @ after)
    return Row(folder, place, likeness, values, before is not None and (likeness is None or likeness < limit(bars, folder)))


def _means(rows: Sequence[Row], weights: Floats) -> dict[str, float]:
    """Means of sets, weighted by how many pictures they have."""
    sets = np.array([r.set for r in rows])
    out = {}
    for name in rows[0].values:
        v, total = np.array([r.values[name] for r in rows]), 0.0
        for s in np.unique(sets):
            here = weights * (sets == s)
            if not here.any():
                raise CannotAssess("A set is empty in this draw.")
            total += float((here * v).sum() / here.sum()) * float((sets == s).mean())
        out[name] = total
    return out


def _worths(terms: Sequence[Term], means: Mapping[str, float]) -> dict[str, float]:
    return {t.name: t.worth(means[t.name]) for t in terms}


def _list(files: Sequence[str], shown: int = 10) -> str:
    more = f" and {len(files) - shown} more" if len(files) > shown else ""
    return ", ".join(files[:shown]) + more


def _line(name: str, rows: Sequence[Row]) -> dict[str, object]:
    likeness = [r.likeness for r in rows if r.likeness is not None]
    line: dict[str, object] = {"set": name, "pictures": len(rows)}
    line |= {m: float(np.mean([r.values[m] for r in rows])) for m in rows[0].values}
    return line | {"likeness": float(np.mean(likeness)) if likeness else None, "failing": sum(r.failed for r in rows)}
