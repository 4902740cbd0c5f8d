"""Small pictures are transformed on one thread, and nobody's number of threads changes by it."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from assay import kernels
from assay.catalog import get
from assay.ops.fourier import passed, spectrum
from assay.quality.fsim import fsim


def threads() -> tuple[int, int, int]:
    """Of torch, OpenMP and MKL in the thread that asks."""
    told = torch.__config__.parallel_info()
    of = [re.search(rf"{name}_get_max_threads\(\) : (\d+)", told) for name in ("omp", "mkl")]
    return torch.get_num_threads(), *(int(m[1]) if m else 0 for m in of)


@pytest.fixture
def two():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield threads()
    torch.set_num_threads(before)


def test_numbers_of_threads_stay_as_they_are(two):
    x = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    together = threading.Barrier(4)
    want = fsim(x, ref=x.flip(3))

    def run(_):
        before = threads()  # each thread has met torch before any transform begins
        together.wait()
        scores = [fsim(x, ref=x.flip(3)) for _ in range(5)]
        return before, threads(), scores

    with ThreadPoolExecutor(4) as pool:
        for before, after, scores in pool.map(run, range(4)):
            assert before == after == two
            torch.testing.assert_close(torch.stack(scores), want.expand(5, 1))
    assert threads() == two
    with ThreadPoolExecutor(1) as pool:  # a thread that begins afterwards
        assert pool.submit(threads).result() == two


def test_a_failure_gives_the_threads_back(two):
    with pytest.raises(RuntimeError):
        spectrum(torch.zeros(0, 0))
    assert threads() == two


@pytest.mark.skipif(kernels.library() is None, reason="the kernels are not built")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_filter_is_its_definition(dtype, monkeypatch):
    y, radial, angular = (torch.rand(31, 18, dtype=dtype, generator=torch.Generator().manual_seed(i)) for i in range(3))
    got = passed(spectrum(y), radial, angular)
    monkeypatch.setattr(kernels, "can", lambda *_, **__: False)
    torch.testing.assert_close(got, passed(spectrum(y), radial, angular))


class Counted(TorchDispatchMode):
    """Planes transformed, complex or from or to real ones, while it is entered."""

    complex = real = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name.startswith("_fft_"):
            planes = args[0][..., 0, 0].numel()
            whole = name == "_fft_c2c" or (name == "_fft_r2c" and args[3] is False)
            self.complex, self.real = self.complex + planes * whole, self.real + planes * (not whole)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("name", "planes"), [("mad", (42, 4)), ("fsim", (34, 0)), ("vsi", (0, 12))])
def test_as_many_transforms_as_the_speed_report_says(name, planes):
    x = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with Counted() as seen:
        get(name)(x, ref=x.flip(3))
    assert (seen.complex, seen.real) == planes
