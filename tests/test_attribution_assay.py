"""Who made it: the card's answers follow its p-values, its head is what the recipe makes, and plain statistics see ways of enlarging."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.authenticity.attribution import UNKNOWN, attribution_assay
from assay.nets.attribution import KNOWN, SIZE, Families, Net, loaded, usual
from assay.nets.generated import loaded as body
from assay.ops.leftovers import COUNT, leftovers
from assay.ops.openworld import Classes
from assay.types import BadInput, CannotAssess
from files import picture, scene

ROOT = Path(__file__).parent.parent


def ask(pixels, **knobs):
    return attribution_assay(picture(b"", pixels=np.atleast_3d(pixels)), **knobs)


def test_leftovers_are_finite_and_see_an_enlargement():
    small = scene(48, 48)
    plain, doubled = leftovers(scene(96, 96)), leftovers(small.repeat(2, 0).repeat(2, 1))
    assert len(plain) == COUNT
    assert np.isfinite(leftovers(np.zeros((96, 96, 3), np.uint8))).all()
    lattice = slice(16, 30)
    assert np.abs(doubled[lattice]).max() > np.abs(plain[lattice]).max(), "pixels in pairs leave peaks at multiples of an eighth"


def test_the_head_that_ships_fits_and_knows_how_usual_its_own_are():
    families = loaded()
    assert families.mean.shape == families.scale.shape == (SIZE,)
    assert families.classes.means.shape == (len(KNOWN), 32)
    assert (families.scale > 0).all()
    held = families.held
    assert (held[0] >= held[-1]).all()
    assert torch.isfinite(held[0]).all()
    crops = torch.from_numpy(np.stack([scene(96, 96, s) for s in range(2)])).permute(0, 3, 1, 2)
    p = usual(families, body(), crops)
    assert p.shape == (2, len(KNOWN))
    assert ((p > 0) & (p <= 1)).all()
    assert torch.equal(usual(families, body(), crops[:1])[0], p[0])


def test_what_is_said_follows_the_shares(photo):
    told = ask(photo)
    shares = told.data["shares"]
    assert sum(shares.values()) == pytest.approx(1, abs=0.01)
    assert set(shares) <= {*KNOWN, UNKNOWN}
    assert told.data["said"] in (max(shares, key=shares.get), UNKNOWN)
    assert 1 < told.data["crops"] <= 25
    assert told.evidence[0].points_to is None
    assert told.evidence[0].llr is None
    assert ask(photo, alpha=0.9999).data["said"] == UNKNOWN
    assert ask(photo[..., :1]).data["said"]
    assert ask(photo[:96, :96]).data["crops"] == 1


def test_odd_pictures_get_a_sentence(photo):
    with pytest.raises(CannotAssess, match="the picture is smaller"):
        ask(photo[:95])
    with pytest.raises(CannotAssess, match="the picture is flat"):
        ask(np.full((128, 128, 3), 7, np.uint8))
    with pytest.raises(BadInput, match="alpha must lie between 0 and 1"):
        ask(photo, alpha=0)


@pytest.fixture
def recipe(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "recipes")
    return importlib.import_module


def features(path, families=("photograph", "deconv", "linear", "vae", "style", "new")):
    """Blobs in the place of features, in the layout that recipes/attribution_data.py writes."""
    rng = np.random.default_rng(0)
    rows = {k: [] for k in ("net", "tiles", "plain", "name", "family", "part", "subject", "drawn")}
    centres = rng.normal(0, 2, (len(families), SIZE))
    for part, many in (("train", 40), ("validate", 20), ("test", 12)):
        for k, name in enumerate(families):
            for i in range(2 * many if name != "new" or part == "test" else 0):
                x = centres[k] + rng.normal(0, 1, SIZE)
                tiles = x[:64] + rng.normal(0, 0.3, (9, 64))
                values = (x[:128], tiles, x[128:], name, name, part, f"{part} {i // 2}", i % 2)
                for key, value in zip(rows, values, strict=True):
                    rows[key].append(value)
    arrays = {k: np.array(v, np.float32) if k in ("net", "tiles", "plain") else np.array(v) for k, v in rows.items()}
    np.savez(path, **arrays)
    return path


def test_the_recipe_names_the_known_and_refuses_the_novel(recipe, tmp_path):
    made = recipe("attribution")
    every, mean, scale = made.parts(features(tmp_path / "f.npz"), "both")
    told, ships = made.said(every, mean, scale, KNOWN, rounds=100, seed=0)
    known, met = np.array(told["known"], bool), np.array(told["met"], bool)
    right = np.array(told["cpl"]) == np.array(told["truth"])
    assert right[known].mean() > 0.9
    refused = np.array(told["cpl_distance"]) == UNKNOWN
    assert refused[known].mean() < 0.25
    assert refused[~known & met].mean() > 0.75
    made.export(ships, tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_size < 300_000


def test_p_values_of_a_hand_made_family():
    net = Net(1).eval()
    far = Families(net, torch.zeros(SIZE), torch.ones(SIZE), Classes(torch.full((1, 32), 1e3), torch.eye(32)), torch.ones(9, 1))
    with torch.no_grad():
        p = usual(far, body(), torch.from_numpy(scene(96, 96))[None].permute(0, 3, 1, 2))
    assert float(p) == pytest.approx(0.1)


def test_every_way_of_learning_in_turn_measures_every_task_at_every_stage(recipe, tmp_path):
    made = recipe("continual")
    file = features(tmp_path / "f.npz", ("photograph", *made.TASKS))
    every = made.tasks(file)
    assert len(every) == len(made.TASKS)
    for way in made.WAYS:
        told = made.run(way, every, 20, 0)
        assert [t[:2] for t in told] == [(i, k) for i in range(len(every)) for k in range(len(every))]
        assert all(0 <= t[2] <= 1 for t in told)
    pytest.importorskip("matplotlib")
    made.draw({"a": [1, 0.9, 0.8, 0.7, 0.6]}, {"a": [1, 0.9, 0.8, 0.7, 0.6]}, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 1000
