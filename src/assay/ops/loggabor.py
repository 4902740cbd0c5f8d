"""Log-Gabor filters of five scales and four orientations, as MAD's gaborconvolve uses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import log, pi

import torch
from torch import Tensor

from assay.ops.fourier import passed

SCALES, ORIENTATIONS = 5, 4
SHORTEST, FACTOR = 3.0, 3.0  # wavelengths in pixels: 3, 9, 27, 81, 243
BANDWIDTH = 0.55  # ratio of the radial Gaussian's σ to the centre frequency: about two octaves
SPREAD = pi / ORIENTATIONS / 1.5  # σ of the angular Gaussian
SMALL = 1 << 20  # pixels up to which the nine factors are kept for the next picture of that size: 36 MB at most


def responses(spectra: tuple[Tensor, ...]) -> Iterator[tuple[int, Iterator[Tensor]]]:
    """The scale, 0 to 4, and what of each N×H×W spectrum (fft2) one filter passes, N×H×W complex, for twenty filters in turn.

    They are large: each is made when it is asked for.
    """
    height, width = spectra[0].shape[-2:]
    make = _remembered if height * width <= SMALL else _filters
    radial, angular = make(height, width, spectra[0].real.dtype, spectra[0].device)
    memory = torch.empty_like(spectra[0], memory_format=torch.contiguous_format)
    for along in angular:
        for scale in range(SCALES):
            yield scale, (passed(s, radial[scale], along, memory) for s in spectra)


@lru_cache(maxsize=1)
@torch.inference_mode(mode=False)
def _remembered(height: int, width: int, dtype: torch.dtype, device: torch.device) -> tuple[list[Tensor], list[Tensor]]:
    radial, angular = _filters(height, width, dtype, device)
    return radial, list(angular)


def _filters(height: int, width: int, dtype: torch.dtype, device: torch.device) -> tuple[list[Tensor], Iterable[Tensor]]:
    """The filter of a scale and an orientation is the product of one of each; the second are made in turn."""
    octave, angle = _polar(height, width, torch.empty((), dtype=dtype, device=device))
    radial = [_radial(octave, scale) for scale in range(SCALES)]
    return radial, (_angular(angle, k * pi / ORIENTATIONS) for k in range(ORIENTATIONS))


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
    out = (octave - centre).square_().div_(-2 * log(BANDWIDTH) ** 2).exp_()  # in place: large memory is slow to come by
    out[0, 0] = 0
    return out


def _angular(angle: Tensor, centre: float) -> Tensor:
    away = (angle - centre).abs_()
    return torch.minimum(away, 2 * pi - away, out=away).square_().div_(-2 * SPREAD**2).exp_()
