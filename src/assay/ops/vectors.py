"""Gaussian scale mixtures: neighbouring wavelet coefficients as vectors, their covariance and local strength."""

from __future__ import annotations

import torch
from torch import Tensor

SIDE = 3  # neighbours are 3×3
CHUNK = 1 << 18  # vectors summed at once, so that memory stays small
RANK = 1e-10  # directions with less than this share of the largest variance hold rounding only


def energies(y: Tensor) -> tuple[Tensor, Tensor]:
    """For N×h×w (h, w multiples of 3): strength s = vᵀC⁻¹v/9 of every separate 3×3 vector, N×h/3×w/3; eigenvalues of C, N×9.

    C: covariance of all overlapping 3×3 vectors. As refparams_vecgsm of VIF.
    """
    h, w = y.shape[-2:]
    values, ways = spectrum(*_sums(y, None), (h - SIDE + 1) * (w - SIDE + 1), centred=True)
    parts = [y[:, i::SIDE, j::SIDE] for i in range(SIDE) for j in range(SIDE)]
    return _strength(parts, values, ways), values


def thirds(y: Tensor, window: int) -> Tensor:
    """Sums over window×window coefficients of N×h×w that start at every third: whole thirds are summed once."""
    for dim in (1, 2):
        parts = [y[:, i::SIDE] if dim == 1 else y[:, :, i::SIDE] for i in range(SIDE)]
        count = (y.shape[dim] - window) // SIDE + 1
        groups, rest = divmod(window, SIDE)
        group = sum(p.narrow(dim, 0, count + groups - 1) for p in parts)
        total = [torch.as_tensor(group).narrow(dim, k, count) for k in range(groups)]
        total += [parts[k].narrow(dim, groups, count) for k in range(rest)]
        y = torch.as_tensor(sum(total))
    return y


def spectrum(gram: Tensor, sums: Tensor, count: int, *, centred: bool) -> tuple[Tensor, Tensor]:
    """Eigenvalues, not below 0, and eigenvectors of a covariance from sums; float64."""
    c = gram / count
    if centred:
        mean = sums / count
        c = c - mean[:, :, None] * mean[:, None, :]
    values, ways = torch.linalg.eigh(c)
    return values.clamp(min=0), ways


def neighbours(y: Tensor, parent: Tensor | None) -> tuple[Tensor, Tensor]:
    """The same s for every overlapping vector, N×(h-2)×(w-2), with `parent` (N×h×w) as a tenth part; moments not centred.

    As the information weights of IW-SSIM: C is a mean of vvᵀ, and s is divided by the length of v.
    """
    h, w = (n - SIDE + 1 for n in y.shape[-2:])
    values, ways = spectrum(*_sums(y, parent), h * w, centred=False)
    parts = [y[:, i : i + h, j : j + w] for i in range(SIDE) for j in range(SIDE)]
    if parent is not None:
        parts.append(parent[:, 1:-1, 1:-1])
    return _strength(parts, values, ways), values


def _sums(y: Tensor, parent: Tensor | None) -> tuple[Tensor, Tensor]:
    """Sums of vvᵀ and of v over all overlapping vectors; float64."""
    h, w = (n - SIDE + 1 for n in y.shape[-2:])
    step = max(1, CHUNK // w)
    gram = sums = torch.zeros((), dtype=torch.float64, device=y.device)
    for top in range(0, h, step):
        rows = min(step, h - top)
        parts = [y[:, top + i : top + i + rows, j : j + w] for i in range(SIDE) for j in range(SIDE)]
        if parent is not None:
            parts.append(parent[:, top + 1 : top + 1 + rows, 1 : 1 + w])
        v = torch.stack(parts, 1).flatten(2)
        gram = gram + (v @ v.mT).double()
        sums = sums + v.sum(2).double()
    return gram, sums


def _strength(parts: list[Tensor], values: Tensor, ways: Tensor) -> Tensor:
    """vᵀC⁻¹v over the length of v; directions without variance are left out."""
    some = values > RANK * values[:, -1:]
    scale = torch.where(some, torch.where(some, values, 1).rsqrt(), 0) / len(parts) ** 0.5
    across = (ways * scale[:, None, :]).mT.to(parts[0])
    n, h, w = parts[0].shape
    step = max(1, CHUNK // w)
    rows = []
    for top in range(0, h, step):
        v = torch.stack([p[:, top : top + step] for p in parts], 1).flatten(2)
        rows.append((across @ v).square().sum(1).view(n, -1, w))
    return torch.cat(rows, 1)
