"""Remember the bricks that several algorithms ask for while one item is being assessed.

Luma, gradients and pyramids of the same pair serve a dozen metrics. A function marked `@shared` computes them once
inside `with remembering():` and as usual everywhere else. Nothing outlives the block, and gradients are never remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")
_memory: ContextVar[dict[object, tuple[tuple[Any, ...], Any]] | None] = ContextVar("shared bricks", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Within the block, `@shared` functions answer a repeated question from memory."""
    token = _memory.set({})
    try:
        yield
    finally:
        _memory.reset(token)


def shared(fn: Callable[P, R]) -> Callable[P, R]:
    """Mark a pure function of tensors and plain values. Its results must not be changed in place."""

    @wraps(fn)
    def ask(*args: P.args, **kwargs: P.kwargs) -> R:
        memory = _memory.get()
        given = (*args, *kwargs.values())
        if memory is None or (torch.is_grad_enabled() and any(isinstance(g, Tensor) and g.requires_grad for g in given)):
            return fn(*args, **kwargs)
        key = (fn, tuple(kwargs), tuple((id(g), g._version) if isinstance(g, Tensor) else g for g in given))
        if key not in memory:
            memory[key] = (given, fn(*args, **kwargs))  # the arguments are kept, so that their ids stay theirs
        return cast(R, memory[key][1])

    return ask
