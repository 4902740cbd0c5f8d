"""Gradient magnitudes, and how alike two pictures' gradients are, on pixels in 8-bit units (0..255)."""

from __future__ import annotations

import ctypes
from functools import cache
from math import cos, pi
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import kernels
from assay.ops.shared import shared

Mix = tuple[tuple[float, float, float], ...]  # rows of weights for R, G, B

RGB: Mix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
YIQ: Mix = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))  # FSIM, SR-SIM, HaarPSI
LUMA: Mix = YIQ[:1]
LMN: Mix = ((0.06, 0.63, 0.27), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))  # Zhang 2014 (VSI), after Geusebroek 2001
LHM: Mix = ((0.2989, 0.5870, 0.1140), *LMN[1:])  # Nafchi 2016 (MDSI)

C1, C2, C3 = 140.0, 55.0, 550.0  # Nafchi 2016: gradients of the two, of each with their mean, and hues

Operator = Literal["prewitt", "scharr"]
SIDE_MID: dict[Operator, tuple[float, float]] = {"prewitt": (1 / 3, 1 / 3), "scharr": (3 / 16, 10 / 16)}


def step_of(x: Tensor) -> int:
    """How far a picture is shrunk so that its short side is about 256: MATLAB's max(1, round(min(rows, cols) / 256))."""
    return max(1, int(min(x.shape[-2:]) / 256 + 0.5))


def root(v: Tensor) -> Tensor:
    """The square root of what is not negative, with gradient 0 instead of infinity at 0."""
    positive = v > 0
    return torch.where(positive, torch.where(positive, v, 1).sqrt(), 0)


def unlike(a: Tensor, b: Tensor, constant: float) -> Tensor:
    """(a - b)² / (a² + b² + c): 0 where equal, without any rounding."""
    return (a - b).square() / (a.square() + b.square() + constant)


def alike(a: Tensor, b: Tensor, constant: float) -> Tensor:
    """The usual (2ab + c) / (a² + b² + c): 1 where equal."""
    return 1 - unlike(a, b, constant)


def real_power(v: Tensor, exponent: float) -> Tensor:
    """Re(v^exponent), |v|^exponent · cos(π·exponent) where v < 0, as MATLAB takes powers; gradient 0 at 0."""
    size = v.abs()
    some = size > 0
    size = size**exponent if bool(some.all()) else torch.where(some, torch.where(some, size, 1) ** exponent, 0)
    return torch.where(v < 0, cos(pi * exponent), 1) * size


def mixed(x: Tensor, mix: Mix) -> Tensor:
    """Linear combinations of R, G, B: N×C×H×W to N×len(mix)×H×W; grey counts as three equal channels."""
    w = torch.tensor(mix, dtype=x.dtype, device=x.device)
    w = w.sum(1, keepdim=True) if x.shape[1] == 1 else w
    return torch.einsum("kc,nchw->nkhw", w, x)


def block_means(x: Tensor, step: int) -> Tensor:
    """The definition of `means`: MATLAB's conv2(x, ones(f)/f², 'same') and then every f-th row and column; zero outside."""
    x = x.float() if x.dtype == torch.uint8 else x * 255
    h, w = x.shape[-2:]
    before = (step - 1) // 2
    pads = [-(-size // step) * step - before - size for size in (w, h)]  # negative where the last block ends earlier
    return F.avg_pool2d(F.pad(x, (before, pads[0], before, pads[1])), step)


@shared
def means(x: Tensor, step: int, mix: Mix = RGB) -> Tensor:
    """Block means of a picture's channels, mixed: N×len(mix)×⌈H/step⌉×⌈W/step⌉, in 8-bit units.

    x: N×C×H×W, uint8 or float in [0, 1]. The kernel reads the pixels once and keeps nothing of their size.
    """
    if step > 256 or not kernels.can(x, dtypes=(torch.uint8, torch.float32)):  # beyond, 16-bit sums would run over
        return mixed(block_means(x, step), mix)
    x = x.contiguous()
    n, c, h, w = x.shape
    bytes_ = x.dtype == torch.uint8
    weights = torch.tensor(mix, dtype=torch.float64) * ((1 if bytes_ else 255) / step**2)
    weights = (weights.sum(1, keepdim=True) if c == 1 else weights).float().contiguous()
    out = torch.empty(n, len(mix), -(-h // step), -(-w // step))
    run = _library().block_means_u8 if bytes_ else _library().block_means_f32
    a, m, to = kernels.pointer(x), kernels.pointer(weights), kernels.pointer(out)

    def work(start: int, stop: int) -> None:
        run(a, c, h, w, step, m, len(mix), start, stop, to)

    kernels.split(work, n * out.shape[2], grain=max(1, (1 << 19) // (w * c * step)))
    return out


def slopes(y: Tensor, operator: Operator) -> tuple[Tensor, Tensor]:
    """Derivatives across and down of N×1×H×W, zero outside, as conv2(y, k, 'same') (the sign does not matter here)."""
    side, mid = SIDE_MID[operator]
    p = F.pad(y, (1, 1, 1, 1))
    down = side * (p[..., :-2, :] + p[..., 2:, :]) + mid * p[..., 1:-1, :]
    across = side * (p[..., :-2] + p[..., 2:]) + mid * p[..., 1:-1]
    return down[..., 2:] - down[..., :-2], across[..., 2:, :] - across[..., :-2, :]


def gradient_alike(x: Tensor, ref: Tensor, *, operator: Operator, constant: float, mask: float = 0.0) -> Tensor:
    """The definition: similarity of the gradient magnitudes of two N×1×H×W planes, N×1×H×W.

    `mask` takes away that share of the product above and below (Zhang 2017), so that strong edges of both count less.
    """
    a, b = (gx.square() + gy.square() for gx, gy in (slopes(x, operator), slopes(ref, operator)))
    ab = root(a) * root(b)
    return ((2 - mask) * ab + constant) / (a + b - mask * ab + constant)


def gradient_map(x: Tensor, ref: Tensor, *, operator: Operator, constant: float, mask: float = 0.0) -> Tensor:
    """`gradient_alike`, by the kernel where it may."""
    if not kernels.can(x, ref, dtypes=(torch.float32,)):
        return gradient_alike(x, ref, operator=operator, constant=constant, mask=mask)
    out = torch.empty(x.shape)
    _similarity(x, ref, operator, constant, mask, out)
    return out


def gradient_deviation(x: Tensor, ref: Tensor, *, operator: Operator, constant: float, mask: float = 0.0) -> Tensor:
    """The standard deviation (n-1, as MATLAB's std2) of `gradient_alike` over each picture: N."""
    if not kernels.can(x, ref, dtypes=(torch.float32,)):
        unlike = 1 - gradient_alike(x, ref, operator=operator, constant=constant, mask=mask)
        return root(unlike.var(dim=(1, 2, 3)))
    total, squares = _similarity(x, ref, operator, constant, mask).unbind(-1)
    n = x.shape[2] * x.shape[3]
    return ((squares - total.square() / n).clamp(min=0) / (n - 1)).sqrt().float()


def _similarity(x: Tensor, ref: Tensor, operator: Operator, constant: float, mask: float, out: Tensor | None = None) -> Tensor:
    """N×2 float64: the sums of 1 - similarity and of its square; the similarities themselves go to `out`."""
    x, ref = x.contiguous(), ref.contiguous()
    n, _, h, w = x.shape
    sums = torch.zeros(n, h, 2, dtype=torch.float64)
    a, b, s = kernels.pointer(x), kernels.pointer(ref), kernels.pointer(sums)
    to = None if out is None else kernels.pointer(out)
    side, mid = SIDE_MID[operator]

    def work(start: int, stop: int) -> None:
        _library().gradient_similarity(a, b, h, w, side, mid, constant, mask, start, stop, s, to)

    kernels.split(work, n * h, grain=max(8, (1 << 17) // w))
    return sums.sum(1)


def edges_and_hues(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    """The two maps of MDSI from N×3×H×W planes in LHM, as 1 - similarity: of the edges, with the fused picture's, and of the hues."""
    if kernels.can(x, ref, dtypes=(torch.float32,)):
        return _edges_and_hues(x.contiguous(), ref.contiguous())
    a, b = slopes(x[:, :1], "prewitt"), slopes(ref[:, :1], "prewitt")
    both = root(((a[0] + b[0]) / 2).square() + ((a[1] + b[1]) / 2).square())
    g, gr = (root(s[0].square() + s[1].square()) for s in (a, b))
    edges = unlike(gr, g, C1) + unlike(g, both, C2) - unlike(gr, both, C2)
    h, hr = x[:, 1:], ref[:, 1:]
    hues = (h - hr).square().sum(1) / (h.square().sum(1) + hr.square().sum(1) + C3)
    return edges[:, 0], hues


def _edges_and_hues(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    n, _, h, w = x.shape
    edges, hues = torch.empty(n, h, w), torch.empty(n, h, w)
    a, b, e, u = (kernels.pointer(t) for t in (x, ref, edges, hues))

    def work(start: int, stop: int) -> None:
        _library().edges_and_hues(a, b, h, w, C1, C2, C3, start, stop, e, u)

    kernels.split(work, n * h, grain=max(8, (1 << 16) // w))
    return edges, hues


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address, real = ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_float
    for fn in (library.block_means_u8, library.block_means_f32):
        fn.argtypes, fn.restype = [address, size, size, size, size, address, size, size, size, address], None
    library.gradient_similarity.argtypes = [address, address, size, size, real, real, real, real, size, size, address, address]
    library.gradient_similarity.restype = None
    library.edges_and_hues.argtypes = [address, address, size, size, real, real, real, size, size, address, address]
    library.edges_and_hues.restype = None
    return library
