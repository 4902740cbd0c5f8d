"""Decoding: every odd or broken file gives the right pixels or one clear sentence, whatever thread asks."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

import corpus
from assay.io import opening
from assay.io.decode import from_array, read
from assay.types import BadInput

CORPUS = corpus.files()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return folder, corpus.make(folder)


def meets(path, expectation):
    kind, want = expectation
    if kind == "error":
        with pytest.raises(BadInput) as e:
            read(path)
        assert re.search(want, str(e.value)), str(e.value)
        assert str(e.value).count(". ") == 0, "one sentence"
        return
    p = read(path)
    want(p)
    data = path.read_bytes()
    assert (p.data, p.sha256, p.path) == (data, hashlib.sha256(data).hexdigest(), str(path))
    assert p.pixels.is_contiguous()
    stored = p.stored()
    assert tuple(stored.shape) == (len(stored), p.media.height, p.media.width)
    assert p.stored() is stored


@pytest.mark.parametrize("name", [*CORPUS, "folder.jpg", "dangling.jpg", "loop.jpg", "missing.jpg", "locked.jpg"])
def test_corpus(name, made):
    folder, expected = made
    if name not in expected:
        pytest.skip("root may read everything")
    meets(folder / name, expected[name])


def test_corpus_from_eight_threads_at_once(made):
    folder, expected = made

    def all_of_them(_):
        for name, expectation in expected.items():
            meets(folder / name, expectation)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(all_of_them, range(8)))


FORMATS = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"lossless": True},
    "GIF": {},
    "TIFF": {"compression": "tiff_deflate"},
    "BMP": {},
    "AVIF": {},
    "JPEG2000": {},
    "PPM": {},
    "MPO": {},
}


def resealed(data):
    """Right checksums again, so that damage gets past them."""
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4


@pytest.mark.parametrize("kind", [*FORMATS, "resealed PNG", "16-bit PNG", "16-bit TIFF", "HEIF"])
def test_flipped_bytes_give_a_picture_or_a_sentence(kind, capfd):
    a = corpus.scene(24, 32)
    deep = a.astype(np.uint16) * 257
    if kind == "HEIF":
        heif = io.BytesIO()
        pytest.importorskip("pillow_heif").from_pillow(Image.fromarray(a)).save(heif)
        whole = heif.getvalue()
    elif kind.startswith("16-bit"):
        whole = corpus.png16(deep) if "PNG" in kind else corpus.tiff(deep, compression=8)
    else:
        more = {"save_all": True, "append_images": [Image.fromarray(a)]} if kind == "MPO" else {}
        whole = corpus.encode(a, kind.removeprefix("resealed "), exif=corpus.exif(6), **FORMATS.get(kind, {}), **more)
    rng = np.random.default_rng(5)
    read_as_picture = 0
    for i in range(500):
        data = bytearray(whole)
        span = len(data) if i % 2 else min(len(data), 200)  # headers are where the damage hurts most
        for at in rng.integers(0, span, rng.integers(1, 5)):
            data[at] ^= rng.integers(1, 256)
        if kind in ("resealed PNG", "16-bit PNG"):
            resealed(data)
        try:
            p = read(bytes(data), max_pixels=1_000_000)
            p.stored()
        except BadInput:
            continue
        read_as_picture += 1
        assert p.pixels.shape[0] in (1, 3)
    if kind == "PNG":
        assert read_as_picture == 0, "its checksums catch every flip"
    else:
        assert 0 < read_as_picture < 500
    assert "Warning" not in capfd.readouterr().err


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_orientation_and_stored_pixels(orientation, deep):
    a = corpus.scene()
    v = a.astype(np.uint16) * 257 if deep else a
    want = torch.from_numpy(corpus.upright(a, orientation)).permute(2, 0, 1)
    raw = torch.from_numpy(a).permute(2, 0, 1)
    exif = corpus.chunk(b"eXIf", corpus.exif(orientation).removeprefix(b"Exif\0\0"))
    png = corpus.png16(v, exif) if deep else corpus.encode(a, "PNG", exif=corpus.exif(orientation))
    for data in (png, corpus.tiff(v, t274=orientation), corpus.tiff(v, t274=orientation, compression=8)):
        p = read(data)
        scale = 255 if deep else 1
        assert torch.equal((p.pixels * scale).round().byte(), want)
        assert torch.equal((p.stored() * scale).round().byte(), raw)
        assert (p.media.width, p.media.height, p.media.orientation) == (64, 48, orientation)
        assert (p.stored() is p.pixels) == (orientation == 1)


def direct(a, mode, icc):
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return np.asarray(
        ImageCms.profileToProfile(
            Image.fromarray(a) if mode != "CMYK" else Image.fromarray(a).convert("CMYK"),
            profile,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
        )
    )


def test_icc_is_what_imagecms_gives_and_stored_is_before_it():
    a = corpus.scene()
    for name, primaries in (("P3", corpus.P3), ("Adobe", corpus.ADOBE)):
        icc = corpus.icc(name, primaries)
        p = read(corpus.encode(a, "PNG", icc_profile=icc))
        assert np.array_equal(p.pixels.permute(1, 2, 0).numpy(), direct(a, "RGB", icc))
        assert not np.array_equal(direct(a, "RGB", icc), a)
        assert np.array_equal(p.stored().permute(1, 2, 0).numpy(), a)
        assert p.media.icc == name


def test_a_wide_gamut_red_becomes_what_colour_science_says():
    p3_red = read(corpus.encode(np.array([[[200, 100, 100]]], np.uint8), "PNG", icc_profile=corpus.icc("P3", corpus.P3)))
    light = (np.array([200, 100, 100]) / 255) ** 2.2 @ np.array(corpus.P3) @ np.linalg.inv(np.array(corpus.SRGB))
    want = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255  # IEC 61966-2-1
    assert np.abs(p3_red.pixels.flatten().numpy() - want).max() <= 1.5


def test_grey_icc_keeps_one_channel():
    a = corpus.scene()[..., 0]
    icc = corpus.icc("Grey 1.8", None, 1.8)
    p = read(corpus.encode(a, "PNG", icc_profile=icc))
    assert np.array_equal(p.pixels[0].numpy(), direct(a, "L", icc)[..., 1])


def test_a_profile_that_is_srgb_in_other_words_changes_nothing():
    a = corpus.scene()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    p = read(corpus.encode(a, "PNG", icc_profile=srgb))
    assert p.stored() is p.pixels
    assert "sRGB" in p.media.icc
    deep = read(corpus.png16(a.astype(np.uint16) * 257, corpus.chunk(b"iCCP", b"s\0\0" + zlib.compress(srgb))))
    assert deep.pixels.dtype == torch.float32, "an sRGB profile costs no depth"


def test_sixteen_bits_are_exact_whatever_the_filter_or_the_interlacing():
    v = np.random.default_rng(0).integers(0, 65536, (16, 16, 3), dtype=np.uint16)
    rows = []
    for x, y, step_x, step_y in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        rows += [b"\0" + row.astype(">u2").tobytes() for row in v[y::step_y, x::step_x]]
    p = read(corpus.png(16, 16, 16, 2, b"".join(rows), interlace=1))
    assert np.array_equal((p.pixels * 65535).round().numpy().astype(np.uint16), v.transpose(2, 0, 1))
    assert p.media.bit_depth == 16


def test_background():
    rgba = np.zeros((1, 1, 4), np.uint8)
    assert read(corpus.encode(rgba, "PNG"), background=(10, 20, 30)).pixels.flatten().tolist() == [10, 20, 30]
    grey = read(corpus.encode(rgba[..., 2:], "PNG"), background=(10, 20, 30))
    assert grey.pixels.flatten().tolist() == [10, 20, 30], "grey over a coloured background becomes colour"
    assert "rgb(10, 20, 30)" in grey.media.notes[0]
    assert grey.stored().flatten().tolist() == [0]


def test_the_limit_is_an_argument_and_nothing_global_changes():
    data = corpus.encode(np.zeros((100, 100), np.uint8), "PNG")
    with pytest.raises(BadInput, match=r"100×100 pixels \(0 million\), above the limit of 0.009999 million"):
        read(data, max_pixels=9_999)
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    read(data, max_pixels=10_000)
    assert (limit, filters) == (Image.MAX_IMAGE_PIXELS, warnings.filters)


def test_pillows_own_limit_is_named(monkeypatch):
    data = corpus.tiff(corpus.scene())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000)
    p = read(data)  # 3072 pixels: above Pillow's warning, below its error
    assert not p.media.notes
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(BadInput, match=r"Pillow's own limit.*PIL\.Image\.MAX_IMAGE_PIXELS"):
        read(data)


def test_a_warning_of_another_thread_is_handed_on():
    notes = []
    with pytest.warns(UserWarning, match="not about pictures"), opening.hearing(notes):
        warnings.warn("not about pictures", stacklevel=1)
    assert not notes


def test_warnings_of_the_decoder_become_notes():
    p = read(corpus.tiff(corpus.scene()).replace(b"\x53\x01\x03\0\x03\0\0\0", b"\x53\x01\x03\0\x00\0\0\x7f"))
    assert any(n.startswith("The decoder warns: ") for n in p.media.notes)


def test_a_missing_heif_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(BadInput, match=r"pip install assay\[heif\]"):
        read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))


def test_devices_are_not_read():
    with pytest.raises(BadInput, match="device or a socket"):
        read(Path("/dev/null"))
    with pytest.raises(BadInput, match="cannot be read"):
        read("nul\0byte.png")


RNG = np.random.default_rng(1)
U8 = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (U8, (3, 5, 7)),
        (U8[..., 0], (1, 5, 7)),
        (U8[..., :1], (1, 5, 7)),
        (U8.transpose(2, 0, 1), (3, 5, 7)),
        (U8[::-1, ::-2], (3, 5, 4)),
        (torch.from_numpy(U8), (3, 5, 7)),
        (torch.from_numpy(U8).permute(2, 0, 1), (3, 5, 7)),
        (U8[:3], (3, 3, 7)),
        (U8[:3, :3], (3, 3, 3)),
        (U8 / 255, (3, 5, 7)),
        (torch.rand(1, 9, 9, dtype=torch.bfloat16), (1, 9, 9)),
        (torch.rand(3, 9, 9, requires_grad=True), (3, 9, 9)),
        (U8.astype(np.uint16) * 257, (3, 5, 7)),
        (U8.astype(">u2") * 257, (3, 5, 7)),
    ],
)
def test_arrays(array, shape):
    p = from_array(array)
    assert tuple(p.pixels.shape) == shape
    assert p.pixels.is_contiguous()
    assert p.pixels.dtype in (torch.uint8, torch.float32)
    assert p.stored() is p.pixels
    assert (p.media.width, p.media.height) == shape[:0:-1]


def test_array_values_are_kept_and_not_shared():
    a = U8.copy()
    p = from_array(a)
    a[:] = 0
    assert np.array_equal(p.pixels.permute(1, 2, 0).numpy(), U8)
    assert torch.equal((from_array(U8.astype(np.uint16) * 257).pixels * 255).round().byte(), p.pixels)
    same = from_array(U8[:3, :3]).pixels, from_array(torch.from_numpy(U8[:3, :3])).pixels
    assert torch.equal(same[0], same[1].permute(2, 0, 1)), "ambiguous: arrays are H×W×C, tensors C×H×W"


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((2, 5, 5, 3)), r"got 2×5×5×3\. Take one picture"),
        (np.zeros((5, 5, 4), np.uint8), "alpha"),
        (np.zeros((5, 5, 2), np.uint8), "C 1 or 3"),
        (np.zeros((0, 5), np.uint8), "no pixels"),
        (np.zeros((5, 5), np.int64), "uint8, uint16 or float"),
        (np.full((5, 5), 200.0), r"\[200, 200\]\. Divide 8-bit data by 255"),
        (np.full((5, 5), -0.5), "Scale or clamp"),
        (np.full((5, 5), np.nan), "NaN"),
        (np.array(1.0), "a scalar"),
        ([[1, 2]], "got list"),
    ],
)
def test_bad_arrays(array, says):
    with pytest.raises(BadInput, match=says):
        from_array(array, "shot")
