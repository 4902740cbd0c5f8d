"""Moves the five points of a found face to where they belong, by a few linear steps on the gradients around them.

Supervised descent (Xiong & De la Torre 2013, doi:10.1109/CVPR.2013.75): the face is brought upright by the points it has; from
the histograms of its gradients a matrix tells how far each point is off; and again. Fitted by recipes/face_points.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from assay import weights
from assay.ops.align import SIDE as FRAME
from assay.ops.align import TEMPLATE, chips, fitted, similarity
from assay.types import CannotAssess, Face, Weights

MODEL = Weights(
    file="face_points.safetensors",
    sha256="256390df52d20faf6a1f7e6ba031d565b4dc4e180d2a159ec89d292bc0f0485d",
    license="Apache-2.0; trained on official portraits (MIT)",
    recipe="recipes/face_points.py",
)
CHECK = Weights(
    file="face_check.safetensors",
    sha256="cf746dcc5ba87414ba016476060efd24cc96dad64fb77be49c76c2df31580a8b",
    license="Apache-2.0; trained on official portraits (MIT) and free photographs",
    recipe="recipes/face_check.py",
)
SIDE, MARGIN = 48, 0.5  # pixels of the upright view, and how much wider than the template's square it is
CELL, ANGLES = 6, 8  # pixels of a cell of the histograms, and directions told apart


def histograms(x: Tensor) -> Tensor:
    """N×1×48×48 → N×513: how strong the gradients of each direction are in every cell, relative to the whole; and a one."""
    x = x[:, 0]
    down, across = x[:, 2:, 1:-1] - x[:, :-2, 1:-1], x[:, 1:-1, 2:] - x[:, 1:-1, :-2]
    strength = (down.square() + across.square() + 1e-8).sqrt()
    turn = torch.atan2(down, across) * (ANGLES / (2 * torch.pi))
    gap = (turn[:, None] - torch.arange(ANGLES).to(x)[:, None, None]).remainder(ANGLES)
    share = (1 - torch.minimum(gap, ANGLES - gap)).clamp_min(0)
    found = avg_pool2d(torch.nn.functional.pad(share * strength[:, None], (1, 1, 1, 1)), CELL)
    around = avg_pool2d(found.sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
    found = (found / (around + 0.25 * around.mean((2, 3), keepdim=True) + 1e-4)).sqrt().flatten(1)
    return torch.cat([found, found.new_ones(len(found), 1)], dim=1)


def seen(grey: Tensor, faces: Sequence[Face]) -> Tensor:
    """The histograms of faces in one picture, 1×H×W in [0, 1], as their points see them."""
    return histograms(chips(grey, faces, side=SIDE, margin=MARGIN))


def off(points: Tensor, wanted: Tensor) -> Tensor:
    """How far points are off, 5×2 and 5×2 pixels of the picture, in the frame of the template."""
    forth = similarity(points, torch.tensor(TEMPLATE).to(points))
    return (wanted - points) @ forth[:, :2].T / FRAME


def moved(face: Face, by: Tensor) -> Face:
    """The face with its points moved by 5×2, given in that frame."""
    turn, _ = fitted(face.points, TEMPLATE)
    points = [complex(*p) + complex(*d) * FRAME / turn for p, d in zip(face.points, by.tolist(), strict=True)]
    return Face(face.box, tuple((p.real, p.imag) for p in points), face.confidence)


@torch.inference_mode()
def settled(grey: Tensor, face: Face) -> Face:
    """The face with better points. One that lies outside the picture, or whose points are one, stays as it is."""
    try:
        for step in steps():
            face = moved(face, (seen(grey, [face]).cpu() @ step).reshape(5, 2))
    except CannotAssess:
        return face
    return face


def evidence(grey: Tensor, face: Face) -> Tensor:
    """What a second look at a found face goes by: its histograms, the logit of its confidence, and a one."""
    logit = math.log(face.confidence / (1 - face.confidence))
    return torch.cat([seen(grey, [face]).cpu()[0, :-1], torch.tensor([logit, 1.0])])


@torch.inference_mode()
def checked(grey: Tensor, face: Face) -> Face:
    """The face with the confidence of a second look at it, upright. One that lies outside the picture stays as it is."""
    try:
        logit = float(evidence(grey, face) @ check_weights())
    except CannotAssess:
        return face
    return Face(face.box, face.points, 1 / (1 + math.exp(-logit)))


@cache
def check_weights() -> Tensor:
    """One weight for each of 514 numbers and a one."""
    return weights.load_safetensors(CHECK)["weights"].float()


@cache
def steps() -> list[Tensor]:
    """The matrices of the steps, 513×10 each."""
    found = weights.load_safetensors(MODEL)
    return [found[k].float() for k in sorted(found)]
