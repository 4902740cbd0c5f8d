"""Changing size exactly as the tools did that published methods were defined with."""

from __future__ import annotations

import ctypes
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assay import kernels
from assay.ops.filters import mirrored, separable

TAPS = (-3, -9, 29, 111, 111, 29, -9, -3)  # /256: the bicubic kernel, a = -1/2, stretched by 2 and normalised


def halve(x: Tensor) -> Tensor:
    """Half the size of float N×C×H×W, as MATLAB's imresize(x, 0.5) does before any rounding; H and W even.

    Bicubic with antialiasing: sample i comes from x[2i-3 … 2i+4]; beyond the border x is mirrored, its edge twice.
    """
    h, w = x.shape[-2:]
    if h % 2 or w % 2:
        raise ValueError(f"halve takes even sides; got {w}×{h} (width×height)")
    taps = torch.tensor(TAPS, dtype=x.dtype, device=x.device) / 256
    return separable(mirrored(x, 3, 3, edge="twice"), taps, taps, step=2)


def averaged(x: Tensor, size: tuple[int, int]) -> Tensor:
    """N×C×H×W, uint8 or float in [0, 1], at that height and width, as floats: bilinear, averaging where it shrinks (as Pillow does).

    Channel by channel, to spare memory, and as floats: on bytes torch 2.13 reads beyond the end of a picture 1 pixel high and crashes.
    """
    if kernels.can(x, dtypes=(torch.uint8, torch.float32)):
        return _averaged(x.contiguous(), size)
    planes = (p.float() / 255 if p.dtype == torch.uint8 else p for p in torch.split(x, 1, dim=1))
    return torch.cat([interpolate(p, size, mode="bilinear", antialias=True, align_corners=False) for p in planes], dim=1)


def _averaged(x: Tensor, size: tuple[int, int]) -> Tensor:
    n, c, height, width = x.shape
    out = torch.empty(n, c, *size)
    down, across = taps(height, size[0]), taps(width, size[1])
    weights = [v for first, much in (down, across) for v in (kernels.pointer(first), kernels.pointer(much), len(much))]
    run, scale = _kernel(x.dtype), 1 / 255 if x.dtype == torch.uint8 else 1.0
    source, to = kernels.pointer(x), kernels.pointer(out)

    def work(start: int, stop: int) -> None:
        room = out.new_empty(width)
        run(source, height, width, *size, *weights, scale, start, stop, kernels.pointer(room), to)

    kernels.split(work, n * c * size[0], grain=max(4, (1 << 17) // (width * len(down[1]))))
    return out


def _kernel(dtype: torch.dtype) -> ctypes._NamedFuncPointer:
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    words = (address, size, size, size, size, *(2 * [address, address, size]), ctypes.c_float, size, size, address, address)
    return kernels.typed("reduced", dtype, words)


@lru_cache(64)
def taps(n: int, m: int) -> tuple[Tensor, Tensor]:
    """From n samples to m by triangles, widened where it shrinks: the first sample of each, and K×m weights."""
    scale = n / m
    reach = max(scale, 1.0)
    centre = (torch.arange(m, dtype=torch.float64) + 0.5) * scale
    first = (centre - reach + 0.5).long().clamp_min(0)
    count = (centre + reach + 0.5).long().clamp_max(n) - first
    k = torch.arange(int(count.max()))[:, None]
    weight = (1 - ((k + first + 0.5 - centre) / reach).abs()).clamp_min(0) * (k < count)
    return first.int(), (weight / weight.sum(0)).float().contiguous()
