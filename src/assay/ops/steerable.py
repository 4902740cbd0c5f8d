"""Steerable pyramids: the spatial one of six orientations that VIF uses, and the complex one of CW-SSIM."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache, lru_cache
from math import factorial, pi

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import kernels
from assay.ops.filters import mirrored
from assay.ops.shared import shared

Quarter = tuple[tuple[float, ...], ...]

# sp5Filters.m of matlabPyrTools (Karasaridis & Simoncelli 1996). Symmetric filters: one quarter, the middle last.
FIRST_LOW: Quarter = (
    (0.00341614, -0.01551246, -0.03848215),
    (-0.01551246, 0.05586982, 0.15925570),
    (-0.03848215, 0.15925570, 0.40304148),
)
LOW: Quarter = (  # times 2 in the pyramid
    (0.00085404, -0.00244917, -0.00387812, -0.00944432, -0.00962054),
    (-0.00244917, -0.00523281, -0.00661117, 0.00410600, 0.01002988),
    (-0.00387812, -0.00661117, 0.01396746, 0.03277038, 0.03981393),
    (-0.00944432, 0.00410600, 0.03277038, 0.06426333, 0.08169618),
    (-0.00962054, 0.01002988, 0.03981393, 0.08169618, 0.10096540),
)
BAND: Quarter = (  # the first of six orientations, 7×7: symmetric across, and its rows change sign around the middle one, which is 0
    (0.00277643, 0.00496194, 0.01026699, 0.01455399),
    (-0.00986904, -0.00893064, 0.01189859, 0.02755155),
    (-0.01021852, -0.03075356, -0.08226445, -0.11732297),
)


def whole(quarter: Quarter) -> Tensor:
    """A filter from its upper left quarter, middle row and column included; float64."""
    q = torch.tensor(quarter, dtype=torch.float64)
    q = torch.cat([q, q[:, :-1].flip(1)], 1)
    return torch.cat([q, q[:-1].flip(0)], 0)


def oriented() -> Tensor:
    """2×7×7: the filters for upright and for level edges, orientations 1 and 4 of six, up to sign; float64."""
    top = torch.tensor(BAND, dtype=torch.float64)
    top = torch.cat([top, top[:, :-1].flip(1)], 1)
    rows = torch.cat([top, torch.zeros(1, 7, dtype=torch.float64), -top.flip(0)])
    return torch.stack([rows.T, rows])


def edges(y: Tensor, count: int = 4) -> Iterator[Tensor]:
    """N×2×h×w for each of `count` levels of N×1×H×W, from fine to coarse: buildSpyr(y, 4, 'sp5Filters', 'reflect1').

    Differentiable; float32 without gradients on a CPU is done by a kernel.
    """
    low, band = (_low, _band) if kernels.can(y, dtypes=(torch.float32,)) else (low_passed, upright_and_level)
    y = low(y, FIRST_LOW, 1.0)
    for level in range(count):
        yield band(y)
        if level < count - 1:
            y = low(y, LOW, 2.0)


def low_passed(y: Tensor, quarter: Quarter, gain: float) -> Tensor:
    """The definition of a low-pass of N×1×H×W; LOW also drops every second sample."""
    reach = len(quarter) - 1
    step = 2 if quarter is LOW else 1
    return F.conv2d(mirrored(y, reach, reach, edge="once"), gain * whole(quarter).to(y)[None, None], stride=step)


def upright_and_level(y: Tensor) -> Tensor:
    """The definition of the two oriented bands, N×2×H×W."""
    return F.conv2d(mirrored(y, 3, 3, edge="once"), oriented().to(y)[:, None])


def _low(y: Tensor, quarter: Quarter, gain: float) -> Tensor:
    reach, step = len(quarter) - 1, 2 if quarter is LOW else 1
    n, _, height, width = y.shape
    h, w = (-(-s // step) for s in (height, width))
    padded, out = mirrored(y, reach, reach, edge="once"), y.new_empty(n, 1, h, w)
    taps = torch.tensor(quarter, dtype=torch.float32) * gain
    a, t, to = (kernels.pointer(v) for v in (padded, taps, out))
    run = _library().spyr_low
    kernels.split(lambda start, stop: run(a, width, height, start, stop, t, 2 * reach + 1, to), n * h, grain=max(8, (1 << 18) // w))
    return out


def _band(y: Tensor) -> Tensor:
    n, _, height, width = y.shape
    padded, out = mirrored(y, 3, 3, edge="once"), y.new_empty(n, 2, height, width)
    taps = torch.tensor(BAND, dtype=torch.float32)
    a, t, to = (kernels.pointer(v) for v in (padded, taps, out))
    run = _library().spyr_edges
    kernels.split(lambda start, stop: run(a, width, height, start, stop, t, to), n * height, grain=max(8, (1 << 18) // width))
    return out


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    library.spyr_edges.argtypes = [address, size, size, size, size, address, address]
    library.spyr_low.argtypes = [address, size, size, size, size, address, ctypes.c_int, address]
    library.spyr_edges.restype = library.spyr_low.restype = None
    return library


@shared
def coarse(y: Tensor, level: int = 4, orientations: int = 8) -> Tensor:
    """The bands of one level of a complex pyramid, N×orientations×⌈H/2^(level-1)⌉×⌈W/2^(level-1)⌉ of N×1×H×W.

    As buildSCFpyr makes them; but only the low frequencies that this level keeps are ever computed.
    """
    height, width = y.shape[-2:]
    h, w = (-(-n // 2 ** (level - 1)) for n in (height, width))
    masks = _masks(height, width, h, w, level, orientations).to(device=y.device, dtype=y.dtype)
    rows = torch.fft.rfft(y, dim=-1)[..., : w // 2 + 1]
    rows = torch.cat([rows[..., : w - w // 2], rows[..., 1 : w // 2 + 1].conj().flip(-1)], -1)  # of a real row: F(-k) = F(k)*
    low = torch.fft.fft(rows, dim=-2)
    low = torch.cat([low[..., : h - h // 2, :], low[..., height - h // 2 :, :]], -2)
    bands: Tensor = torch.fft.ifft2(low * masks)
    return bands


@lru_cache(maxsize=4)
def _masks(height: int, width: int, h: int, w: int, level: int, orientations: int) -> Tensor:
    """orientations×h×w, float64: the share of each frequency, as if the picture kept its size (h·w for height·width)."""
    down = torch.fft.fftfreq(h, 1 / h, dtype=torch.float64)[:, None] * 2 / height
    right = torch.fft.fftfreq(w, 1 / w, dtype=torch.float64) * 2 / width
    octave = (down.square() + right.square()).sqrt().clamp(min=1e-9).log2()  # 0 at the highest frequency of a row
    radial = torch.cos(pi / 2 * (octave + level).clamp(-1, 0)) * torch.sin(pi / 2 * (octave + level - 1).clamp(-1, 0)).abs()
    order = orientations - 1
    gain = 2 ** (2 * order) * factorial(order) ** 2 / (orientations * factorial(2 * order))
    angle = torch.atan2(down, right.expand_as(octave))
    centres = torch.arange(orientations, dtype=torch.float64).view(-1, 1, 1) * pi / orientations
    angular = torch.cos(angle - centres).clamp(min=0) ** order  # one half of the plane only: the bands are complex
    masks: Tensor = 2 * gain**0.5 * angular * radial * (h * w / (height * width))
    return masks
