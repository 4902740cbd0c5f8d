"""The encoder is named from its tables, and a camera's claim is held against its handwriting."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assay.authenticity.quantisation import quantisation
from assay.ops import jpegfile, jpegtables
from assay.types import BadInput, CannotAssess
from files import TEXT, damaged, encoded, photo, picture, says, scene, segment, survives, with_segments

SMALL = scene(48, 32)


def pointed(finding):
    return {(e.points_to, e.weight) for e in finding.evidence if e.points_to}


def hardware(jpeg):
    """The same picture as a camera lays it out: all quantisation tables in one segment, all Huffman tables in another."""
    file = jpegfile.parse(jpeg)
    steps = b"".join(s.payload for s in file.segments if s.marker == jpegfile.DQT)
    codes = b"".join(s.payload for s in file.segments if s.marker == jpegfile.DHT)
    apps = b"".join(segment(s.marker, s.payload) for s in file.segments if s.marker == 0xE1)
    frame = next(s for s in file.segments if s.marker == 0xC0)
    scan = next(s for s in file.segments if s.marker == jpegfile.SOS)
    head = b"\xff\xd8" + apps + segment(0xDB, steps) + segment(0xC4, codes) + segment(0xC0, frame.payload)
    return head + jpeg[scan.offset :]


@pytest.mark.parametrize("quality", range(1, 101))
def test_every_libjpeg_quality_is_read_back(quality):
    found = quantisation(picture(encoded(SMALL, quality=quality))).data
    if quality == 100:
        assert (found["encoder"], found["quality"]) == (jpegtables.FINEST, None)
    else:
        assert (found["encoder"], found["quality"]) == ("libjpeg", quality)
    assert found["nearest_quality"] == quality
    assert found["nearest_distance"] == 0


@pytest.mark.parametrize("grey", [False, True])
def test_pillow_agrees_about_the_tables(grey):
    data = encoded(SMALL[..., 0] if grey else SMALL, quality=63)
    with Image.open(io.BytesIO(data)) as im:
        want = {str(k): list(v) for k, v in im.quantization.items()}
    assert quantisation(picture(data)).data["tables"] == want


@pytest.mark.parametrize(("setting", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_subsampling_is_named(setting, name):
    found = quantisation(picture(encoded(SMALL, subsampling=setting)))
    assert found.data["subsampling"] == name
    assert name in found.evidence[0].says


def test_grey_progressive_optimised_and_restarts_are_seen():
    grey = quantisation(picture(encoded(SMALL[..., 0], quality=87))).data
    assert (grey["subsampling"], grey["encoder"], grey["quality"]) == ("grey", "libjpeg", 87)
    many = quantisation(picture(encoded(SMALL, progressive=True))).data
    assert (many["process"], many["usual_huffman"]) == ("progressive", False)
    assert many["scans"] > 5
    assert quantisation(picture(encoded(SMALL))).data["usual_huffman"] is True
    assert quantisation(picture(encoded(SMALL, optimize=True))).data["usual_huffman"] is False
    assert quantisation(picture(encoded(SMALL, restart_marker_blocks=2))).data["restart_interval"] == 2


def test_photoshops_tables_are_known():
    found = quantisation(picture(encoded(SMALL, qtables="web_high", subsampling=0)))
    assert found.data["encoder"] == "Photoshop (web high)"
    assert pointed(found) == set()  # the tables alone, without an Adobe segment
    adobe = segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01")
    found = quantisation(picture(with_segments(encoded(SMALL, qtables="web_high", subsampling=0), adobe)))
    assert says(found, "beside an Adobe segment").points_to == "edited"


def test_adobes_own_words_about_quality_are_read():
    ducky = segment(0xEC, b"Ducky\0\1\0\4\0\0\0\x3c\0\2\0\0")
    assert says(quantisation(picture(with_segments(encoded(SMALL), ducky))), "for the web, at quality 60").points_to == "edited"
    setting = segment(0xED, b"Photoshop 3.0\x008BIM\x04\x06\0\0\0\0\0\7\0\4\0\0\0\1\0\0")
    found = quantisation(picture(with_segments(encoded(SMALL), setting)))
    assert says(found, "at quality 8 of 12").points_to == "edited"
    assert found.data["save_as_quality"] == 8


def test_mozjpegs_tables_are_known():
    steps = [list(jpegtables.scaled(jpegtables.ROBIDOUX, 75))] * 2
    found = quantisation(picture(encoded(SMALL, qtables=steps))).data
    assert (found["encoder"], found["quality"]) == ("mozjpeg", 75)


def test_foreign_tables_get_the_nearest_quality():
    off = np.array(jpegtables.scaled(jpegtables.LUMA, 80)) + (np.arange(64) % 2)
    found = quantisation(picture(encoded(SMALL, qtables=[off.tolist(), off.tolist()])))
    assert found.data["encoder"] == jpegtables.OWN
    assert abs(found.data["nearest_quality"] - 80) <= 3
    assert "closest to libjpeg quality" in found.evidence[0].says


def test_a_camera_file_resaved_by_libjpeg_is_hinted():
    found = quantisation(picture(photo(quality=90)))
    one = says(found, "probably re-saved by software")
    assert (one.points_to, one.weight) == ("edited", "hint")
    assert "phones" in one.caveat


def test_the_file_that_admits_software_is_not_told_so_again():
    assert pointed(quantisation(picture(photo(quality=90, zeroth={305: (TEXT, "GIMP 2.10")})))) == set()


def test_a_camera_writes_no_progressive_file():
    assert says(quantisation(picture(photo(progressive=True))), "cameras do not write").points_to == "edited"


def test_a_cameras_layout_is_hinted_as_original():
    found = quantisation(picture(hardware(photo(quality=90))))
    assert pointed(found) == {("camera original", "hint")}
    assert found.data["libjpeg_layout"] is False
    assert pointed(quantisation(picture(hardware(encoded(SMALL))))) == set()  # no camera is named


def test_what_follows_the_picture_and_what_is_missing_are_noted():
    data = encoded(SMALL)
    assert says(quantisation(picture(data + b"secret")), "6 bytes follow")
    assert quantisation(picture(data)).data["trailing_bytes"] == 0
    assert says(quantisation(picture(data[:-20])), "cut off").points_to is None
    other = quantisation(picture(data + encoded(SMALL, quality=10))).data
    assert other["quality"] == 75  # of the first picture, not of the one behind it


def test_a_marker_inside_the_pixels_is_no_segment():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    file = jpegfile.parse(encoded(noise, quality=100))
    assert file.complete
    assert file.scans == 1
    assert file.trailing == 0


def test_sixteen_bit_tables_are_read():
    file = jpegfile.parse(encoded(SMALL))
    wide = b"".join(
        bytes((0x10 | slot,)) + b"".join(int(steps[p] + 300).to_bytes(2, "big") for p in jpegfile.ZIGZAG)
        for slot, steps in file.tables.items()
    )
    rest = b"".join(segment(s.marker, s.payload) for s in file.segments if s.marker not in (0xDB, 0xDA))
    again = jpegfile.parse(b"\xff\xd8" + segment(0xDB, wide) + rest + segment(0xDA, b"\0" * 10))
    assert again.tables == {slot: tuple(v + 300 for v in steps) for slot, steps in file.tables.items()}


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b"", CannotAssess, "no file"),
        (b"\x89PNG", CannotAssess, "no JPEG file"),
        (b"\xff\xd8\xff\xd9", BadInput, "before its frame header"),
        (b"\xff\xd8\xff\xe0\xff\xff", BadInput, "before its frame header"),
        (b"\xff\xd8" + segment(0xC0, b"\x08\0\x10\0\x10\x01\x01\0\0"), BadInput, "sampling factors of 0"),
        (b"\xff\xd8" + segment(0xC0, b"\x08\0\x10\0\x10\x01\x01\x11\0"), CannotAssess, "no quantisation table"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(data, kind, text):
    with pytest.raises(kind, match=text):
        quantisation(picture(data))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_the_parser_survives_anything(tail):
    with suppress(BadInput):
        assert jpegfile.parse(b"\xff\xd8" + tail).width >= 0


def test_broken_files_raise_nothing_else():
    for data in damaged(photo(64, 48), 2, 400):
        survives(quantisation, picture(data))


def test_on_real_files(data):
    labels = {"Canon_IXUS": "camera original", "Sony_Cybershot__2_": "camera original", "Nikon_E950": "edited", "Sony_D700": "edited"}
    for name, label in labels.items():
        found = quantisation(picture((data / f"camera/original/{name}.jpg").read_bytes()))
        assert {e.points_to for e in found.evidence} - {None} == {label}
