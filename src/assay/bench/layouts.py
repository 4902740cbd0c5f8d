"""Pictures of public data sets as rows: which is fake, what made it, where it came from. One table, whatever the layout on disk."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from assay.io.find import SUFFIXES, natural
from assay.types import BadInput

COLUMNS = ("path", "fake", "generator", "family", "domain", "split", "subject", "seen")
REAL, FAKE = ("real", "0_real", "nature", "authentic"), ("fake", "1_fake", "ai", "generated")  # CNNDetection, GenImage and plain words


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture, or one video where a set is of videos."""

    path: Path
    fake: bool
    generator: str = ""  # "" for authentic ones
    family: str = ""  # kind of forgery
    domain: str = ""  # whose authentic pictures it is to be held against
    split: str = ""
    subject: str = ""  # what resembles itself: a person, a video, a photograph
    seen: bool | None = None  # whether a detector trained as the protocol has it knows this family; None where nothing is said


@dataclass(frozen=True, slots=True)
class Layout:
    """The rows of a set, and what of it was not there."""

    samples: tuple[Sample, ...]
    missing: tuple[str, ...] = ()


def folders(root: Path) -> Layout:
    """Pictures in folders called real and fake, at any depth: `real`, `fake/GENERATOR`, or `GENERATOR/…/real` and `GENERATOR/…/fake`.

    0_real and 1_fake (CNNDetection), nature and ai (GenImage) are understood as well. Pictures below one GENERATOR are held against
    the authentic ones beside them; a photograph and what was made of it are one subject where they have one name.
    Raises BadInput where either kind is missing.
    """
    samples = []
    for folder in sorted((p for p in root.rglob("*") if p.is_dir() and p.name.lower() in REAL + FAKE), key=natural):
        above = folder.relative_to(root).parts[:-1]
        if any(part.lower() in REAL + FAKE for part in above):
            continue
        fake, domain = folder.name.lower() in FAKE, above[0] if above else ""
        for path in sorted((p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES), key=natural):
            inside = path.relative_to(folder).parts[:-1]
            name = (domain or (inside[0] if inside else "fake")) if fake else ""
            samples.append(Sample(path, fake, name, domain=domain, subject=f"{domain}/{path.stem}"))
    for wanted, names in ((False, REAL), (True, FAKE)):
        if not any(s.fake == wanted for s in samples):
            raise BadInput(f"{root} holds no pictures in a folder called {', '.join(names[:-1])} or {names[-1]}.")
    return Layout(tuple(samples))


def spread(items: Sequence[str], most: int | None) -> list[str]:
    """At most so many of a video's frames, evenly spread."""
    if most is None or len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


def present(samples: Iterable[Sample], source: str) -> tuple[list[Sample], int]:
    """Those whose file is there, and how many are not.  Raises BadInput where none is."""
    listed = list(samples)
    found = [s for s in listed if s.path.is_file()]
    if listed and not found:
        raise BadInput(f"{source} lists {len(listed)} files and none of them is there; the first would be {listed[0].path}.")
    return found, len(listed) - len(found)


def write(layout: Layout, path: Path) -> str:
    """The rows as CSV, which `assay bench` reads; its sha256, by which a report names what it was made of."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for s in layout.samples:
            seen = "" if s.seen is None else int(s.seen)
            out.writerow([s.path, int(s.fake), s.generator, s.family, s.domain, s.split, s.subject, seen])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def counts(layout: Layout) -> list[dict[str, object]]:
    """How many pictures and subjects of each kind, in the order they come."""
    kinds: dict[tuple[str, str, str, str], list[Sample]] = {}
    for s in layout.samples:
        kinds.setdefault((s.split, s.domain, s.family, s.generator if s.fake else "authentic"), []).append(s)
    heads = ("split", "domain", "family", "generator")
    return [
        dict(zip(heads, (k or None for k in key), strict=True)) | {"files": len(rows), "subjects": len({s.subject for s in rows})}
        for key, rows in kinds.items()
    ]


def shown(names: Sequence[str], most: int = 5) -> str:
    """The first few of many, for a sentence."""
    more = len(names) - most
    return ", ".join(islice(names, most)) + (f" and {more} more" if more > 0 else "")
