"""Colour noise."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import CHROMA_TO_RGB, blotches, closed, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="colour_noise",
        version="1",
        takes=("image",),
        knob="sigma",
        levels=(2, 4, 8, 14, 24),
        unit="8-bit steps",
        paper="textbook: correlated chroma noise, as raw converters leave at high ISO",
    )
)
def colour_noise(x: Tensor, *, sigma: float = 8.0, grain: float = 2.0, seed: int = 0) -> Tensor:
    """Blotches of false colour, as a phone leaves in the dark: the brightness stays, the colours wander.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    A one-channel picture has no colour and comes back as it is.
    sigma: standard deviation of Cb and of Cr, 0..128 8-bit steps; 0 changes nothing.
    grain: size of the blotches: noise is blurred by a Gaussian of so many px, 0.1..32, and keeps its strength.
    seed: of the noise; it is the same at every level.  Raises BadInput.

    >>> colour_noise(torch.full((1, 3, 64, 64), 0.5), sigma=12).std(dim=(2, 3)).argmin()  # green holds most of the luma
    tensor(1)
    """
    pixels = opened(x)
    within("sigma", sigma, 0, 128, "8-bit steps")
    within("grain", grain, 0.1, 32, "px")
    if x.shape[1] == 3:
        chroma = blotches(2, x.shape[2], x.shape[3], grain=grain, seed=seed)
        pixels = pixels + sigma / 255 * torch.einsum("cp,phw->chw", torch.tensor(CHROMA_TO_RGB), chroma).to(pixels)
    return closed(pixels, like=x)
