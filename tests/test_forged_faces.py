"""Forgeries of portraits, the ways to learn from them, the nets and their cards, held to what the papers say."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from torch.nn.functional import l1_loss

from assay import tasks, weights
from assay.authenticity import fake_locator, lsda, sjedd, ucf
from assay.catalog import get
from assay.nets import forged_faces as nets
from assay.nets.face_traces import CHIP, MARGIN
from assay.ops import latent
from assay.ops.align import chips
from assay.ops.disentangle import adain, code_contrast, code_triplet, exchange_loss, permuted_within
from assay.ops.fakeness import FLOOR, cosine, target, weighted_l1
from assay.ops.labelgraph import forged, marginals, states
from assay.types import CannotAssess, Face
from pictures import drawn_faces, judged_alone_and_together
from test_structure import ROOT

NAMES = ("ucf-assay", "lsda-assay", "fake_locator-assay", "sjedd-assay")
LOCAL = ("eye", "eyebrow", "lip", "mouth", "nose", "skin")
FFPP = {"expression": ("lip", "mouth"), "identity": LOCAL, "physical": ("eye", "lip", "mouth", "nose")}  # FaceForensics++
FFSC = {
    "age": ("eye", "skin"),
    "expression": ("eye", "lip", "mouth", "nose", "skin"),
    "gender": ("eye", "eyebrow", "lip", "mouth", "skin"),
    "identity": LOCAL,
    "pose": LOCAL,
}


def recipe(name: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "recipes"))
        return importlib.import_module(name)


@pytest.fixture(scope="module")
def forgeries():
    return recipe("face_forgeries")


@pytest.fixture(scope="module")
def training():
    return recipe("forged_faces")


@pytest.fixture(scope="module")
def chip():
    image, faces = drawn_faces()
    return (chips(image, faces, side=CHIP, margin=MARGIN)[0] * 255).round().byte()


@pytest.fixture(scope="module")
def bank(training, tmp_path_factory):
    """A folder of random groups, four in each part."""
    folder, dice = tmp_path_factory.mktemp("bank"), torch.Generator().manual_seed(0)
    for wanted, kinds in (("train", 4), ("validation", 5)):
        group = {
            "chips": torch.randint(0, 256, (4, kinds + 1, 3, 112, 112), dtype=torch.uint8, generator=dice),
            "maps": torch.randint(0, 256, (4, kinds, 112, 112), dtype=torch.uint8, generator=dice),
            "locals": torch.rand(4, kinds, 5, generator=dice) < 0.5,
            "who": torch.arange(4),
        }
        torch.save(group, folder / f"{wanted}-0000.pt")
        torch.save(group["chips"][:, 0], folder / f"photographs-{wanted}.pt")
    return folder


class TestDisentangling:
    x, c = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0)), torch.rand(2, 3, 4, 4)

    def test_adain_of_itself_is_itself_and_else_takes_the_others_statistics(self):
        torch.testing.assert_close(adain(self.x, self.x), self.x)
        y = adain(self.x, self.c)
        for a, b in zip(torch.std_mean(y, (2, 3), correction=0), torch.std_mean(self.c, (2, 3), correction=0), strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=0)

    def test_the_order_keeps_the_rows_of_every_class(self):
        labels = torch.tensor([0, 2, 0, 1, 2, 0, 1])
        order = permuted_within(labels, torch.Generator().manual_seed(3))
        assert sorted(order.tolist()) == list(range(7))
        assert torch.equal(labels[order], labels)
        assert order.tolist() != list(range(7))

    def test_a_triplet_is_the_published_hinge(self):
        a, p = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
        torch.testing.assert_close(code_triplet(a, p, torch.tensor([[0.0, 6.0]])), torch.tensor(2.0), atol=1e-4, rtol=0)  # 5 − 6 + 3
        assert code_triplet(a, p, torch.tensor([[0.0, 8.1]])) == 0

    def test_codes_that_are_apart_cost_nothing_and_those_of_one_spot_four_margins(self):
        kind = torch.tensor([0, 0, 1, 2])
        common, specific = kind.clamp(max=1)[:, None] * 9.0, kind[:, None] * 9.0
        assert code_contrast(common, specific, kind).item() == pytest.approx(0, abs=1e-4)
        assert code_contrast(torch.zeros(4, 3), torch.zeros(4, 3), kind).item() == pytest.approx(12, abs=1e-3)

    def test_who_decides_about_an_exchange(self):
        pictures = torch.tensor([0.0, 0, 1, 1]).view(4, 1, 1, 1)
        for place, right in enumerate(("content", "forgery")):

            def decode(*codes, place=place):
                return codes[place]

            wrong = "forgery" if right == "content" else "content"
            assert exchange_loss(decode, pictures, pictures, pictures, decides=right) == 0
            assert exchange_loss(decode, pictures, pictures, pictures, decides=wrong) == 2  # both exchanged terms are 1

    def test_the_terms_are_mean_absolute_errors_of_each_half(self):
        torch.manual_seed(1)
        content, forgery, pictures = torch.rand(3, 6, 3, 4, 4)
        both = [content[3:] + forgery[3:], content[:3] + forgery[:3], content[3:] + forgery[:3], content[:3] + forgery[3:]]
        wanted = [pictures[3:], pictures[:3], pictures[3:], pictures[:3]]
        want = sum(l1_loss(a, b) for a, b in zip(both, wanted, strict=True))
        torch.testing.assert_close(exchange_loss(torch.add, content, forgery, pictures), want)

    def test_the_decoder_draws_within_bounds(self):
        y = nets.Decoder()(*torch.randn(2, 3, 64, 12, 12) * 5)
        assert y.shape == (3, 3, 48, 48)
        assert y.abs().max() <= 1


class TestLatents:
    z = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(0))

    def test_a_share_of_nothing_changes_nothing(self):
        for way in (latent.towards_hardest, latent.from_centre, latent.noisy, latent.differing):
            assert torch.equal(way(self.z, 0.0), self.z)

    def test_the_hardest_is_the_outlier_and_a_share_of_one_reaches_it(self):
        z = self.z.clone()
        z[4] += 20
        assert torch.equal(latent.hardest(z), z[4])
        torch.testing.assert_close(latent.towards_hardest(z, 1.0), z[4].expand_as(z))

    def test_extrapolation_leads_away_from_the_centre(self):
        mean = self.z.mean(0)
        near, far = ((t - mean).flatten(1).norm(dim=1) for t in (self.z, latent.from_centre(self.z, 0.5)))
        torch.testing.assert_close(far, 1.5 * near)

    def test_mixing_with_itself_is_itself_and_else_the_domain_that_is_named(self):
        z = self.z.view(2, 3, 2, 3, 3)
        torch.testing.assert_close(latent.across(z, torch.arange(3).expand(2, -1), 0.3), z)
        order = latent.domain_orders(2, 3, torch.Generator().manual_seed(1))
        for g in range(2):
            assert sorted(order[g].tolist()) == [0, 1, 2]
            for d in range(3):
                assert torch.equal(latent.across(z, order, 0.0)[g, d], z[g, order[g, d]])

    def test_shares_of_a_mixture_are_even_handed(self):
        dice = torch.Generator().manual_seed(0)
        shares = torch.stack([latent.mixing_share(dice) for _ in range(400)])
        assert 0 <= shares.min() < shares.max() <= 1
        assert shares.mean().item() == pytest.approx(0.5, abs=0.05)
        assert shares.std().item() == pytest.approx(0.28, abs=0.04)  # the mean over α of 1 / (4 (2α + 1)) is 0.28²

    def test_groups_must_be_complete(self):
        latent.complete([[0, 1, 2], [2, 0, 1]], 3)
        with pytest.raises(ValueError, match="group 1 must hold each of 3 versions once"):
            latent.complete([[0, 1, 2], [0, 0, 2]], 3)

    def test_the_fusion_stays_near_the_mean_of_what_it_fuses(self):
        torch.manual_seed(0)
        fusion, (a, b) = nets.Fusion(), 50 * torch.randn(2, 3, 64, 4, 4)
        assert (fusion(a, b) - (a + b) / 2).abs().max() <= 1 + 1e-5


class TestGraph:
    @pytest.mark.parametrize(("touches", "count", "prior"), [(FFPP, 251, 0.996), (FFSC, 1544, 0.9994)])
    def test_legal_states_and_what_nothing_known_means(self, touches, count, prior):
        legal = states(touches, LOCAL)
        assert len(legal) == count
        zero = torch.zeros(1, legal.shape[1])
        assert marginals(zero, legal, even=False)[0, 0].item() == pytest.approx(prior, abs=1e-4)
        assert marginals(zero, legal)[0, 0].item() == pytest.approx(0.5, abs=1e-5)

    def test_marginals_are_sums_over_states_and_respect_the_graph(self):
        legal = states(FFPP, LOCAL)
        logits = torch.randn(8, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
        told = marginals(logits, legal, even=False)
        weight = torch.exp(logits[0] @ legal.double().T)
        torch.testing.assert_close(told[0], (weight[:, None] * legal).sum(0) / weight.sum())
        torch.testing.assert_close(forged(logits, legal, even=False), told[:, 0].logit())
        assert (told[:, :1] >= told[:, 1:4] - 1e-9).all()
        for i, feature in enumerate(LOCAL):
            parents = [1 + k for k, touched in enumerate(FFPP.values()) if feature in touched]
            assert (told[:, 4 + i] <= told[:, parents].sum(1) + 1e-9).all()


class TestFakeness:
    def test_equal_pictures_uniform_changes_and_turned_channels(self):
        real = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) / 2
        assert target(real, real).max() == 0
        torch.testing.assert_close(target(real + FLOOR, real), torch.ones(8, 8), atol=1e-4, rtol=0)
        torch.testing.assert_close(target(real + FLOOR / 2, real), torch.full((8, 8), 0.5), atol=1e-4, rtol=0)
        fake = torch.rand(3, 8, 8)
        torch.testing.assert_close(target(fake.flip(0), real.flip(0)), target(fake, real))

    def test_cosines(self):
        a = torch.rand(4, 8, 8)
        torch.testing.assert_close(cosine(a, a), torch.ones(4))
        assert cosine(a, torch.zeros_like(a)).tolist() == [0] * 4

    def test_wrong_where_altered_costs_five_times(self):
        one = torch.ones(2, 2)
        assert weighted_l1(torch.zeros(2, 2), torch.zeros(2, 2)) == 0
        assert weighted_l1(one, 0 * one) == 1
        assert weighted_l1(0 * one, one) == 5


class TestNets:
    @pytest.mark.parametrize("kind", [nets.Plain, nets.Ucf, nets.Student, nets.Locator, nets.Joint])
    def test_they_are_small_and_each_face_is_judged_for_itself(self, kind):
        net = kind().eval().requires_grad_(False)
        x = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
        both = net.score(x)
        assert both.shape == (2,)
        torch.testing.assert_close(net.score(x[1:]), both[1:], atol=1e-4, rtol=1e-4)
        assert sum(p.numel() for p in net.parameters()) * 2 < 700_000

    def test_a_map_is_as_large_as_the_face_and_attention_lies_on_it(self):
        told = nets.Locator().eval()(torch.rand(1, 3, 96, 96))
        assert told.map.shape == (1, 96, 96)
        assert 0 <= told.map.min() <= told.map.max() <= 1
        where = nets.attention()[0, 0]
        assert where[48, 48] == 1
        assert where[0].max() == where[:, 0].max() == torch.tensor(0.2)
        assert nets.Locator().eval()(torch.rand(1, 3, 77, 91)).map.shape == (1, 77, 91)

    def test_probabilities_of_labels_respect_the_graph(self):
        p = nets.Joint().eval().answers(torch.rand(3, 3, 96, 96))[1]
        assert (p[:, :1] >= p[:, 1:] - 1e-6).all()

    def test_views_are_as_those_of_training_and_small_faces_are_not_judged(self):
        image, (face,) = drawn_faces()
        assert nets.seen(image, [face]).shape == (1, 3, 96, 96)
        small = Face(tuple(v / 10 for v in face.box), tuple((x / 10, y / 10) for x, y in face.points), 1.0)
        with pytest.raises(CannotAssess, match="7 pixels apart"):
            nets.seen(image, [small])


class TestForgeries:
    def test_every_kind_changes_the_face_and_a_map_says_where(self, forgeries, chip):
        code = forgeries.atoms(chip[None])
        g = forgeries.group(chip, chip.flip(2), code, np.random.default_rng(0))
        assert g.chips.shape == (1 + len(nets.KINDS), 3, CHIP, CHIP)
        assert 0 <= g.chips.min() <= g.chips.max() <= 1
        assert (g.maps.flatten(1).amax(1) > 0).all()
        again = forgeries.group(chip, chip.flip(2), code, np.random.default_rng(0))
        assert torch.equal(again.chips, g.chips)

    def test_warps_stay_within_a_feature_and_enlargements_lose_detail(self, forgeries, chip):
        real = chip.float() / 255
        changed = (forgeries.warp(real, np.random.default_rng(2)) - real).abs().amax(0) > 0.02
        assert 0 < changed.float().mean() < 0.15
        noise = torch.rand(3, CHIP, CHIP, generator=torch.Generator().manual_seed(0))
        assert forgeries.enlarged(noise, np.random.default_rng(0)).std() < noise.std()

    def test_more_numbers_rebuild_better(self, forgeries, chip):
        code, real = forgeries.atoms(chip[None]), chip.float() / 255
        few, many = ((forgeries.decoded(real, code, k) - real).square().mean() for k in (4, 64))
        assert many < few / 2

    def test_features_lie_where_they_are_called_and_the_touched_ones_are_found(self, forgeries):
        where = forgeries.features()
        rows = [w.nonzero()[:, 0].float().mean() for w in where]
        eyes, brows, nose, mouth, _ = rows
        assert brows < eyes < nose < mouth
        assert not (where[4] & where[:4].any(0)).any()
        maps = torch.stack([where[3].float(), torch.zeros(112, 112)])
        assert forgeries.touched(maps, where).tolist() == [[False] * 3 + [True, False], [False] * 5]


class TestTraining:
    def test_faces_and_forgeries_are_cut_alike(self, training, bank):
        held = training.Bank(bank, "train")
        held.chips[:, 1:] = held.chips[:, :1]  # forgeries that are none
        b = held.batch(torch.tensor([3, 1]), torch.tensor([[1, 4], [2, 3]]), np.random.default_rng(0))
        assert b.kind.tolist() == [0, 0, 1, 2, 4, 3]
        assert torch.equal(b.x[:2], b.x[2:4])
        assert torch.equal(b.x[:2], b.x[4:])
        assert b.map[:2].max() == 0
        assert b.map[2:].amax((1, 2)).min() > 0.9

    @pytest.mark.parametrize("way", ["plain", "ucf", "lsda", "locator", "sjedd"])
    def test_a_loss_is_finite_and_reaches_every_parameter_that_ships(self, training, bank, way):
        torch.manual_seed(0)
        method, dice = training.WAYS[way](), np.random.default_rng(0)
        method.groups = 2
        if way != "plain":
            method.begin(nets.Plain())
        loss = method.loss(method.batch(training.Bank(bank, "train"), dice), torch.Generator().manual_seed(0))
        loss.backward()
        assert torch.isfinite(loss)
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in method.net.parameters())

    def test_the_students_targets_do_not_follow_the_student(self, training, bank):
        torch.manual_seed(0)
        method, dice = training.LsdaWay(), np.random.default_rng(0)
        method.groups = 2
        method.begin(nets.Plain())
        (0.0 * method.loss(method.batch(training.Bank(bank, "train"), dice), torch.Generator().manual_seed(0))).backward()
        assert all(p.grad is None for p in method.teacher.parameters())
        x = torch.rand(1, 3, 96, 96)
        torch.testing.assert_close(method.eval().net.score(x), method.net.score(x))

    def test_a_map_of_nothing_costs_nothing_where_nothing_was_altered(self, training, monkeypatch):
        method = training.LocatorWay()
        none = training.Batch(torch.zeros(2, 3, 96, 96), torch.zeros(2, dtype=torch.long), torch.zeros(2, 96, 96), torch.zeros(2, 5))
        monkeypatch.setattr(nets.Locator, "forward", lambda _, x: nets.Located(torch.full((len(x),), -40.0), torch.zeros(len(x), 96, 96)))
        assert method.loss(none, torch.Generator()).item() == pytest.approx(0, abs=1e-5)
        assert method.loss(none._replace(map=torch.ones(2, 96, 96)), torch.Generator()) > 2

    def test_faces_and_forgeries_are_degraded_alike_and_photographs_count_as_real(self, training, bank, monkeypatch):
        monkeypatch.setattr(training, "DEGRADED", 1.0)
        held, method = training.Bank(bank, "train"), training.LocatorWay()
        method.groups = 2
        held.chips[:, 1:] = held.chips[:, :1]  # forgeries that are none
        b = method.batch(held, np.random.default_rng(0))
        assert torch.equal(b.x[:2], b.x[2:4])
        assert b.kind[4:].tolist() == [0] * training.OTHERS
        assert b.map[4:].max() == 0
        x = torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0))
        for seed in range(8):
            way = training.degradation(np.random.default_rng(seed))
            assert torch.equal(way(x), way(x))
            assert 0 < (way(x) - x).abs().mean() < 0.3

    def test_a_run_goes_on_where_it_stopped_and_its_file_is_the_net(self, training, bank, tmp_path, monkeypatch):
        monkeypatch.setattr(training.PlainWay, "groups", 2)
        monkeypatch.setattr(training, "areas", lambda told: told.shape[1])
        for steps in (1, 2):
            training.train("plain", bank, None, tmp_path / "run", steps, 60)
        assert torch.load(tmp_path / "run/last.pt", weights_only=True)["step"] == 2
        training.export("plain", tmp_path / "run", bank, tmp_path / "plain.safetensors")
        from safetensors.torch import load_file

        tensors = load_file(tmp_path / "plain.safetensors")
        assert tensors.pop("real").shape == (nets.QUANTILES,)
        net = nets.Plain()
        assert not [
            k for k in net.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False).missing_keys if "num_" not in k
        ]
        x = torch.rand(1, 3, 96, 96)
        torch.testing.assert_close(net.eval().score(x), training.shipped("plain", tmp_path / "run").score(x))


@pytest.mark.parametrize("name", NAMES)
class TestCards:
    def test_each_face_alone_or_together_bytes_or_floats_grey_or_coloured(self, name):
        judged_alone_and_together(get(name))

    def test_faces_cut_off_are_not_judged(self, name):
        image, (face,) = drawn_faces()
        with pytest.raises(CannotAssess, match="50 % of this face"):
            get(name)(image[:, :, : round((face.box[0] + face.box[2]) / 2)], [face])

    def test_what_ships_is_small_and_is_not_asked_unless_named(self, name):
        (w,) = get(name).card.weights
        assert weights.find(w).stat().st_size < 700_000
        assert name not in (*tasks.offline(), *tasks.evidence())


def test_past_the_threshold_they_say_so_but_never_hint():
    real = torch.linspace(-5, 5, nets.QUANTILES)
    for score, strange in ((6.0, True), (0.0, False)):
        for f in (
            ucf._finding(score, [0.1, 0.2, 0.3, 0.4], real),
            sjedd._finding(score, [0.1] * 9, real),
            lsda._finding(score, real),
            fake_locator._finding(score, torch.full((96, 96), 0.3), real),
        ):
            (e,) = f.evidence
            assert (e.weight, e.points_to, e.llr) == ("note", None, None)
            assert ("more than 99 of 100 real portraits" in e.says) == strange
            assert f.data["rarer_than"] == pytest.approx(1 if strange else 0.5, abs=0.01)
    assert ucf._finding(0.0, [0.1, 0.2, 0.3, 0.4], real).data["kind"] == "reconstruction"


def test_the_sentence_names_the_features_that_fired():
    changes = dict.fromkeys(nets.TOUCHES, 0.1) | {"shape": 0.9}
    features = dict.fromkeys(nets.LOCALS, 0.2) | {"eyes": 0.4}
    assert sjedd.explained(changes, features) == "features of another shape, seen in eyes"
    assert sjedd.explained(changes, features | {"mouth": 0.8, "nose": 0.7}).endswith("seen in nose and mouth")
