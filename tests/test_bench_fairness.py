"""Groups compared: differences that are there are found, those that are not are not, and small groups stay unseen."""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.stats import ttest_ind

from assay.bench.fairness import _holm, fairness
from assay.types import BadInput, CannotAssess
from conftest import ROOT


def people(shift, sizes=(120, 60, 40), seed=0):
    dice = np.random.default_rng(seed)
    groups = np.repeat(["a", "b", "c"], sizes)
    return dice.normal(50, 10, len(groups)) + shift * (groups == "b"), list(groups)


def test_a_difference_is_found_and_told():
    v, g = people(8)
    told = fairness(v, g, name="the score", times=200, shuffles=500)
    b = told.slices[1]
    assert [s.group for s in told.slices] == ["a", "b", "c"]
    here = np.array(g) == "b"
    assert b.mean.value == pytest.approx(v[here].mean())
    assert b.difference.value == pytest.approx(v[here].mean() - v[~here].mean())
    assert b.difference.interval[0] > 0
    assert b.p_holm < 0.05
    assert b.size in ("medium", "large")
    assert told.gap == pytest.approx(max(s.mean.value for s in told.slices) - min(s.mean.value for s in told.slices))
    assert told.says.startswith("the score differs between the groups")
    assert "the smallest group, c, has 40 pictures" in told.says.lower()


def test_no_difference_is_not_found():
    found = [fairness(*people(0, seed=s), times=0, shuffles=200) for s in range(40)]
    assert sum(t.gap_p < 0.05 for t in found) <= 6  # 2 in the mean
    quiet = fairness(*people(0, seed=1), times=100, shuffles=200)
    assert quiet.says.startswith("No difference of the score")
    assert "cannot be ruled out" in quiet.says


def test_p_agrees_with_the_t_test():
    v, g = people(3)
    told = fairness(v, g, times=0, shuffles=4000).slices[1]
    here = np.array(g) == "b"
    assert told.p == pytest.approx(ttest_ind(v[here], v[~here]).pvalue, abs=0.02)
    assert told.effect == pytest.approx(ttest_ind(v[here], v[~here]).statistic / np.sqrt(1 / (1 / 60 + 1 / 160)), rel=1e-6)


def test_rates():
    found = np.concatenate([np.ones(95), np.zeros(5), np.ones(30), np.zeros(20)])
    told = fairness(found, ["x"] * 100 + ["y"] * 50, name="the rate of detection", times=100, shuffles=200)
    assert told.rate
    assert told.slices[0].effect == pytest.approx(2 * np.arcsin(0.95**0.5) - 2 * np.arcsin(0.6**0.5))
    assert "from 60.0% (y) to 95.0% (x)" in told.says
    assert told.slices[0].difference.value == pytest.approx(-told.slices[1].difference.value)


def test_small_and_unknown_groups_are_not_shown():
    v, g = people(0)
    told = fairness([*v, 1e6, 1e6], [*g, "tiny", ""], times=0, shuffles=100)
    assert told.left_out == {"tiny": 1}
    assert told.smallest == 40
    assert [s.group for s in told.slices] == ["a", "b", "c"]
    assert told.slices[0].difference.value == fairness(v, g, times=0, shuffles=100).slices[0].difference.value


def test_holm_by_hand():
    assert _holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert _holm(np.array([0.5, 0.9])) == pytest.approx([1, 1])


def test_no_answer_is_a_sentence():
    v, g = people(0)
    with pytest.raises(CannotAssess, match="1 groups have at least 100"):
        fairness(v, g, least=100)
    with pytest.raises(CannotAssess, match="is 1 for every picture"):
        fairness(np.ones(220), g)
    with pytest.raises(BadInput, match="groups has 219 rows"):
        fairness(v, g[1:])
    with pytest.raises(BadInput, match="row 1"):
        fairness([np.nan, *v[1:]], g)


@pytest.fixture
def recipe(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    return importlib.import_module("face_fairness")


def test_the_page_names_no_one(recipe, tmp_path, monkeypatch):
    dice = np.random.default_rng(0)
    names = [f"anna{i}.png" for i in range(30)]
    for i, name in enumerate(names):
        Image.fromarray(dice.integers(0, 100 + 100 * (i % 2), (16, 16, 3)).astype(np.uint8)).save(tmp_path / name)
    rows = [f"{n},{'female' if i % 2 else 'male'},{'tiny' if i < 3 else 'wide'},19{40 + i}" for i, n in enumerate(names)]
    (tmp_path / "groups.csv").write_text("\n".join(["file,gender,group,born", *rows]), "utf-8")
    face = {"box": [2, 2, 12, 12], "points": [[4, 5], [9, 5], [7, 8], [5, 10], [9, 10]], "confidence": 1.0}
    labels = {f"faces/{tmp_path.name}/{n}": [face] if i else [] for i, n in enumerate(names)}
    (tmp_path / "faces.json").write_text(json.dumps(labels), "utf-8")

    def light(image, faces):
        if float(image.float().mean()) < 45:
            raise CannotAssess("Too dark.")
        return image.float().mean()[None].expand(len(faces))

    light.card = SimpleNamespace(takes=("face",))
    monkeypatch.setattr(recipe, "get", lambda _: light)
    out = tmp_path / "page.md"
    recipe.main([str(tmp_path), "--scores", "light", "--faces", str(tmp_path / "faces.json"), "--draws", "20", "--out", str(out)])
    text = out.read_text("utf-8")
    assert "## light by gender" in text
    assert "light differs between the groups" in text
    assert "## face found by gender" in text
    assert "1 groups have at least 10 pictures" in text
    assert "anna" not in text
    light.card = SimpleNamespace(takes=("image",))
    with pytest.raises(BadInput, match="does not take a face"):
        recipe.main([str(tmp_path), "--scores", "light", "--faces", str(tmp_path / "faces.json")])
