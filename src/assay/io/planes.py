"""Between Pillow's images and C×H×W arrays, in little memory: splitting, laying on a background, turning."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Planes = NDArray[np.uint8] | NDArray[np.float32]  # C×H×W
Pixels = Image.Image | Floats  # L, RGB, CMYK or LAB at 8 bits; or C×H×W in [0, 1]
T = Image.Transpose
UPRIGHT = {2: T.FLIP_LEFT_RIGHT, 3: T.ROTATE_180, 4: T.FLIP_TOP_BOTTOM, 5: T.TRANSPOSE, 6: T.ROTATE_270, 7: T.TRANSVERSE, 8: T.ROTATE_90}
PLAIN = {"1": "L", "P": "RGB", "YCbCr": "RGB", "HSV": "RGB"}
ALPHA = {"LA": "L", "RGBA": "RGB"}


def split(im: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colour as L, RGB, CMYK or LAB, and alpha as L where the image has any."""
    if im.has_transparency_data:
        im = im if im.mode in ALPHA else im.convert("LA" if im.mode in ("L", "La") else "RGBA")
        return im.convert(ALPHA[im.mode]), im.getchannel("A")
    return (im.convert(PLAIN[im.mode]) if im.mode in PLAIN else im), None


def opaque(alpha: Pixels | None) -> bool:
    if alpha is None:
        return True
    return cast(float, alpha.getextrema()[0]) >= 255 if isinstance(alpha, Image.Image) else float(alpha.min()) >= 1


def laid(colour: Pixels, alpha: Pixels, background: tuple[int, int, int]) -> Pixels:
    """Colour over a background, mixed in sRGB as browsers do; grey on grey stays one channel."""
    grey = len(set(background)) == 1
    if isinstance(colour, Image.Image):
        colour = colour if colour.mode == "RGB" or grey else colour.convert("RGB")
        under = Image.new(colour.mode, colour.size, background if colour.mode == "RGB" else background[0])
        under.paste(colour, mask=cast(Image.Image, alpha))
        return under
    ground = np.asarray(background[:1] if grey and len(colour) == 1 else background, np.float32)[:, None, None] / np.float32(255)
    return cast(Floats, ground + (colour - ground) * cast(Floats, alpha))


def rounded(v: NDArray[np.float32]) -> Image.Image:
    """[0, 1] at 8 bits."""
    eight = np.rint(v * np.float32(255)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(eight[0] if len(eight) == 1 else eight.transpose(1, 2, 0)))


def planes(pixels: Pixels) -> Planes:
    """C×H×W; band by band, because an interleaved copy would cost three more bytes a pixel."""
    if not isinstance(pixels, Image.Image):
        return np.ascontiguousarray(pixels)
    bands, (width, height) = pixels.mode, pixels.size
    out = np.empty((len(bands), height, width), np.uint8)
    for plane, band in zip(out, bands, strict=True):
        plane[:] = np.frombuffer(pixels.tobytes("raw", band), np.uint8).reshape(height, width)
    return out


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Upright, by EXIF orientation."""
    if orientation == 1:
        return pixels
    if isinstance(pixels, Image.Image):
        return pixels.transpose(UPRIGHT[orientation])
    _, height, width = pixels.shape
    out = np.empty((len(pixels), width, height) if orientation > 4 else pixels.shape, np.float32)
    for plane, old in zip(out, np.ascontiguousarray(pixels), strict=True):
        plane[:] = Image.frombuffer("F", (width, height), old, "raw", "F", 0, 1).transpose(UPRIGHT[orientation])
    return out
