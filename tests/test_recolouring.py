"""How colours hang together, and parts whose colours were changed."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from assay.authenticity.recolouring import areas, recolouring
from assay.bench.localisation import pixel_auc
from assay.io.decode import read
from assay.ops.colourties import EXPLAINED, INPUTS, LOOK, MOST, NAMES, beside_the_rest, ties
from assay.types import CannotAssess
from files import encoded, picture
from pictures import jpeg, tensor


def ask(pixels, data=b""):
    return recolouring(picture(data, pixels=np.atleast_3d(pixels)))


@pytest.fixture(scope="module")
def camera(photo):
    """A photograph as a camera saves it: colours at half size."""
    return jpeg(photo[:384, :448], 90)


@pytest.fixture(scope="module")
def edited(camera):
    """One part of it with other gains of the channels, and where."""
    truth = np.zeros(camera.shape[:2], bool)
    truth[100:260, 150:330] = True
    soft = gaussian_filter(truth.astype(float), 1)[..., None]
    new = camera * np.array([1.35, 0.85, 0.8])
    return (camera * (1 - soft) + new * soft).round().clip(0, 255).astype(np.uint8), truth


@pytest.mark.parametrize("size", [(128, 128), (133, 190), (16, 16), (17, 40)])
def test_statistics_of_any_size_and_kind(photo, size):
    x = tensor(photo[: size[0], : size[1]])[0]
    found, side = ties(x)
    assert side == 16
    assert found.shape == (len(NAMES), size[0] // 16, size[1] // 16)
    assert found.isfinite().all()
    seen = beside_the_rest(found)
    assert seen.shape == (INPUTS, *found.shape[1:])
    assert seen.isfinite().all()
    torch.testing.assert_close(ties(x / 255)[0], found, rtol=1e-3, atol=1e-3)


def test_large_pictures_are_seen_in_larger_squares(photo):
    found, side = ties(tensor(np.tile(photo, (4, 3, 1)))[0])
    assert side == 32
    assert found[0].numel() <= MOST
    assert found.shape[1:] == (64, 48)


def test_a_constant_picture_has_no_steps_and_finite_statistics():
    found, _ = ties(torch.full((3, 64, 64), 90, dtype=torch.uint8))
    seen = beside_the_rest(found)
    assert seen.isfinite().all()
    assert not seen[LOOK:].any()  # no square differs from another
    for i in EXPLAINED:
        assert not found[i].any()


def test_swapped_channels_swap_their_statistics(photo):
    x = tensor(photo[:128, :160])[0]
    plain, swapped = ties(x)[0], ties(x.flip(0))[0]
    for red, blue in (("red steps, 1", "blue steps, 1"), ("red with green, 2", "blue with green, 2"), ("rough red", "rough blue")):
        torch.testing.assert_close(plain[NAMES.index(red)], swapped[NAMES.index(blue)])
    torch.testing.assert_close(plain[NAMES.index("missing green")], swapped[NAMES.index("missing green")])


def test_gains_move_steps_and_leave_gaps(photo):
    x = photo[:128, :160].astype(float)
    plain = ties(tensor(x.clip(0, 180).astype(np.uint8))[0])[0]
    louder = ties(tensor((x.clip(0, 180) * [1.3, 1, 1]).round().astype(np.uint8))[0])[0]
    steps, missing = NAMES.index("red steps, 1"), NAMES.index("missing red")
    assert float((louder[steps] - plain[steps]).median()) == pytest.approx(np.log(1.3), abs=0.05)
    assert float((louder[missing] - plain[missing]).mean()) > 0.1
    torch.testing.assert_close(louder[NAMES.index("missing blue")], plain[NAMES.index("missing blue")])


def test_no_edit_and_a_lossless_save_change_nothing(camera):
    plain = ask(camera)
    assert ask((camera * np.ones(3)).round().astype(np.uint8)).data == plain.data
    assert recolouring(read(encoded(camera, "PNG"))).data == plain.data


def test_a_recoloured_part_stands_out(edited, camera):
    pixels, truth = edited
    finding = ask(pixels)
    assert finding.map.shape == truth.shape
    assert pixel_auc(finding.map.double().numpy().ravel(), truth.ravel()) > 0.9
    assert (finding.evidence[0].points_to, finding.evidence[0].weight) == ("edited", "hint")
    first = finding.data["regions"][0]
    assert abs(first["x"] + first["width"] / 2 - 240) < 40
    assert abs(first["y"] + first["height"] / 2 - 180) < 40
    json.dumps(finding.data, allow_nan=False)
    assert finding.data["statistic"] > ask(camera).data["statistic"] + 1


@pytest.mark.parametrize("gains", [(1, 1, 1), (1.1, 1, 0.9), (0.8, 0.8, 0.8)])
def test_a_photograph_of_another_tone_is_not_told(camera, gains):
    finding = ask((camera * np.array(gains)).round().clip(0, 255).astype(np.uint8))
    (said,) = finding.evidence
    assert finding.data["statistic"] < 0
    assert said.points_to is None
    assert "does not show that none was recoloured" in said.says


def test_deep_and_odd_pictures_have_an_answer(camera):
    assert ask(camera[:131, :257]).map.shape == (131, 257)
    deep = ask(camera.astype(np.float32) / 255)
    assert deep.data["statistic"] == pytest.approx(ask(camera).data["statistic"], abs=0.05)


@pytest.mark.parametrize(
    ("pixels", "text"),
    [
        (np.zeros((1, 1, 3), np.uint8), "from 128×128"),
        (np.zeros((127, 300, 3), np.uint8), "from 128×128"),
        (np.full((200, 200, 3), 9, np.uint8), "grey"),
        (np.full((200, 200, 3), (9, 80, 30), np.uint8), "Too few parts"),
        (np.zeros((200, 200, 1), np.uint8), "grey"),
    ],
)
def test_what_cannot_be_assessed_says_so(pixels, text):
    with pytest.raises(CannotAssess, match=text):
        ask(pixels)


@pytest.mark.parametrize(("mode", "format"), [("P", "PNG"), ("CMYK", "JPEG")])
def test_palettes_and_inks_are_refused(camera, mode, format):
    out = io.BytesIO()
    Image.fromarray(camera).convert(mode).save(out, format)
    with pytest.raises(CannotAssess, match="few colours or in inks"):
        recolouring(read(out.getvalue()))


def test_areas_are_told_the_weightiest_first():
    p = np.zeros((20, 30), np.float32)
    p[2:6, 3:8], p[10:18, 20:28], p[0, 29] = 0.9, 0.7, 1
    found = areas(p, 16)
    assert [(r["x"], r["y"], r["width"], r["height"]) for r in found] == [(320, 160, 128, 128), (48, 32, 80, 64)]


def test_photographs_raise_no_alarm_and_recoloured_ones_rank_higher(data):
    files = sorted((data / "pristine/kodak").glob("*.png"))[2::5]
    if not files:
        pytest.skip("no Kodak photographs")
    told = []
    for file in files:
        x = jpeg(np.asarray(Image.open(file).convert("RGB"))[:512, :512], 80)
        y = x.copy()
        y[160:352, 128:320] = (y[160:352, 128:320] * [0.75, 1.0, 1.3]).round().clip(0, 255)
        plain, forged = ask(x), ask(y)
        assert plain.evidence[0].points_to is None, file.name
        told.append(forged.data["statistic"] > plain.data["statistic"])
    assert np.mean(told) >= 0.8
