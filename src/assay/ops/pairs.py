"""What the channels of a pair of 8-bit colour pictures differ by, from one look at the pixels."""

from __future__ import annotations

import ctypes
from functools import cache

import torch
from torch import Tensor

from assay import kernels
from assay.ops.shared import shared

PART = 1 << 16  # pixels in a sum of their own
PLACES = ((0, 3, 4), (3, 1, 5), (4, 5, 2))  # where the kernel puts the product of two channels


@shared
def products(x: Tensor, ref: Tensor) -> Tensor:
    """The mean over the pixels of d·dᵀ, N×C×C float64, where d is the difference of the channels in [0, 1].

    x, ref: N×C×H×W, uint8 or float in [0, 1]. Differentiable; without gradients uint8 on a CPU is done by a kernel, exactly.
    """
    if x.shape[1] == 3 and kernels.can(x, ref, dtypes=(torch.uint8,)):
        sums = _kernel(x, ref, _library().difference_products, torch.zeros((), dtype=torch.int64), 6)
        return sums.double()[:, torch.tensor(PLACES)] / (255**2 * x.shape[2] * x.shape[3])
    total = torch.zeros(len(x), x.shape[1], x.shape[1], dtype=torch.float64, device=x.device)
    for top in range(0, x.shape[2], 256):  # strips, so that memory stays small
        a, b = (t[:, :, top : top + 256].flatten(2) for t in (x, ref))
        d = (a.double() - b.double()) / 255 if x.dtype == torch.uint8 else a - b
        total = total + (d @ d.mT).double()
    return total / (x.shape[2] * x.shape[3])


def angles(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor] | None:
    """The sum of the angles between the colours of N×3×H×W where neither is black, and how many those are; None if no kernel may."""
    if not kernels.can(x, ref, dtypes=(torch.uint8,)):
        return None
    total, count = _kernel(x, ref, _library().colour_angles, torch.zeros((), dtype=torch.float64), 2).unbind(1)
    return total, count


def _kernel(x: Tensor, ref: Tensor, run: ctypes._NamedFuncPointer, zero: Tensor, count: int) -> Tensor:
    x, ref = x.contiguous(), ref.contiguous()
    size = x.shape[2] * x.shape[3]
    parts = -(-size // PART)
    sums = zero.expand(len(x), parts, count).contiguous()
    for a, b, one in zip(x, ref, sums, strict=True):
        p, q, to = (kernels.pointer(t) for t in (a, b, one))

        def work(start: int, stop: int, p: ctypes.c_void_p = p, q: ctypes.c_void_p = q, to: ctypes.c_void_p = to) -> None:
            run(p, q, size, PART, start, stop, to)

        kernels.split(work, parts, grain=8)
    return sums.sum(1)


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    for fn in (library.difference_products, library.colour_angles):
        fn.argtypes, fn.restype = [address, address, *[size] * 4, address], None
    return library
