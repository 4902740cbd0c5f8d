"""Colour fringes of one lens, and of a part that another place or lens drew."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter

from assay.authenticity.lateral_aberration import lateral_aberration
from assay.ops import aberration
from assay.types import CannotAssess
from files import picture


def ask(pixels):
    finding = lateral_aberration(picture(b"", pixels=pixels))
    json.dumps(finding.data, allow_nan=False)
    return finding


def scene(shift, width=576, height=448, seed=0):
    """Soft detail of one hue through a lens that displaces red and blue by `shift` pixels in the corners."""
    detail = gaussian_filter(np.random.default_rng(seed).normal(0, 1, (height, width)), 1.5)
    grey = (128 + 40 * detail / detail.std()).clip(20, 235)[..., None] * np.array([1.0, 0.9, 0.8])
    times = (1 + shift / np.hypot(width, height) * 2, 1, 1 - shift / np.hypot(width, height) * 2)
    return np.stack([magnified(grey[..., c], k) for c, k in enumerate(times)], -1).round().astype(np.uint8)


def magnified(x, times):
    offset = [(n - 1) / 2 * (1 - 1 / times) for n in x.shape]
    return affine_transform(x, [1 / times, 1 / times], offset, order=3, mode="nearest").clip(0, 255)


def pasted(shift):
    """The lower right corner comes from the upper left one, where fringes point the other way."""
    x = scene(shift).copy()
    x[288:448, 416:576] = x[:160, :160]
    return x


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_the_lens_is_measured(shift):
    x = scene(shift).astype(np.float32)
    for s, sign in zip(aberration.shifts(x[..., 1], [x[..., 0], x[..., 2]]), (1, -1), strict=True):
        fit = aberration.lens(s)
        assert fit.growth * np.hypot(576, 448) / 2 == pytest.approx(sign * shift, rel=0.15)
        assert fit.centre == pytest.approx((288, 224), abs=30)


def test_a_part_from_elsewhere_is_found():
    finding = ask(pasted(0.8))
    assert finding.data["degrees"] > 120
    (region,) = finding.data["regions"]
    assert region["x"] + region["width"] > 448
    assert region["y"] + region["height"] > 320
    assert (finding.evidence[-1].points_to, finding.evidence[-1].weight) == ("edited", "hint")
    assert finding.map.shape == (448, 576)
    assert float(finding.map[320:, 448:].mean()) > 20 * float(finding.map[:224].mean() + 0.01)


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_one_lens_is_not_told(shift):
    finding = ask(scene(shift))
    assert finding.data["regions"] == []
    assert not [e for e in finding.evidence if e.points_to]


def test_a_large_picture_is_averaged_down_and_counted_in_its_own_pixels():
    large = np.asarray(Image.fromarray(scene(0.8)).resize((1728, 1344), Image.Resampling.BICUBIC))
    assert ask(large).data["lens"]["red"]["corner"] == pytest.approx(2.4, rel=0.2)


def test_floats_are_answered_alike():
    x = pasted(0.8)
    assert ask(x.astype(np.float32) / 255).data["regions"] == ask(x).data["regions"]


@pytest.mark.parametrize(
    ("pixels", "text"),
    [
        (scene(0), "No lens shows"),
        (scene(0.8)[:, :255], "at least 256×256"),
        (scene(0.8)[..., :1], "is grey"),
        (np.full((300, 300, 3), 90, np.uint8), "No lens shows"),
    ],
)
def test_what_cannot_be_assessed_says_so(pixels, text):
    with pytest.raises(CannotAssess, match=text):
        ask(pixels)
