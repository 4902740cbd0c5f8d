"""Pictures by name, the same ones on every machine, for reference values and properties."""

from __future__ import annotations

import io
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from assay.types import Face


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


def drawn_faces(count: int = 1, *, side: int = 256, seed: int = 0) -> tuple[Tensor, list[Face]]:
    """A picture side by side of drawn heads before a grey wall, 3×side×(count·side) uint8, and where their faces are."""
    wide = count * side
    y, x = np.mgrid[:side, :wide].astype(float)
    picture = np.full((side, wide, 3), (150, 152, 160), float)
    faces = []
    for i in range(count):
        cx, cy, e = side * (i + 0.5), side * 0.52, side * (0.26 - 0.02 * i)  # the middle of the face, and its eye distance

        def spot(
            dx: float, dy: float, rx: float, ry: float, colour: tuple[int, int, int], cx: float = cx, cy: float = cy, e: float = e
        ) -> None:
            inside = ((x - cx - dx * e) / (rx * e)) ** 2 + ((y - cy - dy * e) / (ry * e)) ** 2
            picture[:] += np.clip(1.5 - inside, 0, 1)[..., None] * (np.array(colour) - picture)

        spot(0, -0.1, 1.25, 1.75, (70, 45, 30))  # hair
        spot(0, 0.1, 1.05, 1.4, (205, 150, 125))  # skin
        for sign in (-0.5, 0.5):
            spot(sign, -0.72, 0.26, 0.05, (80, 50, 40))  # brow
            spot(sign, -0.5, 0.2, 0.1, (235, 230, 225))  # eye
            spot(sign, -0.5, 0.09, 0.1, (50, 35, 30))  # iris
        spot(0, 0.08, 0.12, 0.08, (180, 120, 100))  # nose
        spot(0, 0.68, 0.4, 0.11, (170, 80, 80))  # lips
        points = ((-0.5, -0.5), (0.5, -0.5), (0, 0.07), (-0.4, 0.66), (0.4, 0.66))
        box = (cx - 0.95 * e, cy - 1.1 * e, cx + 0.95 * e, cy + 1.4 * e)
        faces.append(Face(box, tuple((cx + a * e, cy + b * e) for a, b in points), 1.0))
    picture += np.random.default_rng(seed).normal(0, 3, picture.shape)
    return tensor(np.clip(picture.round(), 0, 255).astype(np.uint8))[0], faces


def judged_alone_and_together(judge: Any) -> None:
    """Findings about faces: the same for bytes and floats, for one face and several, for grey pictures of one channel and of three;
    ranked among real ones; never an opinion of odds."""
    image, faces = drawn_faces(2)
    both = judge(image, faces)
    assert len(both) == 2
    for f, face in zip(both, faces, strict=True):
        (alone,) = judge(image / 255, [face])
        assert alone.data["statistic"] == pytest.approx(f.data["statistic"], abs=0.02)
        assert math.isfinite(f.data["statistic"])
        assert 0 <= f.data["rarer_than"] <= 1
        assert f.evidence
        assert all(e.llr is None for e in f.evidence)
    assert judge(image, []) == []
    grey = image.float().mean(0, keepdim=True).byte()
    assert judge(grey, faces)[0].data == judge(grey.expand(3, -1, -1), faces)[0].data
