"""The demonstration: real photographs, fresh and damaged, and one report about all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from assay.types import BadInput

PHOTOS = ("coffee", "chelsea", "rocket", "motorcycle_left")  # in scikit-image's package, so no download


def photographs() -> Iterator[tuple[str, Image.Image]]:
    """(name, picture) of the photographs that scikit-image carries."""
    try:
        import skimage
    except ImportError:
        raise BadInput("the demo photographs come with scikit-image: pip install assay[demo]") from None
    for name in PHOTOS:
        file = next((Path(skimage.__file__).parent / "data").glob(f"{name}.*"))
        yield name, Image.open(file).convert("RGB")


def _jpeg(picture: Image.Image, quality: int) -> Image.Image:
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def _noise(picture: Image.Image) -> Image.Image:
    grain = np.random.default_rng(0).normal(0, 20, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).round().astype(np.uint8))


def _resized(picture: Image.Image) -> Image.Image:
    small = picture.resize((picture.width // 3, picture.height // 3), Image.Resampling.LANCZOS)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def _spliced(picture: Image.Image) -> Image.Image:
    """A piece of an older JPEG, pasted where its 8×8 grid does not fit the host's."""
    host, donor = _jpeg(picture, 85), _jpeg(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 75)
    side = min(picture.size) // 3
    host.paste(donor.crop((40, 40, 40 + side, 40 + side)), (picture.width // 2 - side // 2 + 3, picture.height // 2 - side // 2 + 5))
    return host


DAMAGE: dict[str, Callable[[Image.Image], Image.Image]] = {
    "fresh": lambda p: p,
    "blurred": lambda p: p.filter(ImageFilter.GaussianBlur(2)),
    "noisy": _noise,
    "resized": _resized,
    "spliced": _spliced,
}


def write_photos(folder: Path) -> None:
    """Fill a folder with every photograph in every state."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in photographs():
        for state, damage in DAMAGE.items():
            damage(picture).save(folder / f"{name}-{state}.png")
        picture.save(folder / f"{name}-jpeg20.jpg", quality=20)
