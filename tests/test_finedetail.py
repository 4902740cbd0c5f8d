"""The numbers of fine detail: as many as promised, finite, alike for mirrored pictures, and moved by what they are there for."""

from __future__ import annotations

import numpy as np
import pytest

from assay.ops.finedetail import COUNT, MOST, groups, statistics

RNG = np.random.default_rng(0)
NOISE = RNG.integers(30, 220, (160, 192, 3)).astype(np.uint8)


@pytest.mark.parametrize("a", [NOISE, np.zeros((64, 64, 3), np.uint8), NOISE[:65, :99]], ids=["noise", "black", "odd"])
def test_as_many_finite_numbers_as_promised(a: np.ndarray) -> None:
    found = statistics(a)
    assert found.shape == (COUNT,)
    assert np.isfinite(found).all()


def test_of_a_large_picture_the_middle_is_looked_at() -> None:
    large = np.zeros((MOST + 160, MOST + 32, 3), np.uint8)
    large[80:-80, 16:-16] = np.resize(NOISE, (MOST, MOST, 3))
    assert statistics(large) == pytest.approx(statistics(large[80:-80, 16:-16]))


def test_enlarging_shows_in_the_steps_and_in_the_spectrum() -> None:
    double = NOISE[:80, :96].repeat(2, 0).repeat(2, 1)
    plain, enlarged = (groups(a.astype(float), a @ np.array([0.299, 0.587, 0.114])) for a in (NOISE, double))
    assert np.abs(enlarged["steps"] - plain["steps"]).max() > 0.5
    assert np.abs(enlarged["spectrum"] - plain["spectrum"]).max() > 1


def test_triples_do_not_know_left_from_right() -> None:
    mirrored = groups(NOISE[:, ::-1].astype(float), NOISE[:, ::-1] @ np.array([0.299, 0.587, 0.114]))
    plain = groups(NOISE.astype(float), NOISE @ np.array([0.299, 0.587, 0.114]))
    assert mirrored["neighbours"] == pytest.approx(plain["neighbours"])
