"""Face utility from five points alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.ops.forest import Forest
from assay.ops.landmarks import geometry, profile
from assay.types import CannotAssess, Face, Finding, Scale, ScoreCard, Weights

MODEL = Weights(
    file="landmark_forest.safetensors",
    sha256="b538cd7e9bdc30c72db3b9cc9cceff91014c32ea375a5cb15d904b98533e1aac",
    license="Apache-2.0; grown on official portraits under the MIT licence",
    recipe="recipes/landmark_forest.py",
)
SURE = 0.5  # a detector less sure than this has not found a face whose points mean anything


@carded(
    ScoreCard(
        name="landmark_forest",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=1, usual=(0.2, 0.9)),
        paper="after arXiv:2507.15961 (landmarks and a forest); features, labels and data are our own",
        weights=(MODEL,),
    )
)
def landmark_forest(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """How far pose and size let a face be recognised, from its five points: a forest of 200 trees, in microseconds.

    image: C×H×W; only its size is looked at. faces: boxes and points.
    Returns for each 0 (as unlike as a stranger) to 1 (as like as its best views), with `spread`, the deviation over the trees, and
    `profile`, set where the eyes lie so near one another that their distance measures nothing.
    Blind by construction to blur, noise, exposure, compression and whatever covers the face: none of them moves a point. Ask
    another score beside it and take the lower one.
    Raises BadInput, and CannotAssess for a face that the detector was not sure of, because its points are made up.
    Not differentiable: a forest is made of steps.
    """
    image = check.faces(image, faces)
    for face in faces:
        if face.confidence < SURE:
            raise CannotAssess(f"The detector was {face.confidence:.0%} sure of this face: its points cannot be relied on.")
    if not faces:
        return []
    answers = forest().answers(geometry(faces, *image.shape[-2:]))
    mean, spread = answers.mean(1).tolist(), answers.std(1, unbiased=False).tolist()
    return [Finding(score=m, data={"spread": round(s, 4), "profile": profile(f)}) for m, s, f in zip(mean, spread, faces, strict=True)]


@cache
def forest() -> Forest:
    """The shipped forest."""
    return Forest.of(weights.load_safetensors(MODEL))
