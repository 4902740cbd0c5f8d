"""More damage never scores better: every score over the whole bank of degradations; a new card is picked up by itself."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from assay.catalog import get, index
from assay.types import CannotAssess
from pictures import found, load, tensor
from test_properties import PAIRS, SCORES, score

BANK = [n for n, row in index().items() if row["at"].startswith("assay.degrade.")]
SLACK = 0.02  # of the usual range: by so much a higher level may seem better
SIDE = 72  # of a scene, where the metric takes so little
FELT = 0.03  # of the usual range: so much at least the top level of blur, noise and JPEG must cost

FALLING = [n for n in PAIRS if n != "relative_quality"]  # which says who is better of two, not how far apart they are
ON = [(n, s) for n in FALLING for s in ("leaves", "clouds") if s == "leaves" or index()[n]["min_side"] <= SIDE]  # large scenes once

# Pairs in which a metric is rightly not monotone.
EXEMPT = {
    ("scc", "defocus"): "from a radius of 4 px on no fine detail is in its place, and what correlation is left is chance",
    ("psnr_hvs_m", "desaturate"): "seen on grey alone, of which desaturation leaves the rounding: above 60 dB",
}
# Scores without a reference claim only so much; those not named here answer to CORE.
CORE = ("gaussian_blur", "gaussian_noise", "jpeg")
CLAIMS = {
    "assay-q": ("gaussian_blur", "motion_blur", "gaussian_noise", "jpeg", "downscale", "pixelate", "over_sharpen"),
    "blockiness": ("jpeg",),
    "brightness": ("underexpose",),
    "colourfulness": ("desaturate",),
    "contrast": ("low_contrast", "haze"),
    "cpbd": ("gaussian_blur", "motion_blur"),  # it looks for blur; noise and the edges of blocks pass for sharp
    "entropy": ("low_contrast", "posterize"),  # noise raises it, and blur hardly lowers it
    "noise": ("gaussian_noise", "poisson_noise"),
    "overexposure": ("overexpose",),
    "piqe": ("gaussian_blur", "gaussian_noise"),
    "resolution": ("gaussian_blur", "downscale"),
    "sharpness": ("gaussian_blur", "motion_blur"),
    "total_variation": ("gaussian_noise", "poisson_noise"),  # blur lowers it, as it lowers any detail
    "underexposure": ("underexpose",),
}

ALONE = [n for n in SCORES if index()[n]["takes"] == ["image"] and n != "banding"]  # bands of over 20 levels are edges


def leaves(side: int) -> NDArray[np.uint8]:
    """Discs of all sizes that hide one another, shaded and grained: edges, areas and texture as photographs have them."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    out = np.full((side, side, 3), 127.0)
    for radius in 3 / np.sqrt(rng.uniform(0.0025, 1, 260)):
        down, right = rng.uniform(-10, side + 10, 2)
        inside = (y - down) ** 2 + (x - right) ** 2 < min(radius, side / 3) ** 2
        out[inside] = rng.uniform(40, 215) + rng.normal(0, 22, 3) + rng.normal(0, 0.12) * (x[inside] - right)[:, None]
    grain = gaussian_filter(rng.normal(0, 1, (side, side)), 1.2)
    return np.clip(np.round(gaussian_filter(out, (0.6, 0.6, 0)) + 10 / grain.std() * grain[..., None]), 8, 247).astype(np.uint8)


def clouds(side: int) -> NDArray[np.uint8]:
    """Noise whose amplitude falls with frequency^1.3, its colours half tied together."""
    rng = np.random.default_rng(1)
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    f[0, 0] = np.inf
    planes = np.fft.ifft2(np.fft.fft2(rng.normal(size=(4, side, side))) / f**1.3).real
    light, *hues = planes / planes.std((1, 2), keepdims=True)
    return np.clip(np.round(np.stack([128 + 38 * light + 14 * hue for hue in hues], -1)), 8, 247).astype(np.uint8)


@cache
def series(damage: str, scene: str, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The picture at its lowest, middle and highest level, and undamaged: 3×3×side×side and 1×3×side×side uint8."""
    fn = get(damage)
    levels = fn.card.levels
    ref = tensor({"leaves": leaves, "clouds": clouds}[scene](side))
    return torch.cat([fn(ref, **{fn.card.knob: levels[i]}) for i in (0, len(levels) // 2, -1)]), ref


def harm(name, values):
    """Scores as loss of quality, in units of the usual range."""
    scale = get(name).card.scale
    poor, fine = scale.usual or (scale.worst, scale.best)
    return [(fine - float(v)) / (fine - poor) for v in values]


def rises(harms):
    """By how much a higher level seems better than a lower one, at most."""
    return max(a - b for i, a in enumerate(harms) for b in harms[i:])


def offences(name, measure, scene):
    side = max(SIDE, index()[name]["min_side"])
    for damage in BANK:
        x, ref = series(damage, scene, side)
        harms = harm(name, measure(x, ref.expand_as(x)))
        if (name, damage) not in EXEMPT and rises(harms) > SLACK:
            yield damage, harms
        elif damage in CORE and harms[-1] < FELT:
            yield f"{damage} is not felt", harms


@pytest.mark.parametrize(("name", "scene"), ON)
def test_a_higher_level_never_scores_better(name, scene):
    try:
        assert not dict(offences(name, lambda x, ref: get(name)(x, ref=ref), scene))
    finally:
        if index()[name]["min_side"] > SIDE:
            series.cache_clear()


def blind(x, ref):
    return torch.ones_like((x - ref)[:, 0, 0, 0], dtype=torch.float32)


def turned(x, ref):
    return 1 - get("ssim")(x, ref=ref)


@pytest.mark.parametrize("wrong", [blind, turned])
def test_a_wrong_score_is_caught(wrong):
    caught = dict(offences("ssim", wrong, "leaves"))
    assert len(caught) >= (3 if wrong is blind else 30)


@pytest.mark.parametrize("pair", EXEMPT, ids=":".join)
def test_an_exemption_is_needed(pair):
    name, damage = pair
    side = max(SIDE, index()[name]["min_side"])
    assert any(
        rises(harm(name, get(name)(x, ref=ref.expand_as(x)))) > SLACK for x, ref in (series(damage, s, side) for s in ("leaves", "clouds"))
    )


def ranked(name, x):
    """Which of a claimed degradations a score without a reference does not rank with the level."""
    for damage in CLAIMS.get(name, CORE):
        card = get(damage).card
        values, at = [], []
        for i, level in enumerate((None, *card.levels)):
            try:
                values.append(float(score(name, x if level is None else get(damage)(x, **{card.knob: level}))[0]))
            except CannotAssess:
                continue  # nothing is left to judge
            at.append(i)
        rank = spearmanr(at, harm(name, values)).statistic if len(set(values)) > 1 else 0
        if not rank > 0:
            yield damage, values


@pytest.mark.parametrize("name", ALONE)
def test_scores_without_a_reference_rank_damage(name, photo):
    assert not dict(ranked(name, tensor(photo[:256, 128:384])))


@pytest.mark.parametrize("name", ALONE)
def test_scores_without_a_reference_rank_damage_to_a_lossless_photo(name, data):
    assert not dict(ranked(name, load(found(data / "pristine/kodak/kodim08.png"))[..., 100:356, 200:456]))
