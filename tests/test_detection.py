"""Figures of detection on scores whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from assay.bench.detection import MEAN, POOLED, WORST, average_precision, calibration_error, detection
from assay.cli import main
from assay.types import BadInput, CannotAssess


def test_figures_of_a_small_case_by_hand() -> None:
    score, fake = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 0, 1, 1, 0, 0]
    (row,) = detection(score, fake, ["g"] * 6, times=0)
    assert row.figures["auc"].value == pytest.approx(7 / 9)
    assert row.figures["ap"].value == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert row.figures["accuracy@0.5"].value == pytest.approx(0.5 * (1 + 1 / 3))  # 0.5 counts as fake
    assert row.figures["brier"].value == pytest.approx(np.mean([0.01, 0.64, 0.09, 0.16, 0.25, 0.16]))
    assert "tpr@0.01" not in row.figures  # three authentic pictures cannot show one in a hundred


def test_equal_scores_count_together() -> None:
    assert average_precision(np.zeros(10), np.arange(10) < 3) == pytest.approx(0.3)


def test_calibration_error_of_what_is_calibrated_is_small_and_of_what_is_not_is_the_gap() -> None:
    p = np.random.default_rng(0).uniform(size=20000)
    y = np.random.default_rng(1).uniform(size=20000) < p
    assert calibration_error(p, y) < 0.02
    assert calibration_error(np.full(1000, 0.9), np.arange(1000) < 500) == pytest.approx(0.4)


def test_generators_are_held_against_the_same_authentic_pictures_and_the_worst_is_told() -> None:
    rng = np.random.default_rng(0)
    fake = np.repeat([0, 1, 1], 200)
    names = np.repeat(["", "easy", "hard"], 200)
    rows = {r.generator: r for r in detection(rng.normal(np.repeat([0, 3, 0.2], 200)), fake, names, times=50)}
    assert rows["easy"].figures["auc"].value > 0.95 > 0.65 > rows["hard"].figures["auc"].value
    assert rows[WORST].figures["auc"].value == rows["hard"].figures["auc"].value
    assert rows[WORST].figures["eer"].value == rows["hard"].figures["eer"].value
    assert rows[MEAN].figures["auc"].value == pytest.approx(rows[POOLED].figures["auc"].value)
    low, high = rows["hard"].figures["auc"].interval or (0, 0)
    assert low < rows["hard"].figures["auc"].value < high


def test_what_is_not_answered_is_counted_and_not_scored() -> None:
    score = [np.nan, 0.9, 0.8, np.nan, 0.1, 0.2]
    (row,) = detection(score, [1, 1, 1, 0, 0, 0], ["g"] * 6, times=0)
    assert row.figures["auc"].value == 1
    assert row.answered == pytest.approx(4 / 6)


def test_processings_do_not_mix() -> None:
    score, fake, way = [1, 0, 5, 4], [1, 0, 1, 0], ["a", "a", "b", "b"]
    rows = detection(score, fake, ["g"] * 4, processing=way, times=0)
    assert [(r.processing, r.figures["auc"].value) for r in rows] == [("a", 1), ("b", 1)]


def test_bad_input_is_a_sentence() -> None:
    with pytest.raises(BadInput, match="one finite number"):
        detection([np.inf, 0], [1, 0], ["g", "g"])
    with pytest.raises(CannotAssess, match="no fakes"):
        detection([1.0, 0], [0, 0], ["g", "g"])
    with pytest.raises(CannotAssess, match="no answered"):
        detection([np.nan, 0], [1, 0], ["g", "g"])


def test_the_command_tells_it(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    lines = [f"{f},{g},{w},{f + 0.1 * i},{'' if i == 0 else f}" for i in range(4) for f, g in ((0, ""), (1, "x")) for w in ("q90", "raw")]
    file.write_text("fake,generator,processing,ours,theirs\n" + "\n".join(lines), "utf-8")
    found = CliRunner().invoke(main, ["bench", "detection", str(file), "--draws", "0", "--json", "--plot", str(tmp_path / "a.svg")])
    assert found.exit_code == 0, found.output
    rows = json.loads(found.output)["rows"]
    assert [(r["score"], r["after"], r["answered"]) for r in rows] == [
        ("ours", "q90", 1),
        ("ours", "raw", 1),
        ("theirs", "q90", 0.75),
        ("theirs", "raw", 0.75),
    ]
    assert all(r["auc"]["value"] == 1 for r in rows)
    assert (tmp_path / "a.svg").stat().st_size > 1000


def test_a_draw_with_more_authentic_pictures_than_all_rows_is_no_error() -> None:
    """99 authentic pictures allow no rate of 1 in 100, but a draw of 100 or more does."""
    rng = np.random.default_rng(0)
    (row,) = detection(rng.normal(size=120), np.arange(120) < 21, ["g"] * 120, times=40)
    assert "tpr@0.01" not in row.figures
    assert row.figures["auc"].interval
