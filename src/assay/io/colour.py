"""Colours to sRGB: ICC profiles, CMYK, CIELAB."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import cast

import numpy as np
from PIL import Image, ImageCms

from assay.io.planes import Floats, Pixels, rounded

SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
SAME = 1  # levels of 255: a profile that moves no colour of the probe further is sRGB in other words


@dataclass(frozen=True, slots=True)
class Profile:
    """What an embedded profile does to pixels of one mode."""

    description: str
    trouble: str = ""  # why it cannot be used
    same: bool = False  # it is sRGB
    transform: ImageCms.ImageCmsTransform | None = None


@lru_cache(maxsize=64)
def profile(icc: bytes, mode: str) -> Profile:
    """Read a profile once; thousands of files carry the same few."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(icc))
        space = source.profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError, TypeError, ValueError):
        return Profile("unreadable", "is broken")
    description = " ".join((source.profile.profile_description or "unnamed").replace("\0", "").split())
    if space != SPACES[mode]:
        return Profile(description, f"is for {space} pixels, not {SPACES[mode]}")
    try:
        transform = _transform(source, mode)
        probe = _probe(mode)
        moved = np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe.convert("RGB"))
    except (OSError, ImageCms.PyCMSError, ValueError) as e:
        return Profile(description, f"cannot be used ({str(e).rstrip('.')})")
    same = mode in ("L", "RGB") and int(np.abs(moved).max()) <= SAME
    return Profile(description, same=same, transform=transform)


def to_srgb(colour: Pixels, alpha: Pixels | None, icc: bytes, notes: list[str]) -> tuple[Pixels, Pixels | None, bool]:
    """L, RGB, CMYK or LAB as L or RGB in sRGB, relative colorimetric, and whether a profile was applied.

    What happened goes into notes. Deeper pixels stay as they are unless a profile must be applied, which works at 8 bits.
    """
    mode = colour.mode if isinstance(colour, Image.Image) else "L" if len(colour) == 1 else "RGB"
    found = profile(icc, mode) if icc else None
    if found and found.trouble:
        notes.append(f"The ICC profile ({found.description}) {found.trouble}; it was left aside.")
    if not (found and found.transform) or found.same:
        return (_plain(colour, notes) if isinstance(colour, Image.Image) else colour), alpha, False
    if not isinstance(colour, Image.Image):
        notes.append("The pixels were rounded to 8 bits, because ICC profiles are applied at 8 bits.")
        colour, alpha = rounded(colour), None if alpha is None else rounded(cast(Floats, alpha)[None])
    notes.append(f"Colours were converted to sRGB from the ICC profile {found.description}.")
    return (_grey(colour, found.transform) if mode == "L" else found.transform.apply(colour)), alpha, True


def _plain(im: Image.Image, notes: list[str]) -> Image.Image:
    if im.mode == "LAB":
        notes.append("CIELAB colours (D50) were converted to sRGB.")
        return _lab().apply(im)
    if im.mode == "CMYK":
        notes.append("CMYK inks were turned into RGB by the plain formula, without a profile: colours are approximate.")
        return im.convert("RGB")
    return im


def _grey(im: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    table = np.asarray(transform.apply(_probe("L")))[0, :, 1]
    return im.point(table.tolist())


def _transform(source: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsTransform(source, srgb, mode, "RGB", intent=ImageCms.Intent.RELATIVE_COLORIMETRIC)


@lru_cache(maxsize=1)
def _lab() -> ImageCms.ImageCmsTransform:
    return _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _probe(mode: str) -> Image.Image:
    """All greys, or a grid of colours."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if mode != "RGB":
        return Image.new(mode, (1, 1))
    grid = np.indices((18, 18, 18), dtype=np.uint8).reshape(3, 1, -1) * 15  # 0, 15, …, 255
    return Image.fromarray(np.ascontiguousarray(grid.transpose(1, 2, 0)))
