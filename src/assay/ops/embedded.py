"""The blocks of metadata a picture file carries, by container: EXIF, XMP, Photoshop and IPTC blocks, texts.

JPEG, PNG, WebP and TIFF are walked here, so that texts behind the pixels are found and nothing is decoded;
HEIF, AVIF, GIF and the rest go through the decoders that know them.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from assay.ops import exif as exif_ops
from assay.ops import jpegfile
from assay.types import BadInput

MAX_TEXT = 4 << 20  # bytes of one unpacked PNG text; a whole ComfyUI workflow has under 1 MB
MAX_TEXTS = 64
OPENED = ("AVIF", "GIF", "JPEG2000", "BMP", "PPM")  # the only formats Pillow may open for us; some others run programs


@dataclass(slots=True)
class Embedded:
    """Raw blocks; b"" where there is none."""

    container: str
    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""  # IPTC-IIM records
    photoshop: dict[int, bytes] = field(default_factory=dict)  # image resources by number
    texts: dict[str, str] = field(default_factory=dict)  # PNG text chunks, JPEG and GIF comments


def read(data: bytes) -> Embedded:
    """Find the blocks.  Raises BadInput if the file is of no known kind, or too broken to walk."""
    if data[:2] == b"\xff\xd8":
        return _jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(data)
    return _decoded(data)


def resources(block: bytes) -> dict[int, bytes]:
    """Photoshop image resources (8BIM) by number; stops where the block is damaged."""
    found: dict[int, bytes] = {}
    at = 0
    while block[at : at + 4] == b"8BIM" and at + 7 <= len(block):
        number = int.from_bytes(block[at + 4 : at + 6], "big")
        start = at + 6 + (block[at + 6] + 2) // 2 * 2  # a Pascal string, padded to even
        size = int.from_bytes(block[start : start + 4], "big")
        found.setdefault(number, block[start + 4 : start + 4 + size])
        at = start + 4 + (size + 1) // 2 * 2
    return found


def datasets(block: bytes) -> dict[tuple[int, int], str]:
    """IPTC-IIM (version 4) fields by record and data set, the first of each."""
    found: dict[tuple[int, int], str] = {}
    at = 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        size = int.from_bytes(block[at + 3 : at + 5], "big")
        if size & 0x8000:  # extended data sets hold pictures, not facts
            break
        found.setdefault((block[at + 1], block[at + 2]), block[at + 5 : at + 5 + size].decode("utf-8", "replace").strip("\0 "))
        at += 5 + size
    return found


def _jpeg(data: bytes) -> Embedded:
    file = jpegfile.parse(data)
    out = Embedded("JPEG")
    out.exif = next(iter(file.app(1, b"Exif\0")), b"\0")[1:]
    out.xmp = next(iter(file.app(1, b"http://ns.adobe.com/xap/1.0/\0")), b"")
    out.photoshop = resources(b"".join(file.app(13, b"Photoshop 3.0\0")))
    out.iptc = out.photoshop.get(0x0404, b"")  # Adobe's number for IPTC-IIM
    comments = [s.payload for s in file.segments if s.marker == jpegfile.COM]
    if comments:
        out.texts["comment"] = comments[0].decode("utf-8", "replace").strip("\0 ")
    return out


def _png(data: bytes) -> Embedded:
    out = Embedded("PNG")
    for kind, body in _chunks(data):
        if kind == b"eXIf":
            out.exif = body
        elif kind in (b"tEXt", b"zTXt", b"iTXt") and len(out.texts) < MAX_TEXTS:
            key, _, rest = body.partition(b"\0")
            raw = _text(kind, rest)
            if key == b"XML:com.adobe.xmp":
                out.xmp = raw
            else:
                out.texts.setdefault(key.decode("latin-1"), raw.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace"))
    return out


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + size > len(data):
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def _text(kind: bytes, rest: bytes) -> bytes:
    """The words of a text chunk behind its keyword; b"" if their compression is damaged."""
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # language tag, translated keyword
    elif packed:
        rest = rest[1:]  # compression method
    if not packed:
        return rest[:MAX_TEXT]
    try:
        return zlib.decompressobj().decompress(rest, MAX_TEXT)
    except zlib.error:
        return b""


def _webp(data: bytes) -> Embedded:
    out = Embedded("WebP")
    at = 12
    while at + 8 <= len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        body = data[at + 8 : at + 8 + size]
        if data[at : at + 4] == b"EXIF":
            out.exif = body
        elif data[at : at + 4] == b"XMP ":
            out.xmp = body
        at += 8 + size + size % 2
    return out


def _tiff(data: bytes) -> Embedded:
    tags = exif_ops.parse(data)
    out = Embedded("TIFF", exif=data, xmp=tags.raw(700), iptc=tags.raw(33723), photoshop=resources(tags.raw(34377)))
    out.iptc = out.iptc or out.photoshop.get(0x0404, b"")
    return out


def _decoded(data: bytes) -> Embedded:
    """Formats whose boxes a decoder has to open."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=OPENED) as image:
            info, container = {str(k): v for k, v in image.info.items()}, image.format or "unknown"
    except Exception as unknown:  # decoders raise many kinds on a damaged file; none of them matters here
        if data[4:8] != b"ftyp":
            raise BadInput("the file is of no picture format we know, or its beginning is damaged") from unknown
        info, container = _heif(data), "HEIF"
    out = Embedded(container, exif=_bytes(info.get("exif")), xmp=_bytes(info.get("xmp")))
    if isinstance(info.get("comment"), bytes):
        out.texts["comment"] = _bytes(info["comment"]).decode("utf-8", "replace")
    return out


def _heif(data: bytes) -> dict[str, object]:
    try:
        from pillow_heif import open_heif
    except ImportError:
        raise BadInput("reading HEIF needs an extra: pip install assay[heif]") from None
    try:
        return dict(open_heif(io.BytesIO(data)).info)
    except Exception as broken:  # as above
        raise BadInput("the HEIF file is damaged") from broken


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else b""
