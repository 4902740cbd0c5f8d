"""A random forest that was grown elsewhere, asked here: arrays in, one answer of every tree out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Forest:
    """All nodes of all trees in one row. A leaf is its own child on both sides."""

    feature: Tensor  # which number is asked at a node
    threshold: Tensor  # at most this: to the left
    left: Tensor
    right: Tensor
    value: Tensor  # the mean of what was seen there
    roots: Tensor  # T
    depth: int  # of the deepest tree

    @classmethod
    def of(cls, stored: Mapping[str, Tensor]) -> Forest:
        """From the arrays of a file: children are stored relative to the root of their tree, in two bytes."""
        roots = stored["roots"].long()
        sizes = torch.cat([roots[1:], torch.tensor([len(stored["feature"])])]) - roots
        start = roots.repeat_interleave(sizes)
        return cls(
            stored["feature"].long(),
            stored["threshold"].double(),
            stored["left"].long() + start,
            stored["right"].long() + start,
            stored["value"].double(),
            roots,
            int(stored["depth"]),
        )

    def answers(self, x: Tensor) -> Tensor:
        """What every tree says: N×F → N×T."""
        at = self.roots.expand(len(x), -1)
        for _ in range(self.depth):
            down = x.double().gather(1, self.feature[at]) <= self.threshold[at]
            at = torch.where(down, self.left[at], self.right[at])
        return self.value[at]
