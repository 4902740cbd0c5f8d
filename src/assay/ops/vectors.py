"""Gaussian scale mixtures: neighbouring wavelet coefficients as vectors, their covariance and local strength."""

from __future__ import annotations

import torch
from torch import Tensor

SIDE = 3  # neighbours are 3×3
CHUNK = 1 << 17  # vectors summed at once, so that memory stays small
RANK = 1e-10  # directions with less than this share of the largest variance hold rounding only


def energies(y: Tensor) -> tuple[Tensor, Tensor]:
    """For N×h×w (h, w multiples of 3): strength s = vᵀC⁻¹v/9 of every separate 3×3 vector, N×h/3×w/3; eigenvalues of C, N×9.

    C: covariance of all overlapping 3×3 vectors. As refparams_vecgsm of VIF.
    """
    values, ways = spectrum(y, centred=True)
    parts = [y[:, i::SIDE, j::SIDE] for i in range(SIDE) for j in range(SIDE)]
    return _strength(parts, values, ways), values


def strengths(y: Tensor, parent: Tensor | None, values: Tensor, ways: Tensor) -> Tensor:
    """The same s for every overlapping vector, N×(h-2)×(w-2), with `parent` (N×h×w) as a tenth part, s over its length.

    As the information weights of IW-SSIM, whose C is a mean of vvᵀ: `spectrum(y, parent, centred=False)`.
    """
    return _strength(_overlapping(y, parent, 0, y.shape[1] - SIDE + 1), values, ways)


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


def spectrum(y: Tensor, parent: Tensor | None = None, *, centred: bool) -> tuple[Tensor, Tensor]:
    """Eigenvalues, not below 0, and eigenvectors of the covariance of all overlapping vectors; float64."""
    h, w = (n - SIDE + 1 for n in y.shape[-2:])
    step = max(1, CHUNK // w)
    gram = sums = torch.zeros((), dtype=torch.float64, device=y.device)
    for top in range(0, h, step):
        v = torch.stack(_overlapping(y, parent, top, min(step, h - top)), 1).flatten(2)
        gram = gram + (v @ v.mT).double()
        sums = sums + v.sum(2).double()
    c, mean = gram / (h * w), sums / (h * w)
    if centred:
        c = c - mean[:, :, None] * mean[:, None, :]
    values, ways = torch.linalg.eigh(c)
    return values.clamp(min=0), ways


def _overlapping(y: Tensor, parent: Tensor | None, top: int, rows: int) -> list[Tensor]:
    """The parts of the vectors whose upper corners lie in these rows."""
    w = y.shape[2] - SIDE + 1
    parts = [y[:, top + i : top + i + rows, j : j + w] for i in range(SIDE) for j in range(SIDE)]
    return parts if parent is None else [*parts, parent[:, top + 1 : top + 1 + rows, 1 : 1 + w]]


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
