"""Windowed means, borders and reductions by means."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from assay import kernels

LINE = 1024  # results that the kernel makes at a time


def gaussian(size: int, sigma: float) -> Tensor:
    """The `size` weights of a Gaussian window, float64, summing to 1."""
    i = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    w = torch.exp(-(i**2) / (2 * sigma**2))
    return w / w.sum()


def windowed(x: Tensor, weights: Tensor) -> Tensor:
    """Weighted means of float N×C×H×W over every square window that lies inside: N×C×(H-n+1)×(W-n+1)."""
    return separable(x, weights, weights)


def separable(x: Tensor, down: Tensor, across: Tensor, step: int = 1) -> Tensor:
    """Weighted sums of float N×C×H×W over the windows inside that begin at every `step`-th row and column."""
    if kernels.can(x, dtypes=(torch.float32, torch.float64)):
        return _separable(x.contiguous(), down, across, step)
    n, c, height, width = x.shape
    x = F.conv2d(x.reshape(n * c, 1, height, width), down.to(x).view(1, 1, -1, 1), stride=(step, 1))
    x = F.conv2d(x, across.to(x).view(1, 1, 1, -1), stride=(1, step))
    return x.reshape(n, c, *x.shape[2:])


def _separable(x: Tensor, down: Tensor, across: Tensor, step: int) -> Tensor:
    n, c, height, width = x.shape
    down, across = (t.to(x).contiguous() for t in (down, across))
    a, b = len(down), len(across)
    out = x.new_empty(n, c, (height - a) // step + 1, (width - b) // step + 1)
    run = _library().separable_f32 if x.dtype == torch.float32 else _library().separable_f64
    source, d, r, to = (kernels.pointer(t) for t in (x, down, across, out))

    def work(start: int, stop: int) -> None:
        line = x.new_empty(LINE * step + b)
        run(source, height, width, d, a, r, b, step, start, stop, kernels.pointer(line), to)

    kernels.split(work, n * c * out.shape[2], grain=max(8, (1 << 20) // (width * (a + b))))
    return out


def mirrored(x: Tensor, before: int, after: int, *, edge: Literal["once", "twice"]) -> Tensor:
    """Add mirrored rows and columns on both sides; any dtype.

    edge="once": … 2 1 |0 1 2 …, NumPy's and torch's "reflect"; "twice": … 1 0 |0 1 2 …, MATLAB's "symmetric".
    """
    skip = 1 if edge == "once" else 0
    for dim in (-2, -1):
        size = x.shape[dim]
        if max(before, after) + skip > size:  # the mirror image is mirrored again
            places = np.pad(np.arange(size), (before, after), mode="reflect" if skip else "symmetric")
            x = x.index_select(dim, torch.from_numpy(places).to(x.device))
            continue
        head, tail = x.narrow(dim, skip, before), x.narrow(dim, size - skip - after, after)
        x = torch.cat([head.flip(dim), x, tail.flip(dim)], dim)
    return x


def halved(x: Tensor) -> Tensor:
    """Means of 2×2 pixels, uint8 to float32 in [0, 1]; the last row or column of an odd size counts twice."""
    if kernels.can(x, dtypes=(torch.uint8, torch.float32)):
        return _halved(x.contiguous())
    h, w = x.shape[-2:]
    rows = x if h % 2 == 0 else torch.cat([x, x[..., -1:, :]], dim=-2)
    x = rows if w % 2 == 0 else torch.cat([rows, rows[..., -1:]], dim=-1)
    quarter = 1 / (4 * 255) if x.dtype == torch.uint8 else 1 / 4
    a, b, c, d = (x[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
    return torch.add(torch.add(a * quarter, b, alpha=quarter), torch.add(c * quarter, d, alpha=quarter))


def _halved(x: Tensor) -> Tensor:
    n, c, height, width = x.shape
    out = torch.empty(n, c, (height + 1) // 2, (width + 1) // 2)
    run, scale = (_library().halved_u8, 1 / 255) if x.dtype == torch.uint8 else (_library().halved_f32, 1)
    source, to = kernels.pointer(x), kernels.pointer(out)
    kernels.split(
        lambda start, stop: run(source, height, width, scale, start, stop, to), n * c * out.shape[2], grain=max(8, (1 << 18) // width)
    )
    return out


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    for fn in (library.separable_f32, library.separable_f64):
        fn.argtypes, fn.restype = [address, size, size, address, size, address, *[size] * 4, address, address], None
    for fn in (library.halved_u8, library.halved_f32):
        fn.argtypes, fn.restype = [address, size, size, ctypes.c_float, size, size, address], None
    return library


def thinned(x: Tensor, step: int) -> Tensor:
    """Every `step`-th pixel of float N×C×H×W after a step×step mean, as MATLAB's imfilter(…, 'symmetric') and x(1:f:end, 1:f:end)."""
    return F.avg_pool2d(mirrored(x, (step - 1) // 2, step // 2, edge="twice"), step, stride=step)
