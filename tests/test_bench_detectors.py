"""One generator left out, groups of people, stretches of time, and robustness: cases whose answers are known."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from assay.bench.journeys import CONTROL, START, WAYS, Journey, files, journeys, travelled
from assay.bench.robustness import curves, robustness
from assay.bench.slices import slices
from assay.bench.temporal import temporal
from assay.bench.unseen import best_threshold, leave_out
from assay.cli_bench import bench
from assay.types import BadInput, CannotAssess


def call(*args):
    return CliRunner().invoke(bench, [str(a) for a in args], catch_exceptions=False)


def test_the_best_threshold_parts_the_classes():
    assert best_threshold(np.array([0.0, 1, 2, 3]), np.array([False, False, True, True])) == 1.5


def test_a_generator_that_scores_lower_is_missed_at_the_threshold_of_the_others():
    rng = np.random.default_rng(0)
    fake = np.repeat([0, 1, 1], 300)
    names = np.repeat(["", "loud", "quiet"], 300)
    loud, quiet = leave_out(rng.normal(np.repeat([0, 4, 1], 300), 0.3), fake, names, times=30)
    assert loud.figures["found"].value == 1
    assert loud.figures["accuracy"].value > 0.95
    assert quiet.figures["auc"].value > 0.95, "its order is fine"
    assert quiet.figures["found"].value < 0.1, "but the threshold of the others is too high"
    low, high = quiet.figures["auc"].interval
    assert low < quiet.figures["auc"].value < high


def test_every_generator_is_judged_by_the_detector_that_did_not_learn_it():
    fake, names = [0, 0, 0, 0, 1, 1] * 2, ["", "", "", "", "a", "b"] * 2
    score = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]  # each detector sees only what it learned
    without = ["a"] * 6 + ["b"] * 6
    rows = leave_out(score, fake, names, without=without, subjects=list("pqrsxy") * 2, times=0)
    assert [r.figures["auc"].value for r in rows] == [0.5, 0.5]
    known = leave_out(score, fake, names, subjects=list("pqrsxy") * 2, times=0)
    assert [r.figures["auc"].value for r in known] == [0.75, 0.75]


def test_leaving_out_needs_two_generators():
    with pytest.raises(CannotAssess, match="needs at least two; there is g"):
        leave_out([0, 1], [0, 1], ["", "g"])
    with pytest.raises(CannotAssess, match="authentic pictures in both halves"):
        leave_out([0, 1, 1], [0, 1, 1], ["", "g", "h"], times=0)


def people(n=60):
    rng = np.random.default_rng(1)
    groups = np.repeat(["a", "b"], n)
    score = rng.normal(np.where(groups == "b", 1.0, 0.0), 0.5)
    score = np.concatenate([score, rng.normal(4, 0.5, 2 * n)])
    return score, np.repeat([0, 1], 2 * n), np.concatenate([groups, groups])


def test_a_group_with_more_false_alarms_is_found_and_none_where_there_is_none():
    score, fake, groups = people()
    told = slices(score, fake, groups.tolist(), alarms=0.2, times=20)
    alarms = {s.group: s for s in told.compared["false alarms"].slices}
    assert alarms["b"].mean.value > 0.2 > alarms["a"].mean.value
    assert alarms["b"].p_holm < 0.05
    assert "nothing can differ" in told.silent["found"]
    assert set(told.auc) == {"a", "b"}
    even = np.random.default_rng(2).permutation(len(score) // 2)
    told = slices(np.concatenate([score[even], score[len(even) :]]), fake, groups.tolist(), alarms=0.2, times=0)
    assert told.compared["false alarms"].gap_p > 0.01


def test_many_pictures_of_one_person_are_one_person():
    score, fake, groups = people(15)
    subjects = [f"p{i % 30}" for i in range(60)]
    once = slices(score, fake, groups.tolist(), subjects=subjects, threshold=0.5, times=0)
    again = slices(np.tile(score, 3), np.tile(fake, 3), np.tile(groups, 3).tolist(), subjects=subjects * 3, threshold=0.5, times=0)
    assert [s.n for s in once.compared["false alarms"].slices] == [s.n for s in again.compared["false alarms"].slices] == [15, 15]
    with pytest.raises(BadInput, match="p0 is in several groups: a, b"):
        slices([0, 0], [0, 0], ["a", "b"], subjects=["p0", "p0"], threshold=0.5)


def test_groups_on_the_command_line(tmp_path):
    score, fake, groups = people()
    rows = [f"{f},g,{s},p{i}" for i, (f, s) in enumerate(zip(fake, score, strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(["fake,generator,mine,subject", *rows]))
    (tmp_path / "g.csv").write_text("\n".join(["subject,group", *(f"p{i},{g}" for i, g in enumerate(groups))]))
    told = json.loads(call("detection", tmp_path / "t.csv", "--groups", tmp_path / "g.csv", "--draws", 0, "--json").output)
    assert {r["group"] for r in told["rows"]} == {"a", "b"}
    assert "false alarms" in told["note"]
    with pytest.raises(CannotAssess, match="needs at least two; there is g"):
        call("detection", tmp_path / "t.csv", "--leave-out", "--draws", 0)


def test_stretches_of_time_by_hand():
    truth = {"v": [(10, 20)], "w": [(0, 10), (50, 60)], "authentic": []}
    exact = {v: [(a, b, 1.0) for a, b in rows] for v, rows in truth.items()}
    assert {f.value for f in temporal(exact, truth, times=0).values()} == {1.0}
    assert {f.value for f in temporal({"v": [(30, 40, 1)]}, truth, times=0).values()} == {0.0}
    half = temporal({"v": [(10, 16, 0.9)], "w": [(0, 10, 0.8)], "authentic": [(0, 5, 0.95)]}, truth, times=0)
    assert half["ap@0.5"].value == pytest.approx((2 / 3 + 2 / 3) / 3), "a false alarm comes first; one of three is missed"
    assert half["ap@0.75"].value == pytest.approx((1 / 3) / 3)
    assert half["ar@2"].value == pytest.approx((3 * 2 + 7 * 1) / 3 / 10)
    twice = temporal({"v": [(10, 20, 0.9), (10, 19, 0.8)]}, {"v": [(10, 20)]}, times=0)
    assert twice["ap@0.5"].value == 1, "a second claim on the same stretch costs nothing behind the first"
    with pytest.raises(BadInput, match="is not among the 3 videos"):
        temporal({"x": [(0, 1, 1)]}, truth)
    with pytest.raises(CannotAssess, match="No video has a forged stretch"):
        temporal({}, {"v": []})


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (96, 128, 3), np.uint8)).resize((256, 192))


def opened(data):
    with Image.open(io.BytesIO(data)) as im:
        return im.format, im.size, np.asarray(im.convert("RGB"), float)


def test_journeys_grow_worse_and_stay_the_same_for_the_same_seed(image):
    plain = np.asarray(image, float)
    for way in ("jpeg", "webp", "blur", "noise"):
        lost = [np.square(opened(travelled(image, Journey(way, s)))[2] - plain).mean() for s in WAYS[way]]
        assert lost == sorted(lost), way
        assert lost[0] < lost[-1], way
    assert [opened(travelled(image, Journey("resize", s)))[1] for s in (0.75, 0.5)] == [(192, 144), (128, 96)]
    kind, size, _ = opened(travelled(image, Journey("screenshot", 2)))
    assert (kind, size) == ("JPEG", (200, 146))
    noise = Journey("noise", 3)
    assert travelled(image, noise, seed=4) == travelled(image, noise, seed=4) != travelled(image, noise, seed=5)


def test_the_control_changes_no_pixel_and_grey_stays_grey(image):
    grey = image.convert("L")
    made = dict(files(b"the file", grey, journeys()))
    assert made[START] == b"the file"
    with Image.open(io.BytesIO(made[CONTROL])) as im:
        assert im.mode == "L"
        assert np.array_equal(np.asarray(im), np.asarray(grey))
    assert len(made) == 2 + sum(map(len, WAYS.values()))
    assert dict(files(b"", image.resize((20, 20)), [Journey("resize", 0.35)]))["resize 0.35"] is None


def test_journeys_are_read_from_words():
    assert journeys("jpeg 70, blur") == [Journey("jpeg", 70), *(Journey("blur", s) for s in WAYS["blur"])]
    for words, says in (("fax", "no journey is called 'fax'"), ("jpeg hard", "must be a journey and a number")):
        with pytest.raises(BadInput, match=says):
            journeys(words)
    with pytest.raises(BadInput, match="jpeg takes a whole quality from 1 to 100; got 0"):
        travelled(Image.new("RGB", (32, 32)), Journey("jpeg", 0))


def test_a_threshold_that_was_set_before_the_journey_tells_what_auc_hides():
    rng = np.random.default_rng(0)
    fake = np.tile(np.repeat([0, 1], 200), 3)
    way = np.repeat([START, "jpeg 75", "jpeg 40"], 400)
    score = rng.normal(3.0 * fake, 1)
    score[400:800] += 5  # all move up together: order is kept, the threshold is not
    score[800:] = rng.normal(0, 1, 400)
    subjects = np.tile(np.arange(400), 3)
    first, moved, lost = robustness(score, fake, way, subjects=subjects, times=20)
    assert first.figures["false alarms"].value == pytest.approx(0.045)
    assert first.figures["lost"].value == 0
    assert moved.figures["auc"].value > 0.97
    assert moved.figures["false alarms"].value > 0.9
    assert lost.figures["auc"].value == pytest.approx(0.5, abs=0.1)
    assert lost.figures["lost"].interval[0] > 0.3
    panel = curves({"mine": [first, moved, lost]})["jpeg"]["mine"]
    assert panel[0] == ["as it is", "75", "40"]


def test_what_is_not_answered_after_a_journey_is_counted():
    score = [0, 1, np.nan, np.nan]
    first, then = robustness(score, [0, 1, 0, 1], [START, START, "blur 3", "blur 3"], times=0)
    assert (first.answered, then.answered, then.figures) == (1, 0, {})
    with pytest.raises(CannotAssess, match="no answered authentic pictures, as it is"):
        robustness([1], [1], [START])


@pytest.fixture
def two_kinds(tmp_path, image):
    for i in range(4):
        for kind in ("real", "fake"):
            (tmp_path / "set" / kind).mkdir(parents=True, exist_ok=True)
            a = np.roll(np.asarray(image), 7 * i, 1).copy()
            if kind == "fake":
                a = a // 16 * 16 + 8 * (np.indices(a.shape[:2]).sum(0) % 2)[..., None].astype(np.uint8)
            Image.fromarray(a).save(tmp_path / "set" / kind / f"{i}.png")
    return tmp_path / "set"


def test_robustness_from_a_folder_to_a_plot(two_kinds, tmp_path):
    pytest.importorskip("matplotlib")
    plot, table = tmp_path / "r.svg", tmp_path / "r.csv"
    done = call("robustness", two_kinds, "--with", "npr", "--ways", "jpeg 90,jpeg 50", "--most", 3, "--crop", 128, "--draws", 0, "--json",
                "--plot", plot, "--csv", table)  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [r["after"] for r in told["rows"]] == [START, CONTROL, "jpeg 90", "jpeg 50"]
    assert told["rows"][1]["lost"]["value"] == 0, "the crop is stored without loss already"
    assert "<svg" in plot.read_text("utf-8")
    again = json.loads(call("detection", table, "--score", "npr", "--draws", 0, "--json").output)
    assert {r["after"] for r in again["rows"]} == {START, CONTROL, "jpeg 90", "jpeg 50"}
    with pytest.raises(BadInput, match="gives no statistic"):
        call("robustness", two_kinds, "--with", "sharpness", "--ways", "jpeg 90", "--draws", 0)


def test_detectors_with_other_answers_share_the_ticks_of_a_panel(tmp_path):
    pytest.importorskip("matplotlib")
    from assay.bench.plot import panels
    from assay.bench.resample import Figure

    lines = {
        "all": (["as it is", "1", "2"], [Figure(1), Figure(0.9, (0.8, 1)), Figure(0.8)]),
        "some": (["as it is", "2"], [Figure(1), Figure(0.5)]),
    }
    panels({"blur": lines}, tmp_path / "p.svg", y="AUC", units={"blur": "px"})
    assert (tmp_path / "p.svg").stat().st_size > 2000
    with pytest.raises(BadInput, match="must end in one of"):
        panels({"blur": lines}, tmp_path / "p.doc", y="AUC", units={})
