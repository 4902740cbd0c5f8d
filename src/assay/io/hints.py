"""What a file says beside its pixels: that more pictures follow, that it is a raw preview, that its colours are not sRGB."""

from __future__ import annotations

from typing import Any

from PIL import Image

from assay.io.opening import Opened
from assay.types import BadInput

ORIENTATION, SUBFILE, DNG = 274, 254, 50706  # EXIF 2.32, 4.6.5; TIFF 6.0, section 8; DNG 1.6
TRANSFERS = {16: "HDR (PQ)", 18: "HDR (HLG)", 8: "linear light"}  # ITU-T H.273, table 3
PRIMARIES = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}  # ITU-T H.273, table 2
SRGB_GAMMA = 0.45455


def refuse_previews(file: Opened) -> None:
    """Raise BadInput for raw camera files, whose first image is a thumbnail or not meant to be shown."""
    if file.format != "TIFF":
        return
    tags = file.image.tag_v2
    if DNG in tags or file.data[8:10] == b"CR":
        raise BadInput(f"{file.name} is a raw camera file; develop it to TIFF, PNG or JPEG first.")
    if isinstance(kind := tags.get(SUBFILE, 0), int) and kind & 1:
        raise BadInput(f"{file.name} starts with a reduced preview, as raw camera files do; export the full picture first.")


def orientation(file: Opened) -> int:
    """The EXIF orientation, 1..8. XMP is left aside, as viewers do, except where Pillow applies it (TIFF)."""
    im = file.image
    if file.format == "HEIF":
        return 1  # its decoder has turned the picture already
    try:
        value: Any = _exif(im, file.format).get(ORIENTATION, 1)
    except Exception as e:  # hostile EXIF raises anything
        file.notes.append(f"The EXIF data is damaged ({' '.join(str(e).split())}); the picture was taken as upright.")
        return 1
    if isinstance(value, int) and 1 <= value <= 8:
        return value
    if value != 0:  # 0 is often written for "unknown"
        file.notes.append(f"The EXIF orientation {str(value)[:20]!r} has no meaning; the picture was taken as upright.")
    return 1


def _exif(im: Any, kind: str) -> Image.Exif:
    if kind == "TIFF":
        return im.getexif()  # type: ignore[no-any-return]
    exif = Image.Exif()
    exif.load(im.info.get("exif") or b"")
    return exif


def several(file: Opened) -> None:
    """Note that only the first of several pictures was taken."""
    if file.frames < 2:
        return
    n = file.frames
    if file.format == "TIFF":
        says = f"The file has {n} pages; the first was taken."
    elif file.format in ("MPO", "HEIF"):
        says = f"The file holds {n} pictures; the main one was taken."
    else:
        says = f"The file is an animation of {n} frames; the first was taken."
    file.notes.append(says)


def signals(file: Opened, *, has_icc: bool) -> None:
    """Note colour signals that were not applied, and an ink convention that had to be assumed."""
    im, notes = file.image, file.notes
    primaries, transfer = _coded(file.data, file.format)
    if transfer in TRANSFERS:
        notes.append(f"The file is {TRANSFERS[transfer]}; it was decoded without tone mapping and taken as sRGB.")
    elif primaries in PRIMARIES and not has_icc:
        notes.append(f"The file states {PRIMARIES[primaries]} primaries without an ICC profile; it was taken as sRGB.")
    gamma = im.info.get("gamma")
    if gamma and abs(gamma - SRGB_GAMMA) > 0.01 and not has_icc and "srgb" not in im.info:
        notes.append(f"The file states a gamma of 1/{1 / gamma:.2f} without an ICC profile; it was taken as sRGB.")
    if file.format in ("JPEG", "MPO") and im.mode == "CMYK" and "adobe" not in im.info:
        notes.append("The CMYK JPEG has no Adobe marker; its inks were taken as inverted, as viewers do.")


def _coded(data: bytes, kind: str) -> tuple[int, int]:
    """Primaries and transfer as code points of ITU-T H.273; 0 where none are stated."""
    if kind in ("AVIF", "HEIF") and (at := data.find(b"colrnclx", 0, 1 << 16)) >= 0:
        return int.from_bytes(data[at + 8 : at + 10], "big"), int.from_bytes(data[at + 10 : at + 12], "big")
    if kind == "PNG" and 0 <= (at := data.find(b"cICP", 0, 1 << 16)) < data.find(b"IDAT"):
        return data[at + 4], data[at + 5]
    return 0, 0
