"""Fused C for the few hot bricks. Only `ops` calls this; a missing compiler costs speed, never a result.

The C functions take plain pointers and a range of work, hold no state and start no thread. They are reached
through ctypes, which releases the interpreter lock, so `split` runs the ranges on as many threads as torch uses.
`ASSAY_KERNELS=0` switches them off.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor


@cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None where they were not built or are switched off."""
    if os.environ.get("ASSAY_KERNELS") == "0":
        return None
    try:
        module = import_module("assay.kernels._kernels")
    except ImportError:
        return None
    _keep_freed_memory()
    return ctypes.CDLL(str(module.__file__))


def _keep_freed_memory() -> None:
    """Free one block, never written to, that is larger than most that follow: from then on glibc keeps what is freed.

    Before, it hands blocks of some megabytes back to the system, and every page of the next one must be fetched anew, which
    took a third of a Fourier transform of 512×512. It keeps up to twice the largest block freed, but none above 32 MB counts.
    """
    torch.empty(31 << 20, dtype=torch.uint8, device="cpu")


@cache
def typed(name: str, dtype: torch.dtype, words: tuple[Any, ...]) -> ctypes._NamedFuncPointer:
    """The form of a kernel for uint8 (name_u8) or float32 (name_f32) pixels, its arguments declared.  `can` must have been asked."""
    lib = library()
    if lib is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    run: ctypes._NamedFuncPointer = getattr(lib, f"{name}_{'u8' if dtype == torch.uint8 else 'f32'}")
    run.argtypes, run.restype = list(words), None
    return run


def can(*tensors: Tensor, dtypes: tuple[torch.dtype, ...]) -> bool:
    """Whether the C path may take these: on the CPU, no gradient wanted, one of `dtypes`, and kernels built."""
    graph, dtype = torch.is_grad_enabled(), tensors[0].dtype
    for t in tensors:
        if t.dtype is not dtype or not t.is_cpu or (graph and t.requires_grad):
            return False
    return dtype in dtypes and library() is not None


def pointer(t: Tensor) -> ctypes.c_void_p:
    """The address of a contiguous tensor's first element. Keep the tensor alive during the call."""
    if not t.is_contiguous():
        raise ValueError("kernels take contiguous tensors")
    return ctypes.c_void_p(t.data_ptr())


def split(work: Callable[[int, int], None], total: int, *, grain: int) -> None:
    """Call `work(start, stop)` over 0..total in pieces of at least `grain`, on torch's number of threads.

    Each piece's result must not depend on how the range was cut, so that the answer is the same on any machine.
    """
    threads = 1 if total < 2 * grain else min(torch.get_num_threads(), total // max(1, grain))
    if threads == 1:
        work(0, total)
        return
    edges = [total * i // threads for i in range(threads + 1)]
    list(_pool(threads).map(work, edges[:-1], edges[1:]))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="assay-kernel")
