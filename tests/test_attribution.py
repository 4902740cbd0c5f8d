"""Open-world attribution and forgetting: cases by hand, scikit-learn's numbers, the authors' own, and the commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from assay.bench.attribution import agreement, attribution, contingency, information, matched, oscr, rates
from assay.bench.forgetting import forgetting
from assay.cli import main
from assay.types import BadInput, CannotAssess


def values(told):
    return {k: f.value for k, f in told.items()}


def test_numbers_are_those_of_the_authors_and_of_scikit_learn():
    """val_stat of owdfa/utils/eval.py (TencentYoutuResearch/OpenWorld-DeepFakeAttribution, scikit-learn 1.9.1), 22 November 2026."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 40)
    p = np.where(rng.random(40) < 0.6, (y + 1) % 4, rng.integers(0, 6, 40))
    table = contingency(p, y)
    assert information(table) == pytest.approx(0.450473424139877, abs=1e-12)  # normalized_mutual_info_score
    assert agreement(table) == pytest.approx(0.33764750666159116, abs=1e-12)  # adjusted_rand_score
    y = rng.integers(0, 6, 80)
    p = np.where(rng.random(80) < 0.6, np.where(y < 4, y, 9 - y), rng.integers(0, 6, 80))
    got = rates(p, y, y < 4, rng.random(80))
    want = {
        "all acc": 0.6875,
        "all nmi": 0.4687183074521646,
        "all ari": 0.3681313384146581,
        "known acc": 0.6888888888888889,
        "novel acc": 0.6857142857142857,
        "known nmi": 0.4683332994849462,
        "novel nmi": 0.4387253899982551,
        "known ari": 0.3633899478070302,
        "novel ari": 0.41276233692569486,
        "uncertainty": 0.43316000786062747,
    }
    assert {k: got[k] for k in want} == pytest.approx(want, abs=1e-12)


def test_names_count_for_the_known_and_groups_for_the_novel():
    truth, known = ["a", "a", "b", "b", "x", "x", "y", "y"], [1, 1, 1, 1, 0, 0, 0, 0]
    perfect = values(attribution(["a", "a", "b", "b", "2", "2", "1", "1"], truth, known, times=0))
    assert set(perfect.values()) == {1.0}
    swapped = values(attribution(["b", "b", "a", "a", "2", "2", "1", "1"], truth, known, times=0))
    assert swapped["known acc"] == 0
    assert swapped["all acc"] == swapped["known ari"] == 1  # which is why the name counts
    one = values(attribution(["a"] * 8, truth, known, times=0))
    assert one["novel acc"] == 0.5
    assert one["novel nmi"] == one["novel ari"] == 0
    assert "novel acc" not in attribution(["a", "b"], ["a", "b"], [1, 1], times=0)


def test_other_names_of_the_clusters_change_nothing_and_chance_is_nothing():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 5, 3000), rng.integers(0, 5, 3000)
    table = contingency(p, y)
    assert abs(agreement(table)) < 0.005
    assert information(table) < 0.01
    assert matched(table) < 0.25
    turned = contingency((p * 7 + 3) % 5, y)
    assert [f(turned) for f in (matched, information, agreement)] == pytest.approx([f(table) for f in (matched, information, agreement)])


@pytest.mark.parametrize("table", [[[5]], [[1]], [[1, 1]]])
def test_the_smallest_tables_have_numbers(table):
    assert all(np.isfinite(f(np.array(table))) for f in (matched, information, agreement))


def test_rejection_by_hand():
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right, known = np.array([1, 0, 0, 1, 0], bool), np.array([1, 1, 0, 1, 0], bool)
    # accepted and right, of 3 known: 1/3 before the first novel one, 2/3 before the second
    assert oscr(confidence, right, known) == pytest.approx((1 / 3 + 2 / 3) / 2)
    told = values(attribution(list("abxby"), list("acxby"), known, confidence=confidence, times=0))
    assert told["auroc known"] == pytest.approx(5 / 6)
    assert told["uncertainty"] == pytest.approx(0.3)


def test_intervals_hold_the_value():
    rng = np.random.default_rng(0)
    truth = rng.choice(list("abxy"), 200)
    said = np.where(rng.random(200) < 0.7, truth, rng.choice(list("abxy"), 200))
    for figure in attribution(said.tolist(), truth.tolist(), np.isin(truth, list("ab")), times=60).values():
        low, high = figure.interval
        assert low <= figure.value <= high


def test_bad_tables_are_sentences():
    with pytest.raises(BadInput, match="a is known in some rows and novel in others"):
        attribution(["a", "a"], ["a", "a"], [1, 0])
    with pytest.raises(CannotAssess, match="no picture of a known generator"):
        attribution(["a"], ["a"], [0])
    with pytest.raises(BadInput, match="both need the same"):
        attribution(["a"], ["a", "b"], [1, 1])


STAGES = [("A", "A", 0.9), ("A", "B", 0.6), ("B", "A", 0.95), ("B", "B", 0.8), ("C", "A", 0.7), ("C", "B", 0.85), ("C", "C", 1.0)]


def test_forgetting_by_hand():
    first, second, last = forgetting(*zip(*STAGES, strict=True))
    assert (first.average, first.unseen, first.forgetting, first.backward) == (0.9, 0.6, None, None)
    assert second.average == pytest.approx(0.875)
    assert second.forgetting == pytest.approx(-0.05)  # it got better at A
    assert last.average == pytest.approx(0.85)
    assert last.worst == 0.7
    assert last.forgetting == pytest.approx((0.25 - 0.05) / 2)
    assert last.backward == pytest.approx((-0.2 + 0.05) / 2)
    assert last.unseen is None


def test_the_order_of_rows_within_a_stage_and_tasks_never_learned():
    told = forgetting(["A", "A", "B", "B", "B"], ["Z", "A", "B", "A", "Z"], [0.5, 0.9, 0.8, 0.7, 0.55])
    assert [s.unseen for s in told] == [0.5, 0.55]
    assert told[1].forgetting == pytest.approx(0.2)


def test_what_is_missing_is_said():
    with pytest.raises(BadInput, match="A was learned by then and was not measured after B"):
        forgetting(["A", "B"], ["A", "B"], [1, 1])
    with pytest.raises(BadInput, match="A after A is there twice"):
        forgetting(["A", "A"], ["A", "A"], [1, 1])


def test_the_commands_tell_it(tmp_path: Path):
    file = tmp_path / "a.csv"
    rows = ["a,1,a,.9,b", "b,1,b,.8,b", "x,0,c1,.2,b", "y,0,c2,.3,a"]
    file.write_text("truth,known,ours,ours_confidence,theirs\n" + "\n".join(rows), "utf-8")
    found = CliRunner().invoke(main, ["bench", "attribution", str(file), "--draws", "0", "--json"])
    assert found.exit_code == 0, found.output
    told = {(r["method"], r["figure"]): r["value"]["value"] for r in json.loads(found.output)["rows"]}
    assert told["ours", "known acc"] == told["ours", "novel acc"] == told["ours", "oscr"] == 1
    assert told["theirs", "known acc"] == 0.5
    assert ("theirs", "oscr") not in told
    file.write_text("stage,task,auc\n" + "\n".join(f"{s},{t},{v}" for s, t, v in STAGES), "utf-8")
    found = CliRunner().invoke(main, ["bench", "forgetting", str(file), "--json", "--plot", str(tmp_path / "a.svg")])
    assert found.exit_code == 0, found.output
    assert [r["after"] for r in json.loads(found.output)["rows"]] == ["A", "B", "C"]
    assert json.loads(found.output)["rows"][2]["forgetting"] == pytest.approx(0.1)
    assert (tmp_path / "a.svg").stat().st_size > 1000
    assert CliRunner().invoke(main, ["bench", "forgetting", str(file)]).exit_code == 0
