"""An old thumbnail gives a changed picture away; turning, bars and other shapes do not."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from assay.authenticity.thumbnail import thumbnail
from assay.ops import smallmatch
from assay.types import CannotAssess
from files import damaged, encoded, exif, photo, picture, says, scene, segment, survives, with_segments

SCENE = scene(480, 360)


def small(pixels, size=(160, 120), **options):
    return encoded(np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)), quality=80, **options)


def file(pixels, thumb):
    return picture(with_segments(encoded(pixels, quality=92), segment(0xE1, exif(thumbnail=thumb))))


def labels(finding):
    return {(e.points_to, e.weight) for e in finding.evidence}


def test_the_thumbnail_of_the_same_picture_is_only_noted():
    found = thumbnail(file(SCENE, small(SCENE)))
    assert labels(found) == {(None, "note")}
    assert "clears nothing" in found.evidence[0].caveat
    assert found.data["correlation"] > 0.99
    assert found.map.shape == (3, 120, 480)
    assert 0 <= found.map.min() <= found.map.max() <= 1
    json.dumps(found.data, allow_nan=False)


def test_brightness_and_colour_alone_are_no_difference():
    warm = np.clip(SCENE * np.array([0.9, 0.8, 0.6]) + 20, 0, 255).astype(np.uint8)
    assert labels(thumbnail(file(warm, small(SCENE)))) == {(None, "note")}


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_picture_is_the_same_picture(turns):
    found = thumbnail(file(np.ascontiguousarray(np.rot90(SCENE, turns)), small(SCENE)))
    assert found.data["quarter_turns"] == (4 - turns) % 4
    assert labels(found) == {(None, "note")}
    assert "after turning" in found.evidence[0].says


def test_black_bars_are_allowed():
    wide = scene(480, 270)
    barred = np.zeros((120, 160, 3), np.uint8)
    barred[15:105] = np.asarray(Image.fromarray(wide).resize((160, 90), Image.Resampling.BICUBIC))
    found = thumbnail(file(wide, encoded(barred)))
    assert found.data["fit"] == "bars"
    assert labels(found) == {(None, "note")}


@pytest.mark.parametrize("left", [0, 20, 80])
def test_a_thumbnail_cut_to_another_shape_is_allowed(left):
    wide = scene(480, 300)
    found = thumbnail(file(wide, small(np.ascontiguousarray(wide[:, left : left + 400]))))
    assert found.data["fit"] == "cut"
    assert labels(found) == {(None, "note")}


def test_a_pasted_patch_is_found_where_it_is():
    spliced = SCENE.copy()
    spliced[200:260, 300:370] = scene(70, 60, seed=9)
    found = thumbnail(file(spliced, small(SCENE)))
    one = says(found, "but for one place")
    assert (one.points_to, one.weight) == ("edited", "hint")
    assert found.data["at"] == pytest.approx([335 / 480, 230 / 360], abs=0.09)


@pytest.mark.parametrize("box", [(48, 36, 432, 324), (0, 72, 336, 324), (140, 100, 380, 280)])
def test_a_crop_is_found_and_placed(box):
    left, top, right, bottom = box
    found = thumbnail(file(np.ascontiguousarray(SCENE[top:bottom, left:right]), small(SCENE)))
    assert says(found, "cropped after").points_to == "edited"
    assert np.array(found.data["box"]) * 3 == pytest.approx(np.array(box), abs=14)


def test_another_picture_is_told():
    found = thumbnail(file(SCENE, small(scene(480, 360, seed=5))))
    assert says(found, "something else").points_to == "edited"


def test_grey_and_deep_pictures_are_compared_too():
    grey = np.asarray(Image.fromarray(SCENE).convert("L"))
    assert says(thumbnail(file(grey, small(grey))), "same picture")
    made = file(SCENE, small(SCENE))
    deep = made.stored().float() / 255
    found = thumbnail(type(made)(made.pixels, made.data, "", "", made.media, lambda: deep))
    assert says(found, "same picture")


@pytest.mark.parametrize(
    ("thumb", "text"),
    [
        (b"", "no EXIF thumbnail"),
        (b"not a jpeg", "no EXIF thumbnail"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (small(SCENE)[:900], "damaged"),
        (encoded(np.zeros((120, 160, 3), np.uint8)), "plain area"),
        (encoded(scene(12, 9)), "too few"),
        (encoded(np.zeros((8, 3000, 3), np.uint8)), "no thumbnail has"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(thumb, text):
    with pytest.raises(CannotAssess, match=text):
        thumbnail(file(SCENE, thumb))


def test_an_array_has_no_file():
    with pytest.raises(CannotAssess, match="no file"):
        thumbnail(picture(b""))


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (17, 16)])
def test_tiny_and_thin_pictures_are_compared(size):
    assert len(thumbnail(file(scene(*size) if min(size) > 8 else np.full((size[1], size[0], 3), 90, np.uint8), small(SCENE))).evidence) == 1


def test_flat_areas_do_not_correlate():
    flat = np.full((30, 40), 7.0, np.float32)
    assert smallmatch.correlation(flat, flat) == 0.0


def test_broken_files_raise_nothing_else():
    whole = photo(64, 48, thumbnail=small(scene(64, 48), (32, 24)))
    with Image.open(io.BytesIO(whole)) as im:
        pixels = np.asarray(im)
    for data in damaged(whole, 3, 100):
        survives(thumbnail, picture(data, pixels))


def test_no_camera_file_is_accused(data):
    compared = 0
    for path in sorted((data / "camera/original").glob("[FKNO]*.jpg")):
        try:
            found = thumbnail(picture(path.read_bytes()))
        except CannotAssess:
            continue
        compared += 1
        assert labels(found) == {(None, "note")}, path.name
    assert compared >= 15
