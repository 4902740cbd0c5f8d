"""Copies within a picture: found with their motion; likeness without copying is not taken for it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import affine_transform

from assay.authenticity.copy_move import copy_move
from assay.ops import copies, keypoints
from assay.types import CannotAssess
from files import picture
from pictures import blur, jpeg, noise


def ask(pixels):
    finding = copy_move(picture(b"", pixels=np.atleast_3d(pixels)))
    json.dumps(finding.data, allow_nan=False)
    return finding


def turned(photo, degrees, scale, middle, to, radius):
    """The photograph with a disc around `middle` (x, y) put to `to`, turned and scaled; and where both discs are."""
    angle = np.deg2rad(degrees)
    m = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # x, y
    back = np.linalg.inv(m)[::-1, ::-1]  # rows, columns
    offset = np.array(middle[::-1]) - back @ np.array(to[::-1])
    image = np.stack([affine_transform(photo[..., c].astype(float), back, offset, order=3) for c in range(3)], -1)
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    there = np.hypot(x - to[0], y - to[1]) < radius * scale
    out = photo.copy()
    out[there] = np.clip(np.rint(image), 0, 255).astype(np.uint8)[there]
    return out, there | (np.hypot(x - middle[0], y - middle[1]) < radius)


def test_points_keep_their_place_direction_and_scale_when_a_picture_is_turned(photo):
    both, _ = turned(photo[:256, :256], 20, 1.1, (128, 128), (128, 128), 400)
    grey = [np.asarray(Image.fromarray(p).convert("L"), np.float32) for p in (photo[:256, :256], both)]
    a, b = (keypoints.keypoints(g) for g in grey)
    s = a.descriptors @ b.descriptors.T
    two = np.sort(s, axis=1)[:, -2:]
    sure = np.sqrt(2 - 2 * np.minimum(two[:, 1], 1)) < 0.7 * np.sqrt(2 - 2 * np.minimum(two[:, 0], 1))
    at = s.argmax(1)[sure]
    m = 1.1 * np.exp(1j * np.deg2rad(20))
    z = (a.x + 1j * a.y)[sure] - 128 * (1 + 1j)
    miss = np.abs(z * m + 128 * (1 + 1j) - (b.x + 1j * b.y)[at])
    assert sure.sum() > 60
    right = miss < 3
    assert right.mean() > 0.9
    assert np.median(np.abs(np.angle(np.exp(1j * (b.angle[at] - a.angle[sure] - np.deg2rad(20))))[right])) < np.deg2rad(3)
    assert np.median((b.scale[at] / a.scale[sure])[right]) == pytest.approx(1.1, abs=0.03)


@pytest.mark.parametrize("quality", [None, 85])
def test_a_clone_is_found(photo, quality):
    pixels = photo.copy()
    pixels[300:420, 20:160] = photo[20:140, 180:320]
    finding = ask(jpeg(pixels, quality) if quality else pixels)
    (told,) = finding.evidence
    assert (told.points_to, told.weight) == ("edited", "hint")
    (copy,) = finding.data["copies"]
    assert np.abs(np.abs(copy["shift"]) - [160, 280]).max() < 1
    truth = np.zeros(photo.shape[:2], bool)
    truth[300:420, 20:160] = truth[20:140, 180:320] = True
    found = finding.map.numpy() > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.6
    assert len(finding.data["regions"]) == 2


def test_a_turned_and_scaled_clone_is_found_with_its_motion(photo):
    pixels, truth = turned(photo, 20, 1.1, (225, 115), (95, 400), 75)
    finding = ask(pixels)
    copy = finding.data["copies"][0]
    forth = copy["scale"] > 1
    assert copy["scale"] == pytest.approx(1.1 if forth else 1 / 1.1, abs=0.03)
    assert copy["turn"] == pytest.approx(20 if forth else -20, abs=2)
    found = finding.map.numpy() > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.5


def test_a_photograph_holds_no_copies(photo):
    for pixels in (photo, jpeg(photo, 75)):
        finding = ask(pixels)
        assert finding.map is None
        assert finding.data["copies"] == []
        assert not [e for e in finding.evidence if e.points_to]


def test_things_that_are_merely_alike_are_not_copies(photo):
    """Two prints of one logo, photographed: each is placed by a fraction of a pixel, and has noise of its own."""
    mark = Image.new("L", (720, 720), 235)
    draw = ImageDraw.Draw(mark)
    rng = np.random.default_rng(3)
    for _ in range(40):
        x, y, w, h = rng.integers(60, 560, 4) * [1, 1, 0.2, 0.2]
        draw.ellipse([x, y, x + w + 20, y + h + 20], fill=int(rng.integers(0, 235)))
    scene = photo.astype(float)
    for (y, x), shift in (((30, 30), 0), ((330, 300), 3)):
        small = mark.transform(mark.size, Image.Transform.AFFINE, (1, 0, shift, 0, 1, shift / 2)).resize((120, 120), Image.Resampling.BOX)
        scene[y : y + 120, x : x + 120] = np.asarray(small, float)[..., None]
    pixels = noise(blur(np.clip(scene, 0, 255).astype(np.uint8), 1.0), 6)
    assert not [e for e in ask(pixels).evidence if e.points_to]


def test_repeats_of_a_pattern_are_not_copies():
    y, x = np.mgrid[:400, :400]
    tiles = 120 + 60 * ((x // 25 + y // 25) % 2) + 20 * np.sin(x / 4) * np.sin(y / 5)
    pixels = noise(np.repeat(tiles[..., None], 3, 2).astype(np.uint8), 5)
    assert not [e for e in ask(pixels).evidence if e.points_to]


@pytest.mark.parametrize(
    ("pixels", "text"),
    [(np.zeros((63, 300, 3), np.uint8), "at least 64×64"), (np.full((200, 200, 1), 9, np.uint8), "too smooth")],
)
def test_what_cannot_be_assessed_says_so(pixels, text):
    with pytest.raises(CannotAssess, match=text):
        ask(pixels)


def test_large_and_grey_and_deeper_pictures_are_answered(photo):
    grey = np.tile(photo[..., :1], (3, 3, 1))[:1300, :1400]
    assert ask(grey).data["statistic"] > 0  # tiled: copies all over
    assert ask(photo.astype(np.float32) / 255).data == ask(photo).data


def test_pairs_are_not_neighbours():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    at = rng.uniform(0, 20, (2, 50)).astype(np.float32)
    ones = np.ones(50, np.float32)
    k = keypoints.Keypoints(*(np.concatenate([v, v]) for v in (at[0], at[1], ones, ones, vectors)))
    assert len(copies.alike(k, apart=24)) == 0
    moved = k._replace(x=np.concatenate([at[0], at[0] + 100]))
    pairs = copies.alike(moved, apart=24)
    assert {tuple(p) for p in np.sort(pairs, axis=1)} == {(i, i + 50) for i in range(50)}
