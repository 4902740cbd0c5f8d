"""Puzzle similarity: artefacts of one view, seen by other views of the same scene."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets import squeezenet
from assay.nets.imagenet import lpips_scaled, parameters
from assay.ops.pieces import counterparts, lowest
from assay.types import Scale, ScoreCard

LAYERS = ((2, 0.67), (3, 0.20), (4, 0.13))  # of SqueezeNet, and their weights: defaults of the authors' puzzle_sim 1.0
WORST = 0.05  # the share of places that make the score; ours, the authors give the map
SIDE = 32
INSTEAD = "puzzle_similarity-assay"


@carded(
    ScoreCard(
        name="puzzle_similarity",
        version="1",
        takes=("image", "images"),
        scale=Scale(worst=-1, best=1, usual=(0.5, 1)),
        paper="Hermann, Condor & Didyk 2025 (ICCV), arXiv:2411.17489",
        weights=(squeezenet.IMAGENET,),
        min_side=SIDE,
        map="puzzle_similarity_map",
    )
)
def puzzle_similarity(x: Tensor, *, scene: Tensor) -> Tensor:
    """Puzzle similarity: whether the worst places of a view have a counterpart anywhere in other views of the scene.

    x: N×C×H×W views to judge; scene: M×C×h×w photographs of the same scene, not aligned with x, at a like scale; sRGB,
    at least 32×32, float in [0, 1] or uint8. Every place is compared with every place: shrink to about 512 pixels first.
    The map is the authors'; the score is the mean of its lowest twentieth, which is ours. What only x shows looks like
    an artefact, and misplaced but familiar content does not.
    Returns N scores, 1 for a view of the scene itself.  Raises BadInput, and MissingWeights without the official file.
    Not differentiable: the nearest of many places is looked up, and the worst places alone count.
    """
    return lowest(puzzle_similarity_map(x, scene=scene), WORST)


def puzzle_similarity_map(x: Tensor, *, scene: Tensor) -> Tensor:
    """How like each place is to the likest place of the scene, N×H×W; 1 is alike, dark has no counterpart: an artefact."""
    (x,), (scene,) = check.images(x=x, min_side=SIDE), check.images(scene=scene, min_side=SIDE)
    pieces = [list(_layers(view[None])) for view in scene.to(x)]
    out = torch.zeros(len(x), *x.shape[2:], dtype=x.dtype, device=x.device)
    for one, to in zip(x, out, strict=True):
        for i, (layer, (_, weight)) in enumerate(zip(_layers(one[None]), LAYERS, strict=True)):
            found = counterparts(layer, [p[i] for p in pieces])[None, None]
            to += weight * F.interpolate(found, x.shape[2:], mode="bilinear", align_corners=True)[0, 0]
    return out


def _layers(x: Tensor) -> Iterator[Tensor]:
    p = parameters(squeezenet.IMAGENET, x.device, x.dtype, INSTEAD)
    wanted = {layer for layer, _ in LAYERS}
    layers = islice(squeezenet.features(lpips_scaled(x), p), max(wanted) + 1)
    return (t[0] for i, t in enumerate(layers) if i in wanted)
