"""Blended faces and faces as a camera leaves them: the data made for training, the mixture, and what the two cards say."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

import assay
from assay.authenticity import exif_faces as exif
from assay.authenticity import face_manipulation as manipulation
from assay.catalog import get
from assay.nets import face_traces
from assay.ops.mixture import Mixture, fitted
from assay.types import BadInput, CannotAssess, Face
from pictures import drawn_faces, found, judged_alone_and_together
from test_structure import ROOT

NAMES = ("face_manipulation-assay", "exif_faces-assay")


@pytest.fixture(scope="module")
def blends():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "recipes"))
        yield importlib.import_module("face_blends")


@pytest.fixture(scope="module")
def chip():
    image, faces = drawn_faces()
    return assay.ops.align.chips(image, faces, side=face_traces.CHIP, margin=face_traces.MARGIN)[0]


class TestMixture:
    two = Mixture(torch.tensor([0.3, 0.7]), torch.tensor([[0.0, 1], [2, -1]]), torch.tensor([[[1.0, 0], [0.5, 2]], [[0.7, 0], [-1, 0.3]]]))

    def test_the_density_is_scipys(self):
        x = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
        want = np.log(
            sum(float(p) * multivariate_normal(m.numpy(), (r @ r.T).numpy()).pdf(x.numpy()) for p, m, r in zip(*self.two, strict=True))
        )
        np.testing.assert_allclose(self.two.log_density(x).numpy(), want, rtol=1e-4)

    def test_a_fit_finds_what_points_were_drawn_from(self):
        dice = torch.Generator().manual_seed(1)
        which = torch.rand(2000, generator=dice) < 0.7
        z = torch.randn(2000, 2, generator=dice)
        x = torch.where(which[:, None], self.two.means[1] + 3 + z @ self.two.roots[1].T, self.two.means[0] - 3 + z @ self.two.roots[0].T)
        mixture = fitted(x, 2, floor=1e-4)
        order = mixture.shares.argsort()
        torch.testing.assert_close(mixture.shares[order].float(), self.two.shares, atol=0.03, rtol=0)
        torch.testing.assert_close(mixture.means[order].float(), self.two.means + torch.tensor([[-3.0], [3]]), atol=0.2, rtol=0)

    @pytest.mark.parametrize(("points", "text"), [(torch.zeros(9, 2), "all alike"), (torch.randn(3, 2), "3 points are too few")])
    def test_too_little_to_fit_is_a_sentence(self, points, text):
        with pytest.raises(CannotAssess, match=text):
            fitted(points, 2)


class TestBlends:
    def test_a_ratio_of_nothing_leaves_the_real_face(self, blends, chip):
        b = blends.blend(chip, np.random.default_rng(0), ratio=0.0)
        assert torch.equal(b.fake, b.real)

    def test_masks_lie_inside_and_reach_one_of_the_ratios(self, blends, chip):
        for seed in range(12):
            b = blends.blend(chip, np.random.default_rng(seed))
            assert b.mask.min() >= 0
            assert min(abs(float(b.mask.max()) - r) for r in blends.RATIOS) < 1e-6
            assert max(float(side.max()) for side in (b.mask[0], b.mask[-1], b.mask[:, 0], b.mask[:, -1])) == 0
            far = torch.nn.functional.interpolate(b.mask[None, None], (192, 192), mode="bilinear")[0, 0] == 0
            assert torch.equal(b.fake[:, far], b.real[:, far])

    def test_both_travel_alike_and_the_same_each_time(self, blends, chip):
        assert torch.equal(blends.travelled(chip, 5), blends.travelled(chip.clone(), 5))

    def test_every_region_lies_where_it_is_called(self, blends):
        for region, (low, high) in {1: (0.3, 0.5), 2: (0.45, 0.6), 3: (0.6, 0.75)}.items():
            rows = np.nonzero(blends.shape(np.random.default_rng(0), region))[0] / blends.HALF
            assert low < rows.mean() < high


@pytest.mark.parametrize("name", NAMES)
class TestCards:
    def test_each_face_alone_or_together_bytes_or_floats_grey_or_coloured(self, name):
        judged_alone_and_together(get(name))

    def test_small_and_cut_off_faces_are_not_judged(self, name):
        image, (face,) = drawn_faces()
        small = Face(tuple(v / 10 for v in face.box), tuple((x / 10, y / 10) for x, y in face.points), 1.0)
        with pytest.raises(CannotAssess, match="7 pixels apart"):
            get(name)(image, [small])
        half = round((face.box[0] + face.box[2]) / 2)
        with pytest.raises(CannotAssess, match="50 % of this face"):
            get(name)(image[:, :, :half], [face])

    def test_what_ships_is_small(self, name):
        (w,) = get(name).card.weights
        assert assay.weights.find(w).stat().st_size < 3_000_000


def test_a_map_covers_the_face():
    image, faces = drawn_faces()
    (f,) = get("face_manipulation-assay")(image, faces)
    assert f.map.shape == (14, 14)
    assert 0 <= float(f.map.min()) <= float(f.map.max()) <= 1


def test_an_unknown_way_is_a_sentence():
    with pytest.raises(BadInput, match="likelihood, head"):
        get("exif_faces-assay")(*drawn_faces(), by="magic")
    assert get("exif_faces-assay")(*drawn_faces(), by="head")[0].data


def test_neither_ever_speaks_for_an_origin():
    _, real = manipulation.model()
    for f in (manipulation._finding(1e9, torch.zeros(14, 14), real), exif._finding(1e9, real)):
        assert f.data["rarer_than"] == 1
        assert all(e.points_to is None for e in f.evidence)


def test_blends_of_a_held_out_portrait_look_more_blended(data, blends):
    from face_views import part, picture

    folder = found(data / "faces/portraits")
    wins = []
    for path in [p for p in sorted(folder.glob("*.jpg")) if part(p.name) == "test"][:6]:
        image = picture(path)
        face = assay.find_faces(path)[0]
        chip = assay.ops.align.chips(image, [face], side=192, margin=0.4)[0]
        b = next(b for s in range(50) if (b := blends.blend(chip, np.random.default_rng(s))).region == 0 and b.mask.max() == 1)
        net, _ = manipulation.model()
        told, _ = net(torch.nn.functional.interpolate(torch.stack([b.fake, b.real]), (112, 112), mode="bilinear"))
        wins.append(bool(told[0] > told[1]))
    assert sum(wins) >= 5
