"""SSIMULACRA 2: its Gaussian against the recursion of JPEG XL, and the kernels against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from assay import kernels
from assay.ops.ssimulacra import BIAS, RADIUS, SIGMA, _rows_kernel, _xyb_kernel, blurred, damage_maps, window, xyb
from assay.quality.ssimulacra2 import WEIGHTS, _score, ssimulacra2, ssimulacra2_map

needs_kernels = pytest.mark.skipif(kernels.library() is None, reason="the kernels were not built")


def recursion(signal):
    """gauss_blur.cc in float64: three oscillators fed with in[n-N-1] + in[n+N-1], black outside."""
    n = RADIUS
    omega = np.pi / (2 * n) * np.array([1, 3, 5])
    p = np.array([1, -1, 1]) / np.tan(omega / 2)
    r = np.array([1, -1, 1]) * p * p / np.sin(omega)
    rho = np.exp(-0.5 * SIGMA**2 * omega**2) / n
    d13, d35, d51 = p[0] * r[1] - r[0] * p[1], p[1] * r[2] - r[1] * p[2], p[2] * r[0] - r[2] * p[0]
    rows = np.array([p, r, [d35 / d13, d51 / d13, 1]])
    beta = np.linalg.solve(rows, [1, n * n - SIGMA**2, d35 / d13 * rho[0] + d51 / d13 * rho[1] + rho[2]])
    padded = np.concatenate([np.zeros(2 * n), signal, np.zeros(2 * n)])
    fed = np.zeros_like(padded)
    fed[n + 1 :] += padded[: -n - 1]
    fed[: -(n - 1)] += padded[n - 1 :]
    gains = -beta * np.cos(omega * (n + 1))
    out = sum(lfilter([g], [1, -2 * np.cos(w), 1], fed) for g, w in zip(gains, omega, strict=True))
    return out[2 * n : -2 * n]


def test_the_window_is_what_the_recursion_unrolls_to():
    signal = np.random.default_rng(0).random(60)
    row = torch.from_numpy(signal)[None, None, None]
    want = torch.from_numpy(recursion(signal)) * window()[RADIUS - 1]  # one row: down, only the middle weight meets it
    torch.testing.assert_close(blurred(row)[0, 0, 0], want, rtol=0, atol=1e-12)
    assert float(window().sum()) == pytest.approx(1, abs=1e-12)


@needs_kernels
@pytest.mark.parametrize("size", [(8, 8), (9, 500), (33, 497), (70, 1001)])
def test_the_kernels_are_the_definitions(size):
    g = torch.Generator().manual_seed(1)
    ref = torch.rand(2, 3, *size, generator=g)
    x = (ref + 0.1 * torch.randn(ref.shape, generator=g)).clamp(0, 1)
    want = xyb(ref.double())
    torch.testing.assert_close(_xyb_kernel(ref).double(), want, rtol=0, atol=5e-6)  # X is 14 times a difference of float32
    maps = damage_maps(ref.double(), x.double())
    sums = torch.cat([maps.sum(-1), (maps**4).sum(-1)], dim=2).transpose(2, 3) / size[1]
    torch.testing.assert_close(_rows_kernel(ref, x) / size[1], sums, rtol=1e-5, atol=1e-5)


def test_black_is_black():
    assert float(xyb(torch.zeros(1, 3, 1, 1).double())[0, 1]) == pytest.approx(0.01, abs=1e-9)
    assert BIAS > 0


def test_there_are_108_weights():
    assert torch.tensor(WEIGHTS).shape == (3, 6, 6)


def test_the_shortest_side_that_is_halved():
    x, ref = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.full((1, 3, 8, 8), 0.5)
    assert float(ssimulacra2(x, ref=ref)) == pytest.approx(float(ssimulacra2(x.double(), ref=ref.double())), abs=1e-3)
    assert float(ssimulacra2(ref, ref=ref)) == 100


def test_nearly_a_copy_is_nearly_100(photo):
    ref = torch.from_numpy(photo[:64, :64].transpose(2, 0, 1).copy())[None]
    x = ref.clone()
    x[0, 1, 30, 30] ^= 1
    assert 99 < float(ssimulacra2(x, ref=ref)) < 100


def test_the_score_comes_from_the_mean_of_the_map():
    g = torch.Generator().manual_seed(4)
    ref = torch.rand(1, 3, 128, 192, generator=g, dtype=torch.float64)
    x = 0.8 * ref + 0.2 * torch.rand(ref.shape, generator=g, dtype=torch.float64)
    mean = ssimulacra2_map(x, ref=ref).mean((1, 2))
    assert float(_score(mean)) == pytest.approx(float(ssimulacra2(x, ref=ref)), abs=0.5)


def test_the_map_shows_where_the_damage_is():
    ref = torch.full((1, 3, 128, 128), 0.5)
    x = ref.clone()
    x[..., 30:60, 70:100] = torch.rand(30, 30, generator=torch.Generator().manual_seed(5))
    drawn = ssimulacra2_map(x, ref=ref)[0]
    assert drawn.shape == (128, 128)
    assert drawn[30:60, 70:100].mean() > 20 * drawn[80:, :40].mean()
    assert not ssimulacra2_map(ref, ref=ref).any()
