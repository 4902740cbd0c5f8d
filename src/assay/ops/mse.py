"""The mean squared error of a pair of pictures."""

from __future__ import annotations

import ctypes
from functools import cache
from math import inf

import torch
from torch import Tensor

from assay import kernels

PART = 1 << 18  # pixels in a sum of their own: the work of a thread, and exact on any machine


def mse(x: Tensor, ref: Tensor) -> Tensor:
    """Mean over everything but the first dimension, for pixels in [0, 1]; N values, float64 for uint8.

    x, ref: N×C×H×W of one shape and dtype, uint8 or float. The squares of 8-bit pixels are summed as whole numbers.
    """
    if x.dtype != torch.uint8:
        return (x - ref).square().mean(dim=(1, 2, 3))
    sums = _kernel(x, ref) if kernels.can(x, ref, dtypes=(torch.uint8,)) else squares(x, ref)
    return sums.double() / (255**2 * (x.numel() // len(x)))


def decibel(error: Tensor) -> Tensor:
    """-10 log10 of a mean squared error; inf where it is 0, with gradient 0 rather than NaN."""
    differ = error > 0
    return torch.where(differ, -10 * torch.where(differ, error, 1).log10(), inf)


def squares(x: Tensor, ref: Tensor) -> Tensor:
    """The definition of the kernel: sums of squared differences of uint8 pixels, N int64."""
    sums = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    for top in range(0, x.shape[2], 256):  # strips: whole numbers are larger than pixels
        rows = slice(top, top + 256)
        sums += (x[:, :, rows].int() - ref[:, :, rows].int()).square_().sum((1, 2, 3))
    return sums


def _kernel(x: Tensor, ref: Tensor) -> Tensor:
    x, ref = x.contiguous(), ref.contiguous()
    size = x.numel() // len(x)
    sums = torch.empty(len(x), -(-size // PART), dtype=torch.int64)
    run, a, b, to = _function(), kernels.pointer(x), kernels.pointer(ref), kernels.pointer(sums)
    kernels.split(lambda start, stop: run(a, b, size, PART, start, stop, to), sums.numel(), grain=8)
    return sums.sum(1)


@cache
def _function() -> ctypes._NamedFuncPointer:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    fn, size, address = library.squared_differences, ctypes.c_ssize_t, ctypes.c_void_p
    fn.argtypes, fn.restype = [address, address, size, size, size, size, address], None
    return fn
