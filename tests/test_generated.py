"""The detector of generated pictures: its pairs leak nothing, its net is what was trained, its words follow its numbers."""

from __future__ import annotations

import importlib
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from assay.authenticity.generated import CELLS, CROPS, LARGE, generated_assay
from assay.nets.generated import SIDE, Generated, loaded, residuals
from assay.types import CannotAssess
from files import picture

ROOT = Path(__file__).parent.parent


def ask(pixels):
    return generated_assay(picture(b"", pixels=np.atleast_3d(pixels)))


@pytest.fixture
def recipe(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "recipes")
    return importlib.import_module


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    net = Generated(norm=True).train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(4, 3, SIDE, SIDE))
    return net.eval()


def test_residuals_see_no_content():
    assert not residuals(torch.full((1, 3, 20, 20), 0.4)).any()
    ramp = (torch.arange(20.0) / 40).expand(1, 3, 20, 20)
    assert residuals(ramp)[..., 1:-1].abs().max() < 1e-3
    x = torch.rand(1, 3, 24, 24)
    torch.testing.assert_close(residuals(x.flip(3)), residuals(x).flip(3))
    assert residuals(x).abs().max() <= 1


def test_the_logit_is_the_mean_of_its_places(trained):
    with torch.no_grad():
        seen = trained(torch.rand(2, 3, SIDE, SIDE))
    assert seen.places.shape == (2, SIDE // 8, SIDE // 8)
    torch.testing.assert_close(seen.logit, seen.places.mean((1, 2)))


def test_folding_changes_nothing(recipe, trained):
    x = torch.rand(3, 3, SIDE, SIDE)
    with torch.no_grad():
        torch.testing.assert_close(recipe("generated").folded(trained)(x).logit, trained(x).logit, atol=1e-5, rtol=1e-4)


def test_pairs_that_are_equal_stay_equal(recipe, photo):
    """The leak test: a reconstruction that changes nothing must not be told apart, whatever is drawn."""
    made = recipe("generated")
    crops = np.stack([photo[y : y + 192, x : x + 192].transpose(2, 0, 1) for y in (0, 150, 300) for x in (10, 310)])
    bank = [crops, crops]
    dice = random.Random(0)
    rows = [(i % len(crops), 1) for i in range(60)]
    draws = [made.draw(dice) for _ in rows]
    both = made.pairs(bank, rows, draws)
    assert both.shape == (120, 3, SIDE, SIDE)
    assert torch.equal(both[:60], both[60:])
    assert torch.equal(made.pairs(bank, rows, draws), both)
    assert {d.codec for d in draws} == {"", "JPEG", "WEBP"}


def test_every_decoder_gives_a_picture_of_the_same_size(recipe, photo):
    made = recipe("reconstructions")
    x = torch.from_numpy(np.stack([photo[:224, :224], photo[200:424, 200:424]])).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        for kind in made.KINDS:
            code = made.Code(x, kind.stride, kind.code, min(kind.words, 16))
            got = made.decoded(kind, code, made.Decoder(kind), code(x, torch.Generator().manual_seed(0)))
            assert got.shape == x.shape, kind
        for maker in (made.linear(x, 0), made.linear(x, 3), made.enlarge(x, 1)):
            got = maker(x, 0)
            assert got.shape == x.shape
            assert -10 * (got - x).square().mean().log10() > 18
    assert {made.part(f"{i}.png") for i in range(30)} == {"test", "validate", "train"}


def test_a_harmonised_reconstruction_has_the_photographs_spectrum(recipe, photo):
    made = recipe("reconstructions")
    for share in made.SHARES:
        assert (made.harmonised(photo[:192, :192], photo[:192, :192], share) == photo[:192, :192]).all()
    square = np.random.default_rng(0).integers(0, 256, (192, 192, 3)).astype(np.uint8)
    square = np.asarray(Image.fromarray(square).filter(ImageFilter.GaussianBlur(0.6)))
    blurred = np.asarray(Image.fromarray(square).filter(ImageFilter.GaussianBlur(0.5)))

    def fine(a):
        return np.log((np.abs(np.fft.fft2(a[..., 1].astype(float)))[40:80, 40:80] ** 2).mean())

    assert fine(square) - fine(blurred) > 1
    assert abs(fine(square) - fine(made.harmonised(square, blurred))) < 0.2


def test_what_was_saved_before_is_saved_again(recipe, photo, tmp_path):
    folder = tmp_path / "pristine/camera"
    folder.mkdir(parents=True)
    Image.fromarray(photo).save(folder / "a.jpg", quality=93, subsampling=0)
    found = recipe("reconstructions").crops(folder / "a.jpg")
    assert [square.shape for square, _ in found] == [(224, 224, 3)] * 3
    plain, same = found[0]
    assert np.abs(same(plain).astype(int) - plain).mean() < 1
    assert same(plain).tolist() != plain.tolist()
    reduced, keep = found[1]
    assert keep(reduced) is reduced


def test_a_run_and_its_export(recipe, photo, tmp_path):
    made = recipe("generated")
    crops = np.stack([photo[y : y + 192, :192].transpose(2, 0, 1) for y in (0, 100, 200)])
    for part in ("train", "validate"):
        (tmp_path / part).mkdir()
        np.save(tmp_path / part / "photograph.npy", crops)
        np.save(tmp_path / part / "other.npy", np.roll(crops, 1, axis=3))
    made.PAIRS, before = 2, made.PAIRS
    try:
        made.train(tmp_path, tmp_path / "run", 2, 1)
        made.train(tmp_path, tmp_path / "run", 2, 1, positive=True)
    finally:
        made.PAIRS = before
    kept = torch.load(tmp_path / "run/positive.pt", weights_only=True)
    assert kept["net"]["head.weight"].min() >= 0
    made.export(tmp_path / "run", tmp_path / "net.safetensors", positive=False)
    assert (tmp_path / "net.safetensors").stat().st_size < 3 << 20


def test_what_ships_is_declared_and_small():
    net = loaded()
    assert sum(p.numel() for p in net.parameters()) == 128_033
    assert all(p.isfinite().all() for p in net.parameters())


def test_a_finding(photo):
    finding = ask(photo[:200, :300])
    assert finding.data["crops"] == 12
    assert finding.map.shape == (3 * CELLS, 4 * CELLS)
    assert finding.data == ask(photo[:200, :300]).data
    assert finding.evidence[0].points_to == ("generated" if finding.data["statistic"] > LARGE else None)
    json.dumps(finding.data, allow_nan=False)
    assert finding.map_says


def test_threads_and_depth_do_not_matter(photo):
    told = ask(photo[:96, :192]).data["statistic"]
    assert ask(photo[:96, :192].astype(np.float32) / 255).data["statistic"] == pytest.approx(told, abs=1e-3)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert ask(photo[:96, :192]).data["statistic"] == pytest.approx(told, abs=1e-3)
    torch.set_num_threads(before)


def test_grey_and_large_pictures(photo):
    assert ask(photo[:120, :120, 1]).data["crops"] == 4
    large = np.tile(photo, (3, 4, 1))
    finding = ask(large)
    assert CROPS <= finding.data["crops"] <= CROPS + 9  # rows and columns are rounded up


@pytest.mark.parametrize(("pixels", "text"), [(np.full((200, 200, 3), 9, np.uint8), "flat"), (np.zeros((95, 300, 3), np.uint8), "smaller")])
def test_what_cannot_be_assessed_says_so(pixels, text):
    with pytest.raises(CannotAssess, match=text):
        ask(pixels)
