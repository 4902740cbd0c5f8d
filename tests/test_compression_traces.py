"""Traces of earlier JPEG saves, on pictures whose history is known."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from assay import kernels
from assay.authenticity.double_quantisation import double_quantisation
from assay.authenticity.jpeg_ghosts import jpeg_ghosts
from assay.authenticity.nonaligned_jpeg import nonaligned_jpeg
from assay.io.decode import read
from assay.ops import doublejpeg, jpegcoefficients, jpegshift, jpegtables
from assay.types import AssayError, CannotAssess
from files import damaged, encoded, picture, scene, survives
from pictures import jpeg

CUES = [double_quantisation, nonaligned_jpeg, jpeg_ghosts]


def ask(fn, data):
    finding = fn(read(data))
    json.dumps(finding.data, allow_nan=False)
    assert finding.data["statistic"] >= 0
    assert finding.evidence
    return finding


def alarmed(finding):
    return [e.weight for e in finding.evidence if e.points_to == "edited"]


def overlap(finding, truth):
    found = np.repeat(np.repeat(finding.map.numpy() > 0.5, 8, 0), 8, 1)[: truth.shape[0], : truth.shape[1]]
    return (found & truth).sum() / (found | truth).sum()


@pytest.fixture(scope="module")
def other():
    return np.asarray(pytest.importorskip("skimage.data").coffee())


@pytest.fixture(scope="module")
def truth():
    mask = np.zeros((512, 512), bool)
    mask[200:328, 296:456] = True
    return mask


def pasted(host, part, truth):
    out = host.copy()
    out[truth] = part.reshape(-1, 3)
    return out


def test_coefficients_are_what_the_file_holds(photo):
    data = encoded(photo, quality=75)
    file = jpegcoefficients.luma(data)
    assert tuple(file.steps.ravel()) == jpegtables.scaled(jpegtables.LUMA, 75)
    pixels = np.asarray(Image.fromarray(photo).convert("L"), float)[8:16, 16:24]
    assert np.abs(file.coefficients[1, 2] * file.steps - dctn(pixels - 128, norm="ortho")).max() < 0.6 * file.steps.max()


@pytest.mark.parametrize(("first", "second"), [(60, 90), (75, 90), (85, 95), (50, 75)])
def test_the_first_table_is_recovered(photo, first, second):
    finding = ask(double_quantisation, encoded(jpeg(photo, first), quality=second))
    want = jpegtables.scaled(jpegtables.LUMA, first)
    found = finding.data["frequencies"]
    assert sum(f["first_step"] == want[8 * f["row"] + f["column"]] for f in found[:6]) >= 5
    assert finding.data["first_quality"] == first
    assert not alarmed(finding)
    assert finding.data["regions"] == []


@pytest.mark.parametrize("quality", [50, 75, 90, 97])
def test_a_single_save_shows_no_other(photo, quality):
    for fn in CUES:
        finding = ask(fn, encoded(photo, quality=quality))
        assert not alarmed(finding), fn.__name__
        assert finding.map is None
    assert ask(double_quantisation, encoded(photo, quality=quality)).data["frequencies"] == []


def test_a_part_younger_than_the_first_save_is_found(photo, other, truth):
    data = encoded(pasted(jpeg(photo, 70), other[100:228, 100:260], truth), quality=90)
    finding = ask(double_quantisation, data)
    assert alarmed(finding) == ["hint"]
    assert overlap(finding, truth) > 0.6
    r = finding.data["regions"][0]
    assert abs(r["x"] - 296) <= 24
    assert abs(r["y"] - 200) <= 24


def test_clipped_blocks_are_no_forgery(photo):
    bright = np.clip(photo.astype(int) * 2, 0, 255).astype(np.uint8)
    assert not alarmed(ask(double_quantisation, encoded(jpeg(bright, 60), quality=90)))


def test_a_crop_between_two_saves_is_found_with_its_shift(photo):
    finding = ask(nonaligned_jpeg, encoded(jpeg(photo, 70)[3:, 2:], quality=90))
    assert finding.data["origin"] == [6, 5]
    assert alarmed(finding) == ["hint"]
    assert finding.data["share"] > 0.4


def test_a_part_of_another_jpeg_is_found_by_its_grid(photo, other):
    host = other.copy()
    host[60:340, 203:503] = jpeg(photo, 70)[101:381, 98:398]
    finding = ask(nonaligned_jpeg, encoded(host, quality=95))
    assert finding.data["origin"] == [(203 - 98) % 8, (60 - 101) % 8]
    truth = np.zeros(host.shape[:2], bool)
    truth[60:340, 203:503] = True
    assert (overlap(finding, truth) > 0.5) or (overlap(finding, ~truth) > 0.5)  # where half is another picture, none is the host


def test_mirrored_grids_lie_on_the_other_side():
    assert jpegshift.mirrored(8 * 3 + 2) == 8 * 5 + 6
    assert jpegshift.mirrored(3) == 5
    assert all(jpegshift.mirrored(g) not in (0, g) for g in range(1, 64) if g not in (4, 32))


@pytest.mark.parametrize("second", [90, 85])
def test_a_part_of_lower_quality_is_a_ghost(photo, other, second):
    host, truth = other.copy(), np.zeros(other.shape[:2], bool)
    truth[200:328, 296:456] = True
    host[truth] = jpeg(photo, 60)[96:224, 96:256].reshape(-1, 3)
    finding = ask(jpeg_ghosts, encoded(host, quality=second))
    assert alarmed(finding) == ["hint"]
    assert abs(finding.data["quality"] - 60) <= 5
    assert overlap(finding, truth) > 0.4


def test_ghosts_are_found_in_pictures_of_any_format(photo, other, truth):
    data = encoded(pasted(photo, jpeg(other, 60)[96:224, 96:256], truth), "PNG")
    assert ask(jpeg_ghosts, data).data["origin"] == [0, 0]
    assert not alarmed(ask(jpeg_ghosts, encoded(photo, "PNG")))


def test_models_are_probabilities():
    once = doublejpeg.density(np.random.default_rng(0).laplace(0, 12, 20_000).astype(np.float32))
    assert once.sum() == pytest.approx(1)
    single, twice = doublejpeg.models(once, 3)
    assert single.sum() == pytest.approx(1)
    assert np.allclose(twice.sum(1), 1, atol=1e-6)
    assert np.allclose(twice[0], single, atol=1e-6)  # a first step of 1 leaves nothing


@pytest.mark.parametrize("step", [1, 2, 3, 7])
@pytest.mark.parametrize("first", [5, 9, 16])
def test_the_first_step_of_known_numbers(first, step):
    rng = np.random.default_rng(1)
    values = rng.laplace(0, 25, 6000)
    once = doublejpeg.density(rng.laplace(0, 25, 20_000).astype(np.float32))
    twice = np.rint((np.rint(values / first) * first + rng.normal(0, 0.4, 6000)) / step).astype(np.int16)
    if first > step:
        assert doublejpeg.fit(twice, step, once).first == first
    assert doublejpeg.fit(np.rint(values / step).astype(np.int16), step, once).gain < 15


@pytest.mark.parametrize("fn", CUES)
def test_what_cannot_be_assessed_says_so(fn):
    grey = encoded(scene()[..., 0], quality=80)
    assert fn(read(grey)).data["statistic"] >= 0
    with pytest.raises(CannotAssess, match="pixels; this picture has"):
        fn(read(encoded(np.zeros((40, 300, 3), np.uint8))))
    flat = encoded(np.full((300, 301, 3), 90, np.uint8))
    if fn is jpeg_ghosts:
        with pytest.raises(CannotAssess, match="flat"):
            fn(read(flat))
    else:
        assert not alarmed(fn(read(flat)))
        with pytest.raises(CannotAssess, match="JPEG file"):
            fn(read(encoded(scene(), "PNG")))
    cmyk = Image.fromarray(scene()).convert("CMYK")
    with_cmyk = saved(cmyk)
    if fn is jpeg_ghosts:
        assert fn(read(with_cmyk)).data["statistic"] >= 0
    else:
        with pytest.raises(CannotAssess, match="CMYK"):
            fn(read(with_cmyk))


def saved(image):
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


@pytest.mark.parametrize("fn", CUES)
def test_damaged_files_get_an_answer_or_a_sentence(fn):
    data = encoded(scene(), quality=85, progressive=True)
    for broken in damaged(data, seed=3, count=12):
        try:
            of = read(broken)
        except AssayError:
            of = picture(broken, pixels=scene())
        survives(fn, of)


def test_clean_photographs(data):
    files = sorted((data / "pristine/kodak").glob("*.png"))[::8]
    if not files:
        pytest.skip("no Kodak photographs")
    for file in files:
        pixels = np.asarray(Image.open(file).convert("RGB"))
        for quality in (90, 75):
            for fn in CUES:
                assert not alarmed(ask(fn, encoded(pixels, quality=quality))), (file.name, quality, fn.__name__)
        assert not alarmed(ask(double_quantisation, encoded(jpeg(pixels, 60), quality=90)))


def test_the_kernel_counts_what_the_definition_counts():
    if kernels.library() is None:
        pytest.skip("the kernels are not built")
    part = np.random.default_rng(0).integers(0, 256, (23, 300), np.uint8)  # more than one tile across
    part[:, 150:] = part[:, 150:] // 64 * 64
    fast, slow = jpegshift.counted(part), jpegshift.counted_numpy(part)
    means = 64 * jpegshift.MEANS
    assert fast.sum() == slow.sum() == 16 * 293 * len(jpegshift.FREQUENCIES)
    assert (fast[:means] == slow[:means]).all()
    assert np.abs(fast - slow).sum() <= 1e-3 * fast.sum()  # a value that is half a step may fall to either side
