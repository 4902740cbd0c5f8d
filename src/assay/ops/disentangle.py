"""What UCF trains with: codes of forgeries kept apart from content, and what is common to all forgeries from what is one method's own.

After Yan et al. 2023 (arXiv:2304.13949) and the authors' code in DeepfakeBench.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, pairwise_distance, relu

MARGIN = 3.0  # of the triplets, in Euclidean distance
Decode = Callable[[Tensor, Tensor], Tensor]  # content, forgery codes → pictures


def adain(x: Tensor, c: Tensor) -> Tensor:
    """x with the mean and deviation that c has over its places, channel by channel: N×C×h×w each."""
    (sx, mx), (sc, mc) = (torch.std_mean(t, (2, 3), correction=0, keepdim=True) for t in (x, c))
    return (x - mx) / (sx + 1e-5) * (sc + 1e-5) + mc


def permuted_within(labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A random order of the rows in which every row is followed by one of its own class: N integers → N indices."""
    order = torch.arange(len(labels), device=labels.device)
    for label in labels.unique():  # type: ignore[no-untyped-call]
        rows = (labels == label).nonzero()[:, 0]
        order[rows] = rows[torch.randperm(len(rows), generator=generator).to(rows)]
    return order


def code_triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = MARGIN) -> Tensor:
    """0 where the negative is farther from the anchor than the positive by the margin: N×D each → a mean."""
    return relu(pairwise_distance(anchor, positive) - pairwise_distance(anchor, negative) + margin).mean()


def code_contrast(common: Tensor, specific: Tensor, kind: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """UCF's four triplets.  common, specific: N×D codes; kind: N, 0 is real; both real and forged rows are needed.

    Common codes: real ones lie together and forged ones lie together, whatever the method. Specific codes: those of one method lie
    together. The negative is always drawn from the other half.
    """
    forged = (kind > 0).long()
    pair, same = permuted_within(forged, generator), permuted_within(kind, generator)
    total = common.new_zeros(())
    for half in (0, 1):
        rows, others = (forged == half).nonzero()[:, 0], (forged != half).nonzero()[:, 0]
        against = others[torch.randint(len(others), (len(rows),), generator=generator).to(others)]
        for code, near in ((common, pair), (specific, same)):
            total = total + code_triplet(code[rows], code[near[rows]], code[against])
    return total


def exchange_loss(
    decode: Decode, content: Tensor, forgery: Tensor, pictures: Tensor, *, decides: Literal["content", "forgery"] = "content"
) -> Tensor:
    """Pictures rebuilt from their own codes, and with the forgery codes of their partners; mean L1 errors, summed.

    The first half of the rows is real, the second the forgery of each.  decides: whose picture an exchange should give; the
    released code asks for that of the content, the idea for that of the forgery code.
    """
    n = len(pictures) // 2
    other = torch.cat([torch.arange(n, 2 * n), torch.arange(n)]).to(pictures.device)
    own, swapped = decode(content, forgery), decode(content, forgery[other])
    wanted = pictures if decides == "content" else pictures[other]
    return 2 * (l1_loss(own, pictures) + l1_loss(swapped, wanted))  # two terms each: of the forged half and of the real one
