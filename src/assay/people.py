"""The people in a picture: where their faces are, what every algorithm that judges faces says of each, and what to change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from assay.nets.face_finder import find
from assay.tasks import Task, failure, to_result
from assay.types import CannotAssess, Face, FaceItem, Failure, Finding, Picture, Result
from assay.words.face_advice import advice

JUDGED = 12  # faces of one picture that are judged, the largest ones; of the others only the place is told
GROUP = 0.5  # from this part of the largest face's size on, another one makes a picture of several people
# what matters in a picture of one person, and is no reason to advise a group
PORTRAIT = ("single_face_present", "head_size", "crop_left", "crop_right", "margin_above", "margin_below", "background_uniformity")
NOBODY = "No face was found in this picture."


def faces(picture: Picture, *, device: str = "cpu", **how: Any) -> list[Face]:
    """The faces of one picture, the largest first. how: what `nets.face_finder.find` takes."""
    return find(picture.pixels[None].to(device), **how)[0]


def judge(picture: Picture, tasks: Sequence[Task], *, device: str = "cpu") -> tuple[FaceItem, ...]:
    """Every face of a picture with what each task (takes: face) says of it."""
    found = faces(picture, device=device)
    judged, pixels = found[:JUDGED], picture.pixels.to(device)
    columns = [answers(t, pixels, judged) for t in tasks]
    alone = len(found) == 1 or (len(found) > 1 and found[1].size < GROUP * found[0].size)
    items = [_item(face, [column[k] for column in columns], portrait=alone and k == 0) for k, face in enumerate(judged)]
    return (*items, *(FaceItem(face) for face in found[JUDGED:]))


def answers(t: Task, image: Tensor, found: Sequence[Face]) -> list[Result | Failure]:
    """One algorithm on the faces of one picture. If that fails, each is tried alone, so that one cannot spoil the rest."""
    if not found:
        return []
    try:
        with torch.no_grad():
            out = t.fn(image, found, **t.knobs)
        return [to_result(t, f if isinstance(f, Finding) else Finding(f)) for f in out]
    except Exception as error:
        if len(found) == 1:
            return [failure(t.name, error)]
        return [a for face in found for a in answers(t, image, [face])]


def largest(t: Task, picture: Picture, *, device: str = "cpu") -> Result:
    """What one task says of the largest face.  Raises CannotAssess where there is none."""
    found = faces(picture, device=device)[:1]
    if not found:
        raise CannotAssess(NOBODY)
    with torch.no_grad():
        (out,) = t.fn(picture.pixels.to(device), found, **t.knobs)
    return to_result(t, out if isinstance(out, Finding) else Finding(out))


def _item(face: Face, told: Sequence[Result | Failure], *, portrait: bool) -> FaceItem:
    results = tuple(a for a in told if isinstance(a, Result))
    heeded = [r for r in results if portrait or r.name not in PORTRAIT]
    return FaceItem(face, results, tuple(a for a in told if isinstance(a, Failure)), advice(heeded))
