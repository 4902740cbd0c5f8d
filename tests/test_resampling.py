"""Traces of resizing: the predictor, the peaks, and that a legitimate resize of the whole is a note only."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from assay.authenticity.resampling import resampling
from assay.ops import resampling as traces
from assay.ops.traces import grain
from assay.types import BadInput, CannotAssess
from files import picture
from pictures import jpeg

KIRCHNER = np.array([-0.25, 0.5, -0.25, 0.5, 0.5, -0.25, 0.5, -0.25])


def ask(pixels, **knobs):
    finding = resampling(picture(b"", pixels=np.atleast_3d(pixels)), **knobs)
    json.dumps(finding.data, allow_nan=False)
    return finding


def resized(a, by, how=Image.Resampling.BICUBIC):
    return np.asarray(Image.fromarray(a).resize((round(a.shape[1] * by), round(a.shape[0] * by)), how))


def turned(a, degrees):
    edge = a.shape[0] // 6
    return np.asarray(Image.fromarray(a).rotate(degrees, Image.Resampling.BICUBIC))[edge:-edge, edge:-edge]


def exactly_doubled(a):
    """Bilinear ×2 without rounding: every pixel between others is their mean."""
    y = a.astype(np.float32)
    out = np.zeros((2 * y.shape[0] - 1, 2 * y.shape[1] - 1), np.float32)
    out[::2, ::2] = y
    out[1::2, ::2] = (y[1:] + y[:-1]) / 2
    out[:, 1::2] = (out[:, :-1:2] + out[:, 2::2]) / 2
    return out


def test_em_finds_the_weights_of_bilinear(photo):
    y = exactly_doubled(photo[:200, :200, 1])
    p, weights = traces.em_map(y)
    np.testing.assert_allclose(weights, KIRCHNER, atol=0.01)
    assert (np.abs(grain(torch.from_numpy(y)[None] / 255)) < 1e-3).mean() >= 0.74
    assert (p > 0.9).mean() >= 0.74


@pytest.mark.parametrize(("by", "peak"), [(1.25, 0.2), (1.5, 1 / 3), (0.85, 0.176)])
def test_the_peak_lies_where_the_scale_says(photo, by, peak):
    finding = ask(resized(photo, by, Image.Resampling.BILINEAR))
    assert finding.data["whole_frequency"] == [pytest.approx(peak, abs=0.01), 0]
    assert finding.data["whole"] > 3
    assert [e.points_to for e in finding.evidence] == [None]
    assert finding.map is None


def test_em_sees_the_same_peak(photo):
    finding = ask(resized(photo[:300, :300], 1.25, Image.Resampling.BILINEAR), method="em")
    assert finding.data["whole_frequency"][0] == pytest.approx(0.2, abs=0.01)


def test_kirchners_delta_is_larger_after_enlarging(photo):
    assert ask(resized(photo, 1.25)).data["delta"] > 1.5 * ask(photo).data["delta"]


@pytest.mark.parametrize(
    "change", [lambda a: a, lambda a: jpeg(a, 90), lambda a: jpeg(a, 60), lambda a: resized(a, 1.3), lambda a: turned(a, 5)]
)
def test_nothing_is_told_of_an_honest_picture(photo, change):
    finding = ask(change(photo))
    assert all(e.points_to is None for e in finding.evidence)
    assert finding.data["regions"] == []


@pytest.mark.parametrize("change", [lambda a: resized(a, 1.3), lambda a: turned(jpeg(a, 85), 11)], ids=["enlarged", "turned"])
def test_a_changed_part_is_found(photo, change):
    host = jpeg(pytest.importorskip("skimage.data").coffee(), 95).copy()
    part = change(photo)[100:260, 150:310]
    host[200:360, 400:560] = part
    finding = ask(host)
    (region,) = finding.data["regions"]
    assert region["x"] <= 440
    assert region["x"] + region["width"] >= 520
    assert finding.evidence[-1].points_to == "edited"
    assert float(finding.map[220:340, 420:540].mean()) > 3 * float(finding.map.mean())
    assert finding.data["statistic"] > ask(photo).data["statistic"]


def test_white_noise_has_no_trace():
    alarms = 0
    for seed in range(20):
        grain = np.random.default_rng(seed).integers(0, 256, (256, 300)).astype(np.uint8)
        alarms += bool(ask(grain).data["regions"])
    assert alarms == 0


def test_what_cannot_be_assessed_says_so():
    with pytest.raises(CannotAssess, match="at least 256×256"):
        ask(np.zeros((255, 400, 3), np.uint8))
    with pytest.raises(CannotAssess, match="flat"):
        ask(np.full((300, 300, 3), 90, np.uint8))
    with pytest.raises(BadInput, match="'linear' or 'em'"):
        ask(np.zeros((300, 300, 3), np.uint8), method="fast")


def test_kodak(data):
    files = sorted((data / "pristine/kodak").glob("*.png"))[::8]
    if not files:
        pytest.skip("no Kodak photographs")
    for file in files:
        pixels = np.asarray(Image.open(file).convert("RGB"))
        for history in (pixels, jpeg(pixels, 90)):
            assert (file.name, ask(history).data["regions"]) == (file.name, [])
