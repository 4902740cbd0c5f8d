"""The fingerprint of a simulated sensor is found, also in cut-outs and JPEGs, and missed where something was pasted."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from assay.authenticity.camera_fingerprint import camera_fingerprint
from assay.ops import prnu
from assay.runner import assess
from assay.types import BadInput, CannotAssess
from files import picture, scene
from pictures import jpeg, tensor

SIDE = 320


def sensor(seed, side=SIDE):
    return np.random.default_rng(seed).normal(0, 0.01, (side, side, 1))


def shot(seed, fingerprint):
    """A random soft scene as this sensor sees it, with noise of its own."""
    side = len(fingerprint)
    light = scene(side, side, seed).astype(float) * 0.6 + 60
    grain = np.random.default_rng(seed + 1000).normal(0, 2, light.shape)
    return np.clip(np.round(light * (1 + fingerprint) + grain), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def references():
    return torch.cat([tensor(shot(seed, sensor(0))) for seed in range(20)])


def ask(pixels, references):
    finding = camera_fingerprint(picture(b"", pixels=pixels), scene=references)
    json.dumps(finding.data, allow_nan=False)
    return finding


def test_the_wavelet_transform_is_orthonormal():
    x = np.random.default_rng(0).normal(size=(48, 32)).astype(np.float32)
    low, high = prnu._down(x, prnu.LOW, 0), prnu._down(x, prnu.HIGH, 0)
    np.testing.assert_allclose(prnu._up(low, prnu.LOW, 0) + prnu._up(high, prnu.HIGH, 0), x, atol=1e-5)
    assert (low**2).sum() + (high**2).sum() == pytest.approx((x**2).sum(), rel=1e-5)


@pytest.mark.parametrize("shape", [(64, 64), (67, 90)])
def test_the_denoiser_leaves_little_noise(shape):
    noise = np.random.default_rng(0).normal(0, 3, shape).astype(np.float32)
    assert np.corrcoef(prnu.residual(noise + 100).ravel(), noise.ravel())[0, 1] > 0.95
    assert np.abs(prnu.residual(np.full(shape, 77, np.float32))).max() < 1e-3


@pytest.mark.parametrize("quality", [None, 90])
def test_same_camera_and_another(references, quality):
    save = (lambda a: jpeg(a, quality)) if quality else (lambda a: a)
    mine, other = (ask(save(shot(50, sensor(k))), references) for k in (0, 1))
    assert mine.data["pce"] > 60
    assert mine.data["shift"] == [0, 0]
    assert "Taken by the camera" in mine.evidence[0].says
    assert other.data["pce"] < 30
    assert other.map is None
    assert other.data["statistic"] > mine.data["statistic"]
    assert mine.data["missing"] == []


def test_a_cut_out_is_found_where_it_was(references):
    finding = ask(shot(50, sensor(0))[20:290, 33:300], references)
    assert finding.data["pce"] > 60
    assert finding.data["shift"] == [33, 20]


def test_a_pasted_part_lacks_it():
    big = [sensor(k, 640) for k in (0, 1)]
    references = torch.cat([tensor(shot(seed, big[0])) for seed in range(8)])
    pixels = shot(50, big[0]).copy()
    pixels[200:456, 260:516] = shot(51, big[1])[200:456, 260:516]
    finding = ask(pixels, references)
    (region,) = finding.data["missing"]
    assert region["x"] <= 330
    assert region["x"] + region["width"] >= 450
    inside = float(finding.map[220:436, 280:496].mean())
    assert inside > 3 * float(finding.map.mean())
    assert finding.evidence[-1].points_to == "edited"


def test_peaks_of_the_spectrum_and_lines_are_cleaned():
    k = np.random.default_rng(0).normal(0, 1, (128, 128)).astype(np.float32)
    striped = k + 5 * np.sin(np.arange(128) * 2 * np.pi / 4)[None]
    assert np.corrcoef(prnu.cleaned(striped.astype(np.float32)).ravel(), k.ravel())[0, 1] > 0.9


def test_what_cannot_be_answered(references):
    with pytest.raises(CannotAssess, match="at least 256×256"):
        ask(np.zeros((100, 300, 3), np.uint8), references)
    with pytest.raises(CannotAssess, match="larger than the references"):
        ask(shot(1, sensor(0, 400)), references)
    with pytest.raises(CannotAssess, match="flat"):
        ask(np.full((SIDE, SIDE, 3), 90, np.uint8), references)
    with pytest.raises(BadInput, match="at least two"):
        ask(shot(1, sensor(0)), references[:1])


def test_by_name_and_folder(tmp_path):
    folder = tmp_path / "camera"
    folder.mkdir()
    for seed in range(6):
        Image.fromarray(shot(seed, sensor(0))).save(folder / f"{seed}.png")
    Image.fromarray(shot(50, sensor(0))).save(tmp_path / "mine.png")
    result = assess("camera_fingerprint", tmp_path / "mine.png", scene=sorted(folder.iterdir()))
    assert result.data["references"] == 6
    assert result.data["pce"] > 60
    assert "6 pictures only" in result.evidence[0].says
