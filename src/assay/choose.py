"""The best shots: of all faces in some pictures, the best ones, or the best ones of each person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from assay import check
from assay.nets.face_recogniser import SAME, embed
from assay.ops.align import chips
from assay.runner import Source, run
from assay.types import BadInput, FaceItem, Failure

JUDGES = {"people": "fiqa-assay", "matcher": "embedding_robustness"}
UNJUDGED = "unjudged"  # the kind of a failure that is one face's, not a picture's
MOST = 20_000  # faces that can be told apart at once: a table of all pairs must fit into memory


@dataclass(frozen=True)
class Shot:
    """One face, how good it is, and whose: people are numbered from 1 in the order of their best shots; 0 where nobody asked."""

    path: str
    face: FaceItem
    number: int  # of the face in its picture, from 1
    score: float
    person: int = 0


def best(
    sources: Iterable[Source], *, n: int = 10, purpose: str = "people", per_identity: bool = False, lost: list[Failure] | None = None
) -> list[Shot]:
    """The n best faces, or with per_identity the n best of each person, best first.

    purpose: "people" ranks by how good a face looks (fiqa-assay), "matcher" by how well it will be recognised (embedding_robustness).
    per_identity: faces are grouped by our own small recogniser; it errs, and a wrong group shows at once in the pictures.
    lost: gets one Failure for every picture that could not be read or shows no face, and for every face that could not be judged.
    Raises BadInput where the purpose is unknown or there are more faces than can be told apart.
    """
    if purpose not in JUDGES:
        raise BadInput(f'purpose must be "people" or "matcher"; got {purpose!r}.')
    shots: list[Shot] = []
    marks: list[NDArray[np.float32]] = []
    for shot, mark in _shots(sources, JUDGES[purpose], per_identity, [] if lost is None else lost):
        shots.append(shot)
        marks.append(mark)
        if per_identity and len(shots) > MOST:
            raise BadInput(f"more than {MOST} faces were found; group them by person in smaller sets.")
    who = persons(np.stack(marks)) if per_identity and shots else [0] * len(shots)
    return _first(shots, who, n)


def _shots(sources: Iterable[Source], judge: str, embedded: bool, lost: list[Failure]) -> Iterator[tuple[Shot, NDArray[np.float32]]]:
    for item in run([judge], sources, keep_pictures=embedded):
        if not item.faces:
            lost += [Failure(item.path, e.says, e.kind) for e in item.errors[:1]]
        lost += [Failure(f"{item.path}, face {k}", _why(f), UNJUDGED) for k, f in enumerate(item.faces, 1) if not f.results]
        scored = [(k, f, r.value) for k, f in enumerate(item.faces, 1) for r in f.results if r.value is not None]
        marks: NDArray[np.float32] = np.zeros((len(scored), 0), np.float32)
        if embedded and scored and item.picture is not None:
            with torch.no_grad():
                marks = embed(chips(check.faces(item.picture.pixels, []), [f.face for _, f, _ in scored])).numpy()
        for (k, face, value), mark in zip(scored, marks, strict=True):
            yield Shot(item.path, face, k, value), mark


def _why(face: FaceItem) -> str:
    return face.errors[0].says if face.errors else "Only the largest faces of a picture are judged."


def persons(marks: NDArray[np.float32]) -> list[int]:
    """Which faces are one person's: groups of unit vectors whose mean cosine is at least SAME (average linkage)."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    if len(marks) < 2:
        return [1] * len(marks)
    tree = linkage(pdist(marks, "cosine").clip(0), "average")
    return [int(k) for k in fcluster(tree, 1 - SAME, "distance")]


def _first(shots: list[Shot], who: list[int], n: int) -> list[Shot]:
    """The n best, or the n best of each group, with the groups numbered by their best shot."""
    order = sorted(range(len(shots)), key=lambda k: (-shots[k].score, shots[k].path, shots[k].number))
    place: dict[int, int] = {}
    count: dict[int, int] = {}
    chosen = []
    for k in order:
        person = place.setdefault(who[k], len(place) + 1) if who[k] else 0
        count[person] = count.get(person, 0) + 1
        if count[person] <= n:
            s = shots[k]
            chosen.append(Shot(s.path, s.face, s.number, s.score, person))
    return sorted(chosen, key=lambda s: s.person)


def copy(shots: Iterable[Shot], folder: Path) -> int:
    """Copy the pictures of the shots, in order: 001-name.jpg, or 02-001-name.jpg where people are told apart. Returns how many."""
    import shutil

    folder.mkdir(parents=True, exist_ok=True)
    done = 0
    for place, shot in enumerate(shots, 1):
        person = f"{shot.person:02d}-" if shot.person else ""
        shutil.copy2(shot.path, folder / f"{person}{place:03d}-{Path(shot.path).name}")
        done += 1
    return done
