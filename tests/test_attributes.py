"""The photographic attributes read what was put in: known noise, blur, grids, enlargements, clipping, bands and colours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from assay.catalog import get, map_of
from assay.ops.photo import areas, luma, patches, strips
from assay.types import CannotAssess
from pictures import blur, found, jpeg, noise, tensor

ALL = (
    "banding",
    "blockiness",
    "brightness",
    "colourfulness",
    "contrast",
    "noise",
    "overexposure",
    "resolution",
    "sharpness",
    "underexposure",
)
FLAT = {"banding": 0, "blockiness": 0, "colourfulness": 0, "contrast": 0, "noise": 0, "overexposure": 0, "underexposure": 0}


def read(name, a):
    return float(get(name)(tensor(a))[0])


@pytest.fixture(scope="module")
def photo_256():
    return pytest.importorskip("skimage.data").astronaut()[100:356, 100:356]


@pytest.fixture(scope="module")
def coffee():
    return pytest.importorskip("skimage.data").coffee()


def enlarged(a, factor, kernel):
    im = Image.fromarray(a)
    return np.asarray(im.resize((round(im.width * factor), round(im.height * factor)), kernel))


def sky(bits):
    """A 600×400 gradient of three channels, kept in so many bits."""
    y, x = np.mgrid[0:400, 0:600]
    smooth = np.stack([90 + 0.15 * y, 130 + 0.17 * y + 0.01 * x, 190 + 0.12 * y], -1)
    q = 256 >> bits
    return (np.floor(smooth / q) * q).astype(np.uint8)


@pytest.mark.parametrize(("name", "want"), FLAT.items())
def test_a_flat_image_has_an_answer(name, want):
    assert read(name, np.full((160, 160, 3), 128, np.uint8)) == want


@pytest.mark.parametrize("name", ["sharpness", "resolution"])
def test_a_flat_image_has_no_edges_to_judge(name):
    with pytest.raises(CannotAssess):
        read(name, np.full((160, 160, 3), 128, np.uint8))


@pytest.mark.parametrize("name", ALL)
def test_grey_is_one_channel_or_three_equal_ones(name, photo_256):
    grey = photo_256[..., 1:2]
    assert read(name, grey) == pytest.approx(read(name, np.repeat(grey, 3, axis=2)), abs=1e-3)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [(129, 517), (530, 131)])
def test_odd_sizes(name, size, coffee):
    a = np.asarray(Image.fromarray(coffee).resize(size))
    card = get(name).card
    assert np.isfinite(read(name, a))
    if card.map:
        assert map_of(get(name))(tensor(a)).isfinite().all()


def test_brightness_is_the_mean_luma(coffee):
    assert read("brightness", coffee) == pytest.approx(float(coffee.mean((0, 1)) @ [0.299, 0.587, 0.114]), abs=0.05)  # whole-number weights


@pytest.mark.parametrize("sigma", [2, 5, 10, 20, 30])
def test_noise_reads_the_noise_that_was_added(sigma, coffee):
    assert read("noise", noise(coffee, sigma)) == pytest.approx(sigma, rel=0.1, abs=0.5)


@pytest.mark.parametrize("sigma", [2, 5, 10, 20, 30])
def test_noise_holds_on_photographs(sigma, data):
    for path in sorted(found(data / "pristine/kodak").glob("*.png"))[::4]:
        a = np.asarray(Image.open(path))
        want = np.hypot(sigma, read("noise", a))  # the photograph's own grain is in it too
        assert read("noise", noise(a, sigma)) == pytest.approx(want, rel=0.05, abs=0.2)


def test_texture_is_not_noise(photo_256):
    assert read("noise", photo_256) < 2.5
    assert read("noise", blur(photo_256, 1)) < 0.6


def test_half_burnt_noise_is_measured_in_the_other_half():
    grain = noise(np.full((128, 256, 3), 128, np.uint8), 12)
    grain[:, :128] = 255
    assert read("noise", grain) == pytest.approx(12, rel=0.08)


@pytest.mark.parametrize("sigma", [1, 1.5, 2, 3, 4, 6])
def test_sharpness_reads_the_blur_that_was_added(sigma, coffee):
    assert read("sharpness", blur(coffee, sigma)) == pytest.approx(np.hypot(sigma, read("sharpness", coffee)), rel=0.25)


@pytest.mark.parametrize("grain", [2, 5, 10, 20])
def test_sharpness_is_not_moved_far_by_noise(grain, coffee):
    assert read("sharpness", noise(blur(coffee, 2), grain)) == pytest.approx(2, rel=0.3)


def test_a_soft_background_is_not_blur(coffee):
    bokeh = blur(coffee, 5)
    bokeh[150:300, 200:400] = coffee[150:300, 200:400]
    assert read("sharpness", bokeh) < 1 < read("sharpness", blur(coffee, 5))


def test_low_contrast_is_not_blur(coffee):
    assert read("sharpness", (100 + coffee * 0.25).astype(np.uint8)) == pytest.approx(read("sharpness", coffee), abs=0.2)


def test_the_sharpness_map_is_bright_in_focus(coffee):
    half = blur(coffee, 4)
    half[:, :300] = coffee[:, :300]
    m = map_of(get("sharpness"))(tensor(half))[0]
    assert m.shape == (50, 75)
    assert m[:, :37].mean() > 3 * m[:, 38:].mean()


def test_blockiness_rises_as_jpeg_quality_falls(coffee):
    seen = [read("blockiness", coffee), *(read("blockiness", jpeg(coffee, q)) for q in (90, 70, 50, 30, 10))]
    assert seen == sorted(seen)
    assert seen[0] < 0.3
    assert seen[-1] > 2


def test_the_grid_may_start_anywhere(coffee):
    coded = jpeg(coffee, 20)
    assert read("blockiness", coded[3:, 5:]) == pytest.approx(read("blockiness", coded), rel=0.1)
    columns = map_of(get("blockiness"))(tensor(coded[:, 5:]))[0].sum(0)
    assert int(columns.view(-1)[:592].reshape(-1, 8).sum(0).argmax()) == 3  # 8 − 5


def test_noise_has_no_grid():
    assert read("blockiness", noise(np.full((256, 256, 3), 128, np.uint8), 20)) < 0.3


@pytest.mark.parametrize(("name", "level"), [("overexposure", 255), ("underexposure", 0)])
def test_clipped_areas_count_and_points_do_not(name, level):
    grey = np.full((256, 256, 3), 128, np.uint8)
    points = grey.copy()
    points[::8, ::8] = level
    assert read(name, points) == 0
    area = grey.copy()
    area[:64, :128] = level
    assert read(name, area) == pytest.approx(12.5)
    marked = map_of(get(name))(tensor(area))[0]
    assert marked[:64, :128].all()
    assert marked.sum() == 64 * 128


def test_areas_are_an_opening():
    ndimage = pytest.importorskip("scipy.ndimage")
    mask = np.random.default_rng(1).random((257, 700)) < 0.9
    x = torch.from_numpy(mask.astype(np.uint8) * 255)[None]
    want = ndimage.binary_opening(mask, np.ones((3, 3)))
    assert np.array_equal(areas(x, lambda t: luma(t) > 128).numpy() > 0, want)


def test_contrast_is_scikit_images_range(coffee):
    y = (coffee @ [0.299, 0.587, 0.114]).astype(np.float32)
    low, high = np.percentile(y, (1, 99))
    assert read("contrast", coffee) == pytest.approx(high - low, abs=1.5)


def test_colourfulness_is_the_papers_formula(coffee):
    r, g, b = coffee.astype(float).transpose(2, 0, 1)
    rg, yb = r - g, (r + g) / 2 - b
    want = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert read("colourfulness", coffee) == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("bits", [6, 5, 4])
def test_a_coarse_sky_is_banded(bits):
    assert read("banding", sky(bits)) > 80


def test_what_is_not_banding(coffee):
    y, x = np.mgrid[0:256, 0:256]
    panels = np.where((x // 64 + y // 64) % 2, 120, 128).astype(np.uint8)[..., None]  # flat, small steps, up and down
    for a in (sky(8), coffee, noise(coffee, 10), noise(sky(5), 5), panels):
        assert read("banding", a) < 3


def test_photographs_are_not_banded(data):
    for path in sorted(found(data / "pristine/kodak").glob("*.png"))[::3]:
        assert read("banding", np.asarray(Image.open(path))) == 0


@pytest.mark.parametrize("kernel", [Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("factor", [1.5, 2, 3])
def test_an_enlargement_uses_that_much_less(factor, kernel, data):
    for path in sorted(found(data / "pristine/kodak").glob("*.png"))[::8]:
        a = np.asarray(Image.open(path))
        assert read("resolution", a) >= 90
        assert read("resolution", enlarged(a, factor, kernel)) == pytest.approx(100 / factor, abs=8)


def test_enlarged_astronaut(photo_256):
    assert read("resolution", photo_256) > 85
    assert read("resolution", enlarged(photo_256, 2, Image.Resampling.BICUBIC)) == pytest.approx(50, abs=8)


def test_strips_and_patches_cover_a_picture():
    x = torch.arange(7 * 130 * 200).view(7, 130, 200)
    assert torch.equal(torch.cat(list(strips(x)), dim=1), x)
    assert set(patches(x, side=64).unique().tolist()) == set(range(x.numel()))
    assert len(patches(torch.zeros(1, 4000, 3000), side=64, most=1 << 18)) <= 80
