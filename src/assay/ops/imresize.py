"""MATLAB's imresize, as a table of which pixels each result takes and how much of each."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil
from typing import Literal

import torch
from torch import Tensor

from assay import kernels

Kernel = Literal["bilinear", "bicubic"]


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """Result i of a row or column is Σ weights[i, k] · pixel[places[i, k]]."""

    places: Tensor  # out×K int64
    weights: Tensor  # out×K float64

    def dense(self, size: int) -> Tensor:
        """The same as an out×size matrix."""
        m = self.weights.new_zeros(len(self.places), size)
        return m.scatter_add_(1, self.places, self.weights)


@lru_cache(maxsize=64)
@torch.inference_mode(mode=False)
def taps(size: int, out: int, scale: float, kernel: Kernel) -> Taps:
    """From `size` to `out` pixels; shrinking stretches the kernel (antialiasing), and the border is mirrored, its edge twice."""
    at = torch.arange(1, out + 1, dtype=torch.float64) / scale + 0.5 * (1 - 1 / scale)  # counted from 1, as there
    wide = min(scale, 1.0)
    reach = (2 if kernel == "bilinear" else 4) / wide
    first = torch.floor(at - reach / 2)
    places = first[:, None] + torch.arange(ceil(reach) + 2)
    weights = _shape((at[:, None] - places) * wide, kernel)
    weights = weights / weights.sum(1, keepdim=True)
    i = (places.long() - 1) % (2 * size)
    return trimmed(torch.where(i < size, i, 2 * size - 1 - i), weights)


def trimmed(places: Tensor, weights: Tensor) -> Taps:
    """Without the columns that no result uses."""
    used = (weights != 0).any(0)
    return Taps(places[:, used].contiguous(), weights[:, used].contiguous())


def _shape(t: Tensor, kernel: Kernel) -> Tensor:
    t = t.abs()
    if kernel == "bilinear":
        return (1 - t).clamp(min=0)
    near = 1.5 * t**3 - 2.5 * t**2 + 1  # Keys 1981, a = -1/2
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return torch.where(t <= 1, near, torch.where(t <= 2, far, 0))


def imresize(x: Tensor, height: int, width: int, *, kernel: Kernel, scale: float | None = None) -> Tensor:
    """N×C×H×W to N×C×height×width; uint8 gives float32 in 0..255. Without `scale`, that of the sizes, side by side."""
    h, w = x.shape[-2:]
    return combined(x, taps(h, height, scale or height / h, kernel), taps(w, width, scale or width / w, kernel))


def combined(x: Tensor, rows: Taps, columns: Taps) -> Tensor:
    """Apply one table down and one across."""
    if kernels.can(x, dtypes=(torch.uint8, torch.float32)):
        return _columns(_rows(x.contiguous(), rows), columns)
    x = x.float() if x.dtype == torch.uint8 else x
    return down(down(x, rows).mT, columns).mT


def down(x: Tensor, rows: Taps) -> Tensor:
    """The definition, along the second dimension from the end."""
    weights = rows.weights.to(x)
    places = rows.places.to(x.device)
    out = x.new_zeros(*x.shape[:-2], len(places), x.shape[-1])
    for k in range(places.shape[1]):
        out = out + weights[:, k, None] * x.index_select(-2, places[:, k])
    return out


def _rows(x: Tensor, rows: Taps) -> Tensor:
    h, w = x.shape[-2:]
    weights = rows.weights.float()
    out = torch.empty(*x.shape[:-2], len(weights), w)
    run = _library().weighted_rows_u8 if x.dtype == torch.uint8 else _library().weighted_rows_f32
    a, p, m, to = (kernels.pointer(t) for t in (x, rows.places, weights, out))

    def work(start: int, stop: int) -> None:
        run(a, h, w, p, m, weights.shape[1], len(weights), start, stop, to)

    kernels.split(work, out.numel() // w, grain=max(1, (1 << 19) // (w * weights.shape[1])))
    return out


def _columns(x: Tensor, columns: Taps) -> Tensor:
    weights, places = columns.weights.T.float().contiguous(), columns.places.T.int().contiguous()
    count, n = weights.shape
    out = torch.empty(*x.shape[:-1], n)
    a, p, m, to = (kernels.pointer(t) for t in (x, places, weights, out))

    def work(start: int, stop: int) -> None:
        _library().weighted_columns(a, x.shape[-1], p, m, count, n, start, stop, to)

    kernels.split(work, out.numel() // n, grain=max(1, (1 << 18) // (n * count)))
    return out


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    for fn in (library.weighted_rows_u8, library.weighted_rows_f32):
        fn.argtypes, fn.restype = [address, size, size, address, address, size, size, size, size, address], None
    library.weighted_columns.argtypes = [address, size, address, address, size, size, size, size, address]
    library.weighted_columns.restype = None
    return library
