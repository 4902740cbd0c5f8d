"""From bytes to an opened picture: what it is, whether it is safe to decode, and every complaint kept as a note.

Only formats named here are tried. Pillow knows more, but some run other programs (EPS) and some accept any bytes
as a picture (TGA), and then noise would be given a score.
"""

from __future__ import annotations

import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from typing import Any

from PIL import Image

from assay.io.sniff import sniff
from assay.types import BadInput

PLUGINS = {
    "JPEG": "JpegImagePlugin:jpeg_factory",
    "PNG": "PngImagePlugin:PngImageFile",
    "GIF": "GifImagePlugin:GifImageFile",
    "WEBP": "WebPImagePlugin:WebPImageFile",
    "TIFF": "TiffImagePlugin:TiffImageFile",
    "BMP": "BmpImagePlugin:BmpImageFile",
    "AVIF": "AvifImagePlugin:AvifImageFile",
    "JPEG2000": "Jpeg2KImagePlugin:Jpeg2KImageFile",
    "PPM": "PpmImagePlugin:PpmImageFile",
}
# Pillow speaks through `warnings`, whose capture is process-wide before Python 3.14, so captures must not overlap.
_ONE_AT_A_TIME = threading.RLock()


@dataclass(slots=True)
class Opened:
    """A header that was read and found safe; no pixel is decoded yet."""

    name: str  # for messages
    format: str
    data: bytes
    image: Any  # PIL.ImageFile.ImageFile, or pillow_heif.HeifImage where the format is HEIF
    frames: int = 1
    notes: list[str] = field(default_factory=list)


def opened(name: str, data: bytes, max_pixels: int) -> Opened:
    """Read the header.  Raises BadInput: not a picture, damaged, or larger than max_pixels."""
    kind = sniff(name, data)
    notes: list[str] = []
    with telling(name, kind, data, max_pixels):
        if kind == "HEIF":
            image, frames = _heif(name, data)
        else:
            with hearing(notes):
                image = reopen(kind, data)
                frames = _frames(kind, data, image)
    width, height = image.size
    if width < 1 or height < 1:
        raise BadInput(f"{name} has no pixels: its {kind} header says {width}×{height}.")
    if width * height > max_pixels:
        raise _too_large(name, f"{width}×{height} pixels ({width * height / 1e6:.0f} million)", max_pixels)
    return Opened(name, kind if kind == "HEIF" else image.format, data, image, frames, notes)


def reopen(kind: str, data: bytes) -> Any:
    """Pillow's plugin for the format, on these bytes.

    Not Image.open: it applies a process-wide size limit, while ours is an argument; and it tries every plugin.
    """
    module, _, factory = PLUGINS[kind].partition(":")
    return getattr(import_module(f"PIL.{module}"), factory)(BytesIO(data), "")


@contextmanager
def telling(name: str, kind: str, data: bytes, max_pixels: int) -> Iterator[None]:
    """Turn whatever a decoder raises into one sentence. Decoders raise almost anything on hostile bytes."""
    try:
        yield
    except BadInput:
        raise
    except Image.DecompressionBombError as e:
        pixels = int((re.search(r"\d+", str(e)) or [0])[0])
        if pixels > max_pixels:
            raise _too_large(name, f"{pixels / 1e6:.0f} million pixels", max_pixels) from e
        limit = "Pillow's own limit for this format; raise PIL.Image.MAX_IMAGE_PIXELS if you trust the file"
        raise BadInput(f"{name} holds {pixels / 1e6:.0f} million pixels, above {limit}.") from e
    except Exception as e:
        if "truncated" in str(e).lower() or "not processed" in str(e) or _ends_early(kind, data):
            raise BadInput(f"{name} is cut short: the {kind} data ends before the picture is complete.") from e
        why = " ".join(str(e).split()).rstrip(".") or type(e).__name__
        why = why.replace("not identified by this driver", "the header states no size or no known coding")
        raise BadInput(f"{name} cannot be decoded: the {kind} data is damaged or of an unsupported kind ({why}).") from e


@contextmanager
def hearing(notes: list[str]) -> Iterator[None]:
    """Keep Pillow's warnings as notes. Hold this for short steps only: one thread at a time gets in."""
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield
    for w in heard:
        if "PIL" not in w.filename:  # spoken by another thread meanwhile: hand it on
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
        elif not issubclass(w.category, Image.DecompressionBombWarning):  # the size was checked against max_pixels
            says = f"The decoder warns: {' '.join(str(w.message).split()).rstrip('.')}."
            if says not in notes:
                notes.append(says)


def _too_large(name: str, size: str, max_pixels: int) -> BadInput:
    return BadInput(f"{name} holds {size}, above the limit of {max_pixels / 1e6:g} million; pass a larger max_pixels if you trust it.")


def _heif(name: str, data: bytes) -> tuple[Any, int]:
    try:
        import pillow_heif
    except ImportError as e:
        raise BadInput(f"{name} is a HEIF picture (as phones take them); reading it needs an extra: pip install assay[heif].") from e
    file = pillow_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
    return file[file.primary_index], len(file)


def _frames(kind: str, data: bytes, image: Any) -> int:
    if kind == "TIFF":
        return _pages(data)
    if kind == "GIF":  # counting moves through the file, and a broken later frame must not spoil the first
        try:
            return int(reopen(kind, data).n_frames)
        except Exception:  # whatever a decoder raises: the first frame is still there
            return 1
    return int(getattr(image, "n_frames", 1))


def _pages(data: bytes) -> int:
    """Count a TIFF's pages by following the links only; Pillow's way takes quadratic time on a hostile file."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
    count, link, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    at, seen = 8 if big else 4, set[int]()
    while at + struct.calcsize(link) <= len(data):
        (page,) = struct.unpack_from(order + link, data, at)
        if page == 0 or page in seen or page + struct.calcsize(count) > len(data):
            break
        seen.add(page)
        at = page + struct.calcsize(count) + entry * struct.unpack_from(order + count, data, page)[0]
    return max(1, len(seen))


def _ends_early(kind: str, data: bytes) -> bool:
    """Whether the container promises more bytes than there are."""
    if kind == "WEBP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    if kind == "TIFF" and data[2:4] in (b"*\0", b"\0*"):
        return int.from_bytes(data[4:8], "little" if data[:2] == b"II" else "big") >= len(data)
    if kind not in ("AVIF", "HEIF"):
        return False
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8:  # 0: up to the end; 1: 64-bit, not met in pictures
            return False
        at += size
    return at != len(data)
