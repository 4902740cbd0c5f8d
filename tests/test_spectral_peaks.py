"""Peaks of enlarging layers are told; photographs, JPEGs and honest enlarging are not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from assay.authenticity.spectral_peaks import spectral_peaks
from assay.types import CannotAssess
from files import picture
from pictures import jpeg, noise


def ask(pixels):
    finding = spectral_peaks(picture(b"", pixels=np.atleast_3d(pixels)))
    json.dumps(finding.data, allow_nan=False)
    return finding


def enlarged(a, by):
    return np.asarray(Image.fromarray(a).resize((round(a.shape[1] * by), round(a.shape[0] * by)), Image.Resampling.BICUBIC))


def test_a_rhythm_of_sixteen_is_told(photo):
    rhythm = np.tile(np.random.default_rng(0).normal(0, 4, (16, 16)), (32, 32))[..., None]
    finding = ask(np.clip(np.round(noise(photo, 2) + rhythm), 0, 255).astype(np.uint8))
    assert finding.data["statistic"] > 1.2
    assert [(e.points_to, e.weight) for e in finding.evidence] == [("generated", "hint")]


@pytest.mark.parametrize("change", [lambda a: a, lambda a: jpeg(a, 90), lambda a: jpeg(a, 60), lambda a: enlarged(a, 1.5)])
def test_honest_pictures_are_not_told(photo, change):
    finding = ask(change(photo))
    assert finding.data["statistic"] < 0.75
    assert [e.points_to for e in finding.evidence] == [None]


def test_noise_is_not_told():
    for seed in range(20):
        grain = np.random.default_rng(seed).normal(128, 10, (300, 256)).round().clip(0, 255).astype(np.uint8)
        assert all(e.points_to is None for e in ask(grain).evidence)


@pytest.mark.parametrize(
    ("pixels", "text"), [(np.zeros((255, 300, 3), np.uint8), "at least 256×256"), (np.full((300, 300, 3), 7, np.uint8), "no grain")]
)
def test_what_cannot_be_assessed_says_so(pixels, text):
    with pytest.raises(CannotAssess, match=text):
        ask(pixels)
