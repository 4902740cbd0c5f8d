"""Samples deeper than 8 bits, with every bit kept.

Pillow holds no 16-bit colour: it unpacks the high byte of each sample. But it can be told that the bytes come in
the other order, and then the same step yields the low byte. Two decodes give the exact 16 bits.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.io.opening import Opened, reopen
from assay.io.planes import Floats
from assay.types import BadInput

Deep = tuple[Floats, Floats | None]  # C×H×W colour and H×W alpha, in [0, 1]
SWAPPED = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
PHOTOMETRIC, BITS, PLANAR, SAMPLE_FORMAT = 262, 258, 284, 339  # TIFF 6.0 tags


def bits(file: Opened) -> int:
    """Bits per sample as the file stores them."""
    data, im = file.data, file.image
    if file.format == "PNG":
        return data[24]
    if file.format == "TIFF":
        return max(int(b) for b in im.tag_v2.get(BITS, (1,)))
    if file.format == "HEIF":
        return int(im.info.get("bit_depth", 8))
    if file.format == "JPEG2000" and (at := data.find(b"\xff\x4f\xff\x51")) >= 0:
        return (data[at + 42] & 127) + 1  # SIZ marker: Ssiz of the first component
    if file.format == "AVIF" and (at := data.find(b"pixi")) >= 0:
        return data[at + 9]  # after version, flags and the number of channels
    if file.format == "PPM" and im.tile and isinstance(im.tile[0][3], tuple):
        return int(im.tile[0][3][-1]).bit_length()  # the file's maximum
    return 1 if im.mode == "1" else 8


def deep(file: Opened) -> Deep | None:
    """Colour and alpha of a file with more than 8 bits, or None where only 8 bits can be had."""
    im = file.image
    if file.format == "HEIF":
        return _heif(im) if ";16" in im.mode else None
    if file.format == "TIFF":
        _refuse(file)
    if im.mode == "F":
        return _floats(file), None
    if im.mode.startswith("I;16") or (im.mode == "I" and file.format == "PPM"):
        return _grey(file)
    if file.format == "PNG" and file.data[24] == 16:
        return _grey_alpha(file) if file.data[25] == 4 else _colour(file)
    if file.format == "TIFF" and bits(file) == 16 and im.mode in ("RGB", "RGBA"):
        return None if im.tag_v2.get(PLANAR) == 2 or "a" in _rawmode(im.tile[0]) else _colour(file)
    return None


def _refuse(file: Opened) -> None:
    """TIFFs that Pillow opens and shows wrongly."""
    im = file.image
    tags = im.tag_v2
    if im.mode == "I" or 2 in tags.get(SAMPLE_FORMAT, (1,)):
        raise BadInput(f"{file.name} stores 32-bit or signed integers, whose black and white are not defined; save it as 16-bit TIFF.")
    if tags.get(PLANAR) == 2 and bits(file) == 16 and not im.use_load_libtiff and im.mode not in ("F", "I;16", "I;16B"):
        raise BadInput(f"{file.name} stores 16-bit colour in separate planes, which cannot be read; save it interleaved.")


def _floats(file: Opened) -> Floats:
    file.image.load()
    v = np.array(file.image, dtype=np.float32)
    if not np.isfinite(v).all():
        raise BadInput(f"{file.name} contains NaN or infinite pixels; replace them first.")
    low, high = float(v.min()), float(v.max())
    if low < 0 or high > 1:
        raise BadInput(f"{file.name} holds floating-point pixels in [{low:.4g}, {high:.4g}]; scale or tone-map them to [0, 1] first.")
    return _dark_first(file, v)[None]


def _grey(file: Opened) -> Deep:
    im = file.image
    im.load()
    top = 2 ** bits(file) - 1 if file.format == "TIFF" else 65535  # a 12-bit TIFF counts to 4095; the others are widened
    v = np.asarray(im)
    key = im.info.get("transparency")
    alpha = (v != key).astype(np.float32) if isinstance(key, int) else None
    return _dark_first(file, v.astype(np.float32) / np.float32(top))[None], alpha


def _dark_first(file: Opened, v: Floats) -> Floats:
    """Undo WhiteIsZero, which Pillow ignores above 8 bits."""
    tags = getattr(file.image, "tag_v2", {})
    return np.float32(1) - v if tags.get(PHOTOMETRIC, 1) == 0 else v


def _colour(file: Opened) -> Deep:
    im = file.image
    low = reopen(file.format, file.data)
    low.tile = [_with(t, _rawmode(t)[:-1] + SWAPPED[_rawmode(t)[-1]]) for t in low.tile]
    im.load()
    low.load()
    width, height = im.size
    v = np.empty((len(im.mode), height, width), np.uint16)
    for plane, band in zip(v, im.mode, strict=True):
        np.left_shift(_band(im, band), 8, out=plane, dtype=np.uint16)
        plane |= _band(low, band)
    key = im.info.get("transparency")
    alpha = (v[:3] != np.reshape(key, (3, 1, 1))).any(axis=0).astype(np.float32) if isinstance(key, tuple) else None
    return _unit(v[:3]), _unit(v[3]) if len(v) == 4 else alpha


def _grey_alpha(file: Opened) -> Deep:
    im = file.image
    im.tile = [_with(t, "RGBA") for t in im.tile]  # grey high, grey low, alpha high, alpha low, as they come
    im.load()
    high, low, alpha_high, alpha_low = (_band(im, b).astype(np.uint16) for b in "RGBA")
    return _unit(high << 8 | low)[None], _unit(alpha_high << 8 | alpha_low)


def _heif(im: Any) -> Deep:
    v = np.asarray(im)
    v = np.atleast_3d(v).transpose(2, 0, 1).astype(np.float32) / np.float32(2 ** int(im.info["bit_depth"]) - 1)
    colour = np.ascontiguousarray(v[: 3 if len(v) > 2 else 1])
    return colour, np.ascontiguousarray(v[-1]) if len(v) in (2, 4) else None


def _unit(v: NDArray[Any]) -> Floats:
    return v.astype(np.float32) / np.float32(65535)


def _band(im: Any, band: str) -> NDArray[np.uint8]:
    return np.frombuffer(im.tobytes("raw", band), np.uint8).reshape(im.size[1], im.size[0])


def _rawmode(tile: Any) -> str:
    return tile[3] if isinstance(tile[3], str) else tile[3][0]


def _with(tile: Any, rawmode: str) -> Any:
    args = rawmode if isinstance(tile[3], str) else (rawmode, *tile[3][1:])
    return tile._replace(args=args)
