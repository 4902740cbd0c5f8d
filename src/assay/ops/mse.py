"""The mean squared error of a pair of pictures, and its decibels."""

from __future__ import annotations

import ctypes
from functools import cache
from math import inf, log10

import torch
from torch import Tensor

from assay import kernels

PART = 1 << 18  # pixels in a sum of their own: the work of a thread, and exact on any machine


def psnr_of(x: Tensor, ref: Tensor) -> Tensor:
    """-10 log10 of the mean squared error of N×C×H×W pixels, uint8 or float in [0, 1]; N values, inf where equal.

    The squares of 8-bit pixels are summed as whole numbers.
    """
    if x.dtype is not torch.uint8:
        return decibel((x - ref).square().mean(dim=(1, 2, 3)))
    sums = _kernel(x, ref) if kernels.can(x, ref, dtypes=(torch.uint8,)) else squares(x, ref)
    white = 255**2 * (x.numel() // len(sums))
    found = [10 * log10(white / s) if s else inf for s in sums]
    return torch.full((1,), found[0], device=x.device) if len(found) == 1 else torch.tensor(found, device=x.device)


def decibel(error: Tensor) -> Tensor:
    """-10 log10 of a mean squared error; inf where it is 0, with gradient 0 rather than NaN."""
    differ = error > 0
    return torch.where(differ, -10 * torch.where(differ, error, 1).log10(), inf)


def squares(x: Tensor, ref: Tensor) -> list[int]:
    """The definition of the kernel: a sum of squared differences for each of N uint8 pictures."""
    sums = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    for top in range(0, x.shape[2], 256):  # strips: whole numbers are larger than pixels
        rows = slice(top, top + 256)
        sums += (x[:, :, rows].int() - ref[:, :, rows].int()).square_().sum((1, 2, 3))
    return [int(s) for s in sums]


def _kernel(x: Tensor, ref: Tensor) -> list[int]:
    x, ref = x.contiguous(), ref.contiguous()
    n = x.shape[0]
    size = x.numel() // n
    parts = -(-size // PART)
    sums = (ctypes.c_int64 * (n * parts))()
    run, a, b = _function(), kernels.pointer(x), kernels.pointer(ref)
    kernels.split(lambda start, stop: run(a, b, size, PART, start, stop, sums), n * parts, grain=8)
    return [sum(sums[i : i + parts]) for i in range(0, n * parts, parts)]


@cache
def _function() -> ctypes._NamedFuncPointer:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    fn, size, address = library.squared_differences, ctypes.c_ssize_t, ctypes.c_void_p
    fn.argtypes, fn.restype = [address, address, size, size, size, size, address], None
    return fn
