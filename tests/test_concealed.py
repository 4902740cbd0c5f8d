"""The adversary that hides splices: what it may change, what it learns from, and that it learns."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from assay.ops.localtraces import SLOPED, sloped, traces
from test_structure import ROOT


@pytest.fixture(scope="module")
def recipe():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "recipes"))
        return importlib.import_module("concealed")


@pytest.fixture(scope="module")
def splice():
    """Calm grain, and in the middle a piece of coarse grain: 128×128×3, and its mask."""
    dice = np.random.default_rng(0)
    ramp = np.linspace(60, 190, 128)[:, None, None]
    mask = np.zeros((128, 128), bool)
    mask[40:96, 40:96] = True
    noise = dice.normal(0, 1, (128, 128, 3)) * np.where(mask, 9, 1)[..., None]
    return (ramp + noise).round().clip(0, 255).astype(np.uint8), mask


def test_what_the_adversary_learns_from_is_what_splices_sees(splice):
    x = torch.from_numpy(splice[0]).permute(2, 0, 1).contiguous()
    torch.testing.assert_close(sloped(x.float()), traces(x)[0][:SLOPED])


def test_filters_see_no_flat_area(recipe):
    assert torch.tensor(recipe.FILTERS).sum((1, 2)).tolist() == [0, 0, 0]


def test_changes_are_bounded_whole_and_stay_in_the_mask(recipe, splice):
    x, mask = splice
    torch.manual_seed(0)
    net = recipe.Concealer()
    torch.nn.init.normal_(net.draw.weight, std=50)  # as bold as it can get
    hidden = recipe.attacks(x, mask, net)
    change = hidden["concealed"].astype(int) - x
    assert np.abs(change).max() == recipe.MOST
    assert 10 * np.log10(255**2 / np.square(change).mean()) > 36
    for name in ("concealed, in the mask", "pressed, in the mask", "searched, in the mask", "noise 2, in the mask"):
        assert np.array_equal(hidden[name][~mask], x[~mask]), name
        assert not np.array_equal(hidden[name][mask], x[mask]), name
    assert {y.dtype for y in hidden.values()} == {np.dtype(np.uint8)}
    odd = recipe.concealed(x[:97, :101], net)
    assert odd.shape == (97, 101, 3)
    assert np.array_equal(odd[96:], x[96:97, :101])


def test_a_net_that_may_change_nothing_changes_nothing(recipe, splice, monkeypatch):
    monkeypatch.setattr(recipe, "MOST", 0.0)
    assert np.array_equal(recipe.concealed(splice[0], recipe.Concealer()), splice[0])


@pytest.fixture
def told(splice):
    """A batch: the picture, its mask, and its traces without slopes."""
    x = torch.from_numpy(splice[0]).permute(2, 0, 1).contiguous()
    return x[None].float(), torch.from_numpy(splice[1])[None].float(), traces(x)[0][None, SLOPED:]


def test_its_judge_gives_it_slopes_and_stays_as_it_is(recipe, told):
    torch.manual_seed(0)
    net, judge = recipe.Concealer(), recipe.loaded(recipe.MODEL)[0]
    before = [p.clone() for p in judge.parameters()]
    wheel = torch.optim.Adam(net.parameters())
    lost, _ = recipe.loss(net, judge, *told)
    lost.backward()
    wheel.step()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())
    assert net.draw.weight.grad[:3].abs().max() > 0
    assert all(torch.equal(a, b) and a.grad is None for a, b in zip(judge.parameters(), before, strict=True))


def test_it_learns_to_empty_the_map(recipe, told, monkeypatch):
    """Of a judge who marks what is rough."""
    monkeypatch.setattr(recipe, "PRETEXT", 0.0)
    torch.manual_seed(0)
    net, areas = recipe.Concealer(), []
    wheel = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(12):
        lost, area = recipe.loss(net, lambda found: SimpleNamespace(map=found[:, 7:12].mean(1)), *told)
        wheel.zero_grad()
        lost.backward()
        wheel.step()
        areas.append(float(area.detach()))
    assert areas[-1] < areas[6] < areas[0]


def test_maps_are_held_against_masks(recipe):
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    right = torch.from_numpy(mask).float() * 30  # of whatever unit
    assert recipe.held(right, mask, "jpeg_grid") == {"auc": 1, "f1": 1, "map": 1}
    assert recipe.held(torch.zeros(1, 1), mask, "jpeg_grid")["auc"] == 0.5
    assert recipe.held(torch.full((1, 1), 0.2), mask, "splices")["f1"] == 0
