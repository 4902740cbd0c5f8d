"""The pictures to look at: error level and noise residual."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter

from assay.authenticity import error_level as ela
from assay.authenticity import noise_residual as grain
from files import picture
from pictures import blur, jpeg, noise

MAPS = [ela.error_level, grain.noise_residual]


def ask(fn, pixels):
    return fn(picture(b"", pixels=np.atleast_3d(pixels)))


@pytest.mark.parametrize("fn", MAPS)
def test_a_picture_and_no_verdict(fn, photo):
    finding = ask(fn, photo[:301, :203])
    assert finding.score is None
    assert all(e.points_to is None and e.weight == "note" for e in finding.evidence)
    assert "never a verdict" in finding.map_says
    assert finding.map.shape[-2:] == (301, 203)
    assert 0 <= float(finding.map.min()) <= float(finding.map.max()) <= 1
    assert float(finding.map.max()) == 1


@pytest.mark.parametrize("fn", MAPS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 9, 1), (40, 2500, 3), (2300, 17, 4)])
def test_any_size(fn, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = ask(fn, pixels)
    by = found.data["reduced_by"]
    assert by == (2 if max(shape) > 2048 else 1)
    assert found.map.shape[-2:] == (-(-shape[0] // by), -(-shape[1] // by))


@pytest.mark.parametrize("fn", MAPS)
def test_flat_is_black(fn):
    finding = ask(fn, np.full((50, 60, 3), 120, np.uint8))
    assert float(finding.map.max()) < 0.2


@pytest.mark.parametrize(("fn", "strips"), [(ela.error_level, ela), (grain.noise_residual, grain)])
def test_strips_do_not_show(fn, strips, photo, monkeypatch):
    whole = ask(fn, photo)
    monkeypatch.setattr(strips, "STRIP", 64)
    assert torch.equal(ask(fn, photo).map, whole.map)


@pytest.mark.parametrize("fn", MAPS)
def test_deeper_pixels_are_read(fn, photo):
    bytes_, floats = (fn(picture(b"", pixels=p)).map for p in (photo, photo.astype(np.float32) / 255))
    assert torch.equal(bytes_, floats)


def test_a_part_saved_less_often_glows(photo):
    pixels = jpeg(photo, 90, subsampling=0).copy()
    pixels[200:328, 200:328] = photo[200:328, 200:328]
    glow = ask(ela.error_level, pixels).map.mean(0)
    assert float(glow[200:328, 200:328].mean()) > 1.5 * float(ask(ela.error_level, jpeg(photo, 90, subsampling=0)).map.mean())


def test_the_median_is_the_median(photo):
    luma = torch.from_numpy(photo[..., 0].copy())
    want = luma.float() - torch.from_numpy(median_filter(photo[..., 0], 3, mode="nearest")).float()
    assert torch.equal(grain._energy(luma, 0, 512), want.square())


def test_a_smoothed_part_is_dark_and_the_level_is_measured(photo):
    pixels = noise(photo, 5)
    pixels[100:200, 100:200] = blur(pixels, 2)[100:200, 100:200]
    finding = ask(grain.noise_residual, pixels)
    assert float(finding.map[110:190, 110:190].mean()) < 0.3 * float(finding.map.mean())
    assert 2 < finding.data["level"] < 10
