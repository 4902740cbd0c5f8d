"""Learning one thing after another without losing the first: what to keep of the old, and how to hold the new apart from it.

Cheng et al. 2025 (SUR-LID), arXiv:2411.11396. Sparse uniform replay: rows are sorted by how near they lie to the middle of their class, cut
into equal chunks, and each chunk gives its most stable row and the one that points elsewhere the most, so that few rows keep the spread of
all. Aligned feature isolation: every class of every task is its own cluster, and the decision planes of the tasks turn towards one another.
Features are normalised before they are ordered; the paper's code orders raw ones, where their length decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax, mse_loss, normalize, softmax

TEMPERATURE = 0.1  # of the isolation
SOFT = 20.0  # of the distilled logits
TURNS = (0.99, 0.999, 0.9999, 0.99995)  # how much of a plane stays where it is in one step, the newest task first
EPS = 1e-8


def sparse_uniform(features: Tensor, stability: Tensor, count: int) -> Tensor:
    """Which rows of one class to keep: `count` at most, in the order of the chunks, none twice.

    features: N×D; stability: N, larger for rows whose features stay when the picture is disturbed.
    """
    n, chunks = len(features), max(1, count // 2)
    if n <= count:
        return torch.arange(n, device=features.device)
    unit = normalize(features, dim=1, eps=EPS)
    order = (unit @ normalize(unit.mean(0), dim=0, eps=EPS)).argsort(descending=True, stable=True)
    kept = []
    for chunk in order.tensor_split(chunks):
        first = chunk[stability[chunk].argmax()]
        kept.append(first)
        if len(chunk) > 1 and len(kept) < count:
            towards = unit[chunk] @ unit[first]
            kept.append(chunk[towards.masked_fill(chunk == first, torch.inf).argmin()])
    return torch.stack(kept[:count])


def isolation(features: Tensor, group: Tensor, *, temperature: float = TEMPERATURE) -> Tensor:
    """Supervised contrast (Khosla et al. 2020, arXiv:2004.11362), times its temperature: rows of one group together, groups apart.

    features: N×D; group: N whole numbers, one for each class of each task. 0 where no row has a companion.
    """
    unit = normalize(features, dim=1, eps=EPS)
    alone = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    logits = (unit @ unit.T / temperature).masked_fill(alone, -torch.inf)
    same = (group[:, None] == group) & ~alone
    log_p = logits - logits.logsumexp(1, keepdim=True)
    some = same.any(1)
    if not some.any():
        return features.sum() * 0
    mean = log_p.masked_fill(~same, 0).sum(1)[some] / same.sum(1)[some]
    return -temperature * mean.mean()


def refilled(features: Tensor, centre: Tensor, dice: torch.Generator | None = None) -> Tensor:
    """Between few replayed rows of a class, new ones: each drawn a little towards the class's centre.  N×D and D → N×D."""
    share = 0.5 + 0.5 * torch.rand(len(features), 1, generator=dice, device=features.device)
    return share * features + (1 - share) * centre


def distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """How far features have moved from what they were: the mean squared difference."""
    return mse_loss(student, teacher.detach())


def soft_distillation(student: Tensor, teacher: Tensor, *, temperature: float = SOFT) -> Tensor:
    """How far answers have moved: Kullback-Leibler divergence of softened logits, times the temperature squared (Hinton et al. 2015)."""
    told = softmax(teacher.detach() / temperature, dim=1)
    return kl_div(log_softmax(student / temperature, dim=1), told, reduction="batchmean") * temperature**2


@torch.no_grad()
def align(heads: Sequence[nn.Linear], turns: Sequence[float] = TURNS) -> None:
    """Turn each task's planes a little towards the one of another task that is farthest off; their lengths stay, and biases.

    heads: one linear layer a task, the oldest first, all of one shape; the newest turns the most, the oldest hardly.
    """
    planes = torch.stack([normalize(h.weight, dim=1, eps=EPS) for h in heads])  # tasks × classes × D
    alike = torch.einsum("acd,bcd->cab", planes, planes)
    far = alike.argmin(2)  # classes × tasks
    for i, head in enumerate(heads):
        keep = turns[min(len(heads) - 1 - i, len(turns) - 1)]
        others = torch.stack([planes[far[c, i], c] for c in range(planes.shape[1])])
        turned = normalize(keep * planes[i] + (1 - keep) * others, dim=1, eps=EPS)
        head.weight.copy_(head.weight.norm(dim=1, keepdim=True) * turned)
