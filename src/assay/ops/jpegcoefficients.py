"""The quantised coefficients of a JPEG file's luma, and the table they were quantised with."""

from __future__ import annotations

import io
import warnings
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from assay.ops import jpegfile
from assay.ops.dct import block_dct
from assay.ops.shared import shared
from assay.types import CannotAssess

STRIP = 512  # rows at a time: coefficients are floats while they are made


class Luma(NamedTuple):
    """What a JPEG file holds of brightness."""

    steps: NDArray[np.int32]  # 8×8, vertical frequency first
    coefficients: NDArray[np.int16]  # ⌊H/8⌋×⌊W/8⌋×8×8, multiples of the steps; whole blocks only
    pixels: NDArray[np.uint8]  # H×W, as decoded


@shared
def luma(data: bytes) -> Luma:
    """Brightness as a JPEG file holds it.  Raises CannotAssess for anything else than an 8-bit YCbCr or grey JPEG file."""
    if data[:2] != b"\xff\xd8":
        raise CannotAssess("quantised coefficients live in a JPEG file, and this is none.")
    file = jpegfile.parse(data)
    first = file.components[0]
    if first.table not in file.tables or len(file.components) not in (1, 3) or file.precision != 8:
        raise CannotAssess("this JPEG file holds no 8-bit luma with a quantisation table: it is CMYK, lossless or damaged.")
    rgb = any(segment[6:7] == b"\0" for segment in file.app(14, b"Adobe")) and len(file.components) == 3
    if rgb or any(c.h > first.h or c.v > first.v for c in file.components):
        raise CannotAssess("this JPEG file holds no luma at full size: it is stored as RGB or its brightness is subsampled.")
    steps = np.array(file.tables[first.table], np.int32).reshape(8, 8)
    if not steps.all():
        raise CannotAssess("a step of the file's quantisation table is 0: it is damaged.")
    pixels = _decoded(data)
    return Luma(steps, _quantised(pixels, steps), pixels)


def _decoded(data: bytes) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about the file was told when it was opened
            with Image.open(io.BytesIO(data)) as im:
                im.draft("L", im.size)  # the decoder's own luma: no conversion to RGB and back
                return np.array(im.convert("L"))
    except (OSError, ValueError, SyntaxError) as error:
        raise CannotAssess(f"the JPEG file cannot be decoded: {error}.") from error


def _quantised(pixels: NDArray[np.uint8], steps: NDArray[np.int32]) -> NDArray[np.int16]:
    """Pixels back to coefficients: rounding to whole pixels moves them by 0.3 on average, less than half a step of 2 or more."""
    out = np.empty((pixels.shape[0] // 8, pixels.shape[1] // 8, 8, 8), np.int16)
    by = torch.from_numpy(steps).float()
    for top in range(0, pixels.shape[0] // 8 * 8, STRIP):
        part = torch.from_numpy(pixels[top : top + STRIP]).float() - 128
        out[top // 8 : (top + STRIP) // 8] = (block_dct(part) / by).round().numpy()
    return out
