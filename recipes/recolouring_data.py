"""Photographs with a part, or all, recoloured on purpose, and their untouched twins that travelled alike.

Tools: the colour statistics of another photograph in Lab; a palette of five whose entries move; histograms of another photograph;
hue and saturation turned; chroma painted anew at a quarter of the size; and gains of the channels, as recipes/forgeries.py has them.
Edits of tone, which the cue should not call recolouring: white balance, exposure, gamma, saturation, of the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy.cluster.vq import kmeans2
from scipy.ndimage import gaussian_filter

from forgeries import HISTORIES, Pixels, compressed
from splices_data import decoded, developed, encoded, outline

Rng = np.random.Generator
Floats = np.ndarray[Any, np.dtype[np.float64]]
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # sRGB, IEC 61966-2-1
WHITE = TO_XYZ.sum(1)
SIDE = 448  # pixels at most, of the finished picture
SUBSAMPLINGS = (0, 2)  # of Pillow: 4:4:4, 4:2:0


class Twin(NamedTuple):
    """A file, where it was recoloured (H×W bool), and by which tool: "" for none, "tone" for an edit of the whole that is none."""

    file: bytes
    mask: Pixels
    tool: str
    way: str


def to_lab(rgb: Floats) -> Floats:
    """H×W×3 in 0..255."""
    light = np.where(rgb <= 10.31475, rgb / 3294.6, ((rgb / 255 + 0.055) / 1.055) ** 2.4) @ TO_XYZ.T / WHITE
    f = np.where(light > 0.008856, np.cbrt(light), 7.787 * light + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def from_lab(x: Floats) -> Floats:
    y = (x[..., 0] + 16) / 116
    f = np.stack([y + x[..., 1] / 500, y, y - x[..., 2] / 200], -1)
    light = np.where(f > 0.2069, f**3, (f - 16 / 116) / 7.787) * WHITE @ np.linalg.inv(TO_XYZ).T
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clip(0, None) ** (1 / 2.4) - 0.055)


def statistics(x: Floats, mask: Pixels, donor: Floats, rng: Rng) -> Floats:
    """Mean and deviation of colour, and half of those of lightness, as the donor has them."""
    here, there = to_lab(x), to_lab(donor).reshape(-1, 3)
    inside = here[mask]
    scale = np.clip(there.std(0) / (inside.std(0) + 1), 0.6, 1.6)
    new = (here - inside.mean(0)) * scale + there.mean(0) + rng.normal(0, 8, 3)
    share = np.array([0.3, 1, 1])
    return from_lab(here * (1 - share) + new * share)


def palette(x: Floats, mask: Pixels, donor: Floats, rng: Rng) -> Floats:  # noqa: ARG001 - all tools are asked alike
    here = to_lab(x)
    middles = kmeans2(here[mask][::17] + 0.0, 5, minit="++", rng=rng)[0]
    gaps = np.stack([((here - m) ** 2).sum(-1) for m in middles], -1)
    near = np.exp(-gaps / (2 * 20.0**2)) + 1e-9
    moves = rng.normal(0, [6, 25, 25], (len(middles), 3)) * (rng.random((len(middles), 1)) < 0.6)
    moves[rng.integers(len(middles))] = rng.normal(0, [6, 30, 30])
    return from_lab(here + near / near.sum(-1, keepdims=True) @ moves)


def histograms(x: Floats, mask: Pixels, donor: Floats, rng: Rng) -> Floats:
    out, share = np.empty_like(x), rng.uniform(0.5, 1)
    for c in range(3):
        q = np.linspace(0, 1, 65)
        out[..., c] = np.interp(x[..., c], np.quantile(x[..., c][mask], q) + np.arange(65) * 1e-6, np.quantile(donor[..., c], q))
    return x + share * (out - x)


def hue(x: Floats, mask: Pixels, donor: Floats, rng: Rng) -> Floats:  # noqa: ARG001
    """Turned about the axis of grey in Lab, more or less saturated."""
    here = to_lab(x)
    turn, times = rng.choice([-1, 1]) * rng.uniform(0.35, np.pi), rng.uniform(0.7, 1.5)
    c, s = np.cos(turn) * times, np.sin(turn) * times
    return from_lab(np.stack([here[..., 0], c * here[..., 1] - s * here[..., 2], s * here[..., 1] + c * here[..., 2]], -1))


def painted(x: Floats, mask: Pixels, donor: Floats, rng: Rng) -> Floats:  # noqa: ARG001
    """Chroma that goes with lightness as the donor's does, at a quarter of the size, as nets that colour pictures make it."""
    here, there = to_lab(x), to_lab(donor).reshape(-1, 3)
    order = there[there[:, 0].argsort()]
    parts = np.array([p.mean(0) for p in np.array_split(order, 24)])
    soft = gaussian_filter(here[..., 0], 2)
    size = tuple(max(1, n // 4) for n in soft.shape[::-1])
    small = np.asarray(Image.fromarray(soft.astype(np.float32)).resize(size, Image.Resampling.BOX))
    new = []
    for c in (1, 2):
        colour = np.interp(small, parts[:, 0] + np.arange(24) * 1e-6, gaussian_filter(parts[:, c], 1)) + rng.normal(0, 8)
        new.append(np.asarray(Image.fromarray(colour.astype(np.float32)).resize(soft.shape[::-1], Image.Resampling.BILINEAR)))
    return from_lab(np.stack([here[..., 0], *new], -1))


def gains(x: Floats, mask: Pixels, donor: Floats, rng: Rng) -> Floats:  # noqa: ARG001
    """As recipes/forgeries.py recolours."""
    by = rng.uniform(0.6, 1.4, 3)
    return x * by / by.mean()


Tool = Callable[[Floats, Pixels, Floats, Rng], Floats]
TOOLS: dict[str, Tool] = {
    **{"statistics": statistics, "palette": palette, "histograms": histograms},
    **{"hue": hue, "painted": painted, "gains": gains},
}
TONES = ("white balance", "exposure", "gamma", "saturation")


def toned(x: Floats, kind: str, rng: Rng) -> Floats:
    if kind == "white balance":
        return x * (by := rng.uniform(0.85, 1.18, 3)) / by.mean()
    if kind == "exposure":
        return x * rng.uniform(0.75, 1.3)
    if kind == "gamma":
        return 255 * (x / 255) ** rng.uniform(0.75, 1.35)
    grey = x @ np.array([0.299, 0.587, 0.114])
    return grey[..., None] + rng.uniform(0.6, 1.5) * (x - grey[..., None])


def recoloured(x: Pixels, tool: str, mask: Pixels, donor: Pixels, rng: Rng) -> Pixels:
    """With soft edges; the whole picture where the mask is full."""
    new = TOOLS[tool](x.astype(float), mask, donor.astype(float), rng)
    soft = gaussian_filter(mask.astype(np.float32), float(rng.choice([0.01, 0.7, 1.5, 3])))[..., None]
    return (x * (1 - soft) + new * soft).round().clip(0, 255).astype(np.uint8)


def taken(path: Path, rng: Rng) -> Pixels:
    """A part of a photograph, as a camera or a program may have left it."""
    with Image.open(path) as im:
        im = im.convert("RGB")
        by = float(rng.uniform(0.5, 0.95)) if rng.random() < 0.3 and min(im.size) > 800 else 1.0
        im = im.resize((round(im.width * by), round(im.height * by)), Image.Resampling.LANCZOS) if by != 1 else im
        top, left = (int(rng.integers(0, max(1, n - 2 * SIDE + 1))) // 8 * 8 for n in (im.height, im.width))
        return np.array(im.crop((left, top, min(im.width, left + 2 * SIDE), min(im.height, top + 2 * SIDE))))


def cut(x: Pixels, size: float, rng: Rng) -> Pixels:
    """SIDE pixels after it is resized by `size`."""
    n = round(SIDE / size)
    top, left = (int(rng.integers(0, max(1, k - n + 1))) // 8 * 8 for k in x.shape[:2])
    return np.ascontiguousarray(x[top : top + n, left : left + n])


class Way(NamedTuple):
    """How a picture travels after the edit; one draw for a picture and its twins."""

    name: str
    size: float
    quality: int | None
    subsampling: int

    def file(self, x: Pixels) -> bytes:
        if self.size != 1:
            im = Image.fromarray(x)
            x = np.array(im.resize((round(im.width * self.size), round(im.height * self.size)), Image.Resampling.LANCZOS))
        if self.quality is None:
            return encoded(x, "PNG", compress_level=1)
        return encoded(x, "JPEG", quality=self.quality, subsampling=self.subsampling)


def way(rng: Rng) -> Way:
    size = float(rng.uniform(0.5, 0.95)) if rng.random() < 0.3 else 1.0
    if rng.random() < 0.35:
        return Way("lossless", size, None, 0)
    quality, sampling = int(rng.integers(60, 99)), int(rng.choice(SUBSAMPLINGS))
    return Way(f"q{quality // 10}x 4:{'2:0' if sampling else '4:4'}", size, quality, sampling)


def twins(photos: list[Path], i: int, tools: tuple[str, ...], rng: Rng, how: Way | None = None) -> list[Twin]:
    """Of one photograph: itself, itself with another tone, and with a part recoloured, all of one history and one way after."""
    how = how or way(rng)
    x = cut(taken(photos[i], rng), how.size, rng)
    if rng.random() < 0.5:
        x = developed(x, rng)
    x = compressed(x, HISTORIES[int(rng.integers(len(HISTORIES)))])
    donor = taken(photos[int(rng.integers(len(photos)))], rng)[::3, ::3]
    tool, tone = str(rng.choice(tools)), str(rng.choice(TONES))
    mask = outline(x, rng)
    none = np.zeros_like(mask)
    changed = toned(x.astype(float), tone, rng).round().clip(0, 255).astype(np.uint8)
    edited = recoloured(x, tool, mask, donor, rng)
    return [Twin(how.file(p), m, t, how.name) for p, m, t in ((x, none, ""), (changed, none, f"tone: {tone}"), (edited, mask, tool))]


def seen(file: bytes) -> torch.Tensor:
    return torch.from_numpy(decoded(file)).permute(2, 0, 1).contiguous()
