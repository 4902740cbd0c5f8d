"""The kernels of windows, pairs and blocks against their definitions, which float64 takes."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from assay import kernels
from assay.catalog import get
from assay.ops.filters import halved, separable
from assay.ops.hvs import hvs_error
from assay.ops.luma import levels
from assay.ops.windowstats import changes

pytestmark = pytest.mark.skipif(kernels.library() is None, reason="the kernels are not built")


def pair(shape: tuple[int, ...], flat: bool = False) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    ref = torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8))
    if flat:
        ref[..., : shape[-1] // 2] = 77
        ref[..., : shape[-2] // 3, :] = 0
    noise = torch.from_numpy(rng.integers(-20, 20, shape))
    x = (ref.int() + noise).clamp(0, 255).to(torch.uint8)
    x[..., :9] = ref[..., :9]
    return x, ref


GREY_TOO = ["scc", "uqi", "psnr_y", "ergas", "psnr_hvs", "psnr_hvs_m", "ms_ssim", "ciede2000"]
CASES = [(n, (2, 3, 181, 203)) for n in ("sam", *GREY_TOO)] + [(n, (1, 1, 192, 177)) for n in GREY_TOO]  # grey has no spectral angle


@pytest.mark.parametrize(("name", "shape"), CASES)
@pytest.mark.parametrize("flat", [False, True])
def test_bytes_score_as_the_definition_does(name, shape, flat):
    x, ref = pair(shape, flat)
    f = get(name)
    torch.testing.assert_close(f(x, ref=ref).double(), f(x.double() / 255, ref=ref.double() / 255), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "slack"), [("ciede2000", 1e-3), ("flip", 1e-4)])  # float32 itself misses FLIP's roots by 3e-5 near 0
def test_every_pixel_of_colour_maps(name, slack, channels):
    x, ref = pair((2, channels, 61, 1100), flat=True)
    card = get(name).card
    module = import_module(f"assay.quality.{name}")
    want = getattr(module, card.map)(x.double() / 255, ref=ref.double() / 255)
    for a, b in ((x, ref), (x / 255, ref / 255)):
        got = getattr(module, card.map)(a, ref=b).double()
        torch.testing.assert_close(got, want, rtol=1e-5, atol=slack)


@pytest.mark.parametrize("name", ["scc", "uqi", "sam", "psnr_hvs_m", "psnr_y", "ciede2000", "flip"])
def test_threads_and_batches_change_nothing(name):
    x, ref = pair((2, 3, 600, 640))
    f, before = get(name), torch.get_num_threads()
    both = f(x, ref=ref)
    try:
        torch.set_num_threads(4)
        assert torch.equal(f(x, ref=ref), both)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.cat([f(x[i : i + 1], ref=ref[i : i + 1]) for i in (0, 1)]), both)


@pytest.mark.parametrize(("dtype", "step"), [(torch.float32, 1), (torch.float32, 2), (torch.float64, 1), (torch.float64, 2)])
def test_separable_windows_are_convolutions(dtype, step):
    x = torch.rand(2, 3, 31, 1100, generator=torch.Generator().manual_seed(0), dtype=dtype)
    down, across = torch.tensor([0.1, -0.4, 0.7, 0.2]), torch.tensor([0.3, 0.2, -0.1, 0.5, 0.1])
    want = F.conv2d(x.view(6, 1, 31, 1100).double(), (down[:, None] * across).double()[None, None], stride=step)
    torch.testing.assert_close(separable(x, down, across, step).double(), want.view(2, 3, *want.shape[2:]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (7, 8), (16, 33)])
def test_halving_means_four_pixels(size):
    x, _ = pair((2, 3, *size))
    want = halved(x.double() / 255)
    torch.testing.assert_close(halved(x).double(), want, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(halved(x / 255).double(), want, rtol=1e-6, atol=1e-6)


def test_masked_errors_of_blocks():
    x, ref = (levels(t) for t in pair((2, 3, 41, 300), flat=True))
    for masked in (False, True):
        want = hvs_error(x.double(), ref.double(), masked=masked)
        torch.testing.assert_close(hvs_error(x, ref, masked=masked), want, rtol=1e-5, atol=1e-9)


def test_grey_levels():
    x, _ = pair((2, 3, 17, 19))
    torch.testing.assert_close(levels(x).double(), levels(x.double() / 255), rtol=1e-6, atol=1e-4)
    torch.testing.assert_close(levels(x, True).double(), levels(x.double() / 255, True))


def test_changes_of_window_statistics():
    make = torch.Generator().manual_seed(0)
    a, b = (torch.randn(2, 40, 53, dtype=torch.complex64, generator=make) for _ in range(2))
    a[:, :20, :24] = 3
    want = changes([a.to(torch.complex128), b.to(torch.complex128)])
    torch.testing.assert_close(changes([a, b]).double(), want, rtol=1e-4, atol=1e-4)
