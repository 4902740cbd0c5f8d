"""IL-NIQE: its bricks against SciPy, its scores against what MATLAB printed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.signal import convolve2d

from assay import kernels
from assay.ops import ilniqe, ilniqe_fits
from assay.quality.il_niqe import il_niqe, il_niqe_map, official
from assay.quality.il_niqe_assay import il_niqe_assay, il_niqe_assay_map, model
from assay.types import BadInput, CannotAssess
from pictures import DAMAGE, found, load, tensor


@pytest.mark.parametrize("scale", [1, 2])
def test_derivatives_are_matlabs_conv2(scale):
    x = np.random.default_rng(0).normal(size=(2, 84, 126))
    sigma = 1.66 / scale**0.28
    i = np.arange(-5, 6)
    bell = np.exp(-(i[:, None] ** 2 + i**2) / (2 * sigma**2))
    across, down = ilniqe_fits.derivatives(torch.from_numpy(x), scale)
    for plane, a, d in zip(x, across.numpy(), down.numpy(), strict=True):
        np.testing.assert_allclose(a, convolve2d(plane, i * bell, "same"), atol=1e-10)
        np.testing.assert_allclose(d, convolve2d(plane, i[:, None] * bell, "same"), atol=1e-10)


def test_the_weibull_fit_is_the_likeliest():
    size = np.random.default_rng(1).weibull(1.7, (504, 504)) * 3
    got = ilniqe_fits._weibull_of(torch.from_numpy(size)).reshape(6, 6, 2)
    for i, j in ((0, 0), (2, 5)):
        v = size[84 * i : 84 * i + 84, 84 * j : 84 * j + 84].ravel()
        t = np.log(v)
        k = brentq(lambda k, v=v, t=t: (v**k * t).sum() / (v**k).sum() - t.mean() - 1 / k, 0.5, 5, xtol=1e-14)
        np.testing.assert_allclose(got[i, j], [np.mean(v**k) ** (1 / k), k], rtol=1e-9)


@pytest.mark.skipif(kernels.library() is None, reason="the kernels are not built")
@pytest.mark.parametrize("side", [504, 252])
def test_the_kernel_is_its_definition(photo, side, monkeypatch):
    y = torch.from_numpy(photo[:side, :side].astype(float))
    waves = torch.complex(y[..., 0] - y[..., 1], y[..., 2])
    got = [ilniqe_fits.statistics(p, 504 // side) for p in (y[..., 0], waves)]
    monkeypatch.setattr(kernels, "can", lambda *_, **__: False)
    for a, plane in zip(got, (y[..., 0], waves), strict=True):
        np.testing.assert_allclose(a, ilniqe_fits.statistics(plane, 504 // side), rtol=1e-6)


def test_halving_reaches_one_pixel_further_ahead():
    x = torch.zeros(1, 8, 8, dtype=torch.float64)
    x[0, 4, 4] = 1
    got = ilniqe._halved(x)[0]
    w = np.exp(-(np.array([1.5, 0.5, 0.5, 1.5]) ** 2) / (2 * 0.9**2))
    full = np.exp(-((np.arange(6) - 2.5) ** 2) / (2 * 0.9**2)).sum()
    assert float(got[1, 1]) == pytest.approx((w[0] / full) ** 2)  # rows 0..5 make row 1: pixel 4 is the fifth of them
    assert float(got[2, 2]) == pytest.approx((w[1] / full) ** 2)


def test_filters_pass_their_own_frequency_alone():
    radial, angular = ilniqe_fits._filters(504, 1)
    f = radial[:, None] * angular
    assert (f[..., 0, 0] == 0).all()
    peak = f[0, 0].flatten().argmax().item()
    assert peak == pytest.approx(504 / 2.4, abs=1)  # on the first row: level waves, 2.4 pixels long


def test_a_block_of_its_own_counts(photo):
    page = np.full((524, 524, 3), 200, np.uint8)
    page[:168, :252] = photo[100:268, 100:352]
    b = ilniqe.blocks(tensor(page)[0])
    assert b.features.shape == (36, 468)
    assert b.usable.reshape(6, 6)[:2, :3].all()
    assert not b.usable.reshape(6, 6)[3:].any()
    m = il_niqe_assay_map(tensor(page))[0]
    assert m.shape == (6, 6)
    assert (m[:2, :3] > 0).all()
    assert (m[3:] == 0).all()
    assert float(il_niqe_assay(tensor(page))) == pytest.approx(float(m[m > 0].mean()), rel=1e-6)


def test_a_flat_picture_has_no_answer():
    with pytest.raises(CannotAssess, match="image 1 of the batch has 0 of 36 blocks"):
        il_niqe_assay(
            torch.cat([torch.randint(0, 256, (1, 1, 64, 64), dtype=torch.uint8), torch.full((1, 1, 64, 64), 9, dtype=torch.uint8)])
        )
    with pytest.raises(BadInput, match="at least 32×32"):
        il_niqe_assay(torch.zeros(1, 3, 31, 90))


@pytest.fixture
def released(data, monkeypatch):
    monkeypatch.setenv("ASSAY_WEIGHTS", str(found(data / "weights")))
    found(data / "weights/ilniqe_templateModel.mat")


# The values that MATLAB printed for the pictures of github.com/IceClear/IL-NIQE, as its readme has them.
@pytest.mark.parametrize(
    ("name", "want"), [("pepper_0", 29.1422), ("pepper_1", 36.9637), ("pepper_2", 29.5075), ("pepper_3", 78.0557), ("pepper_4", 46.8697)]
)
def test_gives_what_matlab_gave(name, want, data, released):
    assert float(il_niqe(load(found(data / f"parity/ilniqe/{name}.png")))) == pytest.approx(want, abs=5e-3)


def test_both_models_like_the_photograph_best(photo, released):
    x = torch.cat([tensor(DAMAGE[d](photo)) for d in ("ref", "jpeg10", "blur2", "noise25")])
    for scores in (il_niqe(x), il_niqe_assay(x)):
        assert (scores[1:] > 1.3 * scores[0]).all()
    assert il_niqe_map(x[:1]).shape == (1, 6, 6)
    assert official().vectors.shape == model().vectors.shape
