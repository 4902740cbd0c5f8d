"""Haar wavelets of a pair of pictures, and the similarity they give."""

from __future__ import annotations

import ctypes
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import kernels
from assay.ops.gradients import alike

C, ALPHA = 30.0, 4.2  # Reisenhofer 2018, section 4: fitted on four databases
SCALES = 3


def haar(y: Tensor, scale: int) -> Tensor:
    """Magnitudes of the undecimated Haar wavelets of that scale, N×1×H×W to N×2×H×W: across edges lying flat, then upright.

    As abs(conv2(y, h, 'same')) with a 2^k×2^k kernel of ±2^-k: halves of a window subtracted, zero outside.
    """
    n = 2**scale
    p = F.pad(y, (n // 2 - 1, n // 2, n // 2 - 1, n // 2))
    quarter = F.avg_pool2d(p, n // 2, stride=1) * (n / 4)  # sums over n/2×n/2, divided by n
    near, far = slice(None, -(n // 2)), slice(n // 2, None)
    a, b = quarter[..., near, near], quarter[..., near, far]
    c, d = quarter[..., far, near], quarter[..., far, far]
    return torch.cat([(c + d - a - b).abs(), (b + d - a - c).abs()], dim=1)


def similarities(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    """The definition: local similarities and their weights, N×D×H×W each, from planes in 8-bit units.

    x, ref: N×1×H×W luma, D = 2 (flat and upright edges), or N×3×H×W YIQ, D = 3 (and colour).
    """
    fine = [(haar(x[:, :1], s), haar(ref[:, :1], s)) for s in range(1, SCALES + 1)]
    local = sum((alike(a, b, C) for a, b in fine[:-1]), torch.zeros_like(fine[0][0])) / 2
    weights = torch.maximum(*fine[-1])
    if x.shape[1] == 1:
        return local, weights
    hue, hue_ref = (F.avg_pool2d(F.pad(t[:, 1:], (0, 1, 0, 1)), 2, stride=1).abs() for t in (x, ref))
    local = torch.cat([local, alike(hue, hue_ref, C).mean(1, keepdim=True)], dim=1)
    return local, torch.cat([weights, weights.mean(1, keepdim=True)], dim=1)


def haar_sums(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    """Σ w·σ(α·s) and Σ w over all places and directions, N float64 each."""
    if not kernels.can(x, ref, dtypes=(torch.float32,)):
        local, weights = similarities(x, ref)
        return (weights * torch.sigmoid(ALPHA * local)).double().sum((1, 2, 3)), weights.double().sum((1, 2, 3))
    x, ref = x.contiguous(), ref.contiguous()
    n, planes, h, w = x.shape
    bands = -(-h // BAND)
    sums = torch.zeros(n, bands, 2, dtype=torch.float64)
    a, b, to = kernels.pointer(x), kernels.pointer(ref), kernels.pointer(sums)

    def work(start: int, stop: int) -> None:
        _function()(a, b, planes, h, w, C, ALPHA, start, stop, to)

    kernels.split(work, n * bands, grain=max(1, (1 << 14) // w))
    total = sums.sum(1)
    return total[:, 0], total[:, 1]


BAND = 32  # rows of results that the kernel does at a time


@cache
def _function() -> ctypes._NamedFuncPointer:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    fn = library.haar_similarity
    size, address, real = ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_float
    fn.argtypes, fn.restype = [address, address, size, size, size, real, real, size, size, address], None
    return fn
