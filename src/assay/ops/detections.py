"""Boxes that a detector proposes: how far two overlap, and which of many to keep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.types import Face

Boxes = NDArray[np.float64]  # K×4 or more: left, top, right, bottom, …
# where the five points lie in a box, as parts of its sides: means of 429 upright portraits, made symmetric
MEAN_POINTS = np.array([(0.28, 0.402), (0.72, 0.402), (0.5, 0.588), (0.28, 0.724), (0.72, 0.724)])


def overlap(box: Boxes, others: Boxes, *, of: str = "union") -> NDArray[np.float64]:
    """How much of one box's and each other's area is shared: of their union, or of the "smaller" of the two. In 0..1."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:4], others[:, 2:4])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    one, many = (box[2:4] - box[:2]).prod(), (others[:, 2:4] - others[:, :2]).prod(axis=1)
    whole = np.minimum(one, many) if of == "smaller" else one + many - shared
    return np.asarray(shared / np.maximum(whole, 1e-9))


def kept(boxes: Boxes, scores: NDArray[np.float64], *, limit: float, of: str = "union", most: int = 500) -> NDArray[np.intp]:
    """Greedy suppression: which boxes stay when each, strongest first, removes what it overlaps by more than the limit.

    Equal scores keep the order they came in. At most `most` stay.
    """
    order = np.argsort(-scores, kind="stable")
    chosen: list[int] = []
    while len(order) and len(chosen) < most:
        first, order = order[0], order[1:]
        chosen.append(int(first))
        order = order[overlap(boxes[first], boxes[order], of=of) <= limit]
    return np.array(chosen, dtype=np.intp)


def face(box: Boxes, points: NDArray[np.float64], score: float) -> Face:
    """A face from rows of numbers."""
    left, top, right, bottom = (float(v) for v in box[:4])
    return Face((left, top, right, bottom), tuple((float(a), float(b)) for a, b in points), float(score))


def boxed(box: Boxes, score: float) -> Face:
    """A face of which only the box is known: its points are put where they lie on average."""
    return face(box, box[:2] + MEAN_POINTS * (box[2:4] - box[:2]), score)
