"""Texture lost to noise reduction."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from assay.catalog import carded
from assay.ops.dct import filters
from assay.ops.degrading import closed, mirrored, opened, within
from assay.types import AlterCard

SIDE, STEP = 8, 2  # pixels: blocks of 8×8 at every second pixel
KEPT = 2.7  # coefficients under 2.7 σ go: Yaroslavsky 1996, as hard thresholding is commonly set


@carded(
    AlterCard(
        name="denoise",
        version="1",
        takes=("image",),
        knob="sigma",
        levels=(3, 7, 15, 30, 60),
        unit="8-bit steps",
        paper="Yaroslavsky 1996 (sliding DCT), doi:10.1117/12.235830",
    )
)
def denoise(x: Tensor, *, sigma: float = 15.0) -> Tensor:
    """Cleaned as if it were noisy: strong edges stay, fine texture goes, and skin and grass turn to plastic.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    sigma: the noise that the cleaner believes in, 0..255 8-bit steps; 0 changes nothing.  Raises BadInput.

    >>> grain = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) / 20
    >>> bool(denoise(grain, sigma=15).std() < 0.3 * grain.std())
    True
    """
    pixels = opened(x)
    if within("sigma", sigma, 0, 255, "8-bit steps") == 0:
        return closed(pixels, like=x)
    n, c, h, w = pixels.shape
    more = [SIDE + -(side + SIDE) % STEP for side in (h, w)]
    planes = mirrored(pixels, down=(SIDE, more[0]), across=(SIDE, more[1])).reshape(n * c, 1, h + SIDE + more[0], w + SIDE + more[1])
    clean = torch.cat([_shrunk(p[None], KEPT * sigma / 255) for p in planes])
    return closed(clean[:, :, SIDE : SIDE + h, SIDE : SIDE + w].reshape(n, c, h, w), like=x)


def _shrunk(plane: Tensor, least: float) -> Tensor:
    """Every block without its small coefficients; what blocks say of one pixel, averaged."""
    bank = filters(SIDE).to(plane)
    found = conv2d(plane, bank, stride=STEP)
    keep = found.abs() >= least
    keep[:, 0] = True  # the mean always stays
    votes = conv_transpose2d(torch.ones_like(found[:, :1]), torch.ones_like(bank[:1]), stride=STEP)
    return conv_transpose2d(found * keep, bank, stride=STEP) / votes
