"""Bricks of the cues that look for traces in windows of a picture: its planes, where windows lie, and a map out of their answers."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from assay.ops.photo import luma, steps
from assay.ops.shared import shared

Array = NDArray[np.float32]
LONG_SIDE = 1024  # of a map, pixels


def light(stored: Tensor) -> Array:
    """Luma in 8-bit steps, H×W, of a C×H×W picture as stored; only 3 of 4 channels count."""
    return np.asarray(luma(stored[:3] if len(stored) >= 3 else stored[:1]).cpu().numpy())


def grain(stored: Tensor) -> Array:
    """Each pixel of `light` less its prediction [-¼ ½ -¼; ½ 0 ½; -¼ ½ -¼] from its neighbours (Kirchner 2008), without the border."""
    return np.asarray(_grain(stored).numpy())


@shared
def _grain(stored: Tensor) -> Tensor:
    x = torch.from_numpy(light(stored))
    for axis in (1, 0):
        n = x.shape[axis] - 2
        x = x.narrow(axis, 0, n).add(x.narrow(axis, 2, n)).sub_(x.narrow(axis, 1, n), alpha=2)
    return x.div_(4)


def plane(stored: Tensor, channel: int) -> Array:
    """One channel in 8-bit steps, H×W."""
    return np.asarray(steps(stored[channel]).cpu().numpy())


def places(length: int, side: int, step: int) -> NDArray[np.intp]:
    """Where windows begin along one side: evenly, at most `step` apart, the last one at the end."""
    count = ceil((length - side) / step) + 1
    return np.linspace(0, length - side, count).round().astype(np.intp)


def stride(height: int, width: int, side: int, least: int, most: int) -> int:
    """A step between windows that makes at most about `most` of them."""
    return max(least, ceil(sqrt(max(1, height - side) * max(1, width - side) / most)))


def drawn(values: NDArray[np.floating], tops: NDArray[np.intp], lefts: NDArray[np.intp], side: int, shape: tuple[int, int]) -> Tensor:
    """A map of the whole picture, its long side at most LONG_SIDE, out of one value per window: the mean of all windows over a place."""
    reduce = ceil(max(shape) / LONG_SIDE)
    cell = max(1, side // 8)
    rows, columns = (ceil(n / cell) for n in shape)
    total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
    for i, j, y, x in _windows(tops, lefts):
        box = (slice(y // cell, ceil((y + side) / cell)), slice(x // cell, ceil((x + side) / cell)))
        total[box] += values[i, j]
        count[box] += 1
    mean = torch.from_numpy(total / np.maximum(count, 1)).float()
    size = [ceil(n / reduce) for n in shape]
    return interpolate(mean[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def _windows(tops: NDArray[np.intp], lefts: NDArray[np.intp]) -> Iterator[tuple[int, int, int, int]]:
    return ((i, j, int(y), int(x)) for i, y in enumerate(tops) for j, x in enumerate(lefts))
