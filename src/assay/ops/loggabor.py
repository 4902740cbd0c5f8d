"""Log-Gabor filters of five scales and four orientations, as MAD's gaborconvolve uses them."""

from __future__ import annotations

from collections.abc import Iterator
from math import log, pi

import torch
from torch import Tensor

from assay.ops.phase import passed

SCALES, ORIENTATIONS = 5, 4
SHORTEST, FACTOR = 3.0, 3.0  # wavelengths in pixels: 3, 9, 27, 81, 243
BANDWIDTH = 0.55  # ratio of the radial Gaussian's σ to the centre frequency: about two octaves
SPREAD = pi / ORIENTATIONS / 1.5  # σ of the angular Gaussian


def responses(spectra: tuple[Tensor, ...]) -> Iterator[tuple[int, Iterator[Tensor]]]:
    """The scale, 0 to 4, and what of each N×H×W spectrum (fft2) one filter passes, N×H×W complex, for twenty filters in turn.

    They are large: each is made when it is asked for.
    """
    height, width = spectra[0].shape[-2:]
    octave, angle = _polar(height, width, spectra[0].real)
    radial = [_radial(octave, scale) for scale in range(SCALES)]
    del octave
    for k in range(ORIENTATIONS):
        angular = _angular(angle, k * pi / ORIENTATIONS)
        for scale in range(SCALES):
            yield scale, (torch.fft.ifft2(passed(s, radial[scale], angular)) for s in spectra)


def _polar(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """log of the radius (1 is the highest frequency along a side) and angle of every frequency, H×W.

    gaborconvolve.m counts from -n/2 on also where n is odd, half a step beside the true frequencies; so do we.
    """
    down, right = (_steps(n).to(like) for n in (height, width))
    radius = (down.square()[:, None] + right.square()).sqrt()
    radius[0, 0] = 1  # the mean of the picture passes no filter: see _radial
    return radius.log(), torch.atan2(-down[:, None], right.expand_as(radius))


def _steps(n: int) -> Tensor:
    return (torch.arange(n, dtype=torch.float64) / (n / 2) - 1).roll(n // 2)


def _radial(octave: Tensor, scale: int) -> Tensor:
    centre = log(2 / (SHORTEST * FACTOR**scale))
    out = torch.exp((octave - centre).square() / (-2 * log(BANDWIDTH) ** 2))
    out[0, 0] = 0
    return out


def _angular(angle: Tensor, centre: float) -> Tensor:
    away = (angle - centre).abs()
    away = torch.minimum(away, 2 * pi - away)
    return torch.exp(away.square() / (-2 * SPREAD**2))
