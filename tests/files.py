"""Files made on the spot, byte by byte, for the tests of evidence that lives in a file."""

from __future__ import annotations

import io
import json
import struct
from contextlib import suppress

import numpy as np
import torch
from PIL import Image

from assay.types import AssayError, Media, Picture

TEXT, SHORT, LONG, FRACTION, RAW = 2, 3, 4, 5, 7


def scene(width=320, height=240, seed=0):
    """A smooth random picture with detail at every scale, H×W×3 uint8."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (n * 3 // 4, n, 3), np.uint8)).resize((width, height), 2), float)
        for n in (8, 16, 32, 64)
    ]
    return np.clip(sum(layers) / 4 * 1.6 - 76, 0, 255).astype(np.uint8)


def encoded(pixels, format="JPEG", **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format, **options)
    return out.getvalue()


def ifd(fields, at, following=0):
    """One little-endian directory at offset `at`: {tag: (type, value)}; text, bytes, an int, or a (numerator, denominator)."""
    entries, tail = b"", b""
    end = at + 2 + 12 * len(fields) + 4
    for tag, (kind, value) in sorted(fields.items()):
        if kind == TEXT:
            raw, n = value.encode() + b"\0", len(value.encode()) + 1
        elif kind == RAW:
            raw, n = value, len(value)
        elif kind == FRACTION:
            pairs = value if isinstance(value, list) else [value]
            raw, n = b"".join(struct.pack("<II", *p) for p in pairs), len(pairs)
        else:
            raw, n = struct.pack("<I" if kind == LONG else "<H", value), 1
        if len(raw) > 4:
            cell = struct.pack("<I", end + len(tail))
            tail += raw + b"\0" * (len(raw) % 2)
        else:
            cell = raw.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, n) + cell
    return struct.pack("<H", len(fields)) + entries + struct.pack("<I", following) + tail


def exif(zeroth=None, photo=None, gps=None, thumbnail=b""):
    """An EXIF block of up to four directories, and a JPEG thumbnail."""
    zeroth, size = dict(zeroth or {}), {}
    for tag, part in ((34665, photo), (34853, gps)):
        if part is not None:
            zeroth[tag] = (LONG, 0)
    at = 8 + len(ifd(zeroth, 8))
    parts = b""
    for tag, part in ((34665, photo), (34853, gps)):
        if part is not None:
            zeroth[tag] = (LONG, at + len(parts))
            parts += ifd(part, at + len(parts))
    following = 0
    if thumbnail:
        following = at + len(parts)
        size = {259: (SHORT, 6), 513: (LONG, 0), 514: (LONG, len(thumbnail))}
        size[513] = (LONG, following + len(ifd(size, following)))
        parts += ifd(size, following) + thumbnail
    return b"Exif\0\0II*\0\x08\0\0\0" + ifd(zeroth, 8, following) + parts


def segment(marker, payload):
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def with_segments(jpeg, *segments, jfif=True):
    """The segments put right after the start of a JPEG file; `jfif=False` drops its APP0."""
    body = jpeg[2:] if jfif or jpeg[2:4] != b"\xff\xe0" else jpeg[4 + int.from_bytes(jpeg[4:6], "big") :]
    return b"\xff\xd8" + b"".join(segments) + body


def xmp(body, attributes=""):
    names = {
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
        "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    }
    spaces = " ".join(f'xmlns:{k}="{v}"' for k, v in names.items())
    inner = f'<rdf:RDF><rdf:Description rdf:about="" {attributes}>{body}</rdf:Description></rdf:RDF>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/" {spaces}>{inner}</x:xmpmeta>'.encode()


def xmp_segment(packet):
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


CAMERA = {271: (TEXT, "Canon"), 272: (TEXT, "Canon EOS 5D"), 306: (TEXT, "2020:01:02 03:04:05")}
EXPOSURE = {
    33434: (FRACTION, (1, 125)),
    33437: (FRACTION, (56, 10)),
    34855: (SHORT, 200),
    36867: (TEXT, "2020:01:02 03:04:05"),
    37500: (RAW, b"maker note of the camera"),
}


def photo(width=320, height=240, *, zeroth=None, exposure=None, thumbnail=b"", **options):
    """A JPEG file as a camera would declare it."""
    sizes = {40962: (LONG, width), 40963: (LONG, height)}
    block = exif(CAMERA | (zeroth or {}), EXPOSURE | sizes | (exposure or {}), thumbnail=thumbnail)
    return with_segments(encoded(scene(width, height), **({"quality": 92} | options)), segment(0xE1, block))


def picture(data, pixels=None):
    """A Picture of these bytes, also of damaged ones: pixels are only decoded when a test needs them."""

    def stored():
        if pixels is not None:
            return torch.from_numpy(pixels.transpose(2, 0, 1).copy())
        with Image.open(io.BytesIO(data)) as im:
            return torch.from_numpy(np.asarray(im.convert("RGB")).transpose(2, 0, 1).copy())

    try:
        with Image.open(io.BytesIO(data)) as im:
            media = Media(im.format or "", im.width, im.height, im.mode)
    except Exception:
        media = Media("JPEG", 320, 240, "RGB")
    return Picture(torch.zeros(3, 8, 8, dtype=torch.uint8), data, "test", "", media, stored)


def says(finding, words):
    """The one piece of evidence that has these words."""
    found = [e for e in finding.evidence if words in e.says]
    assert len(found) == 1, f"{words!r} in {[e.says for e in finding.evidence]}"
    return found[0]


def survives(fn, of):
    """Whatever the file, there is an answer that JSON can hold, or one of our own errors."""
    with suppress(AssayError):
        json.dumps(fn(of).data, allow_nan=False)


def damaged(data, seed, count):
    """`data` with one byte changed at a time, and cut at random places."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        broken = bytearray(data)
        broken[rng.integers(len(data))] = rng.integers(256)
        yield bytes(broken)
    for _ in range(count // 20):
        yield data[: rng.integers(len(data))]
        yield rng.bytes(int(rng.integers(1, 400)))
        yield data[: int(rng.integers(2, 40))] + rng.bytes(300)
