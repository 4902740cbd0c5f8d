"""Gradient, phase, wavelet and saliency metrics: kernels against definitions, and what the reference values do not show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay import kernels
from assay.catalog import get
from assay.ops import gradients, haar, imresize, phase, saliency
from assay.ops.colour import grey
from assay.ops.resize import halve
from assay.types import BadInput
from conftest import DATA
from pictures import DAMAGE, pair, tensor

NAMES = ("gmsd", "ms_gmsd", "mdsi", "haarpsi", "vsi", "fsim", "fsimc", "sr_sim", "dss")
SIZES = [(1, 1), (2, 5), (7, 3), (17, 33), (40, 300), (130, 129)]


@pytest.fixture
def both(monkeypatch):
    """Run something with the kernels, and as it is defined."""
    if kernels.library() is None:
        pytest.skip("the kernels are not built")

    def run(work):
        fast = work()
        with monkeypatch.context() as m:
            m.setattr(kernels, "can", lambda *_, **__: False)
            return fast, work()

    return run


def noise(*shape, bytes_=False, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=g, dtype=torch.uint8) if bytes_ else torch.rand(shape, generator=g)


def agree(fast, slow, scale=1.0):
    torch.testing.assert_close(fast.double(), slow.double(), rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", [1, 2, 3, 8, 11])
@pytest.mark.parametrize("bytes_", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_block_means(both, size, step, bytes_, channels):
    x = noise(2, channels, *size, bytes_=bytes_)
    fast, slow = both(lambda: gradients.means(x, step, gradients.YIQ))
    assert fast.shape[2:] == (-(-size[0] // step), -(-size[1] // step))
    agree(fast, slow, 255)


def test_block_means_are_conv2_same_and_every_fth():
    x = np.arange(5 * 7, dtype=float).reshape(5, 7)
    got = gradients.block_means(torch.from_numpy(x)[None, None] / 255, 3)[0, 0]
    padded = np.pad(x, ((1, 1), (1, 1)))  # conv2 'same' of an odd kernel
    full = sum(padded[i : i + 5, j : j + 7] for i in range(3) for j in range(3)) / 9
    np.testing.assert_allclose(got, full[::3, ::3])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("operator", ["prewitt", "scharr"])
@pytest.mark.parametrize("mask", [0.0, 0.5])
def test_gradient_similarity(both, size, operator, mask):
    x, ref = 255 * noise(2, 1, *size), 255 * noise(2, 1, *size, seed=1)
    agree(*both(lambda: gradients.gradient_map(x, ref, operator=operator, constant=170, mask=mask)))
    if size != (1, 1):
        agree(*both(lambda: gradients.gradient_deviation(x, ref, operator=operator, constant=170, mask=mask)))


@pytest.mark.parametrize("size", SIZES)
def test_edges_and_hues(both, size):
    x, ref = 255 * noise(2, 3, *size) - 100, 255 * noise(2, 3, *size, seed=1) - 100
    for part in (0, 1):
        agree(*both(lambda part=part: gradients.edges_and_hues(x, ref)[part]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("planes", [1, 3])
def test_haar_sums(both, size, planes):
    x, ref = 255 * noise(2, planes, *size), 255 * noise(2, planes, *size, seed=1)
    for part in (0, 1):
        fast, slow = both(lambda part=part: haar.haar_sums(x, ref)[part])
        torch.testing.assert_close(fast, slow, rtol=2e-5, atol=1e-6)


def test_haar_is_the_kernel_of_the_paper():
    y = noise(1, 1, 9, 12).double()
    for scale in (1, 2, 3):
        n = 2**scale
        k = torch.ones(n, n, dtype=torch.double) / n
        k[: n // 2] *= -1
        p = torch.nn.functional.pad(y, (n // 2 - 1, n // 2, n // 2 - 1, n // 2))
        want = torch.cat([torch.nn.functional.conv2d(p, f[None, None]).abs() for f in (k, k.T)], dim=1)
        torch.testing.assert_close(haar.haar(y, scale), want)


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (33, 20), (64, 81)])
@pytest.mark.parametrize("flat", [False, True])
def test_phase_congruency(both, size, flat):
    y = torch.full((1, 1, *size), 90.0) if flat else 255 * noise(1, 1, *size)
    fast, slow = both(lambda: phase.phase_congruency(y))
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)
    assert 0 <= float(fast.min()) <= float(fast.max()) <= 1


def test_features_lie_on_edges():
    y = torch.zeros(1, 1, 64, 64)
    y[..., 32:] = 200
    congruency = phase.phase_congruency(y)[0, 20]
    assert int(congruency[8:56].argmax()) + 8 in (31, 32)
    assert float(congruency[31]) > 3 * float(congruency[24])


@pytest.mark.parametrize("size", [(16, 20), (15, 9)])
def test_the_noise_threshold_is_that_of_the_filters_in_space(size):
    bank = phase.bank(*size, torch.float64, torch.device("cpu"))
    filters = bank.radial * bank.angular[1]
    space = torch.fft.ifft2(filters).real * (size[0] * size[1]) ** 0.5
    squares = float(space.square().sum())
    products = float(sum((space[i] * space[j]).sum() for i in range(4) for j in range(i)))
    power = 1 / np.log(2) / float(filters[0].square().sum())  # of a median of 1
    tau = np.sqrt((2 * power * squares + 4 * power * products) / 2)
    assert bank.noise[1] == pytest.approx((tau * np.sqrt(np.pi / 2) + 2 * np.sqrt((2 - np.pi / 2) * tau**2)) / 1.7, rel=1e-9)


def test_imresize_is_that_of_matlab():
    x = noise(1, 2, 20, 14).double()
    torch.testing.assert_close(imresize.imresize(x, 10, 7, kernel="bicubic"), halve(x))
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    twice = imresize.imresize(ramp, 4, 8, kernel="bilinear")[0, 0, 0]
    torch.testing.assert_close(twice, torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bytes_", [True, False])
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_imresize_kernels(both, size, bytes_, kernel):
    x = noise(2, 3, *size, bytes_=bytes_)
    agree(*both(lambda: imresize.imresize(x, 29, 31, kernel=kernel)), scale=255 if bytes_ else 1)


@pytest.mark.parametrize("bytes_", [True, False])
def test_saliency(both, photo, bytes_):
    x = tensor(photo[60:201, 100:300])
    fast, slow = both(lambda: saliency.sdsp(x if bytes_ else x / 255))
    agree(fast, slow, float(slow.max()))
    agree(*both(lambda: saliency.lab(noise(1, 3, 40, 40))), scale=100)
    agree(*both(lambda: saliency.spectral_residual(255 * noise(1, 1, 50, 41), 10)))


ENLARGED = [((256, 256), 1), ((384, 512), 2), ((900, 700), 3), ((300, 2100), 1), ((100, 90), 1), ((2049, 2100), 8)]


@pytest.mark.parametrize(("size", "step"), ENLARGED)
def test_enlarging_and_averaging_at_once(size, step):
    s = noise(1, 1, 256, 256).double()
    full = saliency.spread(imresize.imresize(s, *size, kernel="bilinear"))
    torch.testing.assert_close(saliency.enlarged(s, *size, step), gradients.block_means(full, step) / 255)


def matlab_mdsi(edges, hues, variant):
    """The end of MDSI in complex numbers, with edges and hues as similarities."""
    e, h = edges.astype(complex), hues.astype(complex)
    joined = 0.6 * e + 0.4 * h if variant == "sum" else e**0.2 * h**0.1
    v = joined**0.5
    v = v**0.5
    return np.mean(np.abs(v - v.mean())) ** 0.25


@pytest.mark.parametrize("variant", ["sum", "mult"])
def test_mdsi_takes_roots_of_negative_similarities(variant):
    x, ref = noise(1, 3, 60, 60), 1 - noise(1, 3, 60, 60)
    x[..., 20:40], ref[..., 20:40] = torch.tensor([1.0, 0, 0])[:, None, None], torch.tensor([0, 1.0, 1])[:, None, None]
    maps = gradients.edges_and_hues(*(gradients.means(t.double(), 1, gradients.LHM) for t in (x, ref)))
    edges, hues = (1 - m[0].numpy() for m in maps)
    assert min(edges.min(), hues.min()) < 0
    got = float(get("mdsi")(x.double(), ref=ref.double(), variant=variant)[0])
    assert got == pytest.approx(matlab_mdsi(edges, hues, variant), rel=1e-9)


def test_dss_on_grey_of_8_bits():
    x, ref = (grey(t) for t in pair("piqtest_I01", DATA))
    assert float(get("dss")(x, ref=ref)[0]) == pytest.approx(0.77177436, abs=1e-6)  # MATLAB, as quoted by piq's tests


@pytest.mark.parametrize("name", NAMES)
def test_kernels_and_definitions_score_alike(both, name, photo):
    pristine = photo[:333, :478]
    x, ref = tensor(DAMAGE["jpeg30"](pristine)), tensor(pristine)
    fast, slow = both(lambda: get(name)(x, ref=ref))
    torch.testing.assert_close(fast, slow, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(17, 17), (19, 170), (301, 18)])
def test_odd_shapes_and_flat_pictures(name, size):
    x, ref = noise(1, 3, *size), noise(1, 3, *size, seed=1)
    assert get(name)(x, ref=ref).isfinite().all()
    flat = torch.full_like(x, 0.2)
    assert float(get(name)(flat, ref=flat.clone())[0]) == pytest.approx(get(name).card.scale.best, abs=3e-5)
    assert get(name)(x, ref=flat).isfinite().all()
    assert get(name)(x[:, :1], ref=ref[:, :1]).isfinite().all()


def test_without_colour_fsimc_is_fsim(photo):
    x, ref = (tensor(t[:200, :300, :1]) for t in (DAMAGE["blur1"](photo), photo))
    assert torch.equal(get("fsimc")(x, ref=ref), get("fsim")(x, ref=ref))


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_and_its_transpose_score_alike(name, photo):
    x, ref = tensor(DAMAGE["blur1"](photo)[:300, :420]), tensor(photo[:300, :420])
    assert float(get(name)(x.mT, ref=ref.mT)[0]) == pytest.approx(float(get(name)(x, ref=ref)[0]), abs=2e-3)


def test_knobs_are_checked():
    x = noise(1, 3, 20, 20)
    with pytest.raises(BadInput, match="sum or mult"):
        get("mdsi")(x, ref=x, variant="product")
    with pytest.raises(BadInput, match="1 or more"):
        get("sr_sim")(x, ref=x, window=0)
