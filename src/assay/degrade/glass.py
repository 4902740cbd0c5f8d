"""Rippled glass."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import blotches, centred, closed, opened, warped, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="glass",
        version="1",
        takes=("image",),
        knob="strength",
        levels=(0.4, 0.8, 1.5, 3, 5),
        unit="px",
        paper="after glass blur of ImageNet-C, Hendrycks & Dietterich 2019, arXiv:1903.12261",
    )
)
def glass(x: Tensor, *, strength: float = 1.5, grain: float = 4.0, seed: int = 0) -> Tensor:
    """Seen through rippled glass: each place is shifted a little at random, and edges fray.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    strength: standard deviation of the shift along each axis, 0..64 px; 0 changes nothing.
    grain: size of the ripples: the shifts are Gaussian noise blurred by so many px, 0.1..32, without losing strength.
    seed: of the shifts; one seed shifts the same way at every level.  Raises BadInput.

    >>> import torch
    >>> glass(torch.full((1, 3, 8, 8), 0.5), strength=3).mean()
    tensor(0.5000)
    """
    pixels = opened(x)
    within("grain", grain, 0.1, 32, "px")
    if within("strength", strength, 0, 64, "px") > 0:
        shift = blotches(2, x.shape[2], x.shape[3], grain=grain, seed=seed).to(pixels) * strength
        down, right = centred(pixels)
        pixels = warped(pixels, down + shift[0], right + shift[1])
    return closed(pixels, like=x)
