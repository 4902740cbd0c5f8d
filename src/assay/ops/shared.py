"""Remember the bricks that several algorithms ask for while one item is being assessed.

Luma, gradients and pyramids of the same pair serve a dozen metrics. A function marked `@shared` computes them once
inside `with remembering():` and as usual everywhere else. Nothing outlives the block, and gradients are never remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar, cast

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")
BUDGET = 160 << 20  # bytes: grey, the spectra and the small planes of a 4K pair; more would cost memory and spare little


class _Memory:
    """Answers by question, the longest unasked first; those are forgotten when all together hold more than `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._answers: OrderedDict[object, tuple[tuple[Any, ...], Any]] = OrderedDict()
        self._underway: dict[object, Future[Any]] = {}
        self._lock = Lock()

    def ask(self, key: object, given: tuple[Any, ...], answer: Callable[[], R]) -> R:
        """Threads may ask at once; who asks what another is working out waits for it."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return cast(R, self._answers[key][1])
            awaited = self._underway.get(key)
            if awaited is None:
                mine = self._underway[key] = Future[Any]()
        if awaited is not None:
            return cast(R, awaited.result())
        try:
            found = answer()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(found)
        finally:
            with self._lock:
                del self._underway[key]
        self._keep(key, given, found)
        return found

    def _keep(self, key: object, given: tuple[Any, ...], found: object) -> None:
        with self._lock:
            self._answers[key] = (given, found)  # what was given is kept, so that its address stays its own
            while self._answers and self._held() > self._budget:
                self._answers.popitem(last=False)

    def _held(self) -> int:
        storages = (t.untyped_storage() for entry in self._answers.values() for t in _tensors(entry))
        return sum({s.data_ptr(): s.nbytes() for s in storages}.values())


_memory: ContextVar[_Memory | None] = ContextVar("shared bricks", default=None)


@contextmanager
def remembering(budget: int = BUDGET) -> Iterator[None]:
    """Within the block, `@shared` functions answer a repeated question from memory, of at most `budget` bytes."""
    token = _memory.set(_Memory(budget))
    try:
        yield
    finally:
        _memory.reset(token)


def shared(fn: Callable[P, R]) -> Callable[P, R]:
    """Mark a pure function of tensors and plain values. Its results must not be changed in place."""

    @wraps(fn)
    def ask(*args: P.args, **kwargs: P.kwargs) -> R:
        memory = _memory.get()
        if memory is None:
            return fn(*args, **kwargs)
        given = (*args, *kwargs.values())
        tensors = list(_tensors(given))
        if any(t.is_inference() for t in tensors) or (torch.is_grad_enabled() and any(t.requires_grad for t in tensors)):
            return fn(*args, **kwargs)  # an inference tensor does not tell when it is changed
        key = (fn, tuple(kwargs), tuple(_identity(g) if isinstance(g, Tensor) else g for g in given))
        return memory.ask(key, given, lambda: fn(*args, **kwargs))

    return ask


def _identity(t: Tensor) -> tuple[object, ...]:
    """The same for every view of the same pixels, and another one once they have been changed."""
    return t.data_ptr(), t.shape, t.stride(), t.dtype, t.device, t._version


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for v in value:
            yield from _tensors(v)
