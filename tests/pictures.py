"""Pictures by name, the same ones on every machine, for reference values and properties."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor


def tensor(a: NDArray[np.uint8]) -> Tensor:
    """H×W(×C) pixels as 1×C×H×W uint8."""
    return torch.from_numpy(np.ascontiguousarray(np.atleast_3d(a).transpose(2, 0, 1)))[None]


def load(path: Path) -> Tensor:
    with Image.open(path) as im:
        return tensor(np.asarray(im.convert("L" if im.mode == "L" else "RGB")))


def jpeg(a: NDArray[np.uint8], quality: int, **options: object) -> NDArray[np.uint8]:
    out = io.BytesIO()
    Image.fromarray(a).save(out, "JPEG", quality=quality, **options)
    return np.asarray(Image.open(out))


def blur(a: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    soft = gaussian_filter(a.astype(float), (sigma, sigma, 0)[: a.ndim])
    return np.clip(np.round(soft), 0, 255).astype(np.uint8)


def noise(a: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    grain = np.random.default_rng(0).normal(0, sigma, a.shape)
    return np.clip(np.round(a + grain), 0, 255).astype(np.uint8)


DAMAGE = {
    "ref": lambda a: a,
    "jpeg10": lambda a: jpeg(a, 10),
    "jpeg30": lambda a: jpeg(a, 30),
    "blur1": lambda a: blur(a, 1),
    "blur2": lambda a: blur(a, 2),
    "noise10": lambda a: noise(a, 10),
    "noise25": lambda a: noise(a, 25),
}


@cache
def pair(name: str, data: Path) -> tuple[Tensor, Tensor]:
    """(damaged, pristine) as 1×3×H×W uint8: "astronaut_jpeg10", "piqtest_I01", or "kodak/kodim01.png_blur2"."""
    if name == "piqtest_I01":
        return load(found(data / "parity/piq/i01_01_5.png")), load(found(data / "parity/piq/I01.png"))
    base, _, damage = name.rpartition("_")
    if base == "astronaut":
        pristine = np.asarray(pytest.importorskip("skimage.data").astronaut())
    else:
        pristine = np.asarray(Image.open(found(data / "pristine" / base)).convert("RGB"))
    return tensor(DAMAGE[damage](pristine)), tensor(pristine)


def found(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"no test data at {path}; set ASSAY_TEST_DATA to use it")
    return path
