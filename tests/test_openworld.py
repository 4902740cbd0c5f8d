"""Losses of open-world attribution and of learning in turn: values by hand, and the blobs of which the answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from assay.ops.openworld import (
    agreement,
    contrastive_pseudo_loss,
    distances,
    evenness,
    gaussians,
    local_similarity,
    margin_cross_entropy,
    p_values,
    partners,
    soft_cross_entropy,
    soft_labels,
    vote,
)
from assay.ops.replay import align, distillation, isolation, refilled, soft_distillation, sparse_uniform


def blobs(classes=6, each=16, size=32, spread=0.25):
    """Rows around one point for each class, and tiles that agree with them."""
    label = torch.arange(classes).repeat_interleave(each)
    centres = torch.randn(classes, size)
    x = centres[label] + spread * torch.randn(len(label), size)
    tiles = (centres[:, None] * torch.ones(9, 1))[label] + spread * torch.randn(len(label), 9, size)
    return x, tiles, label


def test_the_margin_makes_a_known_class_easier():
    logits, label = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    assert margin_cross_entropy(logits, label, margin=0) == cross_entropy(logits, label)
    assert margin_cross_entropy(logits, label) < cross_entropy(logits, label)


def test_tiles_alike_in_place_are_alike():
    tiles = torch.randn(3, 4, 5)
    tiles[1] = 2 * tiles[0]
    same = local_similarity(tiles)
    assert same[0, 1] == pytest.approx(float(same[0, 0]), abs=1e-5)
    assert same[0, 1] > same[0, 2]
    strong = torch.zeros(1, 4, 5)
    strong[0, 0] = 1
    assert float(local_similarity(strong)) == pytest.approx(1, abs=1e-6)


def test_tight_blobs_find_partners_of_their_class():
    x, tiles, label = blobs(spread=0.05)
    told = vote(x, tiles)
    assert told.agreed.float().mean() > 0.4
    assert (label[told.partner] == label).all()
    assert (told.partner[~told.agreed] == torch.arange(len(x))[~told.agreed]).all()


def test_tiles_that_disagree_leave_a_row_alone():
    x, tiles, _ = blobs(classes=2)
    tiles[0] = torch.randn_like(tiles[0]) * 0.01
    assert not vote(x, tiles).agreed[0]


def test_labelled_partners_are_of_the_same_class():
    label = torch.tensor([0, 0, 1, 1, 1, 2])
    for _ in range(5):
        found = partners(label)
        assert (label[found] == label).all()
        assert (found[:5] != torch.arange(5)).all()
        assert found[5] == 5


def test_agreement_is_none_for_the_same_sure_class_and_evenness_is_ln_c():
    sure = one_hot(torch.tensor([0, 0, 2]), 3).float()
    assert float(agreement(sure, torch.tensor([1, 0, 2]))) == pytest.approx(0, abs=1e-6)
    assert float(agreement(sure, torch.tensor([2, 1, 2]))) > 5
    assert float(evenness(torch.full((4, 5), 0.2))) == pytest.approx(math.log(5), abs=1e-6)
    assert float(evenness(sure[:2])) == pytest.approx(0, abs=1e-5)


def test_soft_labels_count_by_what_is_thought_and_by_the_vote():
    logits = torch.tensor([[20.0, 0, 0], [0, 20, 0], [0, 0, 0]])
    drawn, sure = soft_labels(logits, torch.tensor([True, False, True]))
    assert torch.allclose(drawn.sum(1), torch.ones(3))
    assert drawn[0].argmax() == 0
    assert sure[0] == pytest.approx(1, abs=1e-4)
    assert sure[1] == 0
    assert sure[2] == pytest.approx(1 / 3)
    hard = one_hot(torch.tensor([0, 1, 2]), 3).float()
    assert torch.allclose(soft_cross_entropy(logits, hard, torch.ones(3)), cross_entropy(logits, torch.tensor([0, 1, 2])))


def test_known_and_novel_blobs_are_told_apart():
    from assay.bench.attribution import rates

    x, tiles, truth = blobs(classes=6, each=24)
    label = torch.where(truth < 4, truth, -1)
    label[::2] = -1  # half of the known ones, too, come without a label
    net = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 6))
    wheel = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(150):
        wheel.zero_grad()
        contrastive_pseudo_loss(net(x), x, tiles, label).backward()
        wheel.step()
    said = net(x).argmax(1)
    told = rates(said.numpy(), truth.numpy(), (truth < 4).numpy())
    assert told["known acc"] > 0.9
    assert told["novel acc"] > 0.9


def test_far_rows_are_unusual_for_every_class():
    x, _, label = blobs(classes=3, each=40, size=6)
    known = gaussians(x[::2], label[::2], 3)
    d = distances(x[1::2], known)
    assert (d.argmin(1) == label[1::2]).all()
    held = torch.stack([d[label[1::2] == k, k] for k in range(3)], 1)
    p = p_values(d, held)
    own = p[torch.arange(len(d)), label[1::2]]
    assert (own <= 0.1).float().mean() == pytest.approx(0.1, abs=0.06), "p-values of a class's own rows are even"
    assert (p_values(distances(torch.randn(50, 6) * 20, known), held).amax(1) < 0.06).float().mean() > 0.9
    padded = torch.cat([held, torch.full((5, 3), -torch.inf)])
    assert torch.equal(p_values(d, padded), p)


def test_kept_rows_have_the_spread_of_all():
    angle = torch.rand(400) * 1.2
    rows = torch.stack([angle.cos(), angle.sin()], 1)
    kept = sparse_uniform(rows, torch.rand(400), 60)
    assert len(kept) == 60
    assert len(set(kept.tolist())) == 60

    def apart(chosen):
        middle = rows.mean(0) / rows.mean(0).norm()
        a, b = (rows @ middle).sort().values, (rows[chosen] @ middle).sort().values
        return (torch.searchsorted(a, b).float() / len(a) - torch.arange(len(b)) / len(b)).abs().max()

    nearest = (rows @ rows.mean(0)).argsort(descending=True)[:60]
    assert apart(kept) < 0.08 < 0.5 < apart(nearest)
    assert sparse_uniform(rows[:5], torch.rand(5), 60).tolist() == list(range(5))


def test_the_most_stable_of_each_chunk_is_kept():
    rows = torch.randn(40, 8)
    stable = torch.zeros(40)
    stable[7] = 1
    assert 7 in sparse_uniform(rows, stable, 8).tolist()


def test_isolation_rewards_groups_that_stand_apart():
    x, _, label = blobs(classes=4, each=5, spread=0.1)
    together, mixed = isolation(x, label), isolation(x, label.roll(2))
    assert together < mixed
    assert float(isolation(x[::5], label[::5])) == 0, "nobody has a companion"
    x.requires_grad_()
    isolation(x, label).backward()
    assert torch.isfinite(x.grad).all()


def test_refilled_rows_lie_between_the_row_and_the_centre():
    rows, centre = torch.randn(6, 4), torch.zeros(4)
    share = refilled(rows, centre) / rows
    assert ((share >= 0.5) & (share <= 1)).all()
    assert share.std(dim=1).max() < 1e-5


def test_distillation_is_none_where_nothing_moved():
    x = torch.randn(4, 3)
    assert distillation(x, x) == 0
    assert float(soft_distillation(x, x)) == pytest.approx(0, abs=1e-4)
    assert soft_distillation(x, x + torch.tensor([5.0, 0, 0])) > 0


def test_alignment_keeps_lengths_and_brings_planes_nearer():
    heads = [nn.Linear(6, 2) for _ in range(3)]
    before = torch.stack([h.weight.detach().clone() for h in heads])
    for _ in range(50):
        align(heads)
    after = torch.stack([h.weight.detach() for h in heads])
    torch.testing.assert_close(after.norm(dim=2), before.norm(dim=2))

    def least(w):
        u = w / w.norm(dim=2, keepdim=True)
        return torch.einsum("acd,bcd->cab", u, u).amin()

    assert least(after) > least(before)
    moved = (after - before).norm(dim=(1, 2))
    assert moved[2] > moved[1] > moved[0], "the newest turns the most"
    align(heads[:1])
    torch.testing.assert_close(heads[0].weight.detach(), after[0])
