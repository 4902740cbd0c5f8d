"""The chess board of the colour filter: seen where it is, missed where it is not, and shifted where a part was moved."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import convolve

from assay.authenticity.cfa import cfa
from assay.ops.cfa import lean
from assay.types import CannotAssess
from files import picture, scene
from pictures import jpeg


def ask(pixels):
    finding = cfa(picture(b"", pixels=np.atleast_3d(pixels)))
    json.dumps(finding.data, allow_nan=False)
    return finding


def bayer(a, seed=0):
    """As a camera with a Bayer filter sees it: noise, one colour per site, the rest bilinear."""
    noisy = a.astype(float) * 0.9 + np.random.default_rng(seed).normal(0, 3, a.shape)
    y, x = np.mgrid[: a.shape[0], : a.shape[1]]
    sites = [(y % 2 == 0) & (x % 2 == 0), (y + x) % 2 == 1, (y % 2 == 1) & (x % 2 == 1)]
    cross, square = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4, np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    planes = [convolve(noisy[..., c] * sites[c], cross if c == 1 else square, mode="mirror") for c in range(3)]
    return np.clip(np.round(np.stack(planes, -1)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def shot():
    return bayer(scene(480, 400, 5))


def test_the_board_is_seen(shot):
    found = lean(shot[..., 1].astype(np.float32), 32)
    assert np.nanmedian(found) < -1.5  # the sites with odd x + y were measured, so the others fit their neighbours
    finding = ask(shot)
    assert finding.data["share"] > 0.99
    assert finding.data["regions"] == []
    assert all(e.points_to is None for e in finding.evidence)


def test_a_shifted_part_is_found(shot):
    pixels = shot.copy()
    pixels[96:288, 160:352] = np.roll(bayer(scene(480, 400, 6), 1), 1, axis=1)[96:288, 160:352]
    finding = ask(pixels)
    (region,) = finding.data["regions"]
    assert abs(region["x"] - 160) <= 32
    assert abs(region["width"] - 192) <= 64
    assert finding.evidence[-1].points_to == "edited"
    assert float(finding.map[120:270, 190:330].mean()) > 5 * float(finding.map[:80].mean() + 0.01)


def test_a_part_without_the_board_lights_up(shot):
    pixels = shot.copy()
    pixels[96:288, 160:352] = np.clip(scene(480, 400, 7) * 0.9 + np.random.default_rng(3).normal(0, 3, shot.shape), 0, 255)[96:288, 160:352]
    finding = ask(pixels)
    assert float(finding.map[120:270, 190:330].mean()) > 0.7
    assert float(finding.map[:80].mean()) < 0.3


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda a: jpeg(a, 75), "No trace"),
        (lambda a: a[..., :1], "grey"),
        (lambda a: a[:200], "at least 256×256"),
        (lambda a: np.full_like(a, 99), "flat"),
        (lambda a: np.random.default_rng(0).integers(0, 250, a.shape).astype(np.uint8), "No trace"),
    ],
)
def test_what_cannot_be_assessed_says_so(shot, change, text):
    with pytest.raises(CannotAssess, match=text):
        ask(change(shot))


def test_a_photograph_without_a_trace(photo):
    with pytest.raises(CannotAssess, match="No trace"):
        ask(photo)
