"""Puzzle similarity with hand-made features, which works offline."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.gradients import step_of
from assay.ops.pieces import SIDE, counterparts, edge_counts, lowest
from assay.types import Scale, ScoreCard

WORST = 0.05  # the share of places that make the score


@carded(
    ScoreCard(
        name="puzzle_similarity-assay",
        version="1",
        takes=("image", "images"),
        scale=Scale(worst=-1, best=1, usual=(0.5, 1)),
        paper="after Hermann, Condor & Didyk 2025, arXiv:2411.17489 (own features)",
        min_side=SIDE,
        map="puzzle_similarity_assay_map",
    )
)
def puzzle_similarity_assay(x: Tensor, *, scene: Tensor) -> Tensor:
    """Puzzle similarity without a network: whether the worst places of a view have a counterpart in other views of the scene.

    x: N×C×H×W views to judge; scene: M×C×h×w photographs of the same scene, not aligned with x, at a like scale; sRGB,
    at least 32×32, float in [0, 1] or uint8. Each is shrunk so that the short side is about 256.
    In place of a network's layers: how much slope points in each of eight directions, in cells of 4×4 pixels, at two sizes,
    beside grain, lightness and colour. The numbers are not those of puzzle_similarity.
    Measured on crops of 6 Kodak photographs beside four shifted ones, with a damaged tenth: area under the curve of the map
    0.96 for foreign content (of 5), 0.88 for blur (σ 2.5 pixels), 0.80 for JPEG (quality 12), 0.74 for noise (σ 20): damage that
    looks like another texture of the scene is missed.
    Returns N scores, the mean of the lowest twentieth of the map; 1 for a view of the scene itself.  Raises BadInput.
    Not differentiable: the nearest of many places is looked up, and the worst places alone count.

    >>> x = torch.rand(1, 3, 64, 64)
    >>> bool(puzzle_similarity_assay(x, scene=x) > 0.9999)
    True
    """
    return lowest(puzzle_similarity_assay_map(x, scene=scene), WORST)


def puzzle_similarity_assay_map(x: Tensor, *, scene: Tensor) -> Tensor:
    """How like each place is to the likest place of the scene, N×H×W; 1 is alike, dark has no counterpart: an artefact."""
    (x,), (scene,) = check.images(x=x, min_side=SIDE), check.images(scene=scene, min_side=SIDE)
    pieces = [edge_counts(view[None], step_of(view))[0] for view in scene.to(x)]
    maps = [counterparts(edge_counts(one[None], step_of(one))[0], pieces) for one in x]
    return F.interpolate(torch.stack(maps)[:, None], x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
