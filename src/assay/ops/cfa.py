"""Traces of colour filters: a sensor measures one colour per site, and the others are interpolated from its neighbours.

Measured green lies on every second site, like the white fields of a chess board. There a pixel is predicted worse from its four
neighbours than on the other fields, which were made from them (Ferrara et al. 2012, doi:10.1109/TIFS.2012.2202227; the
geometric mean of the errors instead of their variance, so that edges do not rule).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDING = 0.25  # squared grey levels, added to squared errors: below, the rounding of pixels rules
FULL = 250.0  # from here pixels may be clipped


def lean(green: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """By how much the log errors on the fields with even x + y exceed those on the others, one value per side×side window.

    Near 0 where nothing was interpolated or the trace is gone; NaN where a window is flat or clipped.
    """
    rows, columns = (green.shape[0] - 2) // side, (green.shape[1] - 2) // side
    out = np.full((rows, columns), np.nan)
    board = np.where(np.add.outer(np.arange(1, side + 1), np.arange(1, side + 1)) % 2 == 0, 1.0, -1.0).astype(np.float32) / (
        side * side / 2
    )
    if side % 2:
        raise ValueError("windows need an even side, so that all begin on one colour of the board")
    for r in range(rows):
        part = green[r * side : (r + 1) * side + 2, : columns * side + 2]
        middle = part[1:-1, 1:-1]
        e = middle - (part[:-2, 1:-1] + part[2:, 1:-1] + part[1:-1, :-2] + part[1:-1, 2:]) / 4
        tiles = np.log(e * e + np.float32(ROUNDING)).reshape(side, columns, side).swapaxes(0, 1)
        light = middle.reshape(side, columns, side).swapaxes(0, 1)
        usable = (light.max(axis=(1, 2)) < FULL) & (np.abs(e).reshape(side, columns, side).mean(axis=(0, 2)) > np.sqrt(ROUNDING))
        out[r] = np.where(usable, (tiles * board).sum(axis=(1, 2)), np.nan)
    return out
