"""Learning names of known generators and groups of unknown ones together: the losses of open-world attribution.

Sun et al. 2023 (CPL), arXiv:2309.11132: labelled rows by a cross-entropy that is slowed down, unlabelled ones by a neighbour that both the
whole picture and its tiles vote for, and by soft labels drawn from what is thought of them so far; the mean answer is kept even, so that
no group swallows all. And the reject that a user needs: distance to classes, with conformal p-values (class-conditional, Vovk et al. 2005).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, one_hot, softmax

MARGIN = 0.2  # by which the true logit is raised: known classes are learned more slowly, and novel ones keep up
EPS = 1e-8


def margin_cross_entropy(logits: Tensor, label: Tensor, *, margin: float = MARGIN) -> Tensor:
    """Cross-entropy with the true logit raised by a margin.  logits: N×C, label: N whole numbers; a number."""
    return cross_entropy(logits + margin * one_hot(label, logits.shape[1]).to(logits), label)


def local_similarity(tiles: Tensor) -> Tensor:
    """How alike rows are tile by tile: N×T×D → N×N, cosines of tiles in one place weighted by how strong they are in the first row."""
    strength = tiles.norm(dim=2)
    weight = strength / strength.norm(dim=1, keepdim=True).clamp_min(EPS)
    unit = normalize(tiles, dim=2, eps=EPS)
    return torch.einsum("itd,jtd,it->ij", unit, unit, weight)


class Vote(NamedTuple):
    """Whom each row is paired with, and whether its tiles agreed; a row without agreement is paired with itself."""

    partner: Tensor  # N whole numbers
    agreed: Tensor  # N


def vote(whole: Tensor, tiles: Tensor) -> Vote:
    """The nearest neighbour by the whole picture, N×D, kept where tiles, N×T×E, support it.

    Kept if a row's best local similarity to another is at least the second largest that anyone has to that neighbour.
    """
    n = len(whole)
    unit = normalize(whole, dim=1, eps=EPS)
    apart = torch.eye(n, dtype=torch.bool, device=whole.device)
    nearest = (unit @ unit.T).masked_fill(apart, -2.0).argmax(1)
    local = local_similarity(tiles)
    own = local.masked_fill(apart, -torch.inf).amax(1)
    second = local.topk(min(2, n), dim=0).values[-1]  # the largest is mostly the neighbour itself
    agreed = own >= second[nearest]
    return Vote(torch.where(agreed, nearest, torch.arange(n, device=whole.device)), agreed)


def partners(label: Tensor, dice: torch.Generator | None = None) -> Tensor:
    """For each labelled row a random one of its class, itself where it is alone."""
    same = (label[:, None] == label).float()
    alone = same.sum(1) == 1
    same = same * (1 - torch.eye(len(label), device=label.device)) + torch.diag(alone.float())
    return torch.multinomial(same, 1, generator=dice)[:, 0]


def agreement(p: Tensor, partner: Tensor) -> Tensor:
    """Binary cross-entropy of p·p' against 1: none where both are sure of the same class.  p: N×C, rows sum to 1."""
    return -((p * p[partner]).sum(1).clamp_min(EPS)).log().mean()


def soft_labels(logits: Tensor, agreed: Tensor, dice: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Labels drawn from what is thought so far (Gumbel-softmax, τ = 1), N×C, and how much each row counts: its chance of what was drawn."""
    told = logits.detach()
    uniform = torch.rand(told.shape, generator=dice, device=told.device).clamp(EPS, 1 - 1e-6)
    drawn = softmax(told - (-uniform.log()).log(), dim=1)
    sure = softmax(told, dim=1).gather(1, drawn.argmax(1, keepdim=True))[:, 0]
    return drawn, sure * agreed.to(sure)


def soft_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over rows of −Σ target · log p."""
    return -(weight * (target * logits.log_softmax(1)).sum(1)).mean()


def evenness(p: Tensor) -> Tensor:
    """Entropy of the mean answer: ln C where all classes are used alike, 0 where one takes all."""
    mean = p.mean(0).clamp_min(EPS)
    return -(mean * mean.log()).sum()


def contrastive_pseudo_loss(logits: Tensor, whole: Tensor, tiles: Tensor, label: Tensor, *, dice: torch.Generator | None = None) -> Tensor:
    """All of it: cross-entropy + ½ agreement + ½ soft labels − evenness, as the paper weighs them.

    logits: N×C; whole: N×D; tiles: N×T×E, for the vote; label: N, −1 where unlabelled.
    """
    known, rest = label >= 0, label < 0
    p = softmax(logits, dim=1)
    voted = vote(whole[rest].detach(), tiles[rest].detach())
    places, back = torch.arange(len(label), device=label.device), torch.arange(len(label), device=label.device)
    back[known] = places[known][partners(label[known], dice)]
    back[rest] = places[rest][voted.partner]
    drawn, sure = soft_labels(logits[rest], voted.agreed, dice)
    return (
        margin_cross_entropy(logits[known], label[known])
        + 0.5 * agreement(p, back)
        + 0.5 * soft_cross_entropy(logits[rest], drawn, sure)
        - evenness(p)
    )


class Classes(NamedTuple):
    """Where known classes lie: means, C×D, and one precision for all, D×D."""

    means: Tensor
    precision: Tensor


def gaussians(x: Tensor, label: Tensor, count: int, *, shrink: float = 0.1) -> Classes:
    """Means and one shrunk covariance.  x: N×D, label: N in 0..count−1, each at least once; shrink: towards the mean variance."""
    means = torch.stack([x[label == k].mean(0) for k in range(count)])
    left = x - means[label]
    cov = left.T @ left / max(1, len(x) - count)
    cov = (1 - shrink) * cov + shrink * cov.diagonal().mean() * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return Classes(means, torch.linalg.inv(cov))


def distances(x: Tensor, classes: Classes) -> Tensor:
    """Squared Mahalanobis distances, N×C."""
    left = x[:, None] - classes.means
    return torch.einsum("ncd,de,nce->nc", left, classes.precision, left)


def p_values(distance: Tensor, held: Tensor) -> Tensor:
    """How usual a distance is among held-out rows of the class: N×C and M×C (falling rows may be padded with −inf) → N×C in (0, 1]."""
    there = torch.isfinite(held)
    farther = (held[None] >= distance[:, None]) & there[None]
    return (1 + farther.sum(1)) / (1 + there.sum(0))
