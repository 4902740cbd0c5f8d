"""Pixels in memory as a Picture, so that arrays and files go the same way."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.types import BadInput, Media, Picture


def from_array(array: NDArray[Any] | Tensor, name: str = "array") -> Picture:
    """Pixels in memory as a Picture: sRGB, H×W, H×W×C or C×H×W (C is 1 or 3); uint8, uint16, or float in [0, 1].

    Where both orders fit, a NumPy array is read as H×W×C and a tensor as C×H×W.  Raises BadInput.
    """
    if isinstance(array, Tensor):
        tensor = array.detach().cpu()
        v: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    elif isinstance(array, np.ndarray):
        v = array
    else:
        raise BadInput(f"{name} must be a NumPy array or a torch tensor; got {type(array).__name__}.")
    shape = "×".join(map(str, v.shape)) or "a scalar"
    first, last = (v.ndim == 3 and v.shape[i] in (1, 3) for i in (0, -1))
    if v.ndim == 2:
        v = v[None]
    elif last and not (first and isinstance(array, Tensor)):
        v = v.transpose(2, 0, 1)
    elif not first:
        hint = " Take one picture: x[0]." if v.ndim == 4 else " Drop or composite the alpha first." if 4 in v.shape[::2] else ""
        raise BadInput(f"{name} must be H×W, H×W×C or C×H×W with C 1 or 3; got {shape}.{hint}")
    if v.size == 0:
        raise BadInput(f"{name} has no pixels: its shape is {shape}.")
    planes, depth = _unit(v, name)
    pixels = torch.from_numpy(planes)
    media = Media("array", v.shape[2], v.shape[1], "L" if len(v) == 1 else "RGB", depth)
    return Picture(pixels, b"", name, "", media, lambda: pixels)


def _unit(v: NDArray[Any], name: str) -> tuple[NDArray[Any], int]:
    if v.dtype == np.uint8:
        return np.array(v, order="C"), 8
    if v.dtype == np.uint16:
        return np.array(v, np.float32, order="C") / np.float32(65535), 16
    if v.dtype.kind != "f":
        raise BadInput(f"{name} must be uint8, uint16 or float in [0, 1]; got {v.dtype}.")
    low, high = float(v.min()), float(v.max())
    if low != low:
        raise BadInput(f"{name} contains NaN. Replace those pixels first.")
    if low < 0 or high > 1:
        advice = "Divide 8-bit data by 255." if low >= 0 and 1.5 < high <= 255 else "Scale or clamp it first."
        raise BadInput(f"{name} must lie in [0, 1]; got [{low:.4g}, {high:.4g}]. {advice}")
    return np.array(v, np.float32, order="C"), 8 * v.dtype.itemsize
