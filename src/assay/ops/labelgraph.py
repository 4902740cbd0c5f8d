"""Labels that imply one another: forged, what was changed as a whole, and which features; probabilities that respect it.

A whole-face change needs a forgery and at least one of the features it may touch; a feature needs one of the changes that may touch
it. After Deng et al. 2014 (HEX graphs) as used by Zou et al. 2024 (arXiv:2408.16305).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

Touches = Mapping[str, Sequence[str]]  # each change of a whole face, and the features it may touch


def states(touches: Touches, features: Sequence[str]) -> Tensor:
    """Every legal combination, S×(1 + changes + features) of 0 and 1: forged, the changes in order, the features in order."""
    return _states(tuple(tuple(f in touched for f in features) for touched in touches.values()))


@cache
def _states(may: tuple[tuple[bool, ...], ...]) -> Tensor:
    changes, features = len(may), len(may[0])
    can = torch.tensor(may)
    every = (torch.arange(1 << (changes + features))[:, None] >> torch.arange(changes + features)) & 1 == 1
    change, feature = every[:, :changes], every[:, changes:]
    grounded = (feature[:, None] & can).any(2)  # of each change: a feature of its own is altered
    caused = (change[:, :, None] & can).any(1)  # of each feature: a change that may touch it
    legal = every[((~change | grounded).all(1)) & ((~feature | caused).all(1))]
    forged = torch.cat([torch.ones(len(legal), 1, dtype=torch.bool), legal], 1)
    return torch.cat([torch.zeros(1, forged.shape[1], dtype=torch.bool), forged]).float()


def marginals(logits: Tensor, legal: Tensor, *, even: bool = True) -> Tensor:
    """The probability of each label: N×L logits, S×L legal states → N×L.

    even: logits of 0 mean a forgery with probability ½; otherwise every state counts alike, and as all but one are forged, so
    does the prior (.996 for the 251 states of FaceForensics++).
    """
    return _powers(logits, legal, even).softmax(1) @ legal.to(logits)


def forged(logits: Tensor, legal: Tensor, *, even: bool = True) -> Tensor:
    """The logit of the first label's marginal, exact where the probability itself rounds to 0 or 1: N."""
    power, is_forged = _powers(logits, legal, even), legal[:, 0] > 0
    return power[:, is_forged].logsumexp(1) - power[:, ~is_forged].logsumexp(1)


def _powers(logits: Tensor, legal: Tensor, even: bool) -> Tensor:
    power = logits @ legal.to(logits).T
    if not even:
        return power
    first = legal[:, 0].to(logits)
    return power - first * (first.sum() / (1 - first).sum()).log()
