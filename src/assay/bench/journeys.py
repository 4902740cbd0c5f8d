"""What happens to pictures on their way: saved as JPEG or WebP, reduced, blurred, made noisy, shown on a screen; each at several strengths.

A journey ends in the bytes of a file, because evidence may lie in the file as well. Those without a codec of their own end in PNG, and
so does the control, `as PNG`, which changes no pixel: a detector that falls there has read the file and not the picture.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from assay.types import BadInput, CannotAssess

WAYS: dict[str, tuple[float, ...]] = {  # from hardly visible to severe
    "jpeg": (95, 85, 75, 60, 40),  # quality
    "webp": (90, 75, 50, 30),  # quality
    "resize": (0.9, 0.75, 0.5, 0.35),  # factor
    "blur": (0.5, 1, 2, 3),  # σ in pixels
    "noise": (1, 3, 6, 12),  # σ in 8-bit steps
    "screenshot": (1, 2, 3, 4),  # see SCREENS
}
UNITS = {"jpeg": "quality", "webp": "quality", "resize": "factor", "blur": "σ, px", "noise": "σ, 8-bit steps", "screenshot": "step"}
SCREENS = (
    (0.95, 92),
    (0.8, 85),
    (0.65, 75),
    (0.5, 60),
)  # how a screen shows a picture smaller, and the JPEG quality of the messenger after
START, CONTROL = "as it is", "as PNG"


@dataclass(frozen=True, slots=True)
class Journey:
    """One way at one strength."""

    way: str
    strength: float

    @property
    def name(self) -> str:
        return f"{self.way} {self.strength:g}"


def journeys(ways: str | None = None) -> list[Journey]:
    """All, or those of a comma-separated list, as `jpeg,blur` or `jpeg 75`.  Raises BadInput: what cannot be understood."""
    wanted = [w.strip() for w in ways.split(",") if w.strip()] if ways else list(WAYS)
    found = []
    for name in wanted:
        way, _, strength = name.partition(" ")
        if way not in WAYS:
            raise BadInput(f"no journey is called {name!r}; they are {', '.join(WAYS)}, each alone or with a strength, as in 'jpeg 75'.")
        try:
            found += [Journey(way, float(strength))] if strength else [Journey(way, s) for s in WAYS[way]]
        except ValueError as error:
            raise BadInput(f"{name!r} must be a journey and a number, as in 'jpeg 75'.") from error
    return found


def travelled(image: Image.Image, journey: Journey, *, seed: int = 0) -> bytes:
    """The file that an RGB or grey picture is after a journey.

    seed: of the noise.  Raises BadInput for a strength that makes no sense, CannotAssess where the picture is too small for it.
    """
    way, s = journey.way, journey.strength
    low, high = {"jpeg": (1, 100), "webp": (0, 100), "resize": (0.01, 4), "blur": (0, 64), "noise": (0, 255), "screenshot": (1, 4)}[way]
    if not low <= s <= high or (way in ("jpeg", "webp", "screenshot") and s != int(s)):
        whole = "whole " if way in ("jpeg", "webp", "screenshot") else ""
        raise BadInput(f"{way} takes a {whole}{UNITS[way]} from {low:g} to {high:g}; got {s:g}.")
    if way == "jpeg":
        return saved(image, "JPEG", quality=int(s))
    if way == "webp":
        return saved(image, "WEBP", quality=int(s), method=4)
    if way == "resize":
        return saved(resized(image, s), "PNG")
    if way == "blur":
        return saved(image.filter(ImageFilter.GaussianBlur(s)), "PNG")
    if way == "noise":
        a = np.asarray(image)
        return saved(Image.fromarray(_bytes(a + np.random.default_rng(seed).normal(0, s, a.shape))), "PNG")
    return screenshot(image, int(s))


def screenshot(image: Image.Image, step: int) -> bytes:
    """Shown smaller on a screen, cut off the 8×8 grid, in 8 bits of a screen's slightly different curve, sent by a messenger as JPEG."""
    factor, quality = SCREENS[step - 1]
    shown = resized(image, factor)
    shown = shown.crop((3, 5, shown.width - 2, shown.height - 3))
    curved = _bytes(255 * (np.asarray(shown) / 255.0) ** 1.04)
    return saved(Image.fromarray(curved), "JPEG", quality=quality)


def resized(image: Image.Image, factor: float) -> Image.Image:
    """By Pillow's bicubic filter, which averages where it reduces."""
    size = (round(image.width * factor), round(image.height * factor))
    if min(size) < 16:
        raise CannotAssess(f"{image.width}×{image.height} is too small to be made {factor:g} times as large.")
    return image.resize(size, Image.Resampling.BICUBIC)


def saved(image: Image.Image, codec: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, codec, **options)
    return out.getvalue()


def files(data: bytes, image: Image.Image, wanted: list[Journey], *, seed: int = 0) -> Iterator[tuple[str, bytes | None]]:
    """Name of the processing and the file: as it is, the control, then every journey; None where a picture is too small for it."""
    yield START, data
    yield CONTROL, saved(image, "PNG")
    for journey in wanted:
        try:
            yield journey.name, travelled(image, journey, seed=seed)
        except CannotAssess:
            yield journey.name, None


def _bytes(a: Any) -> Any:
    return np.clip(np.round(a), 0, 255).astype(np.uint8)
