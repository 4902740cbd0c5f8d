"""What a file is, from its first bytes; its name is not trusted."""

from __future__ import annotations

import re

from assay.types import BadInput

PICTURES = (  # first bytes of what we read
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("GIF", rb"GIF8[79]a"),
    ("WEBP", rb"RIFF....WEBP"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]"),
    ("JPEG2000", rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n"),
    ("AVIF", rb"....ftypavi[fs]|....ftyp(mif1|msf1).{,200}?avi[fs]"),
    ("HEIF", rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1|mif2)"),
    ("PPM", rb"P[1-7fF]\s"),
    ("BMP", rb"BM.{4}"),
)
OTHERS = (  # first bytes of what is often mistaken for a picture
    ("a PDF document", rb"%PDF"),
    ("an HTML page", rb"\s*(<!doctype html|<html|<head)"),
    ("an SVG drawing; render it to PNG first", rb"\s*(<\?xml.{,400}?)?<svg"),
    ("XML text", rb"\s*<\?xml"),
    ("JSON text", rb'\s*[{\[]\s*["{\[\]}0-9]'),
    ("a video (MP4 or QuickTime)", rb"....(ftyp|moov|mdat|wide)"),
    ("a video (Matroska or WebM)", rb"\x1a\x45\xdf\xa3"),
    ("a video (AVI)", rb"RIFF....AVI "),
    ("a sound file", rb"RIFF....WAVE|ID3|OggS|fLaC"),
    ("a ZIP archive (or an office document)", rb"PK\x03\x04"),
    ("a gzip archive", rb"\x1f\x8b"),
    ("a PostScript document", rb"%!PS|\xc5\xd0\xd3\xc6"),
    ("a Photoshop document; export it to TIFF or PNG first", rb"8BPS"),
    ("an icon file; export it to PNG first", rb"\0\0[\x01\x02]\0.\0"),
    ("an OpenEXR picture; tone-map it to PNG or TIFF first", rb"\x76\x2f\x31\x01"),
    ("a Radiance HDR picture; tone-map it to PNG or TIFF first", rb"#\?(RADIANCE|RGBE)"),
    ("a JPEG XL picture; convert it to PNG first", rb"\xff\x0a|\0\0\0\x0cJXL "),
    ("a Git LFS pointer, not the file itself; run git lfs pull", rb"version https://git-lfs"),
)


def shown(path: object) -> str:
    """A path for a message: as it is, or quoted where it holds line breaks or undecodable bytes."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def sniff(name: str, data: bytes) -> str:
    """The format that the first bytes announce; the name of the file is not trusted."""
    for kind, start in PICTURES:
        if re.match(start, data[:512], re.DOTALL):
            return kind
    if not data:
        raise BadInput(f"{name} is empty.")
    for what, start in OTHERS:
        if re.match(start, data[:512], re.DOTALL | re.IGNORECASE):
            raise BadInput(f"{name} is not an image that can be read: it looks like {what}.")
    head = data[:64]
    if not head.strip(b"\0"):
        raise BadInput(f"{name} is not an image: it starts with zeros, as a failed copy or download does.")
    if all(b in b"\t\r\n" or 32 <= b < 127 for b in head):
        raise BadInput(f"{name} is not an image: it is text that starts with {head[:32].decode('ascii')!r}.")
    raise BadInput(f"{name} is not an image of a known format: its first bytes are {head[:8].hex(' ')}.")
