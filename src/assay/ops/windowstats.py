"""Sums in square windows; mean, spread, skew and kurtosis in those of 16×16 that start at every fourth pixel."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cache

import torch
from torch import Tensor

from assay import kernels
from assay.ops.gradients import root

SIDE, STEP = 16, 4
ROUNDING = 1e-8  # squared grey levels: a window that varies less is flat, and has neither skew nor kurtosis
Moments = tuple[Tensor, ...]  # mean, and mean 2nd, or 2nd, 3rd and 4th powers of the differences from it


def box_sums(x: Tensor, side: int) -> Tensor:
    """Sums over all side×side squares of the last two dimensions, from sums over 1, 2, 4, 8 … neighbours."""
    for dim in (-2, -1):
        count = x.shape[dim] - side + 1
        done, total = 0, None
        for bit in range(side.bit_length()):
            width = 1 << bit
            if side & width:
                part = x.narrow(dim, done, count)
                total, done = part if total is None else total + part, done + width
            if 2 * width <= side:
                x = x.narrow(dim, 0, x.shape[dim] - width) + x.narrow(dim, width, x.shape[dim] - width)
        x = torch.as_tensor(total)
    return x


def magnitude_moments(z: Tensor) -> Moments:
    """The four moments of |z| in every window of complex N×H×W; each N×⌊(H-12)/4⌋×⌊(W-12)/4⌋."""
    return _moments(z).unbind(1)


def _moments(z: Tensor) -> Tensor:
    """The same as N×4×h×w."""
    if kernels.can(z, dtypes=(torch.complex64,)):
        return _kernel(z)
    return torch.stack(window_moments(blocks(z.abs()), SIDE // STEP), 1)


def changes(waves: Iterable[Tensor]) -> Tensor:
    """|Δ deviation| + 2 |Δ skew| + |Δ kurtosis| of the magnitudes of two complex N×H×W in every window, N×h×w."""
    old, new = (_moments(z) for z in waves)  # one after the other: the waves may be large
    if not kernels.can(old, new, dtypes=(torch.float32,)):
        deviation, skew, kurtosis = ((p - q).abs() for p, q in zip(_statistics(old), _statistics(new), strict=True))
        return torch.as_tensor(deviation + 2 * skew + kurtosis)
    out = torch.empty(len(old), *old.shape[2:])
    for one, two, to in zip(old, new, out, strict=True):
        p, q, r = (kernels.pointer(t) for t in (one, two, to))
        _library().moment_changes(p, q, to.numel(), ROUNDING, 0, to.numel(), r)
    return out


def _statistics(moments: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Deviation, skew and kurtosis of windows, from N×4×h×w moments."""
    _, m2, m3, m4 = moments.unbind(1)
    varies = m2 > ROUNDING
    some = torch.where(varies, m2, 1)
    return root(m2 * (256 / 255)), torch.where(varies, m3 / some**1.5, 0), torch.where(varies, m4 / some.square(), 0)


def blocks(x: Tensor, count: int = 4) -> Moments:
    """The first two or four moments of the 4×4 blocks of N×H×W; what does not fill a block is left out."""
    h, w = (n // STEP * STEP for n in x.shape[1:])
    none = torch.zeros((), dtype=x.dtype, device=x.device)
    rows = merged([(x[:, i:h:STEP, :w], *[none] * (count - 1)) for i in range(STEP)])
    return merged([_pick(rows, i) for i in range(STEP)])


def window_moments(parts: Moments, side: int) -> Moments:
    """The moments of all squares of side×side neighbouring blocks. The definition that the kernel is held to."""
    for dim in (2, 1):
        count = parts[0].shape[dim] - side + 1
        parts = merged([_span(parts, dim, i, count) for i in range(side)])
    return parts


def merged(groups: list[Moments]) -> Moments:
    """The moments of the union of groups of one size: no sums of powers are subtracted, so that float32 keeps its digits."""
    share = 1 / len(groups)
    mean = share * torch.as_tensor(sum(g[0] for g in groups))
    powers = [torch.zeros_like(mean) for _ in groups[0][1:]]
    for u, v, *more in groups:
        d = u - mean
        dd = d.square()
        powers[0] = powers[0] + (dd + v)
        if more:
            s, k = more
            powers[1] = powers[1] + (d * (dd + 3 * v) + s)
            powers[2] = powers[2] + (dd * (dd + 6 * v) + 4 * d * s + k)
    return mean, *(share * p for p in powers)


def _pick(parts: Moments, start: int) -> Moments:
    return tuple(p[:, :, start::STEP] for p in parts)


def _span(parts: Moments, dim: int, start: int, count: int) -> Moments:
    return tuple(p.narrow(dim, start, count) for p in parts)


def _kernel(z: Tensor) -> Tensor:
    """N×4×h×w."""
    z = z.contiguous()
    n, height, width = z.shape
    h, w = ((s - SIDE) // STEP + 1 for s in (height, width))
    out = torch.empty(n, 4, h, w)
    a, to, run = kernels.pointer(z), kernels.pointer(out), _library().window_moments
    kernels.split(lambda start, stop: run(a, width, height, start, stop, to), n * h, grain=max(8, (1 << 15) // w))
    return out


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    library.window_moments.argtypes, library.window_moments.restype = [address, size, size, size, size, address], None
    library.moment_changes.argtypes = [address, address, size, ctypes.c_float, size, size, address]
    library.moment_changes.restype = None
    return library
