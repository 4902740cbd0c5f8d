"""Errors of 8×8 blocks weighted by how well people see each frequency, and by how much detail hides them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from assay import kernels
from assay.ops.colourspaces import power
from assay.ops.dct import block_dct, matrix
from assay.ops.luma import levels
from assay.ops.mse import decibel
from assay.ops.shared import shared

BLOCK = 8
ROWS = 32 * BLOCK  # a strip, so that a large picture is never held as float blocks at once
# The luminance table of JPEG (ITU-T T.81, table K.1), vertical frequency first.
JPEG = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
SEEN = 25.73509  # Ponomarenko 2007: contrast sensitivity of a coefficient = SEEN / its JPEG step; reproduces the paper's table
HIDES = 10.0  # Ponomarenko 2007: masking by a coefficient = (HIDES / its JPEG step)²
STRENGTH = 32.0  # Ponomarenko 2007: what the masking energy of a block is divided by


def hvs_decibel(x: Tensor, ref: Tensor, *, masked: bool) -> Tensor:
    """PSNR-HVS, `masked` PSNR-HVS-M, of N×C×H×W pictures, uint8 or float in [0, 1]; N values, inf where equal."""
    x, ref = levels(x), levels(ref)
    return decibel(hvs_error(x, ref, masked=masked)).to(x.dtype)


def hvs_map(x: Tensor, ref: Tensor, *, masked: bool) -> Tensor:
    """What `hvs_decibel` is the mean of: the error of every block, N×⌊H/8⌋×⌊W/8⌋."""
    return torch.cat(list(hvs_errors(levels(x), levels(ref), masked=masked)), dim=1)


def hvs_error(x: Tensor, ref: Tensor, *, masked: bool) -> Tensor:
    """The weighted mean squared error over all whole blocks of N×1×H×W float grey in 0..255; N float64 values, of 1 for white.

    Differentiable; without gradients a kernel finds both errors at once.
    """
    if kernels.can(x, ref, dtypes=(torch.float32,)):
        return _kernel(x, ref)[:, int(masked)]
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for errors in hvs_errors(x, ref, masked=masked):
        total = total + errors.double().sum((1, 2))
    return total / ((x.shape[2] // BLOCK) * (x.shape[3] // BLOCK))


def hvs_errors(x: Tensor, ref: Tensor, *, masked: bool) -> Iterator[Tensor]:
    """The same of each block: strips of N×rows×columns, from top to bottom.

    `masked`: less what the detail of the block hides (PSNR-HVS-M), else all of it (PSNR-HVS).
    """
    h, w = x.shape[2] // BLOCK * BLOCK, x.shape[3] // BLOCK * BLOCK
    step = torch.tensor(JPEG, dtype=x.dtype, device=x.device)
    for top in range(0, h, ROWS):
        a, b = (t[:, 0, top : min(top + ROWS, h), :w] for t in (x, ref))
        da, db = block_dct(a), block_dct(b)
        d = (da - db).abs()
        if masked:
            hidden = torch.maximum(_masking(a, da, step), _masking(b, db, step))[..., None, None] * (step / HIDES) ** 2
            d = _seen(d, hidden)
        yield (d * (SEEN / 255) / step).square().mean((3, 4))


@shared
def _kernel(x: Tensor, ref: Tensor) -> Tensor:
    """N×2: the error as it is, and what is not hidden."""
    n, _, height, width = x.shape
    h, w = height // BLOCK, width // BLOCK
    step = torch.tensor(JPEG, dtype=torch.float64)
    hides = (step / HIDES) ** 2
    hides[0, 0] = 0  # of the mean nothing is hidden
    tables = torch.stack([SEEN / step, (HIDES / step) ** 2, hides]).float()
    transform, x, ref = matrix().float(), x.contiguous(), ref.contiguous()
    sums = torch.zeros(n, h, 2, dtype=torch.float64)
    a, b, d, t, to = (kernels.pointer(v) for v in (x, ref, transform, tables, sums))

    def work(start: int, stop: int) -> None:
        _library().hvs_rows(a, b, height, width, d, t, start, stop, to)

    kernels.split(work, n * h, grain=max(1, (1 << 16) // width))
    return sums.sum(1) / (255**2 * BLOCK**2 * h * w)


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    library.hvs_rows.argtypes, library.hvs_rows.restype = [address, address, size, size, address, address, size, size, address], None
    return library


def _seen(d: Tensor, hidden: Tensor) -> Tensor:
    """What of the differences is seen; that of the block's mean never hides."""
    mean = torch.zeros_like(d[0, 0, 0], dtype=torch.bool)
    mean[0, 0] = True
    return torch.where(mean, d, (d - hidden).clamp_min(0))


def _masking(x: Tensor, dct: Tensor, step: Tensor) -> Tensor:
    """How much each block can hide: √(energy · evenness) / 32, N×rows×columns.

    The evenness is the variance within the four quarters over that of the block, as sums of squares about the mean, each
    times n / (n-1) as MATLAB's var(x)·n: an edge hides less than a texture.
    """
    energy = (dct * (HIDES / step)).square().sum((-2, -1)) - (dct[..., 0, 0] * (HIDES / step[0, 0])).square()
    n, h, w = x.shape
    quarters = x.reshape(n, h // BLOCK, 2, 4, w // BLOCK, 2, 4).permute(0, 1, 4, 2, 5, 3, 6).flatten(-2)
    parts = quarters.var(-1, unbiased=True).sum((-2, -1)) * 16
    whole = quarters.flatten(-3).var(-1, unbiased=True) * 64
    varied = whole > 0
    return power(energy.clamp_min(0) * torch.where(varied, parts / torch.where(varied, whole, 1), 0), 0.5) / STRENGTH
