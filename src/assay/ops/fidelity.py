"""How much of the information in a reference its damaged copy still holds, in Gaussian windows at four scales."""

from __future__ import annotations

import ctypes
from functools import cache

import torch
from torch import Tensor

from assay import kernels
from assay.ops.colour import LUMA
from assay.ops.filters import gaussian, windowed

SIZES = (17, 9, 5, 3)  # vifp_mscale.m: N = 2^(4-scale+1)+1, σ = N/5
NOISE = 2.0  # vifp_mscale.m: variance of the visual noise, for pixels in [0, 255]
EPS = 1e-10  # vifp_mscale.m: variances below this are none
LITTLE = 1e-3  # nats in a window: half of this is what rounding to 8 bits makes of a flat one
BAND = 256  # rows of windows whose logarithms a kernel sums together


def information(x: Tensor, ref: Tensor) -> Tensor:
    """N×2: what x still tells about ref, and what ref tells; in nats, summed over windows and scales.

    x, ref: N×C×H×W of one shape and dtype, uint8 or float in [0, 1], checked before, sides at least 41.
    Differentiable; without gradients on a CPU a kernel does it.
    """
    if kernels.can(x, ref, dtypes=(torch.uint8, torch.float32)):
        return _kernel(x, ref)
    return told(x, ref)


def told(x: Tensor, ref: Tensor) -> Tensor:
    """The definition that the kernels are held to."""
    x, ref = _centred(x), _centred(ref)
    total = x.new_zeros(x.shape[0], 2, dtype=torch.float64)
    for scale, n in enumerate(SIZES):
        weights = gaussian(n, n / 5)
        if scale:
            x, ref = (windowed(t, weights)[..., ::2, ::2] for t in (x, ref))
        total = total + torch.stack([v.sum((1, 2, 3), dtype=torch.float64) for v in _logarithms(x, ref, weights)], 1)
    return total


def finest(x: Tensor, ref: Tensor) -> Tensor:
    """The share of what ref tells that x still tells, in every window of the finest scale, N×(H-16)×(W-16); 1 where ref is flat."""
    kept, told = (v[:, 0] for v in _logarithms(_centred(x), _centred(ref), gaussian(SIZES[0], SIZES[0] / 5)))
    some = told > LITTLE
    return torch.where(some, kept / torch.where(some, told, 1), 1)


def _centred(x: Tensor) -> Tensor:
    """Grey in 0..255, not rounded, less 128: variances do not change, and float32 keeps its digits."""
    x = x.float() if x.dtype == torch.uint8 else 255 * x
    if x.shape[1] == 3:
        r, g, b = LUMA
        x = r * x[:, :1] + g * x[:, 1:2] + b * x[:, 2:]
    return x - 128


def _logarithms(x: Tensor, ref: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 + signal/noise) of every window, in x and in ref, where ref passes a channel of gain g and noise `rest`."""
    mx, mr = windowed(x, weights), windowed(ref, weights)
    vx = (windowed(x * x, weights) - mx.square()).clamp(min=0)
    vr = (windowed(ref * ref, weights) - mr.square()).clamp(min=0)
    both = windowed(x * ref, weights) - mx * mr
    alike = (vx >= EPS) & (vr >= EPS) & (both > 0)  # no signal, or one turned negative, tells nothing
    gain = torch.where(alike, both / (vr + EPS), 0)
    rest = (vx - gain * both).clamp(min=EPS)
    vr = torch.where(vr >= EPS, vr, 0)
    return torch.log1p(gain.square() * vr / (rest + NOISE)), torch.log1p(vr / NOISE)


def _kernel(x: Tensor, ref: Tensor) -> Tensor:
    planes = _planes(x.contiguous()), _planes(ref.contiguous())
    count = x.shape[0]
    total = torch.zeros(count, 2, dtype=torch.float64)
    for scale, n in enumerate(SIZES):
        half = gaussian(n, n / 5)[n // 2 :].float()
        if scale:
            planes = _halved(planes[0], half, n), _halved(planes[1], half, n)
        height, width = planes[0].shape[1:]
        bands = -(-(height - n + 1) // BAND)
        sums = torch.zeros(count, bands, 2, dtype=torch.float64)
        a, b, w, to = (kernels.pointer(t) for t in (*planes, half, sums))

        def work(start: int, stop: int) -> None:
            _functions().vifp_scale(a, b, width, height, start, stop, w, n, to)  # noqa: B023 - called before the loop goes on

        kernels.split(work, count * bands, grain=1)
        total += sums.sum(1)
    return total


def _planes(x: Tensor) -> Tensor:
    n, c, height, width = x.shape
    out, luma = torch.empty(n, height, width), torch.tensor(LUMA, dtype=torch.float32)
    source, w, to = (kernels.pointer(t) for t in (x, luma, out))

    def work(start: int, stop: int) -> None:
        _functions().vifp_grey(source, int(x.dtype == torch.uint8), c, width, height, start, stop, w, to)

    kernels.split(work, n * height, grain=max(8, (1 << 19) // width))
    return out


def _halved(x: Tensor, half: Tensor, n: int) -> Tensor:
    count, height, width = x.shape
    out = torch.empty(count, (height - n + 2) // 2, (width - n + 2) // 2)
    source, w, to = (kernels.pointer(t) for t in (x, half, out))

    def work(start: int, stop: int) -> None:
        _functions().vifp_halve(source, width, height, start, stop, w, n, to)

    kernels.split(work, count * out.shape[1], grain=max(8, (1 << 17) // width))
    return out


@cache
def _functions() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address, whole = ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_int
    library.vifp_grey.argtypes = [address, whole, whole, size, size, size, size, address, address]
    library.vifp_scale.argtypes = [address, address, size, size, size, size, address, whole, address]
    library.vifp_halve.argtypes = [address, size, size, size, size, address, whole, address]
    for fn in (library.vifp_grey, library.vifp_scale, library.vifp_halve):
        fn.restype = None
    return library
