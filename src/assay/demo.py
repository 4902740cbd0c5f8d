"""The demonstration: real photographs, fresh and damaged, and one report about all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from assay.degrade.downscale import downscale
from assay.degrade.gaussian_blur import gaussian_blur
from assay.degrade.gaussian_noise import gaussian_noise
from assay.degrade.jpeg import jpeg
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


def spliced(x: Tensor) -> Tensor:
    """A piece of an older JPEG, pasted where its 8×8 grid does not fit the host's."""
    host, donor = jpeg(x, quality=85), jpeg(x.flip(3), quality=75)
    height, width = x.shape[2:]
    side = min(height, width) // 3 // 8 * 8
    top, left = (height - side) // 16 * 8 + 5, (width - side) // 16 * 8 + 3
    host[..., top : top + side, left : left + side] = donor[..., 40 : 40 + side, 40 : 40 + side]
    return host


STATES: dict[str, Callable[[Tensor], Tensor]] = {
    "fresh": lambda x: x,
    "blurred": lambda x: gaussian_blur(x, sigma=2),
    "noisy": lambda x: gaussian_noise(x, sigma=20),
    "resized": lambda x: downscale(x, factor=3),
    "spliced": spliced,
}


def write_photos(folder: Path) -> None:
    """Fill a folder with every photograph in every state."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in photographs():
        x = torch.from_numpy(np.array(picture).transpose(2, 0, 1))[None]
        for state, damage in STATES.items():
            Image.fromarray(damage(x)[0].permute(1, 2, 0).numpy()).save(folder / f"{name}-{state}.png")
        picture.save(folder / f"{name}-jpeg20.jpg", quality=20)
