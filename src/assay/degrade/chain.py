"""Several damages, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

from torch import Tensor

from assay.catalog import Carded
from assay.types import AlterCard, BadInput


def chain(x: Tensor, *, steps: Sequence[tuple[Carded[AlterCard, ..., Any], float]], seed: int = 0) -> Tensor:
    """The picture after each step in turn: a degradation, and the level of its knob.

    x: N×C×H×W, as the steps take it. Bytes are rounded after every step, as if each had been saved.
    seed: step i gets seed + i where it takes one, so that two steps of noise differ.
    Raises BadInput where a step is no degradation of one image.

    >>> import torch
    >>> from assay.degrade.low_contrast import low_contrast
    >>> from assay.degrade.underexpose import underexpose
    >>> chain(torch.tensor([[[[0.0, 1.0]]]]), steps=[(underexpose, 1), (low_contrast, 100)])
    tensor([[[[0.3677, 0.3677]]]])
    """
    for i, (fn, level) in enumerate(steps):
        card = getattr(fn, "card", None)
        if not isinstance(card, AlterCard) or card.takes != ("image",):
            raise BadInput(f"step {i} must be a degradation of one image and its level; got {getattr(fn, '__name__', fn)}.")
        knobs = {card.knob: level} | ({"seed": seed + i} if "seed" in signature(fn).parameters else {})
        x = fn(x, **knobs)
    return x
