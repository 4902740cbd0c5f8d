"""Sums over 8×8 windows of 8-bit pairs, by kernels whose whole numbers are exact. The definitions are with the metrics."""

from __future__ import annotations

import ctypes
from functools import cache

import torch
from torch import Tensor

from assay import kernels

SIDE = 8


def correlations(x: Tensor, ref: Tensor, flat: float) -> Tensor | None:
    """`scc`: the sum of the correlations of Laplacians around every pixel of N×C×H×W, N float64; None if no kernel may."""
    if not kernels.can(x, ref, dtypes=(torch.uint8,)):
        return None
    return _summed(x, ref, x.shape[2], x.shape[3] + 12, lambda a, b, h, w, *rest: _library().correlation_rows(a, b, h, w, flat, *rest))


def universal(x: Tensor, ref: Tensor) -> Tensor | None:
    """`uqi`: the sum of the index over all windows and channels of N×C×H×W, N float64; None if no kernel may."""
    if not kernels.can(x, ref, dtypes=(torch.uint8,)):
        return None
    return _summed(x, ref, x.shape[2] - SIDE + 1, x.shape[3], _library().universal_rows)


def _summed(x: Tensor, ref: Tensor, rows: int, width: int, run: ctypes._NamedFuncPointer | object) -> Tensor:
    x, ref = x.contiguous(), ref.contiguous()
    n, c, h, w = x.shape
    sums = torch.zeros(n, c * rows, dtype=torch.float64)
    a, b, to = (kernels.pointer(t) for t in (x, ref, sums))

    def work(start: int, stop: int) -> None:
        room = torch.empty(11 * width, dtype=torch.int32)  # sums of columns and of windows, five each, and two rows of 16 bits
        run(a, b, h, w, start, stop, kernels.pointer(room), to)  # type: ignore[operator]

    kernels.split(work, sums.numel(), grain=max(32, (1 << 17) // w))
    return sums.sum(1)


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    library.correlation_rows.argtypes = [address, address, size, size, ctypes.c_float, size, size, address, address]
    library.universal_rows.argtypes = [address, address, *[size] * 4, address, address]
    library.correlation_rows.restype = library.universal_rows.restype = None
    return library
