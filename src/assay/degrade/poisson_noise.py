"""Photon noise."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, dice, opened, to_linear, to_srgb, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="poisson_noise",
        version="1",
        takes=("image",),
        knob="photons",
        levels=(5000, 1000, 250, 60, 15),
        unit="photons at white",
        paper="textbook: photon counts follow Poisson's law",
    )
)
def poisson_noise(x: Tensor, *, photons: float = 250.0, seed: int = 0) -> Tensor:
    """Too little light: every pixel counts a few photons, and the count scatters by its square root.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    photons: counted where the picture is white, 1..1,000,000; fewer are noisier. Counted in linear light, so that
    shadows suffer most, and each channel apart. seed: of the counts.  Raises BadInput.

    >>> dark = poisson_noise(torch.zeros(1, 3, 4, 4), photons=10)
    >>> dark.max()
    tensor(0.)
    """
    pixels = opened(x)
    within("photons", photons, 1, 1e6, "photons")
    light = to_linear(pixels)
    counts = torch.stack([torch.poisson(item * photons, generator=dice(seed)) for item in light.detach().float().cpu()])
    grain = counts.to(light) / photons - light.detach()  # a constant to the gradient, which is that of the mean
    return closed(to_srgb(light + grain), like=x)
