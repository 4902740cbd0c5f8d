"""The eyes of an aligned face, as small grey patches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from assay.ops.facemask import LEFT, POINTS, TOP

EYES = tuple((x - LEFT, y - TOP) for x, y in POINTS[:2])  # on `facemask.canvas`
HALF = (36, 28)  # canvas pixels from the eye to the patch's sides, and to its top and bottom
CELL = 4  # canvas pixels that are averaged
OPEN = 0.067  # of the distance from eyes to chin: the gap between open lids, the median of OFIQ's published test faces


def patch(grey: Tensor, side: int, margin: int = 0) -> Tensor:
    """Around one eye (0: on the left of the picture) of a grey h×w canvas."""
    x, y = EYES[side]
    wide, high = HALF[0] + margin, HALF[1] + margin
    return grey[y - high : y + high, x - wide : x + wide]


def features(patch: Tensor, side: int) -> Tensor:
    """Profiles of a patch of one size for both eyes, mirrored if on the right: 112 numbers.

    An open eye has upright edges (iris against white) and is darkest in its middle; a shut one has a level line below plain skin.
    """
    small = avg_pool2d(patch[None], CELL)[0]
    small = small.flip(1) if side else small
    return profiles((small - small.mean()) / (small.std() + 0.02))


def profiles(small: Tensor) -> Tensor:
    """By rows of a 14×18 patch: upright edges, level edges, mean, minimum and spread, of all or of the middle; and its order of tones."""
    across, down = small.diff(dim=1).abs(), small.diff(dim=0).abs()
    rows = [across.mean(1), across[:, 5:12].mean(1), down.mean(1), small.mean(1), small[:, 6:12].mean(1), small.amin(1), small.std(1)]
    return torch.cat([*rows, small[4:11, 5:13].flatten().sort().values[::4], across.mean()[None]])


def eyes(canvas: Tensor) -> Tensor:
    """Both eyes of a canvas in uint8: 2×112."""
    grey = canvas.float().mean(0) / 255
    return torch.stack([features(patch(grey, side), side) for side in (0, 1)])
