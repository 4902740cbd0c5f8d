"""Moments of a pair of images under a sliding window, and the structural similarity they give."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from assay import kernels
from assay.ops.filters import gaussian, windowed

Window = Literal["gaussian", "box"]
SIZE: dict[Window, int] = {"gaussian": 11, "box": 7}
SIGMA = 1.5  # Wang 2004, section III-C
C1, C2 = 0.01**2, 0.03**2  # Wang 2004, section III-B, for pixels in [0, 1]


def ssim_mean(x: Tensor, ref: Tensor, *, window: Window = "gaussian", structure: bool = False) -> Tensor:
    """Mean structural similarity over all windows inside the image, N×C.

    x, ref: N×C×H×W of one shape and dtype, uint8 or float in [0, 1], checked before, H and W at least SIZE[window].
    `structure` leaves the luminance factor l out of l·cs. Differentiable; without gradients on a CPU a kernel does it.
    """
    if _fused(x, ref):
        return _kernel(x, ref, window, structure)[0]
    return similarity(x, ref, window=window, structure=structure).mean((2, 3))


def ssim_each(x: Tensor, ref: Tensor, *, window: Window = "gaussian", structure: bool = False) -> Tensor:
    """The structural similarity l·cs of every window inside, N×C×h×w; `structure` leaves l out."""
    if _fused(x, ref):
        out = _kernel(x, ref, window, structure, each=True)[1]
        if out is not None:
            return out
    return similarity(x, ref, window=window, structure=structure)


def similarity(x: Tensor, ref: Tensor, *, window: Window = "gaussian", structure: bool = False) -> Tensor:
    """The definition that the kernels are held to.

    With s = x+y and d = x-y, four windowed means say what the formula asks of five: 2μxμy = (μs²-μd²)/2 and
    μx²+μy² = (μs²+μd²)/2, likewise for covariance and variances. s is centred on mid-grey, so that float32 keeps its digits.
    """
    x, ref = (t.float() / 255 if t.dtype == torch.uint8 else t for t in (x, ref))
    n = SIZE[window]
    weights = gaussian(n, SIGMA) if window == "gaussian" else torch.full((n,), 1 / n, dtype=torch.float64)
    s, d = (x - 0.5) + (ref - 0.5), x - ref
    ms, md = windowed(s, weights), windowed(d, weights)
    unbias = n * n / (n * n - 1) if window == "box" else 1.0  # sample covariance belongs to the box, as in scikit-image
    vs = unbias * (windowed(s * s, weights) - ms.square())
    vd = unbias * (windowed(d * d, weights) - md.square())
    cs = (vs - vd + 2 * C2) / (vs + vd + 2 * C2)
    if structure:
        return cs
    ms = (ms + 1).square()  # back to black = 0
    return cs * (ms - md.square() + 2 * C1) / (ms + md.square() + 2 * C1)


def _fused(x: Tensor, ref: Tensor) -> bool:
    return kernels.can(x, ref, dtypes=(torch.uint8, torch.float32))


def _kernel(x: Tensor, ref: Tensor, window: Window, structure: bool, *, each: bool = False) -> tuple[Tensor, Tensor | None]:
    x, ref = x.contiguous(), ref.contiguous()
    n, c, height, width = x.shape
    h, w = height - SIZE[window] + 1, width - SIZE[window] + 1
    sums = torch.zeros(n, c, h, dtype=torch.float64)
    values = torch.empty(n, c, h, w) if each else None
    run, bytes_ = _function(window), int(x.dtype == torch.uint8)
    a, b, to = kernels.pointer(x), kernels.pointer(ref), kernels.pointer(sums)
    each_to = None if values is None else kernels.pointer(values)

    def work(start: int, stop: int) -> None:
        run(a, b, bytes_, width, height, start, stop, int(structure), to, each_to)

    kernels.split(work, sums.numel(), grain=max(8, (1 << 17) // width))  # a thread is worth starting for half a millisecond
    return (sums.sum(2) / (h * w)).float(), values


@cache
def _function(window: Window) -> ctypes._NamedFuncPointer:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    fn = library.ssim_gaussian if window == "gaussian" else library.ssim_box
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    fn.argtypes, fn.restype = [address, address, ctypes.c_int, size, size, size, size, ctypes.c_int, address, address], None
    return fn
