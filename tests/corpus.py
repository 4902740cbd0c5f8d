"""Odd and malformed images, made on the spot, each with what reading it must lead to.

`make(folder)` writes them and returns, by file name, ("error", regex) or ("right", check), where check takes the
Picture and asserts. Used by the tests of decoding and of the runner.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

Expectation = tuple[str, Any]
Check = Callable[[Any], None]

D50 = (0.9642, 1.0, 0.8249)
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))  # Display P3 primaries, adapted to D50
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))  # Adobe RGB (1998), section 4.3
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))  # IEC 61966-2-1, adapted to D50


# ---- makers -------------------------------------------------------------------------------------------------------


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    """A picture with no symmetry: gradients, an edge, a bright corner, no pure black."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    r = 40 + 200 * x / max(width - 1, 1)
    g = 30 + 180 * y / max(height - 1, 1)
    b = np.where(x + 2 * y > width, 220.0, 60.0)
    out = np.stack([r, g, b], -1)
    out[: height // 4, : width // 4] = (250, 20, 30)
    return np.round(out).astype(np.uint8)


def encode(im: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    (im if isinstance(im, Image.Image) else Image.fromarray(im)).save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: bytes, interlace: int = 0) -> bytes:
    """A PNG from unfiltered rows (each with its filter byte)."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png16(v: np.ndarray, *extra: bytes) -> bytes:
    """H×W×C uint16 as PNG with filter Sub on every other row, so that filtering is exercised."""
    height, width, channels = v.shape
    rows = []
    for i, row in enumerate(v.astype(">u2")):
        raw = np.frombuffer(row.tobytes(), np.uint8)
        step = 2 * channels
        rows.append(b"\x01" + np.concatenate([raw[:step], raw[step:] - raw[:-step]]).tobytes() if i % 2 else b"\0" + raw.tobytes())
    return png(width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], b"".join(rows), *extra)


def tiff(v: np.ndarray, *, order: str = "<", compression: int = 1, photometric: int | None = None, **more: Any) -> bytes:
    """H×W×C as a one-strip TIFF. compression: 1 none, 8 deflate. more: t<number>=value (SHORT) adds tags."""
    v = v[..., None] if v.ndim == 2 else v
    height, width, channels = v.shape
    body = v.astype(v.dtype.newbyteorder(order)).tobytes()
    body = zlib.compress(body) if compression == 8 else body
    kind = {"u": 1, "i": 2, "f": 3}[v.dtype.kind]
    tags: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [8 * v.dtype.itemsize] * channels), 259: (3, [compression]),
        262: (3, [photometric if photometric is not None else 2 if channels > 2 else 1]), 273: (4, [8]), 277: (3, [channels]),
        278: (4, [height]), 279: (4, [len(body)]), 339: (3, [kind] * channels),
    }  # fmt: skip
    if channels == 4 and photometric is None:
        tags[338] = (3, [2])
    tags |= {int(k[1:]): (3, [value]) for k, value in more.items()}
    body += b"\0" * (len(body) % 2)
    table, extra = b"", b""
    at = 8 + len(body) + 2 + 12 * len(tags) + 4
    for tag, (type_, values) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}{'HI'[type_ == 4]}", *values)
        if len(packed) > 4:
            table += struct.pack(f"{order}HHII", tag, type_, len(values), at + len(extra))
            extra += packed
        else:
            table += struct.pack(f"{order}HHI", tag, type_, len(values)) + packed.ljust(4, b"\0")
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", 8 + len(body)) + body + struct.pack(order + "H", len(tags)) + table + bytes(4) + extra


def icc(name: str, primaries: tuple[tuple[float, ...], ...] | None = None, gamma: float = 2.2) -> bytes:
    """A small ICC v2 profile: a matrix profile from its D50 primaries, or a grey one where there are none."""
    fixed = lambda v: struct.pack(">i", round(v * 65536))  # noqa: E731
    xyz = lambda v: b"XYZ \0\0\0\0" + b"".join(map(fixed, v))  # noqa: E731
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78), b"wtpt": xyz(D50),
        b"cprt": b"text\0\0\0\0none\0",
    }  # fmt: skip
    if primaries:
        tags |= {b"rXYZ": xyz(primaries[0]), b"gXYZ": xyz(primaries[1]), b"bXYZ": xyz(primaries[2])}
        tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    else:
        tags[b"kTRC"] = curve
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        value += bytes(-len(value) % 4)
        table += tag + struct.pack(">II", at + len(body), len(value))
        body += value
    space = b"RGB " if primaries else b"GRAY"
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"none", 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + b"".join(map(fixed, D50))
    return head.ljust(128, b"\0") + table + body


def exif(orientation: int) -> bytes:
    e = Image.Exif()
    e[274] = orientation
    return e.tobytes()


def damaged_exif() -> bytes:
    """An EXIF block whose one entry points far outside."""
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\xff\0\0\0\xff\xff\xff\0\0\0\0\0"


def jpeg_segment(data: bytes, marker: int) -> int:
    """Where a JPEG segment starts."""
    at = 2
    while data[at + 1] != marker:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at


def jpeg_12bit() -> bytes:
    data = bytearray(encode(scene(), "JPEG"))
    data[jpeg_segment(bytes(data), 0xC0) + 4] = 12
    return bytes(data)


def jpeg_sized(width: int, height: int) -> bytes:
    data = bytearray(encode(scene(), "JPEG"))
    at = jpeg_segment(bytes(data), 0xC0)
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def without_adobe_marker(data: bytes) -> bytes:
    at = jpeg_segment(data, 0xEE)
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def gif_bomb() -> bytes:
    data = bytearray(encode(Image.fromarray(scene()).quantize(16), "GIF"))
    data[6:10] = struct.pack("<HH", 65535, 65535)
    at = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    data[at + 5 : at + 9] = struct.pack("<HH", 65535, 65535)
    return bytes(data)


def animation(kind: str, frames: int = 3) -> bytes:
    stills = [Image.fromarray(np.roll(scene(), 8 * i, 1)) for i in range(frames)]
    stills = [s.quantize(64) for s in stills] if kind == "GIF" else stills
    return encode(stills[0], kind, save_all=True, append_images=stills[1:], **({"lossless": True} if kind == "WEBP" else {}))


# ---- checks -------------------------------------------------------------------------------------------------------


def shape(height: int, width: int, channels: int = 3) -> Check:
    def check(p: Any) -> None:
        assert tuple(p.pixels.shape) == (channels, height, width)

    return check


def exactly(want: np.ndarray, *, note: str = "", slack: float = 0) -> Check:
    """These H×W(×C) pixels: uint8 levels, or floats."""
    want = np.atleast_3d(want).transpose(2, 0, 1)

    def check(p: Any) -> None:
        got = p.pixels.numpy()
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        assert np.abs(got.astype(float) - want).max() <= slack
        assert note.lower() in " ".join(p.media.notes).lower()
        assert bool(note) or not p.media.notes

    return check


def noted(note: str, then: Check | None = None) -> Check:
    def check(p: Any) -> None:
        assert note.lower() in " ".join(p.media.notes).lower(), p.media.notes
        if then:
            then(p)

    return check


def over(colour: np.ndarray, alpha: np.ndarray, background: int = 255) -> np.ndarray:
    a = alpha[..., None].astype(float) / 255
    return np.round(colour * a + background * (1 - a)).astype(np.uint8)


# ---- the corpus ---------------------------------------------------------------------------------------------------


def files() -> dict[str, tuple[bytes, Expectation]]:
    """By file name: the bytes, and what must come of them."""
    return {**_not_images(), **_damaged(), **_sizes(), **_depths(), **_colours(), **_containers()}


def _error(data: bytes, says: str) -> tuple[bytes, Expectation]:
    return data, ("error", says)


def _right(data: bytes, check: Check) -> tuple[bytes, Expectation]:
    return data, ("right", check)


def _not_images() -> dict[str, tuple[bytes, Expectation]]:
    noise = np.random.default_rng(7).bytes(5000)
    return {
        "empty.jpg": _error(b"", "is empty"),
        "one-byte.png": _error(b"\x89", "first bytes are 89"),
        "noise.jpg": _error(b"\x01" + noise, "not an image of a known format"),
        "zeros.jpg": _error(bytes(4096), "starts with zeros"),
        "text.jpg": _error(b"This is a note, not a picture.\n" * 9, "is text that starts with 'This is a note"),
        "page.jpg": _error(b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "HTML page"),
        "report.png": _error(b"%PDF-1.7\n%\xe2\xe3\n" + noise, "PDF document"),
        "film.jpg": _error(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + noise, r"video \(MP4"),
        "drawing.png": _error(b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG drawing"),
        "script.eps": _error(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        "scene.exr": _error(b"\x76\x2f\x31\x01" + noise, "OpenEXR"),
        "pointer.png": _error(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS"),
        "archive.webp": _error(b"PK\x03\x04" + noise, "ZIP archive"),
    }


def _damaged() -> dict[str, tuple[bytes, Expectation]]:
    a = scene(120, 160)
    whole = {
        "jpg": encode(a, "JPEG", quality=95),
        "png": encode(a, "PNG"),
        "webp": encode(a, "WEBP", lossless=True),
        "gif": encode(Image.fromarray(a).quantize(200), "GIF"),
        "tif": encode(a, "TIFF"),
        "lzw.tif": encode(a, "TIFF", compression="tiff_lzw"),
        "bmp": encode(a, "BMP"),
        "avif": encode(a, "AVIF"),
        "jp2": encode(a, "JPEG2000"),
        "ppm": encode(a, "PPM"),
    }
    out = {f"cut-{part}.{ext}": _error(b[: len(b) * part // 100], "cut short|damaged") for ext, b in whole.items() for part in (15, 50, 90)}
    row = b"\0" + bytes(range(1, 97))
    rows, p = row * 32, whole["png"]
    split = p.index(b"IDAT")
    grey = encode(scene(64, 64), "JPEG", quality=95)
    return out | {
        "no-end.jpg": _error(whole["jpg"][:-2], "cut short"),
        "grey-below.jpg": _right(grey[: len(grey) // 2] + b"\xff\xd9", noted("exact mid-grey")),
        "bad-crc.png": _error(p[: split - 9] + b"\0\0\0\0" + p[split - 5 :], "checksum|damaged"),
        "bad-idat-crc.png": _error(p[:-16] + bytes([p[-16] ^ 255]) + p[-15:], "checksum of its PNG chunk 'IDAT'"),
        "no-end.png": _right(p[:-12], noted("without its closing chunk", shape(120, 160))),
        "short-rows.png": _error(png(32, 32, 8, 2, rows[: len(rows) // 2]), "1552 of 3104 bytes"),
        "short-passes.png": _error(png(32, 32, 8, 2, bytes(404), interlace=1), "404 of 3132 bytes"),
        "short-interlaced.png": _error(png(32, 32, 8, 2, bytes(1500), interlace=1), "cut short"),
        "black.png": _right(encode(np.zeros((9, 9, 3), np.uint8), "PNG"), exactly(np.zeros((9, 9, 3), np.uint8))),
        "bad-exif.jpg": _right(encode(a, "JPEG", exif=damaged_exif()), shape(120, 160)),
        "12bit.jpg": _error(jpeg_12bit(), "12-bit"),
    }


def _sizes() -> dict[str, tuple[bytes, Expectation]]:
    bomb = png(60000, 60000, 8, 2, b"\0")
    one = np.array([[[10, 20, 30]]], np.uint8)
    return {
        "bomb.png": _error(bomb, r"60000×60000 pixels \(3600 million\), above the limit of 200 million; pass a larger max_pixels"),
        "bomb.gif": _error(gif_bomb(), r"65535×65535 pixels \(4295 million\), above the limit"),
        "bomb.jpg": _error(jpeg_sized(65500, 65500), "65500×65500"),
        "zero-width.png": _error(png(0, 8, 8, 2, b"\0"), "damaged|no pixels"),
        "zero-height.jpg": _error(jpeg_sized(16, 0), "damaged|no pixels"),
        "1x1.png": _right(encode(one, "PNG"), exactly(one)),
        "1x5000.png": _right(encode(scene(5000, 1), "PNG"), exactly(scene(5000, 1))),
        "5000x1.jpg": _right(encode(scene(1, 5000), "JPEG"), shape(1, 5000)),
    }


def _depths() -> dict[str, tuple[bytes, Expectation]]:
    rng = np.random.default_rng(3)
    v = rng.integers(0, 65536, (11, 13, 4), dtype=np.uint16)
    grey, rgb = v[..., 0], v[..., :3]
    unit = lambda a: a.astype(np.float32) / np.float32(65535)  # noqa: E731
    a = unit(v[..., 3:])
    blended = 1 + (unit(rgb) - 1) * a
    f = rng.random((9, 7)).astype(np.float32)
    nan = f.copy()
    nan[3, 3] = np.nan
    bits = scene()[..., 0] > 120
    out = {
        "grey16.png": _right(png16(v[..., :1]), exactly(unit(grey))),
        "rgb16.png": _right(png16(rgb), exactly(unit(rgb))),
        "greyalpha16.png": _right(png16(v[..., [0, 3]]), exactly(1 + (unit(v[..., :1]) - 1) * a, note="rgb(255, 255, 255)", slack=1e-6)),
        "rgba16.png": _right(png16(v), exactly(blended, note="rgb(255, 255, 255)", slack=1e-6)),
        "key16.png": _right(png16(rgb, chunk(b"tRNS", rgb[0, 0].astype(">u2").tobytes())), noted("Transparent", shape(11, 13))),
        "rgb16.ppm": _right(b"P6 2 1 65535\n" + bytes(range(12)), noted("16 bits per sample; only 8", shape(1, 2))),
        "grey16.pgm": _right(b"P5 2 1 65535\n\x01\x02\xff\xff", exactly(np.array([[258 / 65535, 1]], np.float32), slack=1e-7)),
        "white-is-zero16.tif": _right(tiff(grey, photometric=0), exactly(1 - unit(grey), slack=1e-7)),
        "float.tif": _right(tiff(f), exactly(f)),
        "float-nan.tif": _error(tiff(nan), "NaN or infinite"),
        "float-range.tif": _error(tiff(f * 300), r"floating-point pixels in \[.*tone-map"),
        "signed16.tif": _error(tiff((f * 9000).astype(np.int16)), "signed integers"),
        "int32.tif": _error(tiff((f * 9000).astype(np.uint32)), "32-bit or signed integers"),
        "planes16.tif": _error(tiff(rgb, t284=2), "separate planes|damaged"),
        "1bit.png": _right(encode(Image.fromarray(bits), "PNG"), exactly(bits.astype(np.uint8) * 255)),
        "4bit-key.png": _right(png(2, 1, 4, 0, b"\0\x3f", chunk(b"tRNS", b"\0\x03")), noted("Transparent", _white_left)),
    }
    for order, name in (("<", "le"), (">", "be")):
        for compression in (1, 8):
            out[f"rgb16-{name}-{compression}.tif"] = _right(tiff(rgb, order=order, compression=compression), exactly(unit(rgb)))
            out[f"grey16-{name}-{compression}.tif"] = _right(tiff(grey, order=order, compression=compression), exactly(unit(grey)))
    return out


def _white_left(p: Any) -> None:
    assert p.pixels[:, 0, 0].eq(255).all()


def _colours() -> dict[str, tuple[bytes, Expectation]]:
    a = scene()
    alpha = np.linspace(0, 255, a.shape[1]).round().astype(np.uint8)[None].repeat(len(a), 0)
    opaque = np.full_like(alpha, 255)
    rgba = np.dstack([a, alpha])
    palette = Image.fromarray(a).quantize(32)
    flat = np.asarray(palette.convert("RGB"))
    clear = np.asarray(palette) == 0
    holes = np.where(clear[..., None], 255, flat).astype(np.uint8)
    cmyk = Image.fromarray(a).convert("CMYK")
    p3, deep = icc("P3", P3), a.astype(np.uint16) * 257
    lab = Image.merge("LAB", [Image.new("L", (8, 8), 137), Image.new("L", (8, 8), 128), Image.new("L", (8, 8), 128)])
    return {
        "grey.jpg": _right(encode(a[..., 0], "JPEG"), shape(48, 64, 1)),
        "palette.png": _right(encode(palette, "PNG"), exactly(flat)),
        "palette-clear.png": _right(encode(palette, "PNG", transparency=0), exactly(holes, note="Transparent")),
        "palette-clear.gif": _right(encode(palette, "GIF", transparency=0), noted("Transparent", shape(48, 64))),
        "grey-alpha.png": _right(
            encode(np.dstack([a[..., 0], alpha]), "PNG"), exactly(over(a[..., :1], alpha), note="Transparent", slack=1)
        ),
        "half-clear.png": _right(encode(rgba, "PNG"), exactly(over(a, alpha), note="Transparent", slack=1)),
        "half-clear.webp": _right(encode(rgba, "WEBP", lossless=True, exact=True), exactly(over(a, alpha), note="Transparent", slack=1)),
        "opaque.png": _right(encode(np.dstack([a, opaque]), "PNG"), exactly(a)),
        "cmyk.jpg": _right(encode(cmyk, "JPEG", quality=100), exactly(a, note="plain formula", slack=12)),
        "cmyk-no-adobe.jpg": _right(without_adobe_marker(encode(cmyk, "JPEG", quality=100)), noted("no Adobe marker", shape(48, 64))),
        "cmyk.tif": _right(encode(cmyk, "TIFF"), exactly(np.asarray(cmyk.convert("RGB")), note="plain formula")),
        "lab.tif": _right(encode(lab, "TIFF"), exactly(np.full((8, 8, 3), 128, np.uint8), note="CIELAB", slack=2)),
        "srgb.png": _right(encode(a, "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()), exactly(a)),
        "p3.png": _right(encode(a, "PNG", icc_profile=icc("Display P3 2.2", P3)), noted("ICC profile Display P3 2.2", shape(48, 64))),
        "adobe.jpg": _right(encode(a, "JPEG", icc_profile=icc("Adobe RGB", ADOBE, 2.199)), noted("ICC profile Adobe RGB", shape(48, 64))),
        "p3-16.png": _right(
            png16(deep, chunk(b"iCCP", b"p\0\0" + zlib.compress(p3))),
            noted("rounded to 8 bits", shape(48, 64)),
        ),
        "gamma18.jpg": _right(encode(a[..., 0], "JPEG", icc_profile=icc("Grey 1.8", None, 1.8)), noted("Grey 1.8", shape(48, 64, 1))),
        "broken-icc.png": _right(encode(a, "PNG", icc_profile=b"not a profile" * 20), exactly(a, note="is broken")),
        "wrong-icc.png": _right(encode(a[..., 0], "PNG", icc_profile=p3), exactly(a[..., 0], note="is for RGB pixels, not GRAY")),
        "gamma-chunk.png": _right(png(1, 1, 8, 0, b"\0\x40", chunk(b"gAMA", struct.pack(">I", 100000))), noted("gamma of 1/1.00")),
        "pq.png": _right(png(1, 1, 8, 2, b"\0\x40\x40\x40", chunk(b"cICP", b"\x09\x10\0\x01")), noted("HDR (PQ)")),
    }


def _containers() -> dict[str, tuple[bytes, Expectation]]:
    a = scene()
    stills = [Image.fromarray(a), Image.fromarray(a[::-1].copy())]
    out = {
        "really-a-png.jpg": _right(encode(a, "PNG"), exactly(a)),
        "progressive.jpg": _right(encode(a, "JPEG", progressive=True), shape(48, 64)),
        "moving.gif": _right(animation("GIF"), noted("animation of 3 frames", shape(48, 64))),
        "moving.webp": _right(animation("WEBP"), exactly(a, note="animation of 3 frames")),
        "moving.png": _right(animation("PNG"), exactly(a, note="animation of 3 frames")),
        "pages.tif": _right(encode(stills[0], "TIFF", save_all=True, append_images=stills[1:]), exactly(a, note="2 pages")),
        "two.mpo": _right(encode(stills[0], "MPO", save_all=True, append_images=stills[1:]), noted("2 pictures", shape(48, 64))),
        "photo.avif": _right(encode(a, "AVIF"), shape(48, 64)),
        "photo.jp2": _right(encode(a, "JPEG2000"), exactly(a)),
        "photo.bmp": _right(encode(a, "BMP"), exactly(a)),
        "photo.webp": _right(encode(a, "WEBP", lossless=True), exactly(a)),
        "preview.tif": _error(tiff(a, t254=1), "reduced preview"),
        "with spaces and ü.png": _right(encode(a, "PNG"), exactly(a)),
        "line\nbreak.png": _right(encode(a, "PNG"), exactly(a)),
        "-dash.png": _right(encode(a, "PNG"), exactly(a)),
        "NaN": _right(encode(a, "PNG"), exactly(a)),
    }
    for o in range(1, 9):
        out[f"turn{o}.png"] = _right(encode(a, "PNG", exif=exif(o)), exactly(upright(a, o)))
        out[f"turn{o}.jpg"] = _right(encode(a, "JPEG", exif=exif(o)), shape(*upright(a, o).shape[:2]))
        out[f"turn{o}.tif"] = _right(tiff(a, t274=o), exactly(upright(a, o)))
    try:
        import pillow_heif
    except ImportError:
        return out
    heif = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(a)).save(heif, quality=95)
    return out | {"photo.heic": _right(heif.getvalue(), shape(48, 64))}


def upright(a: np.ndarray, orientation: int) -> np.ndarray:
    """What EXIF asks for, written out in array terms (EXIF 2.32, 4.6.5: where row 0 and column 0 of the file belong)."""
    t = a.transpose(1, 0, 2)
    ways = [a, a[:, ::-1], a[::-1, ::-1], a[::-1], t, t[:, ::-1], t[::-1, ::-1], t[::-1]]
    return np.ascontiguousarray(ways[orientation - 1])


def make(folder: Path) -> dict[str, Expectation]:
    """Write everything into the folder, with what no bytes can express: a folder, a dangling link, an unreadable file."""
    made: dict[str, Expectation] = {}
    for name, (data, expectation) in files().items():
        (folder / name).write_bytes(data)
        made[name] = expectation
    (folder / "folder.jpg").mkdir()
    made["folder.jpg"] = ("error", "is a folder")
    (folder / "dangling.jpg").symlink_to(folder / "nowhere.jpg")
    made["dangling.jpg"] = ("error", "link to a file that does not exist")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    made["loop.jpg"] = ("error", "cannot be read")
    made["missing.jpg"] = ("error", "does not exist")
    if os.name == "posix" and os.geteuid() != 0:
        (folder / "locked.jpg").write_bytes(b"\xff\xd8\xff")
        (folder / "locked.jpg").chmod(0)
        made["locked.jpg"] = ("error", "permission denied")
    return made
