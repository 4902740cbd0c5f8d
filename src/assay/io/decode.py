"""Decode a file into what a viewer shows, and say everything that was done on the way."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from hashlib import sha256
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from assay.io import hints, intact
from assay.io.array import from_array
from assay.io.colour import profile, to_srgb
from assay.io.depth import bits, deep
from assay.io.opening import Opened, hearing, opened, telling
from assay.io.planes import Pixels, laid, opaque, planes, split, turned
from assay.io.sniff import shown
from assay.types import BadInput, Media, Picture

__all__ = ["from_array", "read"]

INVERSE = {6: 8, 8: 6}  # orientations; the others undo themselves


def read(source: str | Path | bytes, *, background: tuple[int, int, int] = (255, 255, 255), max_pixels: int = 200_000_000) -> Picture:
    """A file or its bytes as a Picture: upright, in sRGB, transparency laid on the background, nothing lost silently.

    Where only 8 bits of a deeper file can be had, or its ICC profile had to be applied at 8 bits, pixels are uint8
    and media.notes says so. An embedded profile that is sRGB within one level is not applied.
    Raises BadInput, in one sentence: missing, unreadable, not an image, damaged, cut short, above max_pixels.
    """
    name, data = ("the data", source) if isinstance(source, bytes) else _bytes(Path(source))
    file = opened(name, data, max_pixels)
    with telling(name, file.format, data, max_pixels), _patience(file):
        pixels, media, stored = _decode(file, background)
    return Picture(pixels, data, "" if isinstance(source, bytes) else str(source), sha256(data).hexdigest(), media, stored)


def _bytes(path: Path) -> tuple[str, bytes]:
    name = shown(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
            return name, path.read_bytes()
    except FileNotFoundError as e:
        raise BadInput(f"{name} is a link to a file that does not exist." if path.is_symlink() else f"{name} does not exist.") from e
    except PermissionError as e:
        raise BadInput(f"{name} may not be read: permission denied.") from e
    except (OSError, ValueError) as e:
        raise BadInput(f"{name} cannot be read: {getattr(e, 'strerror', None) or e}.") from e
    if stat.S_ISDIR(mode) and not os.access(path, os.R_OK | os.X_OK):
        raise BadInput(f"{name} is a folder that may not be listed: permission denied.")
    raise BadInput(f"{name} is a {'folder' if stat.S_ISDIR(mode) else 'device or a socket'}, not an image file.")


def _patience(file: Opened) -> AbstractContextManager[None]:
    """Pillow warns about a large TIFF while decoding it; only then must the whole decode be listened to."""
    width, height = file.image.size
    return hearing(file.notes) if file.format == "TIFF" and width * height > (Image.MAX_IMAGE_PIXELS or 0) else nullcontext()


def _decode(file: Opened, background: tuple[int, int, int]) -> tuple[Tensor, Media, Callable[[], Tensor]]:
    mode, depth, icc, notes = file.image.mode, bits(file), file.image.info.get("icc_profile") or b"", file.notes
    hints.refuse_previews(file)
    hints.several(file)
    hints.signals(file, has_icc=bool(icc))
    colour, alpha, turn = _samples(file, depth)
    description = _description(colour, icc)
    has_alpha = alpha is not None
    colour, alpha, converted = to_srgb(colour, alpha, icc, notes)
    clear = alpha is not None and not opaque(alpha)
    if alpha is not None and clear:
        colour = laid(colour, alpha, background)
        notes.append("Transparent parts were laid on a background of rgb({}, {}, {}).".format(*background))
    del alpha
    file.image = None  # as large as the pixels themselves
    colour = colour if file.format == "TIFF" else turned(colour, turn)  # Pillow turns TIFF itself
    found = planes(colour)
    height, width = found.shape[1:] if turn < 5 else found.shape[:0:-1]
    pixels = torch.from_numpy(found)
    facts = Media(file.format, width, height, mode, depth, turn, description, file.frames, has_alpha, tuple(notes))
    return pixels, facts, _stored(file, turn) if turn != 1 or converted or clear else lambda: pixels


def _description(colour: Pixels, icc: bytes) -> str:
    if not icc:
        return ""
    return profile(icc, colour.mode if isinstance(colour, Image.Image) else "L" if len(colour) == 1 else "RGB").description


def _samples(file: Opened, depth: int) -> tuple[Pixels, Pixels | None, int]:
    """Colour, alpha and orientation, with every silent loss looked for."""
    im, notes, turn = file.image, file.notes, 1
    if file.format == "TIFF":
        with hearing(notes):
            turn = hints.orientation(file)  # before decoding, which removes it
    chunks = intact.png_chunks(file.name, file.data, notes) if file.format == "PNG" else []
    found: tuple[Pixels, Pixels | None] | None = deep(file) if depth > 8 or im.mode in ("F", "I") else None
    if found is None:
        if depth > 8:
            notes.append(f"The file holds {depth} bits per sample; only 8 could be decoded.")
        eight = im.to_pillow() if file.format == "HEIF" else im
        eight.load()
        if file.format == "PNG" and im.mode == "L" and isinstance(im.info.get("transparency"), int):
            im.info["transparency"] *= 255 // (2**depth - 1)  # Pillow widens the pixels of 2 and 4 bits, not their key
        found = split(eight)
    if file.format == "PNG":
        intact.png_rows(file.name, file.data, chunks, im)
    elif file.format in ("JPEG", "MPO"):
        intact.jpeg_grey(im, notes)
    if file.format != "TIFF":
        with hearing(notes):
            turn = hints.orientation(file)  # a PNG may hold it behind the pixels
    return *found, turn


def _stored(file: Opened, turn: int) -> Callable[[], Tensor]:
    data, is_tiff = file.data, file.format == "TIFF"

    @cache
    def stored() -> Tensor:
        again = opened("the data", data, max_pixels=2**62)
        with _patience(again):
            colour, _, _ = _samples(again, bits(again))
        colour, _, _ = to_srgb(colour, None, b"", [])
        return torch.from_numpy(planes(turned(colour, INVERSE.get(turn, turn)) if is_tiff else colour))

    return stored
