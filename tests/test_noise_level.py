"""Noise that differs in a part, and textures that only look like it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from assay.authenticity import noise_level as cue
from assay.types import CannotAssess
from files import picture, scene


def ask(pixels):
    finding = cue.noise_level(picture(b"", pixels=np.atleast_3d(pixels)))
    json.dumps(finding.data, allow_nan=False)
    return finding


def grained(sigma, part=None, width=640, height=480):
    """A soft scene with noise of sigma, and of another sigma in a square."""
    soft = scene(width, height, 3).astype(float) * 0.5 + 60
    level = np.full((height, width, 1), float(sigma))
    if part:
        level[160:352, 256:480] = part
    return np.clip(np.round(soft + np.random.default_rng(0).normal(0, 1, soft.shape) * level), 0, 255).astype(np.uint8)


def test_the_level_is_measured():
    grain = np.random.default_rng(0).normal(128, 3, (512, 512)).round().astype(np.uint8)
    assert ask(grain).data["sigma"] == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize(("sigma", "part", "ratio"), [(2, 6, 3), (6, 2, 0.33)])
def test_a_part_with_other_noise_is_found(sigma, part, ratio):
    finding = ask(grained(sigma, part))
    assert finding.data["ratio"] == pytest.approx(ratio, rel=0.15)
    (region,) = finding.data["regions"]
    assert (abs(region["x"] - 256) <= 32) & (abs(region["y"] - 160) <= 32)
    assert abs(region["width"] - 224) <= 64
    assert finding.evidence[-1].points_to == "edited"
    assert float(finding.map[180:330, 280:460].mean()) > 3 * float(finding.map[:120].mean())


def test_even_noise_is_not_told():
    finding = ask(grained(4))
    assert finding.data["regions"] == []
    assert finding.data["statistic"] < 3


def test_a_photograph_is_not_told(photo):
    assert ask(photo).data["regions"] == []


def test_pure_noise_is_not_told():
    for seed in range(20):
        grain = np.random.default_rng(seed).normal(128, 8, (256, 320)).round().clip(0, 255).astype(np.uint8)
        assert ask(grain).data["regions"] == []


@pytest.mark.parametrize(("shape", "text"), [((255, 400, 3), "at least 256×256"), ((300, 300, 3), "cannot be compared")])
def test_what_cannot_be_assessed_says_so(shape, text):
    with pytest.raises(CannotAssess, match=text):
        ask(np.zeros(shape, np.uint8))


def test_kodak(data):
    files = sorted((data / "pristine/kodak").glob("*.png"))[::6]
    if not files:
        pytest.skip("no Kodak photographs")
    for file in files:
        assert (file.name, ask(np.asarray(Image.open(file).convert("RGB"))).data["regions"]) == (file.name, [])
