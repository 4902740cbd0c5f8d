"""Gaussian mixtures: how usual a point is among those that one was fitted to."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from assay.types import CannotAssess


class Mixture(NamedTuple):
    """K Gaussians in D dimensions."""

    shares: Tensor  # K, sum to 1
    means: Tensor  # K×D
    roots: Tensor  # K×D×D: lower triangles L with covariance L·Lᵀ

    def log_density(self, x: Tensor) -> Tensor:
        """N×D → N: natural logarithm of the density."""
        return torch.logsumexp(self.parts(x), dim=1)

    def parts(self, x: Tensor) -> Tensor:
        """N×D → N×K: the logarithm of each Gaussian's density times its share."""
        away = (x[:, None] - self.means).movedim(0, -1)  # K×D×N
        scaled = torch.linalg.solve_triangular(self.roots, away, upper=False)
        spread = self.roots.diagonal(dim1=1, dim2=2).log().sum(1)
        parts: Tensor = (-0.5 * scaled.square().sum(1)).T - spread - 0.5 * x.shape[1] * math.log(2 * math.pi) + self.shares.log()
        return parts


def fitted(x: Tensor, count: int, *, floor: float = 1e-2, rounds: int = 100, seed: int = 0) -> Mixture:
    """A mixture of that many Gaussians by expectation and maximisation, begun at spread-out points (k-means++): N×D float64.

    floor: added to every variance, as a share of the mean variance of the points, so that no Gaussian closes in on one of them.
    Raises CannotAssess where the points are fewer than twice the Gaussians or all alike.
    """
    x = x.double()
    overall = float(x.var(0, correction=0).mean())
    if len(x) < 2 * count or overall == 0:
        raise CannotAssess(f"{len(x)} points{' that are all alike' if overall == 0 else ''} are too few for {count} Gaussians.")
    share = torch.nn.functional.one_hot((torch.cdist(x, _begun(x, count, seed))).argmin(1), count).double()
    mixture = _refitted(x, share, floor * overall)
    last = -math.inf
    for _ in range(rounds):
        parts = mixture.parts(x)
        told = float(torch.logsumexp(parts, 1).mean())
        if told - last < 1e-6:
            break
        last, mixture = told, _refitted(x, parts.softmax(1), floor * overall)
    return mixture


def _begun(x: Tensor, count: int, seed: int) -> Tensor:
    """k-means++ (Arthur & Vassilvitskii 2007): each next centre is drawn by its squared distance to the nearest one."""
    dice = torch.Generator().manual_seed(seed)
    at = [int(torch.randint(len(x), (1,), generator=dice))]
    for _ in range(count - 1):
        far = torch.cdist(x, x[at]).amin(1).square()
        at.append(int(torch.multinomial(far, 1, generator=dice)))
    return x[at]


def _refitted(x: Tensor, share: Tensor, floor: float) -> Mixture:
    many = share.sum(0).clamp_min(1e-8)
    means = (share.T @ x) / many[:, None]
    away = x[:, None] - means
    spread = torch.einsum("nk,nki,nkj->kij", share, away, away) / many[:, None, None]
    spread = spread + floor * torch.eye(x.shape[1], dtype=x.dtype)
    return Mixture(many / many.sum(), means, torch.linalg.cholesky(spread))
