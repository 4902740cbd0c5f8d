"""The 8×8 block transform of JPEG, and which of its 64 possible grids each pixel votes for."""

from __future__ import annotations

import ctypes
from functools import cache
from math import pi, sqrt

import torch
from torch import Tensor

from assay import kernels
from assay.ops.shared import shared

NONE = 255  # a pixel that votes for no grid
BORDER = 7  # pixels not covered by a block of every phase cast no vote
# A coefficient counts as zero when |c| < 1/2 (Nikoukhah et al. 2021). Integer pixels make coefficients of exactly 1/2
# often (frequencies 0 and 4 are multiples of 1/8); the margin keeps those out whatever the rounding of the machine.
ZERO = 0.5 - 1e-4


@cache
def matrix(n: int = 8) -> Tensor:
    """The orthonormal DCT-II as an n×n float64 matrix: row k is frequency k."""
    k, i = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64)[None]
    d = sqrt(2 / n) * torch.cos(pi * (2 * i + 1) * k / (2 * n))
    d[0] /= sqrt(2)
    return d


@cache
def filters(n: int = 8) -> Tensor:
    """The n² two-dimensional basis functions as filters for conv2d, n²×1×n×n; the constant one first."""
    rows = matrix(n)
    return torch.einsum("ui,vj->uvij", rows, rows).reshape(n * n, 1, n, n)


def block_dct(x: Tensor) -> Tensor:
    """The orthonormal 8×8 DCT of every whole block of an …×H×W picture: …×⌊H/8⌋×⌊W/8⌋×8×8, vertical frequency first."""
    d = matrix().to(x)
    out: Tensor = d @ _blocks(x) @ d.T
    return out


def _blocks(x: Tensor) -> Tensor:
    h, w = x.shape[-2] // 8, x.shape[-1] // 8
    return x[..., : 8 * h, : 8 * w].reshape(*x.shape[:-2], h, 8, w, 8).transpose(-3, -2)


@shared
def luma8(stored: Tensor) -> Tensor:
    """Luma as whole numbers, H×W uint8, from a C×H×W picture: uint8 or float in [0, 1]; only 3 of 4 channels count.

    Rounds 0.299 R + 0.587 G + 0.114 B (BT.601) half up, in integers, so that every machine gets the same pixels.
    """
    out = torch.empty(stored.shape[1:], dtype=torch.uint8, device=stored.device)
    if len(stored) >= 3 and kernels.can(stored, dtypes=(torch.uint8,)) and (lib := kernels.library()) is not None:
        planes, size, ptr = stored.contiguous(), ctypes.c_ssize_t, kernels.pointer
        kernels.split(lambda a, b: lib.grid_luma(ptr(planes), size(out.numel()), size(a), size(b), ptr(out)), out.numel(), grain=1 << 18)
        return out
    for top in range(0, out.shape[0], 256):  # strips: the integers are four times as large as the pixels
        part = stored[:, top : top + 256]
        part = (part * 255).round().clamp(0, 255) if part.is_floating_point() else part
        part = part.to(torch.int32)
        out[top : top + 256] = part[0] if len(part) < 3 else (299 * part[0] + 587 * part[1] + 114 * part[2] + 500) // 1000
    return out


@shared
def grid_votes(luma: Tensor) -> Tensor:
    """Which 8×8 grid each pixel votes for: H×W uint8, x%8 + 8·(y%8) of the grid's origin, or 255 for no vote.

    luma: H×W uint8, at least 15×15. Of the 64 blocks that cover a pixel, the one with the most AC coefficients
    below 1/2 wins: compression left it those zeros. No vote on a tie, for blocks whose rows (or columns) are all
    constant, and within 7 pixels of the border. Nikoukhah, Anger, Colom, Morel & Grompone von Gioi 2021,
    doi:10.5201/ipol.2021.390.
    """
    lib = kernels.library() if kernels.can(luma, dtypes=(torch.uint8,)) else None
    if lib is None:
        return grid_votes_torch(luma)
    luma = luma.contiguous()
    (h, w), size, ptr = luma.shape, ctypes.c_ssize_t, kernels.pointer
    zeros, votes = torch.empty(h - 7, w - 7, dtype=torch.uint8), torch.empty_like(luma)
    least = _least()
    kernels.split(lambda a, b: lib.grid_zeros(ptr(luma), size(w), size(a), size(b), ptr(least), ptr(zeros)), h - 7, grain=64)
    kernels.split(lambda a, b: lib.grid_votes(ptr(zeros), size(h), size(w), size(a), size(b), ptr(votes)), h, grain=64)
    return votes


def grid_votes_torch(luma: Tensor) -> Tensor:
    """The definition of `grid_votes`, one phase after the other. Float64, so that rounding decides no vote."""
    best = torch.full_like(luma, -1, dtype=torch.int8)
    votes = torch.full_like(luma, NONE)
    for phase in range(64):
        part = luma[phase // 8 :, phase % 8 :]
        part = part[: part.shape[0] // 8 * 8, : part.shape[1] // 8 * 8]
        zero = block_dct(part.double()).abs() < ZERO
        zeros = zero.sum(dim=(-2, -1)) - zero[..., 0, 0].int()
        vote = torch.where(_flat(part), NONE, phase)
        zeros, vote = (t.to(torch.uint8).repeat_interleave(8, 0).repeat_interleave(8, 1) for t in (zeros, vote))
        here = (slice(phase // 8, phase // 8 + part.shape[0]), slice(phase % 8, phase % 8 + part.shape[1]))
        votes[here] = torch.where(zeros > best[here], vote, torch.where(zeros == best[here], NONE, votes[here]))
        best[here] = torch.maximum(best[here], zeros.to(torch.int8))
    inside = torch.zeros_like(votes, dtype=torch.bool)
    inside[BORDER:-BORDER, BORDER:-BORDER] = True
    return torch.where(inside, votes, NONE)


def _flat(part: Tensor) -> Tensor:
    """Which 8×8 blocks have constant rows, or constant columns."""
    b = _blocks(part)
    across: Tensor = (b == b[..., :1]).all(-1).all(-1)
    return across | (b == b[..., :1, :]).all(-1).all(-1)


@cache
def _least() -> Tensor:
    """What the kernel compares with: its transform leaves out the largest factor of every frequency."""
    left_out = matrix().abs().amax(dim=1)
    return (ZERO / (left_out[:, None] * left_out[None])).float()
