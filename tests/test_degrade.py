"""Every degradation keeps the promises of the bank, and does what its physics says."""

from __future__ import annotations

import io
from itertools import pairwise
from math import degrees, exp, hypot, pi

import numpy as np
import pytest
import torch
from PIL import Image, features
from scipy.ndimage import gaussian_filter

from assay.catalog import get, index
from assay.degrade.chain import chain
from assay.degrade.local_patches import patches_mask
from assay.ops.degrading import recoded, to_linear, to_srgb
from assay.types import BadInput, CannotAssess
from pictures import tensor

NAMES = [n for n, row in index().items() if row["answers"] == "alter" and row["at"].startswith("assay.degrade.")]
CODECS = {"jpeg", "jpeg2000", "webp", "avif"}
STEPPED = CODECS | {"palette"}  # no gradient
COLOURED = {"desaturate", "oversaturate", "colour_cast", "colour_noise", "chromatic_aberration"}  # leave grey as it is
HARMLESS = {  # the level that changes nothing, where there is one other than 0
    **{"jpeg": None, "jpeg2000": None, "webp": None, "avif": None, "palette": None, "poisson_noise": None},
    **{"downscale": 1, "pixelate": 1, "posterize": 8, "ringing": 100},
}
RANDOM = [n for n in NAMES if n in {"gaussian_noise", "poisson_noise", "salt_and_pepper", "speckle", "colour_noise", "glass"}]
RANDOM += ["block_loss", "row_jitter", "local_patches"]


def damage(name, x, level=None, /, **knobs):
    """The picture at a level; the middle one of the card if none is named."""
    fn = get(name)
    level = fn.card.levels[len(fn.card.levels) // 2] if level is None else level
    return fn(x, **{fn.card.knob: level}, **knobs)


def mse(a, b):
    return float((a.double() - b.double()).square().mean())


@pytest.fixture(scope="module")
def photos():
    data = pytest.importorskip("skimage.data", reason="needs the demo extra: pip install assay[demo]")
    return {"coffee": tensor(data.coffee()[100:292, 200:393]), "chelsea": tensor(data.chelsea()[40:232, 100:293])}


@pytest.fixture(scope="module")
def small(photos):
    return photos["coffee"][..., :61, :83].contiguous()


def flat(value=0.5, side=256, channels=3):
    return torch.full((1, channels, side, side), value)


def test_the_bank_is_full():
    assert len(NAMES) >= 28


# What holds for every card


@pytest.mark.parametrize("name", NAMES)
def test_a_card_has_five_levels_that_differ(name):
    card = get(name).card
    assert card.takes == ("image",)
    assert len(card.levels) >= 5
    assert sorted(set(card.levels)) in (list(card.levels), list(card.levels)[::-1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("photo_name", ["coffee", "chelsea"])
def test_a_higher_level_damages_more(name, photo_name, photos):
    x = photos[photo_name]
    errors = [mse(damage(name, x, level), x) for level in get(name).card.levels]
    assert errors[0] > 0
    assert all(b > 1.05 * a for a, b in pairwise(errors)), errors


@pytest.mark.parametrize("name", NAMES)
def test_levels_run_from_slight_to_severe(name, photos):
    worst = min(1e4 / mse(damage(name, x, get(name).card.levels[-1]), x) for x in photos.values())
    first = [255**2 / mse(damage(name, x, get(name).card.levels[0]), x) for x in photos.values()]
    assert worst < 100  # an error of 10 steps of 255 at the least
    assert min(first) > 10**2.2  # 22 dB


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.float16], ids=str)
def test_shape_type_and_range_stay(name, dtype, small):
    x = small if dtype == torch.uint8 else (small / 255).to(dtype)
    before = x.clone()
    for level in (get(name).card.levels[0], get(name).card.levels[-1]):
        y = damage(name, x, level)
        assert y.shape == x.shape
        assert y.dtype == x.dtype
        assert y.device == x.device
        assert float(y.min()) >= 0
        assert float(y.max()) <= (255 if dtype == torch.uint8 else 1)
    assert torch.equal(x, before), "the input was changed"


@pytest.mark.parametrize("name", NAMES)
def test_bytes_and_floats_agree(name, small):
    for level in get(name).card.levels:
        of_bytes, of_floats = damage(name, small, level) / 255, damage(name, small / 255, level)
        assert float((of_bytes - of_floats).abs().max()) <= 1.01 / 255


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_its_items(name, photos):
    x = torch.cat([photos["coffee"], photos["chelsea"], photos["coffee"].flip(-1)])[..., :61, :83]
    one_by_one = torch.cat([damage(name, item[None]) for item in x])
    assert torch.equal(damage(name, x), one_by_one)


@pytest.mark.parametrize("name", NAMES)
def test_twice_is_the_same(name, small):
    torch.manual_seed(1)
    first = damage(name, small)
    torch.manual_seed(2)
    assert torch.equal(damage(name, small), first)


@pytest.mark.parametrize("name", RANDOM)
def test_another_seed_is_another_damage(name, photos):
    x = photos["chelsea"]
    assert torch.equal(damage(name, x, seed=3), damage(name, x, seed=3))
    assert not torch.equal(damage(name, x, seed=3), damage(name, x, seed=4))


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_of_torch_is_left_alone(name, small):
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    damage(name, small)
    assert torch.equal(torch.rand(3), want)


@pytest.mark.parametrize("name", NAMES)
def test_grey_works(name, photos):
    x = photos["chelsea"][:, 1:2]
    y = damage(name, x, get(name).card.levels[-1])
    assert y.shape == x.shape
    assert torch.equal(x, y) == (name in COLOURED)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(8, 8), (1, 1), (1, 40), (33, 7)], ids=str)
def test_small_pictures_work_or_say_why(name, size, photos):
    h, w = size
    for level in (get(name).card.levels[0], get(name).card.levels[-1]):
        for x in (photos["chelsea"][..., :h, :w], photos["chelsea"][:, :1, :h, :w]):
            if name == "chromatic_aberration" and level > max(hypot(h - 1, w - 1) / 2, 1) / 4:
                with pytest.raises(BadInput, match=f"px in a picture of {w}×{h}"):
                    damage(name, x, level)
            else:
                assert damage(name, x, level).shape == x.shape


@pytest.mark.parametrize("name", [n for n in NAMES if HARMLESS.get(n, 0) is not None])
def test_the_harmless_level_changes_nothing(name, small):
    level = HARMLESS.get(name, 0)
    assert torch.equal(damage(name, small, level), small)
    if name != "posterize":  # floats hold more than 8 bits
        x = torch.rand(1, 3, 17, 23)
        torch.testing.assert_close(damage(name, x, level), x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [1e9, -1e9, float("nan")], ids=str)
def test_absurd_levels_are_sentences(name, level, small):
    with pytest.raises(BadInput, match=f"{get(name).card.knob} must lie between .* and .*; got"):
        damage(name, small, level)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("make", "text"),
    [(lambda x: x.float(), "Divide 8-bit data by 255"), (lambda x: x[0], r"x\[None\]"), (lambda x: x.int(), "uint8")],
    ids=["0..255 floats", "no batch", "int32"],
)
def test_wrong_pictures_are_sentences(name, make, text, small):
    with pytest.raises(BadInput, match=text):
        damage(name, make(small))


@pytest.mark.parametrize("name", ["smear", "jpeg", "webp", "avif", "posterize", "palette", "pixelate"])
def test_whole_knobs_take_no_fractions(name, small):
    with pytest.raises(BadInput, match=r"must be a whole number; got 2\.5"):
        damage(name, small, 2.5)


@pytest.mark.parametrize(
    ("name", "knobs", "text"),
    [
        ("jpeg", {"subsampling": "4:1:0"}, "subsampling must be 4:2:0"),
        ("avif", {"subsampling": "4:1:0"}, "subsampling must be 4:2:0"),
        ("downscale", {"kernel": "lanczos"}, "kernel must be bicubic"),
        ("local_patches", {"shape": "star"}, "shape must be rectangle or ellipse"),
        ("local_patches", {"damage": "psnr"}, "must name another degradation"),
        ("local_patches", {"damage": "local_patches"}, "must name another degradation"),
        ("local_patches", {"damage": "gausian_blur"}, "did you mean gaussian_blur"),
    ],
    ids=str,
)
def test_wrong_choices_are_sentences(name, knobs, text, small):
    with pytest.raises(BadInput, match=text):
        damage(name, small, **knobs)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in STEPPED])
@pytest.mark.parametrize("case", ["photo", "black", "white", "grey"])
def test_gradients_are_finite(name, case, small):
    values = {"photo": small / 255, "black": torch.zeros(1, 3, 40, 40), "white": torch.ones(1, 3, 40, 40), "grey": flat(side=40)}
    x = values[case].clone().requires_grad_()
    damage(name, x).sum().backward()
    assert x.grad.isfinite().all()
    if case == "photo":
        assert float(x.grad.abs().max()) > 0


@pytest.mark.parametrize("name", [n for n in NAMES if n not in STEPPED | {"posterize", "poisson_noise"}])  # these two by design pass it on
def test_the_gradient_is_the_slope(name, small):
    generator = torch.Generator().manual_seed(3)
    x, way, weight = (f(small.shape, generator=generator, dtype=torch.double) for f in (torch.rand, torch.randn, torch.randn))
    x = x * 0.8 + 0.1
    start = x.clone().requires_grad_()
    (damage(name, start) * weight).sum().backward()
    step = 1e-7
    slope = float(((damage(name, x + step * way) - damage(name, x - step * way)) * weight).sum() / (2 * step))
    assert float((start.grad * way).sum()) == pytest.approx(slope, rel=1e-3, abs=0.05)


@pytest.mark.parametrize("name", sorted(STEPPED))
def test_codecs_give_no_gradient(name, small):
    assert not damage(name, (small / 255).requires_grad_()).requires_grad


# Blur


@pytest.mark.parametrize("sigma", [0.5, 1, 2, 4, 8])
def test_gaussian_blur_is_that_of_scipy(sigma, photos):
    x = photos["chelsea"] / 255
    want = gaussian_filter(x.double().numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=4)
    np.testing.assert_allclose(damage("gaussian_blur", x, sigma).numpy(), want, atol=2e-6)


@pytest.mark.parametrize("sigma", [1, 2, 4, 8])
def test_an_edge_tells_the_sigma_of_the_blur(sigma):
    edge = torch.zeros(1, 1, 8, 128)
    edge[..., 64:] = 1
    slope = damage("gaussian_blur", edge, sigma)[0, 0, 4].diff()
    at = torch.arange(127) - 63.0
    assert float((slope * at**2).sum() ** 0.5) == pytest.approx(sigma, rel=0.01)


def spread(name, level, **knobs):
    """Second moments (down, across, mixed) of what becomes of a point of light, and its light in all."""
    lamp = torch.zeros(1, 1, 129, 129, dtype=torch.double)
    lamp[..., 64, 64] = 1
    light = to_linear(damage(name, lamp, level, **knobs))[0, 0]
    at = torch.arange(129, dtype=torch.double) - 64
    moments = (light * at[:, None] ** 2).sum(), (light * at**2).sum(), (light * at[:, None] * at).sum()
    return [float(m / light.sum()) for m in moments], float(light.sum())


@pytest.mark.parametrize("radius", [4.5, 8, 12])
def test_defocus_is_an_even_disc(radius):
    (down, across, mixed), light = spread("defocus", radius)
    assert light == pytest.approx(1, abs=1e-3)
    assert down + across == pytest.approx(radius**2 / 2 + 1 / 6, rel=0.01)  # mean square distance in a disc, and that within a pixel
    assert down == pytest.approx(across)
    assert mixed == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("angle", [0, 20, 90, 135])
def test_motion_follows_its_path(angle):
    (down, across, mixed), light = spread("motion_blur", 31, angle=angle)
    assert light == pytest.approx(1, abs=1e-3)
    assert down + across == pytest.approx(31**2 / 12, rel=0.01)  # variance of an even path
    turn = degrees(0.5 * np.arctan2(-2 * mixed, across - down)) % 180
    assert min(abs(turn - angle), 180 - abs(turn - angle)) < 0.5


def test_zoom_draws_points_outwards():
    lamp = torch.zeros(1, 1, 301, 301)
    lamp[..., 150, 250] = 1  # 100 px right of the centre
    light = to_linear(damage("zoom_blur", lamp, 10))[0, 0].double()
    right, down = (light.sum(dim=d) for d in (0, 1))
    at = torch.arange(301, dtype=torch.double) - 150
    mean = float((right * at).sum() / right.sum())
    assert 103.5 < mean < 106.5  # from 100 to 110
    assert float((right * (at - mean) ** 2).sum() / right.sum()) == pytest.approx(10**2 / 12, rel=0.25)
    assert float((down * at**2).sum() / down.sum()) < 1


def test_zoom_leaves_the_centre_sharp(photos):
    x = photos["chelsea"] / 255
    change = (damage("zoom_blur", x, 10) - x).abs().mean(dim=(0, 1))
    assert float(change[92:100, 92:101].mean()) < 0.3 * float(change.mean())


@pytest.mark.parametrize("strength", [0.5, 2])
def test_glass_shifts_by_its_strength(strength):
    ramp = (torch.arange(256) / 255).expand(1, 1, 256, 256)
    shift = (damage("glass", ramp, strength) - ramp)[..., 20:-20, 20:-20] * 255
    assert float(shift.std()) == pytest.approx(strength, rel=0.05)


def test_smear_keeps_edges_and_calms_texture():
    edge = flat(0.3, 64)
    edge[..., 32:] = 0.7
    calm = damage("smear", damage("gaussian_noise", edge, 8), 4)
    assert float(calm[..., :32].std()) < 4 / 255
    assert float((calm[..., 32] - calm[..., 31]).mean()) == pytest.approx(0.4, abs=0.03)


# Noise


@pytest.mark.parametrize("sigma", [2, 10, 30])
def test_gaussian_noise_has_its_sigma(sigma):
    grain = (damage("gaussian_noise", flat(), sigma) - 0.5) * 255
    assert float(grain.std()) == pytest.approx(sigma, rel=0.01)
    assert float(grain.mean()) == pytest.approx(0, abs=0.02 * sigma)


@pytest.mark.parametrize("photons", [15, 250, 5000])
@pytest.mark.parametrize("value", [0.3, 0.6])
def test_photons_scatter_by_their_root(photons, value):
    light = float(to_linear(torch.tensor(value)))
    seen = to_linear(damage("poisson_noise", flat(value), photons)) * photons
    assert float(seen.mean()) == pytest.approx(light * photons, rel=0.02)
    assert float(seen.var()) == pytest.approx(light * photons, rel=0.03)


def test_speckle_grows_with_brightness():
    for value in (0.2, 0.4):
        assert float(damage("speckle", flat(value), 10).std()) == pytest.approx(0.1 * value, rel=0.02)


@pytest.mark.parametrize("share", [0.5, 8])
def test_salt_and_pepper_strike_their_share(share):
    struck = damage("salt_and_pepper", flat(side=512), share)
    for value in (0, 1):
        assert float((struck == value).all(dim=1).float().mean()) * 200 == pytest.approx(share, rel=0.1)


def test_struck_pixels_stay_struck():
    few, many = (damage("salt_and_pepper", flat(), share) != 0.5 for share in (1, 5))
    assert bool((many | ~few).all())


def test_colour_noise_keeps_luma_and_has_its_grain():
    x = damage("colour_noise", flat(), 10, grain=3.0) * 255
    r, g, b = x[0]
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    assert float((luma - 127.5).abs().max()) < 0.01
    for chroma in ((b - luma) / 1.772, (r - luma) / 1.402):
        assert float(chroma.std()) == pytest.approx(10, rel=0.1)
        beside = float((chroma[:, 3:] * chroma[:, :-3]).mean() / chroma.square().mean())
        assert beside == pytest.approx(exp(-(3**2) / (4 * 3**2)), abs=0.06)  # of white noise blurred by 3 px, 3 px apart


# Codecs


def through_pillow(x, **options):
    file = io.BytesIO()
    Image.fromarray(x[0].permute(1, 2, 0).numpy()).save(file, **options)
    return tensor(np.array(Image.open(file).convert("RGB"))), len(file.getvalue())


@pytest.mark.parametrize(
    ("name", "level", "options"),
    [
        ("jpeg", 30, {"format": "JPEG", "quality": 30, "subsampling": 2}),
        ("jpeg", 90, {"format": "JPEG", "quality": 90, "subsampling": 2}),
        ("webp", 25, {"format": "WEBP", "quality": 25}),
    ],
    ids=str,
)
def test_a_codec_is_that_of_pillow(name, level, options, photos):
    for x in photos.values():
        assert torch.equal(damage(name, x, level), through_pillow(x, **options)[0])


def test_jpeg_keeps_colour_at_full_resolution_if_told(photos):
    x = photos["coffee"]
    assert torch.equal(damage("jpeg", x, 50, subsampling="4:4:4"), through_pillow(x, format="JPEG", quality=50, subsampling=0)[0])


def test_jpeg2000_has_its_ratio(photos):
    x = photos["chelsea"]
    knobs = {"quality_mode": "rates", "irreversible": True, "num_resolutions": 6}
    want, size = through_pillow(x, format="JPEG2000", quality_layers=[40], **knobs)
    assert torch.equal(damage("jpeg2000", x, 40), want)
    assert x.numel() / size == pytest.approx(40, rel=0.1)


def test_a_missing_codec_is_a_sentence(small, monkeypatch):
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    with pytest.raises(CannotAssess, match=r"this build of Pillow cannot write AVIF; `pip install"):
        damage("avif", small)


def test_too_long_for_the_codec_is_a_sentence():
    with pytest.raises(BadInput, match="WEBP holds at most 16383 pixels a side; got 16400"):
        recoded(torch.zeros(1, 1, 1, 16400), format="WEBP")


def test_a_palette_has_so_many_colours(photos):
    for x in photos.values():
        assert len(damage("palette", x, 16)[0].flatten(1).unique(dim=1).T) == 16


def test_posterizing_leaves_two_to_the_bits_levels():
    ramp = torch.linspace(0, 1, 1000).view(1, 1, 1, -1)
    out = damage("posterize", ramp, 3)
    assert len(out.unique()) == 8
    assert float((out - ramp).abs().max()) <= 0.5 / 7 + 1e-6


# Resolution


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_downscaling_loses_a_fine_pattern(kernel):
    stripes = (torch.arange(64) % 2).float().expand(1, 1, 64, 64)
    small = damage("downscale", stripes, 4, kernel=kernel)[..., 8:-8]
    assert float((small - 0.5).abs().max()) < 0.02


def test_nearest_keeps_false_patterns():
    stripes = (torch.arange(64) % 2).float().expand(1, 1, 64, 64)
    assert set(damage("downscale", stripes, 3, kernel="nearest").unique().tolist()) == {0, 1}


def test_pixels_of_a_mosaic_are_means():
    x = torch.rand(1, 3, 20, 27)
    out = damage("pixelate", x, 8)
    torch.testing.assert_close(out[..., 8:16, 16:24], x[..., 8:16, 16:24].mean(dim=(2, 3), keepdim=True).expand(1, 3, 8, 8))
    torch.testing.assert_close(out[..., 16:, 24:], x[..., 16:, 24:].mean(dim=(2, 3), keepdim=True).expand(1, 3, 4, 3))


def test_ringing_overshoots_as_gibbs_says():
    edge = torch.full((1, 1, 4, 512), 0.2)
    edge[..., 256:] = 0.7
    out = damage("ringing", edge, 20)
    assert float(out.max() - 0.7) / 0.5 == pytest.approx(0.0895, abs=0.01)
    assert float(0.2 - out.min()) / 0.5 == pytest.approx(0.0895, abs=0.01)


def test_ringing_cuts_off_at_its_frequency():
    at = (torch.arange(200) + 0.5) * pi
    low, high = (0.5 + 0.3 * torch.cos(at * f).expand(1, 1, 200, 200) for f in (0.25, 0.45))  # f of Nyquist's frequency
    torch.testing.assert_close(damage("ringing", low, 35), low, atol=1e-5, rtol=0)
    torch.testing.assert_close(damage("ringing", high.mT, 35), flat(0.5, 200, 1), atol=1e-5, rtol=0)


def test_over_sharpening_adds_what_blur_takes(photos):
    x = photos["chelsea"] / 255 * 0.2 + 0.4
    detail = x - damage("gaussian_blur", x, 1.5)
    torch.testing.assert_close(damage("over_sharpen", x, 1), x + detail)


# Light and colour


def test_linear_light_and_back():
    x = torch.linspace(0, 1, 256, dtype=torch.double)
    torch.testing.assert_close(to_srgb(to_linear(x)), x, rtol=0, atol=1e-6)
    assert float(to_linear(torch.tensor(0.5))) == pytest.approx(0.21404, abs=1e-5)  # IEC 61966-2-1


def test_a_stop_is_a_factor_of_two_in_light(photos):
    x = photos["chelsea"] / 255
    torch.testing.assert_close(to_linear(damage("underexpose", x, 1)), to_linear(x) / 2, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(to_linear(damage("overexpose", x, 1)), (to_linear(x) * 2).clamp(max=1), atol=1e-6, rtol=1e-5)


def test_contrast_scales_the_spread():
    x = torch.rand(2, 3, 50, 50) * 0.2 + torch.tensor([0.3, 0.5]).view(2, 1, 1, 1)
    for name, level, times in (("low_contrast", 70, 0.3), ("high_contrast", 50, 1.5)):
        y = damage(name, x, level)
        torch.testing.assert_close(y.std(dim=(1, 2, 3)), x.std(dim=(1, 2, 3)) * times, rtol=1e-2, atol=0)
        torch.testing.assert_close(y.mean(dim=(1, 2, 3)), x.mean(dim=(1, 2, 3)), rtol=1e-2, atol=0)


def luma(x):
    return (x * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(dim=1)


def test_saturation_keeps_luma(photos):
    x = photos["chelsea"] / 255 * 0.2 + 0.4
    for name, level, times in (("desaturate", 75, 0.25), ("oversaturate", 50, 1.5)):
        y = damage(name, x, level)
        torch.testing.assert_close(luma(y), luma(x), atol=1e-6, rtol=0)
        torch.testing.assert_close(y[:, 0] - y[:, 2], (x[:, 0] - x[:, 2]) * times, atol=1e-6, rtol=0)


@pytest.mark.parametrize("mired", [-60, -30, 40, 80, 160, 240])
def test_a_cast_has_its_colour_temperature(mired):
    seen = to_linear(damage("colour_cast", flat(0.4, 1), mired))[0, :, 0, 0].double().numpy()
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # IEC 61966-2-1
    balanced = np.linalg.solve(to_xyz, [0.3135 / 0.3237, 1, 0.3628 / 0.3237])  # a black body of 6500 K: x 0.3135, y 0.3237
    light = to_xyz @ (seen * balanced)
    x, y = light[:2] / light.sum()
    n = (x - 0.3320) / (0.1858 - y)
    kelvin = 449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33  # McCamy 1992
    assert 1e6 / kelvin - 1e6 / 6500 == pytest.approx(mired, abs=3)
    assert (to_xyz @ seen)[1] == pytest.approx(float(to_linear(torch.tensor(0.4))), rel=1e-3)


def test_vignette_loses_its_stops_in_the_corner():
    x = flat(0.8, 65)
    share = to_linear(damage("vignette", x, 2)) / to_linear(x)
    assert float(share[0, 0, 32, 32]) == pytest.approx(1, abs=1e-6)
    for row in (0, -1):
        assert share[0, :, row, (0, -1)].flatten().tolist() == pytest.approx([0.25] * 6, rel=1e-4)


def test_colours_part_in_the_corners():
    side = 201
    down, right = (torch.arange(side) - 0.0)[:, None], torch.arange(side) - 0.0
    spot = torch.exp(-((down - 180) ** 2 + (right - 180) ** 2) / (2 * 3**2)).expand(1, 3, side, side)
    out = damage("chromatic_aberration", spot, 4)[0]
    centre = [(c * right).sum() / c.sum() - 100 for c in out]
    grows = 4 / (100 * 2**0.5)
    assert [float(c) for c in centre] == pytest.approx([80 * (1 + grows), 80, 80 * (1 - grows)], abs=0.05)


def test_haze_is_a_mixture_of_light(photos):
    x = photos["chelsea"] / 255
    want = to_linear(x) * 0.7 + 0.3 * 0.8
    torch.testing.assert_close(to_linear(damage("haze", x, 30, airlight=80)), want, atol=1e-5, rtol=0)


def test_moire_has_its_amplitude_and_period():
    x = damage("moire", flat(side=240), 20, period=24, angle=0) * 255 - 127.5
    assert float(x.std()) == pytest.approx(20 / 2**0.5, rel=0.02)
    assert float(x.sum(dim=1).abs().max()) < 0.01  # three colours a third of a period apart
    assert int(torch.fft.rfft(x[0, 1, 120]).abs().argmax()) == 10


# Places


def test_so_many_blocks_are_lost():
    out = damage("block_loss", torch.zeros(1, 3, 160, 160), 25)
    blocks = out.view(3, 10, 16, 10, 16).permute(0, 1, 3, 2, 4).flatten(3)
    assert bool((blocks.amin(dim=3) == blocks.amax(dim=3)).all())
    assert int((blocks[0, ..., 0] > 0).sum()) == 25


def test_rows_slip_as_a_whole():
    x = torch.rand(1, 3, 40, 64)
    out = damage("row_jitter", x, 5)
    slips = []
    for row in range(40):
        fits = [s for s in range(-5, 6) if torch.equal(out[..., row, 8:-8], x[..., row, 8 + s : 56 + s])]
        assert len(fits) == 1
        slips += fits
    assert min(slips) <= -4
    assert max(slips) >= 4


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
@pytest.mark.parametrize("name", ["gaussian_noise", "jpeg", "haze"])
def test_only_the_patches_are_damaged(shape, name, photos):
    x = photos["chelsea"]
    where = patches_mask(x.shape[2], x.shape[3], fraction=20, shape=shape, seed=5)
    out = damage("local_patches", x, 20, damage=name, level=30, shape=shape, seed=5)
    knobs = {"seed": 5} if name == "gaussian_noise" else {}
    assert torch.equal(out, torch.where(where, damage(name, x, 30, **knobs), x))
    assert not torch.equal(out, x)


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
@pytest.mark.parametrize("seed", range(5))
def test_patches_cover_their_fraction_and_grow(shape, seed):
    masks = [patches_mask(61, 83, fraction=f, shape=shape, seed=seed) for f in (0, 1, 3, 10, 25, 50, 100)]
    assert [int(m.sum()) for m in masks] == [round(f * 61 * 83 / 100) for f in (0, 1, 3, 10, 25, 50, 100)]
    assert all(bool((b | ~a).all()) for a, b in pairwise(masks))


def test_one_patch_is_a_rectangle_or_an_ellipse():
    for seed in range(20):
        for shape, filled in (("rectangle", 1), ("ellipse", pi / 4)):
            rows, columns = torch.nonzero(patches_mask(400, 400, fraction=4, count=1, shape=shape, seed=seed), as_tuple=True)
            box = (int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max()))
            if min(box[:2]) > 0 and max(box[2:]) < 399:  # not cut by the frame
                assert len(rows) / ((box[2] - box[0] + 1) * (box[3] - box[1] + 1)) == pytest.approx(filled, abs=0.02)


# Chains


def test_a_chain_is_its_steps(small):
    blur, noise, jpeg = get("gaussian_blur"), get("gaussian_noise"), get("jpeg")
    want = jpeg(noise(blur(small, sigma=2), sigma=10, seed=8), quality=30)
    assert torch.equal(chain(small, steps=[(blur, 2), (noise, 10), (jpeg, 30)], seed=7), want)
    assert torch.equal(chain(small, steps=[]), small)


def test_two_noises_of_a_chain_differ():
    noise = get("gaussian_noise")
    out = (chain(flat(), steps=[(noise, 10), (noise, 10)]) - 0.5) * 255
    assert float(out.std()) == pytest.approx(10 * 2**0.5, rel=0.02)


def test_a_chain_takes_degradations_only(small):
    with pytest.raises(BadInput, match="step 1 must be a degradation of one image and its level; got psnr"):
        chain(small, steps=[(get("gaussian_blur"), 1), (get("psnr"), 1)])
