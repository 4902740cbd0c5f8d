"""ForgeryNet: its four tasks as rows. He et al. 2021, arXiv:2103.05630; lines of its lists as its Readme.txt has them.

Pictures: `NAME binary triple sixteen`. Videos: `n NAME (start length label)×n binary triple sixteen`, with n stretches of frames.
triple is 0 for authentic, 1 where the identity was replaced, 2 where it remained; the Readme does not say which of the two is which, so
the order is that in which the paper names them. sixteen is 0 or one of 15 methods, which the lists do not name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.bench.layouts import Layout, Sample, present
from assay.types import BadInput

KINDS = ("", "identity replaced", "identity remained")
METHODS = 15
TASKS = {  # task → what it asks, and what a list of it is called somewhere
    "image": ("is this picture forged", "*image*list*.txt"),
    "mask": ("where is it forged", "*image*list*.txt"),
    "video": ("is there a forged stretch", "*video*list*.txt"),
    "time": ("from which frame to which", "*video*list*.txt"),
}
MASKS = ("spatial_localize", "spatial_localise", "masks")
Wrong = Callable[[str], BadInput]


@dataclass(frozen=True, slots=True)
class Video:
    """A video and its stretches of frames: start, the frame after the last, whether forged."""

    sample: Sample
    stretches: tuple[tuple[int, int, bool], ...]


def listed(root: Path, task: str) -> Path:
    """The one list below root that a task needs.  Raises BadInput where there is none, or more than one."""
    if task not in TASKS:
        raise BadInput(f"the tasks of ForgeryNet are {', '.join(TASKS)}; got {task!r}.")
    found = sorted(root.rglob(TASKS[task][1]))
    if len(found) != 1:
        many = f"{len(found)} such lists ({', '.join(p.name for p in found[:4])})" if found else "no such list"
        raise BadInput(f"{root} holds {many} as {TASKS[task][1]}; name the one of your split with --lists.")
    return found[0]


def images(lines: Path, root: Path) -> Layout:
    """The rows of a list of pictures, which lie below root as the list has them.  Raises BadInput: line, and what is wrong with it."""
    rows = [_sample(root / name, labels, wrong) for name, labels, wrong in _pictures(lines)]
    found, lost = present(rows, str(lines))
    return Layout(tuple(found), (f"{lost} of {len(rows)} pictures",) if lost else ())


def masks(lines: Path, root: Path) -> list[tuple[str, str, str]]:
    """file, mask and kind of every picture, as `assay bench localisation MAPS ROWS.csv` takes them; "" as the mask of an authentic one."""
    place = next((p for name in MASKS for p in (root / name, root.parent / name, lines.parent / name) if p.is_dir()), None)
    if place is None:
        raise BadInput(f"there is no folder of masks ({', '.join(MASKS)}) in {root} or beside it.")
    known = {p.relative_to(place).with_suffix("").as_posix(): p for p in place.rglob("*") if p.is_file()}
    rows = []
    for name, labels, wrong in _pictures(lines):
        s = _sample(root / name, labels, wrong)
        mask = known.get(Path(name).with_suffix("").as_posix())
        if s.fake and mask is None:
            continue
        rows.append((name, str(mask) if s.fake else "", s.family))
    if not any(mask for _, mask, _ in rows):
        raise BadInput(f"{place} holds no mask for any forged picture of {lines}; masks lie there as the pictures do in {root}.")
    return rows


def videos(lines: Path, root: Path) -> tuple[list[Video], int]:
    """The videos of a list that are there, and how many are not.  Raises BadInput: line, and what is wrong with it."""
    rows = []
    for words, wrong in _lines(lines):
        try:
            count = int(words[0])
            numbers = [int(w) for w in words[len(words) - 3 - 3 * count :]]
            name = " ".join(words[1 : len(words) - 3 - 3 * count])
        except (ValueError, IndexError) as error:
            raise wrong("n NAME (start length label)×n binary triple sixteen is wanted") from error
        if not name or len(numbers) != 3 * count + 3 or count < 0:
            raise wrong(f"{count} stretches were announced")
        parts = [numbers[i : i + 3] for i in range(0, 3 * count, 3)]
        sample = _sample(root / name, numbers[-3:], wrong)
        if any(label not in (0, 1) or start < 0 or length < 1 for start, length, label in parts):
            raise wrong("a stretch has a start from 0, a length from 1 and a label of 0 or 1")
        if sample.fake != any(label for *_, label in parts) and parts:
            raise wrong("the video's label and those of its stretches disagree")
        rows.append(Video(sample, tuple((start, start + length, bool(label)) for start, length, label in parts)))
    found, lost = present((v.sample for v in rows), str(lines))
    there = {s.path for s in found}
    return [v for v in rows if v.sample.path in there], lost


def _pictures(lines: Path) -> Iterator[tuple[str, list[int], Wrong]]:
    for words, wrong in _lines(lines):
        try:
            labels = [int(w) for w in words[-3:]]
        except ValueError as error:
            raise wrong("NAME binary triple sixteen is wanted") from error
        if len(words) < 4:
            raise wrong("NAME binary triple sixteen is wanted")
        yield " ".join(words[:-3]), labels, wrong


def _lines(file: Path) -> Iterator[tuple[list[str], Wrong]]:
    rows = [(at, line.split()) for at, line in enumerate(file.read_text("utf-8").splitlines(), 1) if line.strip()]
    if not rows:
        raise BadInput(f"{file} is empty.")
    for at, words in rows:
        yield words, lambda why, at=at, words=words: BadInput(f"line {at} of {file} is {' '.join(words)[:80]!r}: {why}.")  # type: ignore[misc]


def _sample(path: Path, labels: list[int], wrong: Wrong) -> Sample:
    binary, triple, sixteen = labels
    if binary not in (0, 1) or not 0 <= triple < len(KINDS) or not 0 <= sixteen <= METHODS:
        raise wrong(f"labels are 0 to 1, 0 to {len(KINDS) - 1} and 0 to {METHODS}")
    if len({bool(binary), bool(triple), bool(sixteen)}) > 1:
        raise wrong("its three labels do not agree on whether it is authentic")
    subject = f"{path.parent.name}/{path.stem}"
    return Sample(path, bool(binary), f"method {sixteen}" if binary else "", KINDS[triple], subject=subject)
