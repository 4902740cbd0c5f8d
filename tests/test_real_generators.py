"""What is measured with pictures of real generators: who is learned from is never asked, and the numbers mean what they say."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def recipe(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "recipes")
    monkeypatch.setattr(importlib.import_module("real_generators"), "TIMES", 2)
    return importlib.import_module


@pytest.fixture
def kept(recipe):
    made, dice = recipe("real_generators"), np.random.default_rng(0)
    sources = [*made.SETS, *made.FACES.values(), "own", "cameras"]
    fake = np.repeat(np.isin(sources, made.SETS), 12)
    x = dice.normal(0, 1, (len(fake), len(made.WAYS), 8))
    x[..., 0] += 3 * fake[:, None]
    names = [f"{i}.png" for i in range(len(fake))]
    return {"source": np.repeat(sources, 12), "fake": fake, "name": np.array(names), "hand": x, "files": x[:, 0, 1:3]}


def test_no_one_is_learned_from_and_asked(recipe, kept):
    made = recipe("real_generators")
    rows = made.Rows(kept, "hand")
    for out in [(g,) for g in made.SETS] + [made.GENERATORS, tuple(made.FACES)]:
        learn, asked = made.split(rows, out)
        assert not (learn & asked).any()
        assert not learn[rows.where(*out, "own")].any()
        assert asked[rows.where(*out)].all()
        fresh = rows.where(*(made.FACES[g] for g in out if g in made.FACES))
        assert not learn[fresh].any()
        assert rows.fake[learn].any()
        assert not rows.fake[learn].all()


def test_what_all_generators_share_is_found(recipe, kept):
    made = recipe("real_generators")
    found = made.left_out(kept, "hand")
    assert min(found["left out"]["mean"]) > 0.9
    assert min(found["half of its own, linear"]["mean"]) > 0.7
    known = made.left_out(kept, "files")
    assert abs(known["left out"]["mean"][0] - 0.5) < 0.2


def test_tables_and_nets(recipe, kept, tmp_path):
    made = recipe("real_generators")
    logit = kept["hand"][..., :1]
    kept |= {"body": np.concatenate([kept["hand"], logit], 2), "other": np.concatenate([kept["hand"], -logit], 2)}
    both = made.nets(kept)
    assert min(both["mean AUC, all"]["body"]) > 0.9
    assert max(both["mean AUC, all"]["other"]) < 0.1
    assert max(row[2] for row in both["other less shipped, to report"]) < -0.7
    judges = {k: made.left_out(kept, k) for k in ("hand", "files")}
    told = made.tables({"judges": judges, "nets": both, "ways": made.WAYS})
    assert told.count("| the others |") == 1


def test_classes_and_sources_count_alike(recipe, kept):
    made = recipe("real_generators")
    w = made.weights(kept["source"], kept["fake"])
    assert w.sum() == pytest.approx(1)
    assert w[kept["fake"]].sum() == pytest.approx(0.5)
    assert w[kept["source"] == "own"].sum() == pytest.approx(0.1)
