"""Localisation against counts by hand and scikit-learn-like definitions; empty masks, ties, folders."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assay.bench.localisation import COMMON, best_common, fit, localisation
from assay.cli import main
from assay.types import BadInput, CannotAssess

MASK = np.array([[1, 1, 0, 0]])


def by_hand(p, t, threshold):
    said = p >= threshold
    hits = (said & t).sum()
    return 2 * hits / (said.sum() + t.sum()), hits / max(1, (said | t).sum())


def test_a_small_map_by_hand():
    f = fit([[0.9, 0.4, 0.5, 0.1]], MASK)
    assert f.f1 == pytest.approx(0.5)  # marks the first and the third
    assert f.iou == pytest.approx(1 / 3)
    assert f.marked == pytest.approx(0.5)
    assert f.f1_best == pytest.approx(0.8)  # at .4: three marked, two of them right
    assert f.auc == pytest.approx(3 / 4)
    assert f.area == 0.5


def test_ties_count_by_half_and_are_marked_together():
    f = fit(np.full((1, 4), 0.7), MASK)
    assert f.auc == 0.5
    assert f.f1_best == f.f1 == pytest.approx(2 * 2 / (4 + 2))
    assert fit(np.zeros((1, 4)), MASK).f1_best == pytest.approx(2 / 3)  # everything marked, at 0


def test_an_authentic_picture_has_no_f1_but_an_area():
    f = fit([[0.9, 0.4, 0.5, 0.1]], np.zeros((1, 4)))
    assert (f.f1, f.iou, f.f1_best, f.auc, f.curve) == (None,) * 5
    assert f.marked == 0.5
    assert localisation([f], times=0)["false_area"].value == 0.5
    assert set(localisation([f], times=0)) == {"false_area"}


def test_a_picture_that_was_changed_all_over_has_no_auc():
    f = fit([[0.9, 0.2]], [[1, 1]])
    assert f.auc is None
    assert f.marked == 0
    assert f.f1 == pytest.approx(2 / 3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9), st.floats(0, 1))
def test_any_map_agrees_with_the_definition(seed, levels, threshold):
    rng = np.random.default_rng(seed)
    p, t = rng.integers(0, levels, (5, 7)) / levels, rng.random((5, 7)) < 0.4
    if not t.any() or t.all():
        return
    f = fit(p, t, threshold=threshold)
    assert (f.f1, f.iou) == pytest.approx(by_hand(p, t, threshold))
    assert f.f1_best == pytest.approx(max(by_hand(p, t, v)[0] for v in np.unique(p)))
    assert f.curve == pytest.approx([by_hand(p, t, v)[0] for v in COMMON])
    pairs = [(a > b) + (a == b) / 2 for a in p[t] for b in p[~t]]
    assert f.auc == pytest.approx(np.mean(pairs))


def test_means_are_over_pictures_and_the_common_threshold_is_one_for_all():
    a, b = fit([[0.9, 0.8, 0.1, 0.1]], MASK), fit([[0.3, 0.3, 0.2, 0.2]], MASK)
    told = localisation([a, b, fit([[0.6, 0, 0, 0]], np.zeros((1, 4)))], score=[2, 1, 1], times=50)
    assert told["f1"].value == pytest.approx(0.5)  # 1 and 0
    assert told["f1_best"].value == told["f1_common"].value == 1
    assert 0.2 < best_common([a, b]) <= 0.3
    assert told["false_area"].value == pytest.approx(0.25)
    assert told["image_auc"].value == pytest.approx(0.75)
    assert told["auc"].interval is None  # most draws lack a kind


@pytest.mark.parametrize(
    ("p", "t", "text"),
    [
        ([[0.1, 1.2]], [[0, 1]], "0 to 1; got 0.1 to 1.2"),
        ([[0.1, float("nan")]], [[0, 1]], "0 to 1"),
        ([[0.1, 0.2]], [[0], [1]], "got 1×2 and 2×1"),
        ([[0.1, 0.2]], [[0, 255]], "0 or 1 at every pixel"),
        (np.zeros((0, 0)), np.zeros((0, 0)), "got 0×0"),
    ],
)
def test_what_cannot_be_read_says_so(p, t, text):
    with pytest.raises(BadInput, match=text):
        fit(p, t)


def test_nothing_to_judge():
    with pytest.raises(CannotAssess):
        localisation([])
    with pytest.raises(CannotAssess):
        best_common([fit([[0.5]], [[0]])])
    with pytest.raises(BadInput, match="each of 1 maps"):
        localisation([fit([[0.5]], [[1]])], score=[1, 2])


@pytest.fixture
def folders(tmp_path):
    """Maps of two kinds at half the size of their masks, one as .npy, and an authentic one."""
    for name, kind, p in (("a", "splice", 250), ("b", "copy", 120), ("c", "authentic", 0)):
        for what in ("maps", "masks"):
            (tmp_path / what / kind).mkdir(parents=True, exist_ok=True)
        small = np.zeros((8, 8), np.uint8)
        small[:4] = p
        if name == "b":
            np.save(tmp_path / "maps" / kind / "b.npy", small / 255)
        else:
            Image.fromarray(small).save(tmp_path / "maps" / kind / f"{name}.png")
        if kind != "authentic":
            mask = np.zeros((16, 16), np.uint8)
            mask[:8] = 255
            Image.fromarray(mask).save(tmp_path / "masks" / kind / f"{name}_mask.png")
    (tmp_path / "scores.csv").write_text("file,score\nsplice/a.png,3\ncopy/b.npy,2\nauthentic/c.png,1\n")
    return tmp_path


def test_folders_by_kind(folders):
    done = CliRunner().invoke(
        main,
        [
            "bench",
            "localisation",
            str(folders / "maps"),
            str(folders / "masks"),
            "--scores",
            str(folders / "scores.csv"),
            "--json",
            "--draws",
            "5",
        ],
    )
    assert done.exit_code == 0, done.output
    told = {r["changed by"]: r for r in json.loads(done.output)["rows"]}
    assert told["splice"]["f1"]["value"] == 1
    assert told["copy"]["f1"]["value"] == 0
    assert told["copy"]["f1_best"]["value"] == pytest.approx(1, abs=0.07)  # bilinear at the border
    assert told["all"]["pictures"] == 2
    assert told["all"]["false_area"]["value"] == 0
    assert told["all"]["image_auc"]["value"] == 1


def test_folders_without_maps_or_scores_say_so(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    args = ["bench", "localisation"]
    none = CliRunner().invoke(main, [*args, str(tmp_path / "empty"), str(folders / "masks")])
    assert "holds no maps" in none.output
    (folders / "scores.csv").write_text("file,score\nsplice/a.png,3\n")
    few = CliRunner().invoke(main, [*args, str(folders / "maps"), str(folders / "masks"), "--scores", str(folders / "scores.csv")])
    assert "no score for" in few.output
    assert "1 more" in few.output
