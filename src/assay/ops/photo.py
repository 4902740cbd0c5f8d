"""Bricks of the photographic attributes: pixels in 8-bit steps, strips of a large photo, evenly spread patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, sqrt

import torch
from torch import Tensor

from assay.ops.shared import shared

LUMA = (0.299, 0.587, 0.114)  # Rec. ITU-R BT.601, as in JPEG
EXACT = (306 / 1024, 601 / 1024, 117 / 1024)  # the same to 3 digits; sums come out exact in float32, grey stays what it is
GRAIN = 64  # floats are rounded to 1/64 of an 8-bit step, so that bytes and the same bytes as floats score alike
STRIP = 1 << 19  # pixels handled at a time: small enough for the cache, large enough for the vector units


def steps(x: Tensor) -> Tensor:
    """Pixels in 8-bit steps, float32 in 0..255, whatever they came as."""
    return x.float() if x.dtype == torch.uint8 else (x * (255 * GRAIN)).round().float() / GRAIN


@shared
def luma(x: Tensor) -> Tensor:
    """…×C×H×W pixels to …×H×W luma in 8-bit steps."""
    if x.shape[-3] == 1:
        return steps(x[..., 0, :, :])
    r, g, b = EXACT
    return steps(x[..., 0, :, :]).mul_(r).add_(steps(x[..., 1, :, :]), alpha=g).add_(steps(x[..., 2, :, :]), alpha=b)


def strips(x: Tensor, *, halo: int = 0, multiple: int = 1) -> Iterator[Tensor]:
    """C×H×W in bands of whole rows, `multiple` rows or a multiple of it each, with `halo` more rows of the next band."""
    rows = max(multiple, STRIP // x.shape[-1] // multiple * multiple)
    for top in range(0, x.shape[-2], rows):
        yield x[..., top : top + rows + halo, :]


def patches(x: Tensor, *, side: int, most: int = 1 << 21) -> Tensor:
    """C×H×W to P×C×side×side: squares evenly spread over the photo, in reading order.

    They cover all of it up to about `most` pixels; of a larger photo they are a regular sample,
    so that time and memory stay bounded and the answer is the same each time.
    """
    ny, nx = grid(x.shape[-2], x.shape[-1], side=side, most=most)
    tops, lefts = spread(x.shape[-2] - side, ny), spread(x.shape[-1] - side, nx)
    return torch.stack([x[..., t : t + side, left : left + side] for t in tops for left in lefts])


def grid(height: int, width: int, *, side: int, most: int = 1 << 21) -> tuple[int, int]:
    """Rows and columns of `patches`."""
    share = min(1.0, sqrt(most / (height * width)))
    return max(1, ceil(height / side * share)), max(1, ceil(width / side * share))


def spread(room: int, count: int) -> list[int]:
    """`count` whole positions from 0 to `room`, evenly spaced."""
    return [round(room * i / (count - 1)) for i in range(count)] if count > 1 else [room // 2]


def filter2(planes: Tensor, down: list[float], across: list[float]) -> Tensor:
    """P×h×w filtered by two symmetric one-dimensional kernels, without padding: the result is smaller.

    By shifted sums: on a processor, convolving one channel is ten times slower.
    """
    return _filter(_filter(planes, down, 1), across, 2)


def _filter(planes: Tensor, taps: list[float], axis: int) -> Tensor:
    n = planes.shape[axis] - len(taps) + 1
    out = planes.narrow(axis, 0, n) * taps[0]
    for i, tap in enumerate(taps[1:], 1):
        out.add_(planes.narrow(axis, i, n), alpha=tap)
    return out


def areas(x: Tensor, chosen: Callable[[Tensor], Tensor]) -> Tensor:
    """C×H×W to H×W: 1 for chosen pixels inside areas, 0 elsewhere.

    An area is a union of squares as wide as 1/128 of the shorter side (3 pixels at least): a morphological opening.
    """
    mask = torch.cat([chosen(strip) for strip in strips(x)])
    if not mask.any():
        return mask.float()
    side = min(max(3, round(min(mask.shape) / 128)), *mask.shape)
    for axis in (0, 1):
        mask = _all_of(mask, side, axis)
    for axis in (0, 1):  # widening by `side` is keeping all but what was erased: De Morgan
        size = list(mask.shape)
        size[axis] = side - 1
        edge = mask.new_ones(size)
        mask = _all_of(torch.cat([edge, ~mask, edge], dim=axis), side, axis).logical_not_()
    return mask.float()


def _all_of(mask: Tensor, side: int, axis: int) -> Tensor:
    """Whether a run of `side` pixels is all true, by doubling: about log2(side) passes."""
    done = 1
    while done < side:
        hop = min(done, side - done)
        n = mask.shape[axis] - hop
        mask = mask.narrow(axis, 0, n) & mask.narrow(axis, hop, n)
        done += hop
    return mask
