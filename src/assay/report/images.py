"""Pictures for a web page: photographs and maps, made small, as data URIs."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

PHOTO, MAP, THUMB = 1600, 1000, 160  # longest side, pixels

# Viridis (Smith & van der Walt 2015, CC0) at nine even steps: equal steps of the value look equally large,
# in grey and to colour-blind eyes too. report.css draws the same steps in the legend.
VIRIDIS = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")


def photo(pixels: Tensor, side: int = PHOTO) -> Image.Image:
    """C×H×W pixels as a picture with no side longer than `side`."""
    step = max(1, max(pixels.shape[1:]) // (4 * side))  # most pixels of a large photograph are not needed for a small one
    pixels = pixels[:, ::step, ::step]
    if pixels.dtype != torch.uint8:
        pixels = torch.stack([(c.clamp(0, 1) * 255).round_().to(torch.uint8) for c in pixels])  # a channel at a time: memory
    array = pixels.cpu().permute(1, 2, 0).numpy()
    image = Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array))
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3)
    return image


def jpeg(image: Image.Image) -> str:
    return _uri(image, "JPEG", quality=85, subsampling=0)


def thumbnail(image: Image.Image) -> str:
    small = image.convert("RGB")
    small.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS)
    return _uri(small, "WEBP", quality=60, method=4)


def webp(image: Image.Image) -> str:
    return _uri(image, "WEBP", quality=74, method=2)


def drawn(values: Tensor) -> tuple[str, tuple[str, str] | None]:
    """A map as a picture, and what the two ends of its colours stand for; 3×h×w maps are pictures already and have none."""
    v = values.detach().cpu().float()
    if max(v.shape[-2:]) > MAP:
        h, w = (max(1, round(side * MAP / max(v.shape[-2:]))) for side in v.shape[-2:])
        v = adaptive_avg_pool2d(v if v.ndim == 3 else v[None], (h, w)).squeeze(0)
    if v.ndim == 3:
        return jpeg(photo(v)), None
    data = v.numpy()
    low, high = (float(q) for q in np.percentile(data, (0.5, 99.5)))  # a few odd pixels must not take all the colours
    ends = (f"{'≤ ' if data.min() < low else ''}{low:.3g}", f"{'≥ ' if data.max() > high else ''}{high:.3g}")
    place = np.clip((data - low) / (high - low), 0, 1) if high > low else np.zeros_like(data)
    image = Image.fromarray((place * 255).round().astype(np.uint8), "L")
    image.putpalette(_palette().tobytes())
    return _uri(image, "PNG", compress_level=4), ends


def _palette() -> NDArray[np.uint8]:
    stops = np.array([list(bytes.fromhex(c)) for c in VIRIDIS], float)
    at = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(at, range(len(stops)), stops[:, c]) for c in range(3)], 1).round().astype(np.uint8)


def _uri(image: Image.Image, form: str, **options: object) -> str:
    out = BytesIO()
    image.save(out, form, **options)
    return f"data:image/{form.lower()};base64,{b64encode(out.getvalue()).decode()}"
