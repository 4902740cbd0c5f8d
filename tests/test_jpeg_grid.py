"""Grid votes against their definition, and what jpeg_grid says about pictures whose history is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn
from scipy.stats import binom

from assay.authenticity.jpeg_grid import jpeg_grid
from assay.ops import dct, regions
from assay.types import CannotAssess
from files import picture
from pictures import jpeg, tensor


def votes(pixels):
    return dct.grid_votes(dct.luma8(tensor(pixels)[0]))


def ask(pixels):
    return jpeg_grid(picture(b"", pixels=np.atleast_3d(pixels)))


def overlap(finding, truth):
    found = finding.map.numpy() > 0
    return (found & truth).sum() / (found | truth).sum()


@pytest.fixture(scope="module")
def other():
    return pytest.importorskip("skimage.data").coffee()


def test_block_dct_is_the_orthonormal_one():
    x = np.random.default_rng(0).normal(size=(16, 24))
    ours = dct.block_dct(torch.from_numpy(x))
    np.testing.assert_allclose(ours[1, 2].numpy(), dctn(x[8:16, 16:24], norm="ortho"), atol=1e-12)


def test_luma_rounds_half_up_and_floats_agree():
    x = torch.randint(0, 256, (3, 40, 50), dtype=torch.uint8)
    r, g, b = x.double()
    assert torch.equal(dct.luma8(x), ((299 * r + 587 * g + 114 * b) / 1000 + 0.5).floor().byte())
    assert torch.equal(dct.luma8(x / 255), dct.luma8(x))
    assert torch.equal(dct.luma8(x[:1]), x[0])


@settings(max_examples=15, deadline=None)
@given(st.integers(15, 90), st.integers(15, 160), st.sampled_from([0, 1, 3, 40]), st.integers(0, 9))
def test_the_kernel_votes_as_the_definition(height, width, contrast, seed):
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, contrast, (height, width)) + np.linspace(0, 255, width)
    luma = torch.from_numpy(np.clip(grain, 0, 255).astype(np.uint8))
    assert torch.equal(dct.grid_votes(luma), dct.grid_votes_torch(luma))


@pytest.mark.parametrize("quality", [None, 60, 90, 98])
def test_the_kernel_votes_as_the_definition_on_a_photo(photo, quality):
    pixels = photo[:203, 150:401]
    luma = dct.luma8(tensor(jpeg(pixels, quality) if quality else pixels)[0])
    differ = (dct.grid_votes(luma) != dct.grid_votes_torch(luma)).double().mean()
    assert differ <= 1e-4  # a float32 coefficient within 1e-5 of the threshold may fall on its other side


def test_votes_do_not_depend_on_threads(photo):
    before = torch.get_num_threads()
    one_by_one = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        one_by_one.append(votes(photo[:300, :301]))
    torch.set_num_threads(before)
    assert torch.equal(*one_by_one)


def test_flat_blocks_and_borders_do_not_vote(photo):
    assert (votes(np.full((64, 64, 3), 77, np.uint8)) == dct.NONE).all()
    assert (votes(np.tile(photo[:1], (64, 1, 1))) == dct.NONE).all()
    cast = votes(photo) != dct.NONE
    assert cast.any()
    assert not cast[:7].any()
    assert not cast[-7:].any()
    assert not cast[:, :7].any()
    assert not cast[:, -7:].any()


def grown_by_hand(classes, of, radius, least):
    """Breadth first, pixel by pixel."""
    left, found = {tuple(p) for p in np.argwhere(classes == of)}, []
    while left:
        todo, region = [left.pop()], set()
        while todo:
            y, x = todo.pop()
            region.add((y, x))
            near = {(b, a) for b in range(y - radius, y + radius + 1) for a in range(x - radius, x + radius + 1)} & left
            left -= near
            todo += near
        if len(region) >= least:
            found.append(region)
    return found


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.sampled_from([0.003, 0.01, 0.02]), st.sampled_from([3, 9]))
def test_regions_grow_as_by_hand(seed, density, radius):
    rng = np.random.default_rng(seed)
    classes = np.where(rng.random((97, 131)) < density, 5, 255).astype(np.uint8)
    counts = regions.tally(classes, kinds=6, cell=radius + 1)
    assert (counts[5] == regions.per_cell(classes == 5, cell=radius + 1)).all()
    assert counts[5].sum() == (classes == 5).sum()
    ours = regions.grow(classes, [5], radius=radius, least=3, counts=counts)
    got = [{(r.y + y, r.x + x) for y, x in np.argwhere(r.mask)} for r in ours]
    assert sorted(map(sorted, got)) == sorted(map(sorted, grown_by_hand(classes, 5, radius, 3)))


@pytest.mark.parametrize(("n", "k"), [(100, 0), (100, 3), (100, 40), (10_000, 200), (100, 100), (5, 6)])
def test_the_tail_is_the_binomial(n, k):
    want = binom.logsf(k - 1, n, 1 / 64) / np.log(10)
    assert regions.log10_tail(n, k, 1 / 64) == pytest.approx(want, rel=1e-8, abs=1e-12)


def test_the_tail_goes_on_below_the_smallest_float():
    assert regions.log10_tail(100_000, 100_000, 1 / 64) == pytest.approx(-100_000 * np.log10(64))


def test_closing_fills_gaps_and_keeps_the_outline():
    mask = np.zeros((60, 60), bool)
    mask[10:20, 10:50] = mask[30:40, 10:50] = True
    shut = regions.closed(mask, 19)
    assert shut[10:40, 10:50].all()
    assert shut.sum() == 30 * 40


@pytest.mark.parametrize(
    ("history", "origin"),
    [
        (lambda a: a, None),
        (lambda a: jpeg(a, 75), [0, 0]),
        (lambda a: jpeg(a, 95), [0, 0]),
        (lambda a: jpeg(a, 75)[5:, 3:], [5, 3]),
        (lambda a: jpeg(a, 90)[5:, 3:], [5, 3]),
        (lambda a: jpeg(a, 98)[1:, :], [0, 7]),
        (lambda a: jpeg(jpeg(a, 95)[5:, 3:], 75), [0, 0]),
        (lambda a: np.asarray(Image.fromarray(jpeg(a, 85)).resize((461, 461), Image.Resampling.BICUBIC)), None),
        (lambda a: np.asarray(Image.fromarray(a[:256, :256]).resize((341, 341), Image.Resampling.BICUBIC)), None),
        (lambda a: jpeg(a, 85)[..., 1], [0, 0]),
    ],
    ids=["raw", "q75", "q95", "q75 cropped", "q90 cropped", "q98 cropped", "twice", "reduced", "enlarged by 4/3", "grey"],
)
def test_the_origin_of_the_grid(photo, history, origin):
    finding = ask(history(photo))
    assert finding.data["origin"] == origin
    assert finding.data["regions"] == []
    assert finding.map is None
    edited = [e.points_to for e in finding.evidence] == ["edited"]
    assert edited == (origin not in (None, [0, 0]))
    json.dumps(finding.data, allow_nan=False)


@pytest.fixture(scope="module")
def splice(other):
    """A part of a q80 photograph in a q85 one, off its grid; and where it is."""
    host = jpeg(pytest.importorskip("skimage.data").astronaut(), 85).copy()
    host[200:330, 300:460] = jpeg(other, 80)[103:233, 205:365]
    truth = np.zeros(host.shape[:2], bool)
    truth[200:330, 300:460] = True
    return host, truth


def test_a_splice_off_the_grid_is_found(splice):
    finding = ask(splice[0])
    assert overlap(finding, splice[1]) > 0.7
    assert finding.data["origin"] == [0, 0]
    assert [r["origin"] for r in finding.data["regions"]] == [[7, 1]]  # 300 - 205 and 200 - 103, modulo 8
    strong = finding.evidence[-1]
    assert (strong.points_to, strong.weight) == ("edited", "strong")
    assert "another JPEG grid" in strong.says
    assert finding.map_says


@pytest.mark.parametrize("quality", [75, 90])
def test_a_splice_saved_again_is_not_misjudged(splice, quality):
    finding = ask(jpeg(splice[0], quality))
    assert finding.data["origin"] == [0, 0]
    assert finding.data["regions"] == []


def test_a_part_that_never_was_jpeg_is_found(photo, splice):
    host, truth = splice[0].copy(), splice[1]
    host[truth] = photo[103:233, 205:365].reshape(-1, 3)
    finding = ask(host)
    assert overlap(finding, truth) > 0.6
    assert [r["origin"] for r in finding.data["regions"]] == [None]
    assert finding.evidence[-1].weight == "hint"


def test_a_jpeg_part_in_a_raw_picture_is_a_part_not_the_picture(photo, other):
    host = photo.copy()
    host[200:330, 300:460] = jpeg(other, 80)[103:233, 205:365]
    finding = ask(host)
    assert finding.data["origin"] is None
    assert [r["origin"] for r in finding.data["regions"]] == [[7, 1]]
    assert "the rest of the picture lacks" in finding.evidence[-1].says


def test_noise_has_no_grid():
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        soft = np.clip(128 + rng.normal(0, (0.7, 2, 10)[seed % 3], (128, 128)), 0, 255)
        finding = ask(rng.integers(0, 256, (128, 128)).astype(np.uint8) if seed % 2 else soft.astype(np.uint8))
        alarms += finding.data["origin"] is not None or bool(finding.data["regions"])
    assert alarms == 0


@pytest.mark.parametrize(
    ("pixels", "text"),
    [
        (np.full((100, 100, 3), 9, np.uint8), "flat"),
        (np.tile(np.arange(256, dtype=np.uint8), (100, 1)), "flat"),
        (np.zeros((63, 300, 3), np.uint8), "at least 64×64"),
    ],
)
def test_what_cannot_be_assessed_says_so(pixels, text):
    with pytest.raises(CannotAssess, match=text):
        ask(pixels)


def test_kodak(data):
    files = sorted((data / "pristine/kodak").glob("*.png"))[::6]
    if not files:
        pytest.skip("no Kodak photographs")
    for file in files:
        pixels = np.asarray(Image.open(file).convert("RGB"))
        histories = {"raw": (pixels, None), "q75": (jpeg(pixels, 75), [0, 0]), "crop": (jpeg(pixels, 90)[5:, 3:], [5, 3])}
        for name, (pixels, origin) in histories.items():
            finding = ask(pixels)
            assert (file.name, name, finding.data["origin"], finding.data["regions"]) == (file.name, name, origin, [])
