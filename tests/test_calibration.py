"""Likelihood ratios that mean what they say: on drawn scores, whose true ratio is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.ops.calibration import cllr, effective, fused, isotonic, least_cllr, p_values
from assay.types import BadInput, CannotAssess


def drawn(n: int, apart: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Authentic N(-apart, 2²) and altered N(apart, 2²): the true logarithm of the ratio is x·apart/2, so x itself for 2."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(np.where(y == 1, apart, -apart), 2), y


def test_the_curve_finds_the_true_ratio_and_never_falls() -> None:
    curve = isotonic(*drawn(4000))
    assert (np.diff(curve.llrs) >= 0).all()
    at = np.linspace(-3, 3, 25)
    assert np.abs([curve(v) - v for v in at]).mean() < 0.25
    assert np.abs([curve(v) - v for v in at]).max() < 0.8


def test_no_claim_is_stronger_than_the_sample() -> None:
    curve = isotonic(np.r_[np.zeros(50), np.ones(50)], np.r_[np.zeros(50), np.ones(50)])
    assert curve(1e9) == pytest.approx(math.log(50 / 3))
    assert curve(-1e9) == pytest.approx(-math.log(50 / 3))


def test_a_useless_score_says_nothing() -> None:
    curve = isotonic(np.zeros(200), np.arange(200) % 2)
    assert curve(0.0) == pytest.approx(0, abs=1e-9)
    assert cllr(np.zeros(20), np.arange(20) % 2) == pytest.approx(1)


def test_cllr_cannot_be_bettered_where_the_ratio_is_true() -> None:
    x, y = drawn(4000)
    assert least_cllr(x, y) <= cllr(x, y) <= least_cllr(x, y) + 0.02
    assert cllr(3 * x, y) > cllr(x, y) + 0.05


def test_a_score_given_twice_counts_once() -> None:
    x, y = drawn(4000)
    one, twice = fused(x[:, None], y), fused(np.c_[x, x], y)
    assert float(twice[1].sum()) == pytest.approx(float(one[1].sum()), rel=0.08)
    assert effective(np.random.default_rng(1).normal(size=(4000, 3))) == pytest.approx(3, abs=0.02)
    z = np.random.default_rng(1).normal(size=(4000, 2))
    assert effective(np.c_[z, z[:, 0]]) == pytest.approx(1.8, abs=0.02)


def test_a_score_that_misleads_gets_no_weight_and_a_missing_one_changes_nothing() -> None:
    x, y = drawn(2000)
    _, weights = fused(np.c_[x, -x], y)
    assert weights[0] > 0.5
    assert weights[1] < 0.5 * weights[0]
    gone = np.full_like(x, np.nan)
    assert fused(np.c_[x, gone], y)[1][0] == pytest.approx(fused(np.c_[x, np.zeros_like(x)], y)[1][0])


def test_the_order_of_scores_does_not_matter() -> None:
    x, y = drawn(1000)
    z, _ = drawn(1000, 1.0, seed=3)
    one, other = fused(np.c_[x, z], y)[1], fused(np.c_[z, x], y)[1]
    np.testing.assert_allclose(one, other[::-1], atol=1e-3)


def test_few_authentic_pictures_lose_their_name() -> None:
    lost = []
    for seed in range(60):
        x, y = drawn(2000, seed=seed)
        new, kind = drawn(400, seed=1000 + seed)
        real = x[y == 0]
        lost += [p_values(v, real, x[y == 1])[0] <= 0.01 for v in new[kind == 0][:40]]
    assert np.mean(lost) <= 0.01 + 3 * math.sqrt(0.01 / len(lost))


def test_bad_input_is_a_sentence() -> None:
    with pytest.raises(CannotAssess, match="At least 10"):
        isotonic([1, 2], [0, 1])
    with pytest.raises(BadInput, match="NaN"):
        isotonic([math.nan] * 30, [0, 1] * 15)
    with pytest.raises(BadInput, match="one length"):
        cllr([1, 2, 3], [0, 1])
