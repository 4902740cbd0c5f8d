"""Two-dimensional Fourier transforms of pictures, with and without a filter, in as little time and new memory as torch allows."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from assay import kernels

ALONE = 1 << 20  # numbers below which it takes longer to wake torch's threads, 7 ms measured, than one needs for the transform


def spectrum(y: Tensor) -> Tensor:
    """fft2 of N×H×W, or H×W, real or complex."""
    with _threads_for(y):
        found: Tensor = torch.fft.fft2(y)
    return found.contiguous()


def passed(spectra: Tensor, radial: Tensor, angular: Tensor, memory: Tensor | None = None) -> Tensor:
    """ifft2 of what a filter, H×W as the product of two, leaves of N×H×W, or H×W, complex spectra.

    memory: a tensor like the spectra, to work in; new memory for every filter of a large picture takes a third of the time.
    """
    if kernels.can(spectra, dtypes=(torch.complex64, torch.complex128)):
        run = _library().fourier_filter_f32 if spectra.dtype == torch.complex64 else _library().fourier_filter_f64
        spectra = spectra.contiguous()
        memory = torch.empty_like(spectra) if memory is None else memory
        factors, n = [kernels.pointer(t) for t in (radial, angular)], radial.numel()
        for one, to in zip(spectra.view(-1, n), memory.view(-1, n), strict=True):
            run(kernels.pointer(one), *factors, n, kernels.pointer(to))
        product = memory
    else:
        product = spectra * (radial * angular)
    with _threads_for(product):
        waves: Tensor = torch.fft.ifft2(product)
    return waves


@contextmanager
def _threads_for(y: Tensor) -> Iterator[None]:
    """One thread for a small picture. The number belongs to the calling thread, and is as before afterwards.

    A thread that uses torch for the first time meanwhile takes the number it finds: one.
    """
    threads = torch.get_num_threads()
    if threads == 1 or y.numel() >= ALONE or not y.is_cpu:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    for fn in (library.fourier_filter_f32, library.fourier_filter_f64):
        fn.argtypes, fn.restype = [address, address, address, size, address], None
    return library
