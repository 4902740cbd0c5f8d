"""Error versus discard, verification, and the intervals that both share: worked numbers, and an independent count beside ours."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from assay.bench.edc import best_area, compare, edc, pair_quality, pauc, relative_area, threshold_at_error
from assay.bench.resample import figures, vector
from assay.bench.verification import auc, eer, fmr, fnmr, roc, tar_at_far, threshold_at_fmr, verification
from assay.types import BadInput, CannotAssess

TEN = np.array([0.0, 0.0, *[1.0] * 8])  # the two of lowest quality are errors
RANKS = np.arange(1, 11)


@pytest.fixture
def world():
    """1500 comparisons of 60 people, a third of them mated; a good, a useless and a harmful quality."""
    dice = np.random.default_rng(3)
    mated = dice.random(1500) < 0.33
    a = dice.integers(0, 60, 1500)
    b = np.where(mated, a, (a + dice.integers(1, 60, 1500)) % 60)
    hidden = dice.random(1500)
    similarity = dice.normal(0, 0.3, 1500) + mated * (0.4 + hidden)
    return similarity, mated, (a, b), {"good": hidden.round(1), "useless": dice.random(1500), "harmful": -hidden}


def test_the_worked_example():
    curve = edc(TEN, RANKS, threshold=0.5)
    assert curve.error[:3] == pytest.approx([0.2, 1 / 9, 0])
    assert curve.discarded == pytest.approx(np.arange(11) / 10)
    assert pauc(curve, 0.2) == pytest.approx(0.2 * 0.1 + 0.1 / 9)
    assert pauc(curve, 0.15) == pytest.approx(0.2 * 0.1 + 0.05 / 9)  # the last step is cut
    assert best_area(0.2, 0.2) == pytest.approx(0.02)
    assert relative_area(curve, 0.2) == pytest.approx((0.2 * 0.1 + 0.1 / 9 - 0.02) / 0.02)


def test_equal_qualities_go_together():
    curve = edc(TEN, np.ones(10), threshold=0.5)
    assert curve.discarded.tolist() == [0, 1]
    assert curve.error.tolist() == [0.2, 0]
    assert relative_area(curve, 0.3) == pytest.approx(1)
    once = edc(TEN, [1, 1, *[2] * 8], threshold=0.5)
    assert once.discarded == pytest.approx([0, 0.2, 1])


def test_the_order_of_rows_says_nothing(world):
    s, m, _, q = world
    other = np.random.default_rng(1).permutation(len(s))
    here, there = (edc(s[i], q["good"][i], mated=m[i], starting_error=0.1) for i in (slice(None), other))
    assert np.array_equal(here.error, there.error)
    assert here.threshold == there.threshold


def by_hand(s, q, threshold, limit):
    """The definition, one fraction after another."""
    area, levels = 0.0, [*sorted(set(q)), np.inf]
    for low, high in pairwise(levels):
        left, gone = s[q >= low], (q < low).mean()
        area += (left < threshold).mean() * (min(limit, (q < high).mean()) - min(limit, gone))
    return area


@pytest.mark.parametrize("name", ["good", "useless", "harmful"])
def test_the_area_is_that_of_the_definition(world, name):
    s, m, _, q = world
    curve = edc(s, q[name], mated=m, fmr=0.01)
    for limit in (0.2, 0.3, 1.0):
        assert pauc(curve, limit) == pytest.approx(by_hand(s[m], q[name][m], curve.threshold, limit), abs=1e-12)


def test_discarding_at_random_changes_nothing_and_the_worst_last_does_harm(world):
    s, m, people, q = world
    table = compare(s, q, mated=m, starting_error=0.2, limits=(0.3,), subjects=people, times=200)
    assert table["good"]["relative@0.3"].value < 0.85
    low, high = table["useless"]["relative@0.3"].interval
    assert low < 1 < high
    assert table["harmful"]["relative@0.3"].interval[0] > 1
    assert table["good"]["behind@0.3"].value == 0
    assert table["harmful"]["behind@0.3"].interval[0] > 0


def test_what_could_not_be_judged_goes_first():
    assert edc(TEN, [-np.inf, -np.inf, *[0] * 8], threshold=0.5).error.tolist() == [0.2, 0, 0]
    assert pair_quality([1, 5], [3, 2]).tolist() == [1, 2]


def test_the_starting_error_is_never_exceeded():
    s = np.arange(30.0)
    for error in (0, 0.1, 0.3, 0.99):
        assert (s < threshold_at_error(s, error)).mean() <= error + 1e-12
    assert (s < threshold_at_error(s, 0.1)).sum() == 3


def script(s, q, m, target):
    """CR-FIQA's way, straight from its description: fractions of all comparisons, the nearest FMR each time."""
    order, out = np.argsort(q, kind="stable"), []
    for fraction in np.arange(0, 0.98, 0.05):
        keep = order[int(fraction * len(s)) :]
        genuine, impostor = s[keep][m[keep]], s[keep][~m[keep]]
        distance = min(sorted(set(s[keep])), key=lambda t: abs((impostor >= t).mean() - target))
        out.append(1 - (genuine > distance).mean())
    x = np.arange(0, 0.98, 0.05)
    return np.array(out), float(sum((a + b) / 2 * (v - u) for a, b, u, v in zip(out, out[1:], x, x[1:], strict=False)))


def test_the_crfiqa_script(world):
    s, m, _, q = world
    errors, area = script(s, q["good"], m, 1e-2)
    curve = edc(s, q["good"], mated=m, fmr=1e-2, protocol="crfiqa")
    assert curve.error == pytest.approx(errors)
    assert pauc(curve, 0.95) == pytest.approx(area)
    table = compare(s, {"good": q["good"]}, mated=m, fmr=1e-2, protocol="crfiqa", times=0)
    assert set(table["good"]) == {"error", "pauc@0.95", "behind@0.95"}


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({}, "exactly one of threshold"),
        ({"threshold": 0.5, "fmr": 0.1}, "exactly one of threshold"),
        ({"protocol": "crfiqa", "threshold": 0.5}, "sets the threshold anew"),
        ({"protocol": "erc", "threshold": 0.5}, "'edc' or 'crfiqa'"),
        ({"starting_error": 1.0}, r"lies in \[0, 1\)"),
        ({"threshold": 0.5, "mated": [2] * 10}, "0 or 1 in every row"),
    ],
)
def test_wrong_questions_about_discarding(knobs, says):
    with pytest.raises(BadInput, match=says):
        edc(TEN, RANKS, **knobs)


def test_questions_without_an_answer():
    with pytest.raises(CannotAssess, match="no mated comparison"):
        edc(TEN, RANKS, mated=np.zeros(10), threshold=0.5)
    with pytest.raises(CannotAssess, match="starting error is 0"):
        relative_area(edc(TEN, RANKS, threshold=-1), 0.2)
    with pytest.raises(CannotAssess, match="at least 1000 non-mated comparisons; there are 5"):
        edc(TEN, RANKS, mated=[1] * 5 + [0] * 5, fmr=1e-3)
    with pytest.raises(BadInput, match="row 2"):
        vector("quality", [1, np.nan, 3])
    with pytest.raises(BadInput, match="3 rows where the others have 10"):
        edc(TEN, [1, 2, 3], threshold=0.5)


def test_four_similarities_by_hand():
    curve = roc([0.9, 0.6, 0.7, 0.2], [1, 1, 0, 0])
    assert curve.fmr.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.tmr.tolist() == [0, 0.5, 0.5, 1, 1]
    assert auc(curve) == pytest.approx(0.75)
    assert eer(curve) == pytest.approx(0.5)
    assert tar_at_far(curve, 0.5) == 1
    assert tar_at_far(curve, 0.49) == 0.5
    assert fnmr([0.9, 0.6], 0.7) == 0.5
    assert fmr([0.7, 0.2], 0.7) == 0.5


def test_rates_are_those_of_a_count(world):
    s, m, people, _ = world
    s = s.round(1)  # many ties
    pairs = s[m][:, None] - s[~m][None]
    curve = roc(s, m)
    assert auc(curve) == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)
    t = threshold_at_fmr(s[~m], 0.05)
    assert fmr(s[~m], t) <= 0.05 < fmr(s[~m], np.nextafter(t, -1))
    assert tar_at_far(curve, 0.05) == 1 - fnmr(s[m], t)
    told = verification(s, m, threshold=0.5, fars=(0.05, 1e-4), subjects=people, times=50)
    assert told["fnmr"].value == pytest.approx(fnmr(s[m], 0.5))
    assert told["fmr"].value == pytest.approx(fmr(s[~m], 0.5))
    assert "tar@0.0001" not in told  # 1000 comparisons cannot measure it
    assert all(f.interval[0] <= f.value <= f.interval[1] for f in told.values())


def test_perfect_chance_and_reversed():
    m = [1] * 5 + [0] * 5
    assert eer(roc(m, m)) == 0
    assert auc(roc(m, m)) == 1
    assert auc(roc(np.zeros(10), m)) == 0.5
    assert eer(roc(np.zeros(10), m)) == pytest.approx(0.5)
    assert auc(roc([-v for v in m], m)) == 0
    with pytest.raises(CannotAssess, match="Both kinds"):
        roc([1, 2], [1, 1])


def test_intervals_are_over_people():
    who = np.repeat(np.arange(20), 50)
    height = np.random.default_rng(0).normal(size=20)[who]  # every row of a person says the same

    def mean(w):
        return {"mean": float((w * height).sum() / w.sum())}

    def width(found):
        return found["mean"].interval[1] - found["mean"].interval[0]

    rows, people = figures(mean, 1000), figures(mean, 1000, subjects=[who])
    assert width(people) > 5 * width(rows)
    assert width(people) == pytest.approx(2 * 1.96 * height[::50].std() / 20**0.5, rel=0.15)
    assert figures(mean, 1000, subjects=[np.zeros(1000)])["mean"].interval is None  # one person: nothing to draw
    assert figures(mean, 1000, times=0)["mean"].interval is None


def test_a_comparison_counts_with_both_of_its_people():
    seen = []
    figures(lambda w: seen.append(w) or {"n": w.sum()}, 3, subjects=[["a", "a", "b"], ["a", "b", "b"]], times=20)
    for w in seen[1:]:
        assert w[1] == w[0] * w[2]
        assert w[0] + w[2] == 2
