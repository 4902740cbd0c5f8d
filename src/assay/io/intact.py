"""Damage that decoders pass over in silence: a picture that is half there must not be scored as if it were whole."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image

from assay.types import BadInput

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG colour type
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # x, y, step x, step y
INTERLACED = 28  # where the PNG header says so
BLOCK = 8  # rows of a JPEG block
GREY = 128  # what libjpeg paints where data is missing


def png_chunks(name: str, data: bytes, notes: list[str]) -> list[memoryview]:
    """Check every chunk's checksum, which Pillow skips for pixel data. Returns the pixel data, still compressed."""
    view, at, pixels = memoryview(data), 8, list[memoryview]()
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 12 + size
        if end > len(data):
            break
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise BadInput(f"{name} is damaged: the checksum of its PNG chunk {kind.decode('latin-1')!r} is wrong.")
        if kind == b"IEND":
            return pixels
        if kind == b"IDAT":
            pixels.append(view[at + 8 : end - 4])
        at = end
    if at < len(data) or not pixels:
        raise BadInput(f"{name} is cut short: the PNG data ends before the picture is complete.")
    notes.append("The PNG file ends without its closing chunk; all pixels are there.")
    return pixels


def png_rows(name: str, data: bytes, chunks: list[memoryview], im: Image.Image) -> None:
    """Raise BadInput where the compressed data held fewer rows than the header says; Pillow leaves those zero.

    Counting means inflating once more, so it is done only where the last row is zero, or rows come interlaced.
    """
    width, height = im.size
    if not data[INTERLACED] and np.asarray(im.crop((0, height - 1, width, height))).any():
        return
    inflate, found = zlib.decompressobj(), 0
    for chunk in chunks:
        rest: bytes | memoryview = chunk
        while rest and not inflate.eof:
            found += len(inflate.decompress(rest, 1 << 20))
            rest = inflate.unconsumed_tail
    found += len(inflate.flush())
    wanted = _png_bytes(data)
    if found < wanted:
        raise BadInput(f"{name} is cut short: the PNG data holds {found} of {wanted} bytes of pixels.")


def _png_bytes(data: bytes) -> int:
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    bits, total = depth * CHANNELS[colour], 0
    for x, y, step_x, step_y in ADAM7 if data[INTERLACED] else ((0, 0, 1, 1),):
        w, h = -(-(width - x) // step_x), -(-(height - y) // step_y)
        total += h * (1 + -(-w * bits // 8)) if w > 0 and h > 0 else 0
    return total


def jpeg_grey(im: Image.Image, notes: list[str]) -> None:
    """Note a bottom of exact mid-grey: what a decoder paints when data is missing but the end marker is there."""
    width, height = im.size
    if im.mode not in ("L", "RGB") or height < BLOCK or (np.asarray(im.crop((0, height - BLOCK, width, height))) != GREY).any():
        return
    rows = (np.asarray(im) != GREY).reshape(height, -1).any(axis=1)
    missing = int(rows[::-1].argmax()) if rows.any() else height
    notes.append(f"The lowest {missing} of {height} rows are exact mid-grey: the JPEG data may be incomplete.")
