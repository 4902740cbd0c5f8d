"""Quantisation tables that programs are known to write, and the libjpeg quality nearest to any other."""

from __future__ import annotations

from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

# fmt: off
# ITU-T T.81 tables K.1 and K.2, which libjpeg scales by its quality setting
LUMA = (
     16,  11,  10,  16,  24,  40,  51,  61,
     12,  12,  14,  19,  26,  58,  60,  55,
     14,  13,  16,  24,  40,  57,  69,  56,
     14,  17,  22,  29,  51,  87,  80,  62,
     18,  22,  37,  56,  68, 109, 103,  77,
     24,  35,  55,  64,  81, 104, 113,  92,
     49,  64,  78,  87, 103, 121, 120, 101,
     72,  92,  95,  98, 112, 100, 103,  99,
)
CHROMA = (
     17,  18,  24,  47,  99,  99,  99,  99,
     18,  21,  26,  66,  99,  99,  99,  99,
     24,  26,  56,  99,  99,  99,  99,  99,
     47,  66,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,
)
# mozjpeg's default base for both, jcparam.c, "ImageMagick (N. Robidoux)"
ROBIDOUX = (
     16,  16,  16,  18,  25,  37,  56,  85,
     16,  17,  20,  27,  34,  40,  53,  75,
     16,  20,  24,  31,  43,  62,  91, 135,
     18,  27,  31,  40,  53,  74, 106, 156,
     25,  34,  43,  53,  69,  94, 131, 189,
     37,  40,  62,  74,  94, 124, 169, 238,
     56,  53,  91, 106, 131, 169, 226, 311,
     85,  75, 135, 156, 189, 238, 311, 418,
)
# fmt: on
BASES = {"libjpeg": (LUMA, CHROMA), "mozjpeg": (ROBIDOUX, ROBIDOUX)}
OWN = "an encoder of its own"
FINEST = "any encoder at its finest"


@cache
def scaled(base: tuple[int, ...], quality: int) -> tuple[int, ...]:
    """A base table at a libjpeg quality of 1..100: the scaling of libjpeg's jcparam.c, which everyone copied.

    >>> scaled(LUMA, 50)[:4], scaled(LUMA, 90)[:4], set(scaled(LUMA, 100))
    ((16, 11, 10, 16), (3, 2, 2, 3), {1})
    """
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(255, max(1, (step * percent + 50) // 100)) for step in base)


@cache
def _known() -> dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[str, int | None]]:
    """(luma, chroma) to encoder and quality, for all encoders whose tables are public."""
    from PIL.JpegPresets import presets  # Pillow ships some of Photoshop's

    known: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[str, int | None]] = {}
    for name, (luma, chroma) in reversed(BASES.items()):  # at quality 1 all steps are 255, for both: libjpeg's
        known |= {(scaled(luma, q), scaled(chroma, q)): (name, q) for q in range(99, 0, -1)}
    for name, preset in presets.items():
        tables = [tuple(t) for t in cast("list[list[int]]", preset["quantization"])]
        if len(tables) >= 2:
            known.setdefault((tables[0], tables[1]), (f"Photoshop ({name.replace('_', ' ')})", None))
    known[((1,) * 64, (1,) * 64)] = (FINEST, None)  # all steps 1
    return known


def encoder(used: list[tuple[int, ...]]) -> tuple[str, int | None]:
    """Who writes these tables (luma first, one per component), and at which quality where that is a setting of theirs."""
    if len(used) in (3, 4) and used[1] == used[2]:
        return _known().get((used[0], used[1]), (OWN, None))
    if len(used) == 1:
        return next((who for tables, who in _known().items() if tables[0] == used[0]), (OWN, None))
    return OWN, None


def nearest(luma: tuple[int, ...]) -> tuple[int, float]:
    """The libjpeg quality whose luma table is closest, and the root-mean-square distance.

    Least squares over the logarithms: plain ones would let the large steps of the finest detail decide alone.
    """
    misses = np.sqrt(np.mean((np.log(np.maximum(luma, 1)) - _logarithms()) ** 2, axis=1))
    best = int(misses.argmin())
    return best + 1, float(misses[best])


@cache
def _logarithms() -> NDArray[np.float64]:
    return np.log([scaled(LUMA, q) for q in range(1, 101)])
