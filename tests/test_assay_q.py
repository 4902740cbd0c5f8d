"""The learned judge: what must hold whatever it has learned, and what it must have learned."""

from __future__ import annotations

import json

import pytest
import torch
from skimage import data

from assay.catalog import get
from assay.nets.assay_q import REACH, STATISTICS, STRIDE, statistics
from assay.quality import assay_q as module

judge = get("assay-q")


@pytest.fixture(scope="module")
def photo():
    return torch.from_numpy(data.astronaut()[:256, 100:356].copy()).permute(2, 0, 1)[None].contiguous()


def score(x):
    return float(judge(x)[0].score)


def test_statistics_do_not_know_which_way_is_up(photo):
    x = photo.float() / 255
    want = statistics(x)
    assert want.shape == (1, STATISTICS, 16, 16)
    turned = {
        "mirrored": (x.flip(3), lambda t: t.flip(3)),
        "upside down": (x.flip(2), lambda t: t.flip(2)),
        "turned": (torch.rot90(x, 1, (2, 3)), lambda t: torch.rot90(t, -1, (2, 3))),
    }
    for name, (y, back) in turned.items():
        assert (back(statistics(y)) - want).abs().max() < 0.05, name  # logarithms of what is nearly nothing differ in rounding


def test_statistics_come_from_within_reach(photo):
    x = photo.float() / 255
    y = x.clone()
    y[:, :, :STRIDE] = 0.5
    far = (STRIDE + REACH) // STRIDE
    torch.testing.assert_close(statistics(y)[:, :, far:], statistics(x)[:, :, far:], atol=2e-3, rtol=0)


@pytest.mark.parametrize("size", [(64, 64), (67, 151), (256, 256), (200, 90)])
def test_a_mirrored_or_turned_picture_reads_the_same(photo, size):
    x = photo[:, :, : size[0], : size[1]].contiguous()
    for y in (x.flip(3), x.flip(2), torch.rot90(x, 1, (2, 3))):
        assert score(y) == pytest.approx(score(x), abs=0.1)


def test_strips_change_nothing(photo, monkeypatch):
    tall = torch.cat([photo, photo.flip(2), photo], dim=2)
    whole = score(tall)
    monkeypatch.setattr(module, "STRIP", 1)
    assert score(tall) == pytest.approx(whole, abs=0.01)


def test_a_batch_reads_as_its_pictures_do(photo):
    other = 255 - photo
    assert [float(f.score) for f in judge(torch.cat([other, photo, other]))] == [score(other), score(photo), score(other)]


def test_bytes_floats_and_halves_agree(photo):
    x = photo.float() / 255
    assert score(x) == pytest.approx(score(photo), abs=0.01)
    assert score(x.half()) == pytest.approx(score(photo), abs=2)


def test_grey_pictures_and_flat_ones_have_an_answer(photo):
    for x in (photo[:, :1], torch.zeros(1, 3, 64, 64), torch.full((1, 1, 80, 100), 255, dtype=torch.uint8)):
        (f,) = judge(x)
        assert 0 <= f.interval[0] <= f.score <= f.interval[1] <= 100


def test_a_large_picture_is_judged_as_on_a_screen(photo):
    large = photo.repeat(1, 1, 8, 8)
    (seen,) = module.opened(large, "screen")
    assert seen.shape[2] * seen.shape[3] < 1.05 * module.SCREEN
    assert module.opened(large, "pixels")[0].shape[2:] == large.shape[2:]


@pytest.mark.parametrize(
    ("kind", "levels"),
    [
        ("gaussian_blur", (1, 2, 4)),
        ("gaussian_noise", (5, 15, 40)),
        ("jpeg", (70, 30, 8)),
        ("webp", (60, 30, 8)),
        ("downscale", (1.5, 3, 8)),
        ("motion_blur", (5, 15, 40)),
        ("pixelate", (2, 4, 8)),
    ],
)
def test_more_damage_scores_worse(photo, kind, levels):
    fn = get(kind)
    scores = [score(photo), *(score(fn(photo, **{fn.card.knob: v})) for v in levels)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > 25


@pytest.mark.parametrize(
    ("kind", "level", "name"),
    [
        ("jpeg", 10, "JPEG compression"),
        ("gaussian_noise", 30, "noise"),
        ("gaussian_blur", 4, "blur"),
        ("salt_and_pepper", 8, "impulse noise"),
    ],
)
def test_damage_is_named(photo, kind, level, name):
    fn = get(kind)
    (f,) = judge(fn(photo, **{fn.card.knob: level}))
    assert next(iter(f.data["sees"])) == name
    json.dumps(f.data)


def test_the_map_shows_where(photo):
    x = photo.clone()
    blurred = get("gaussian_blur")(photo, sigma=5)
    x[:, :, 64:192, 64:192] = blurred[:, :, 64:192, 64:192]
    m = judge(x)[0].map
    assert m.shape == (16, 16)
    assert m[5:11, 5:11].mean() < m[[0, 1, 14, 15]].mean() - 15
