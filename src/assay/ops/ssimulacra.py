"""What SSIMULACRA 2 measures of a scale: colours of JPEG XL, and three kinds of damage under its Gaussian."""

from __future__ import annotations

import ctypes
from functools import cache
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import kernels
from assay.ops.colourspaces import mixed

LMS = ((0.30, 0.622, 0.078), (0.23, 0.692, 0.078), (0.24342268924547819, 0.20476744424496821, 0.5518098665095536))  # JPEG XL
BIAS = 0.0037930732552754493  # JPEG XL
SCALE, LIFT = (14.0, 1.0, 1.0), (0.42, 0.01, 0.55)  # MakePositiveXYB of ssimulacra2.cc: all three between 0 and 1
C2 = 0.0009  # ssimulacra2.cc
SIGMA, RADIUS = 1.5, 5  # there; the radius follows by Charalampidis 2016, equation 57
FAINT = 1e-30  # mean fourth powers of less have a root without a usable slope


def xyb(light: Tensor) -> Tensor:
    """X, Y and B-Y, moved and stretched into 0..1, from linear sRGB, N×3×H×W."""
    if kernels.can(light, dtypes=(torch.float32,)):
        return _xyb_kernel(light)
    long, middle, short = ((mixed(light, LMS) + BIAS) ** (1 / 3) - BIAS ** (1 / 3)).unbind(1)
    y = (long + middle) / 2
    planes = ((long - middle) / 2, y, short - y)
    return torch.stack([s * p + k for p, s, k in zip(planes, SCALE, LIFT, strict=True)], dim=1)


def damage(ref: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Means and 4-norms of structure, ringing and blur of every plane of N×C×H×W: twice N×C×3."""
    if kernels.can(ref, x, dtypes=(torch.float32,)):
        sums = (_rows_kernel(ref, x).sum(2) / ref[0, 0].numel()).float()
        means, fourths = sums[..., :3], sums[..., 3:]
    else:
        maps = damage_maps(ref, x)
        means, fourths = maps.mean((-2, -1)), (maps**4).mean((-2, -1))
    there = fourths > FAINT
    return means, torch.where(there, torch.where(there, fourths, 1) ** 0.25, 0)


def damage_maps(ref: Tensor, x: Tensor) -> Tensor:
    """Structure, ringing and blur around every pixel, N×C×3×H×W; 0 is none. The definition of the kernel.

    The two variances are twice the covariance plus the variance of the difference; so a copy has no damage in any precision.
    """
    mr, mx = blurred(ref), blurred(x)
    apart, shared = (mr - mx) ** 2, 2 * (blurred(ref * x) - mr * mx) + C2
    structure = (1 - (1 - apart) * shared / (shared + (blurred((ref - x) ** 2) - apart))).clamp_min(0)
    edge = (1 + (x - mx).abs()) / (1 + (ref - mr).abs()) - 1
    return torch.stack([structure, edge.clamp_min(0), (-edge).clamp_min(0)], dim=2)


def blurred(x: Tensor) -> Tensor:
    """N×C×H×W under JPEG XL's Gaussian, black outside."""
    w = window().to(x)
    planes, reach = x.flatten(0, 1)[:, None], RADIUS - 1
    out = F.conv2d(F.conv2d(planes, w.view(1, 1, -1, 1), padding=(reach, 0)), w.view(1, 1, 1, -1), padding=(0, reach))
    return out.view_as(x)


@cache
@torch.inference_mode(mode=False)
def window() -> Tensor:
    """Charalampidis 2016, doi:10.1109/TSP.2016.2549985: a Gaussian as three cosines, which are 0 from RADIUS on.

    Their weights give the sum, the second moment and the least squares fit (equations 37 to 56). The recursion of JPEG XL
    unrolls to these nine numbers.
    """
    omega = torch.tensor([1, 3, 5], dtype=torch.float64) * pi / (2 * RADIUS)
    sign = torch.tensor([1, -1, 1], dtype=torch.float64)
    p = sign / torch.tan(omega / 2)
    r = sign * p * p / torch.sin(omega)
    rho = torch.exp(-0.5 * SIGMA**2 * omega**2) / RADIUS
    free = torch.linalg.cross(p, r)  # what keeps the first two conditions
    zeta = free / free[2]
    wanted = torch.stack([torch.ones(()).double(), torch.tensor(RADIUS**2 - SIGMA**2).double(), (zeta * rho).sum()])
    beta = torch.linalg.solve(torch.stack([p, r, zeta]), wanted)
    n = torch.arange(1 - RADIUS, RADIUS, dtype=torch.float64)
    weights: Tensor = (beta[:, None] * torch.cos(omega[:, None] * n)).sum(0)
    return weights


def _xyb_kernel(light: Tensor) -> Tensor:
    light = light.contiguous()
    out, by = torch.empty_like(light), _colours()
    run, pixels = _library().xyb_from_light, light[0, 0].numel()
    for one, to in zip(light, out, strict=True):
        a, b, c = (kernels.pointer(t) for t in (one, by, to))

        def work(start: int, stop: int, a: object = a, b: object = b, c: object = c) -> None:
            run(a, pixels, b, start, stop, c)

        kernels.split(work, pixels, grain=1 << 15)
    return out


def _rows_kernel(ref: Tensor, x: Tensor) -> Tensor:
    """Sums over every row, N×C×H×6."""
    ref, x = ref.contiguous(), x.contiguous()
    n, c, h, w = ref.shape
    sums, weights = torch.empty(n, c, h, 6, dtype=torch.float64), window()[RADIUS - 1 :].float()
    run, taps = _library().ssimulacra_rows, kernels.pointer(weights)
    for planes in zip(ref.flatten(0, 1), x.flatten(0, 1), sums.flatten(0, 1), strict=True):
        a, b, to = (kernels.pointer(t) for t in planes)

        def work(start: int, stop: int, a: object = a, b: object = b, to: object = to) -> None:
            run(a, b, h, w, taps, C2, start, stop, to)

        kernels.split(work, h, grain=max(8, (1 << 15) // w))
    return sums


@cache
def _colours() -> Tensor:
    """What the kernel's `Colours` holds, in its order."""
    return torch.tensor([*(v for row in LMS for v in row), BIAS, BIAS ** (1 / 3), *SCALE, *LIFT], dtype=torch.float32)


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    library.xyb_from_light.argtypes, library.xyb_from_light.restype = [address, size, address, size, size, address], None
    rows = library.ssimulacra_rows
    rows.argtypes, rows.restype = [address, address, size, size, address, ctypes.c_float, size, size, address], None
    return library
