"""BRISQUE, PIQE, entropy and total variation beside plain loops, on odd sizes and where they have no answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from scipy.special import gamma

from assay.ops import brisque as statistics
from assay.ops import svr
from assay.quality.brisque import MODEL, brisque, official
from assay.quality.entropy import entropy
from assay.quality.piqe import piqe, piqe_map
from assay.quality.total_variation import total_variation
from assay.types import BadInput, CannotAssess, MissingWeights
from pictures import DAMAGE, tensor

SIZES = [(32, 32), (33, 47), (96, 131), (150, 64)]


def grey(rgb):
    return np.floor(rgb.astype(float) @ [0.298936021293775, 0.587043074451121, 0.114020904255103] + 0.5)


def plain_contrast(y, mode):
    i = np.arange(7) - 3
    window = np.exp(-(i[:, None] ** 2 + i**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    mu = correlate(y, window, mode=mode)
    sigma = np.sqrt(np.abs(correlate(y * y, window, mode=mode) - mu * mu))
    return np.where(np.abs(y - mu) < 255e-9, 0, y - mu) / (sigma + 1)


def plain_features(y):
    """One size of BRISQUE, after brisque_feature.m of the release, with exactly flat pixels set to 0."""
    a = np.arange(0.2, 10.0005, 0.001)
    m = plain_contrast(y, "constant")
    out = [a[np.argmin(np.abs(np.mean(m**2) / np.mean(np.abs(m)) ** 2 - gamma(1 / a) * gamma(3 / a) / gamma(2 / a) ** 2))], np.mean(m**2)]
    for shift in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        p = m * np.roll(m, shift, (0, 1))
        left, right = np.sqrt(np.mean(p[p < 0] ** 2)), np.sqrt(np.mean(p[p > 0] ** 2))
        g = left / right
        wanted = np.mean(np.abs(p)) ** 2 / np.mean(p**2) * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
        b = a[np.argmin((gamma(2 / a) ** 2 / (gamma(1 / a) * gamma(3 / a)) - wanted) ** 2)]
        out += [b, (right - left) * gamma(2 / b) / gamma(1 / b) * np.sqrt(gamma(1 / b) / gamma(3 / b)), left**2, right**2]
    return out


@pytest.mark.parametrize("damage", ["ref", "jpeg10", "blur2", "noise25"])
def test_brisque_statistics_equal_the_plain_ones(damage, photo):
    rgb = DAMAGE[damage](photo[:160, 60:281])
    got = statistics.features(tensor(rgb)[0])
    np.testing.assert_allclose(got[:18], plain_features(grey(rgb)), rtol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["bytes", "floats", "grey", "half flat"])
def test_the_kernel_equals_its_definition(size, kind, photo):
    h, w = size
    x = tensor(photo[100 : 100 + h, 200 : 200 + w])[0]
    if kind == "floats":
        x = (x / 255) ** 1.1
    elif kind == "grey":
        x = x[:1]
    elif kind == "half flat":
        x[:, :, w // 2 :] = 77
    try:
        got = statistics.fused_sums(x)
    except RuntimeError:
        pytest.skip("the kernels are not built")
    torch.testing.assert_close(got, statistics.sums(x), rtol=1e-5, atol=1e-4)


def test_brisque_ranks_damage(photo):
    x = torch.cat([tensor(DAMAGE[d](photo)) for d in ("ref", "jpeg30", "jpeg10")])
    try:
        scores = brisque(x)
    except MissingWeights as absent:
        pytest.skip(str(absent))
    assert scores.tolist() == sorted(scores.tolist())
    torch.testing.assert_close(brisque(x / 255), scores, rtol=1e-5, atol=1e-4)
    assert official()[0].vectors.shape == (774, 36)


def test_a_flat_picture_has_no_statistics():
    with pytest.raises(CannotAssess, match="texture"):
        statistics.features(torch.full((3, 64, 64), 90, dtype=torch.uint8))


def test_brisque_without_its_model_says_where_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    official.cache_clear()
    with pytest.raises(MissingWeights, match=MODEL.url):
        brisque(torch.zeros(1, 3, 64, 64))
    official.cache_clear()


TEXT = "svm_type epsilon_svr\r\nkernel_type rbf\r\ngamma 0.5\r\nnr_class 2\r\ntotal_sv 2\r\nrho -3\r\nSV\r\n2 1:1 2:-1 \r\n-1 2:0.5\r\n"


def test_a_regression_is_read_and_applied():
    ranges = svr.read_ranges("x\r\n-1 1\r\n1 0 4\r\n2 -10 10\r\n")
    got = svr.predict(torch.tensor([3.0, 5.0], dtype=torch.float64), svr.read_model(TEXT), ranges)  # scaled: 0.5, 0.5
    assert float(got) == pytest.approx(2 * np.exp(-0.5 * (0.25 + 2.25)) - np.exp(-0.5 * 0.25) + 3, rel=1e-12)


@pytest.mark.parametrize("text", [TEXT.replace("rbf", "linear"), TEXT.replace("total_sv 2", "total_sv 3"), "nothing"])
def test_a_regression_of_another_kind_is_refused(text):
    with pytest.raises(BadInput):
        svr.read_model(text)


def test_other_ranges_are_refused():
    with pytest.raises(BadInput, match="svm-scale"):
        svr.read_ranges("1 2\n")


def plain_piqe(rgb):
    y = grey(rgb)
    y = np.round(255 * (y / y.max()))
    y = np.pad(y, [(0, -n % 16) for n in y.shape], mode="symmetric")
    m = plain_contrast(y, "nearest")
    damage, active = 0.0, 0
    for i in range(0, m.shape[0], 16):
        for j in range(0, m.shape[1], 16):
            b = m[i : i + 16, j : j + 16]
            v = b.var(ddof=1)
            if v <= 0.1:
                continue
            active += 1
            edges = (b[0], b[-1], b[:, 0], b[:, -1])
            plain = any(e[k : k + 6].std(ddof=1) < 0.1 for e in edges for k in range(11))
            ratio = b[:, 7:9].std(ddof=1) / np.delete(b, (7, 9), 1).std(ddof=1)
            noisy = np.sqrt(v) > 2 * abs(np.sqrt(v) - ratio) / max(np.sqrt(v), ratio)
            damage += plain * (1 - v) + noisy * v
    return 100 * (damage + 1) / (active + 1)


@pytest.mark.parametrize("size", [(16, 16), (37, 90), (170, 203)])
@pytest.mark.parametrize("damage", ["ref", "jpeg10", "noise25"])
def test_piqe_equals_plain_loops(size, damage, photo):
    rgb = DAMAGE[damage](photo[60 : 60 + size[0], 180 : 180 + size[1]])
    assert float(piqe(tensor(rgb))) == pytest.approx(plain_piqe(rgb), abs=1e-4)


def test_piqe_of_a_tall_picture_does_not_see_its_strips(photo):
    tall = np.concatenate([photo[:, 200:248], photo[:, 240:288]])
    assert float(piqe(tensor(tall))) == pytest.approx(plain_piqe(tall), abs=1e-4)
    assert piqe_map(tensor(tall)).shape == (1, 64, 3)


def test_a_black_picture_has_no_piqe():
    with pytest.raises(CannotAssess, match="black"):
        piqe(torch.zeros(1, 3, 32, 32))


def test_entropy_knows_only_how_often_levels_occur(photo):
    x = tensor(photo)
    assert torch.equal(entropy(x), entropy(x.flip(2)))
    assert float(entropy(torch.full((1, 3, 8, 8), 0.3))) == 0
    assert float(entropy(torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16))) == 8


def test_total_variation_does_not_depend_on_size():
    x = torch.arange(6).remainder(2).float().expand(1, 3, 6, 6)
    assert float(total_variation(x)) == 1
    assert float(total_variation(torch.cat([x, x], dim=2))) == 1
    assert float(total_variation(x, variant="sum")) == 3 * 6 * 5
    with pytest.raises(BadInput, match="variant"):
        total_variation(x, variant="l2")


def test_total_variation_of_a_tall_picture_does_not_see_its_strips():
    x = torch.rand(1, 3, 600, 7, generator=torch.Generator().manual_seed(1))
    want = x.double().diff(dim=2).abs().sum() + x.double().diff(dim=3).abs().sum()
    assert float(total_variation(x, variant="sum")) == pytest.approx(float(want), rel=1e-6)
