"""New forgeries between known ones, made of features: what LSDA trains with (Yan et al. 2024, arXiv:2311.11278).

The samples of one domain are rows: N×C×h×w. (The released code walks over the channels instead.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def hardest(z: Tensor) -> Tensor:
    """The row farthest from the mean of all."""
    return z[(z - z.mean(0)).flatten(1).norm(dim=1).argmax()]


def towards_hardest(z: Tensor, share: Tensor | float) -> Tensor:
    return z + share * (hardest(z) - z)


def from_centre(z: Tensor, share: Tensor | float) -> Tensor:
    return z + share * (z - z.mean(0))


def noisy(z: Tensor, share: Tensor | float, generator: torch.Generator | None = None) -> Tensor:
    """Normal noise, times a deviation drawn from 0 to 1 for each row."""
    sigma = torch.rand(len(z), *[1] * (z.ndim - 1), generator=generator).to(z)
    return z + share * sigma * torch.randn(z.shape, generator=generator).to(z)


def differing(z: Tensor, share: Tensor | float, generator: torch.Generator | None = None) -> Tensor:
    """Along what parts two other rows."""
    j, k = (torch.randint(len(z), (len(z),), generator=generator).to(z.device) for _ in range(2))
    return z + share * (z[j] - z[k])


def within(z: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """One of the four, drawn with its share from 0 to 1."""
    share = float(torch.rand((), generator=generator))
    match int(torch.randint(4, (), generator=generator)):
        case 0:
            return towards_hardest(z, share)
        case 1:
            return from_centre(z, share)
        case 2:
            return noisy(z, share, generator)
        case _:
            return differing(z, share, generator)


def across(z: Tensor, order: Tensor, share: Tensor | float) -> Tensor:
    """Mixed with other domains.  z: groups×domains×…; order: groups×domains, for each domain the one it is mixed with."""
    rows = torch.arange(len(z), device=z.device)[:, None]
    return share * z + (1 - share) * z[rows, order]


def domain_orders(groups: int, domains: int, generator: torch.Generator | None = None) -> Tensor:
    """A permutation of the domains for each group."""
    return torch.stack([torch.randperm(domains, generator=generator) for _ in range(groups)])


def mixing_share(generator: torch.Generator | None = None) -> Tensor:
    """λ ~ Beta(α, α), where α ~ U(0.5, 2): Jöhnk's way, which draws anew until two powers fit into one."""
    alpha = 0.5 + 1.5 * torch.rand((), generator=generator)
    while True:
        pair: Tensor = torch.rand(2, generator=generator) ** (1 / alpha)
        if 0 < pair.sum() <= 1:
            return pair[0] / pair.sum()


def complete(rows: Sequence[Sequence[int]], domains: int) -> None:
    """Raises ValueError where a group lacks a version of its face or has one twice."""
    for i, kinds in enumerate(rows):
        if sorted(kinds) != list(range(domains)):
            raise ValueError(f"group {i} must hold each of {domains} versions once; got {sorted(kinds)}.")
