"""Log-Gabor filters of five scales and four orientations, as MAD's gaborconvolve uses them."""

from __future__ import annotations

from collections.abc import Iterator
from math import log, pi

import torch
from torch import Tensor

SCALES, ORIENTATIONS = 5, 4
SHORTEST, FACTOR = 3.0, 3.0  # wavelengths in pixels: 3, 9, 27, 81, 243
BANDWIDTH = 0.55  # ratio of the radial Gaussian's σ to the centre frequency: about two octaves
SPREAD = pi / ORIENTATIONS / 1.5  # σ of the angular Gaussian


def responses(y: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The scale, 0 to 4, and the complex response of N×H×W, for each of the twenty filters in turn."""
    spectrum = torch.fft.fft2(y)
    octave, angle = _polar(y)
    radial = [_radial(octave, scale) for scale in range(SCALES)]
    for k in range(ORIENTATIONS):
        angular = _angular(angle, k * pi / ORIENTATIONS)
        for scale in range(SCALES):
            yield scale, torch.fft.ifft2(spectrum * (radial[scale] * angular))


def _polar(y: Tensor) -> tuple[Tensor, Tensor]:
    """log of the radius (1 is the highest frequency along a side) and angle of every frequency of y, H×W.

    gaborconvolve.m counts from -n/2 on also where n is odd, half a step beside the true frequencies; so do we.
    """
    down, right = ((torch.arange(n, dtype=y.dtype, device=y.device) / (n / 2) - 1).roll(n // 2) for n in y.shape[-2:])
    radius = (down.square()[:, None] + right.square()).sqrt()
    radius[0, 0] = 1  # the mean of the picture passes no filter: see _radial
    return radius.log(), torch.atan2(-down[:, None], right.expand_as(radius))


def _radial(octave: Tensor, scale: int) -> Tensor:
    centre = log(2 / (SHORTEST * FACTOR**scale))
    out = torch.exp((octave - centre).square() / (-2 * log(BANDWIDTH) ** 2))
    out[0, 0] = 0
    return out


def _angular(angle: Tensor, centre: float) -> Tensor:
    away = (angle - centre).abs()
    away = torch.minimum(away, 2 * pi - away)
    return torch.exp(away.square() / (-2 * SPREAD**2))
