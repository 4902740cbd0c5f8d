"""What IL-NIQE measures beside local contrast: gradients, colours and log-Gabor responses, and the distributions that fit them."""

from __future__ import annotations

from functools import cache
from math import ceil, log, pi

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.ops import aggd

BLOCKS = 6  # along each side; this and all constants below: computequality.m of the authors' release
DERIVATIVE, DERIVATIVE_FALL = 1.66, 0.28  # σ of the Gaussian derivative, and how it falls with the scale
WAVELENGTH, WAVELENGTH_FALL, STEP, BANDWIDTH, SPREAD = 2.4, 0.87, 1.31, 0.55, pi / 4 / 1.10
FREQUENCIES, ORIENTATIONS = 3, 4
DARK = 1e-5  # added before logarithms of colours
NEWTON = 5  # steps to the Weibull shape, which then stands to seven digits
CHUNK = 42  # rows filtered together; divides both sizes of the picture


def tiles(x: Tensor) -> Tensor:
    """K×H×W to K×6×h×6×w."""
    side = x.shape[1] // BLOCKS
    return x.reshape(len(x), BLOCKS, side, BLOCKS, side)


def derivatives(x: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Every plane under x·exp(-(x²+y²)/2σ²) and y·exp(-(x²+y²)/2σ²), black outside: conv2(…, 'same')."""
    bell, slope = (b.to(x) for b in _bands(scale))
    return _along(_along(x, bell), slope), _along(_along(x, slope), bell)


def _along(x: Tensor, band: Tensor) -> Tensor:
    """K×H×W filtered down and turned, K×W×H: CHUNK results at a time are a product of matrices."""
    reach = (len(band) - CHUNK) // 2
    return (F.pad(x, (0, 0, reach, reach)).unfold(1, len(band), CHUNK) @ band).transpose(1, 2).flatten(2)


@cache
@torch.inference_mode(mode=False)
def _bands(scale: int) -> tuple[Tensor, Tensor]:
    """The Gaussian and its product with x as matrices, from CHUNK pixels and their surroundings to CHUNK results."""
    sigma = DERIVATIVE / scale**DERIVATIVE_FALL
    reach = ceil(3 * sigma)
    away = torch.arange(CHUNK)[None] - torch.arange(-reach, CHUNK + reach, dtype=torch.float64)[:, None]
    bell = torch.where(away.abs() <= reach, torch.exp(-away.square() / (2 * sigma**2)), 0)
    return bell, away * bell


def log_opponent(rgb: Tensor) -> Tensor:
    """Intensity, blue-yellow and red-green of the logarithms less their means."""
    r, g, b = (t - t.mean() for t in (rgb + DARK).log().unbind(0))
    return torch.stack([(r + g + b) / 3**0.5, (r + g - 2 * b) / 6**0.5, (r - g) / 2**0.5])


def responses(y: Tensor, scale: int) -> Tensor:
    """Real and imaginary parts under the twelve filters, 24×H×W."""
    z = torch.fft.ifft2(torch.fft.fft2(y) * _filters(len(y), scale).to(y))
    return torch.view_as_real(z).permute(0, 3, 1, 2).flatten(0, 1)


@cache
@torch.inference_mode(mode=False)
def _filters(side: int, scale: int) -> Tensor:
    """Three wavelengths by four orientations, 12×side×side in the order of fft2; side is even."""
    f = torch.fft.fftfreq(side, dtype=torch.float64)
    octave = (f[:, None].square() + f.square()).sqrt()
    octave[0, 0] = 1
    octave = octave.log()
    angle = torch.atan2(-f[:, None], f.expand(side, side))
    out = []
    for k in range(FREQUENCIES):
        centre = -log(WAVELENGTH / scale**WAVELENGTH_FALL * STEP**k)
        radial = torch.exp(-(octave - centre).square() / (2 * log(BANDWIDTH) ** 2))
        radial[0, 0] = 0
        for o in range(ORIENTATIONS):
            away = (angle - o * pi / ORIENTATIONS).abs()
            out.append(radial * torch.exp(-torch.minimum(away, 2 * pi - away).square() / (2 * SPREAD**2)))
    return torch.stack(out)


def gaussians(x: Tensor) -> Tensor:
    """36×2K: shape and mean width of the asymmetric generalised Gaussian of each of K planes."""
    moments = torch.stack([_sides(tiles(plane[None])[0]) for plane in x])  # plane by plane, so that a cache holds it
    alpha, low, high, _ = aggd.fit(moments, torch.tensor((x.shape[1] // BLOCKS) ** 2, dtype=torch.float64, device=x.device))
    return torch.stack([alpha, (low + high) / 2], dim=-1).permute(1, 2, 0, 3).flatten(0, 1).flatten(1)


def _sides(t: Tensor) -> Tensor:
    """The five sums of `aggd.moments` over 6×h×6×w, 6×6×5."""
    right, left = t.clamp_min(0), t.clamp_max(0)
    sums = (right - left, left * left, right * right, (t < 0).to(t.dtype), (t > 0).to(t.dtype))
    return torch.stack([s.sum((1, 3)).double() for s in sums], dim=-1)


def weibull(across: Tensor, down: Tensor) -> Tensor:
    """36×2K: scale and shape of the Weibull distribution of each of K planes' gradients, by maximum likelihood (wblfit)."""
    return torch.cat([_weibull_of((a * a + b * b).sqrt()) for a, b in zip(across, down, strict=True)], dim=1)


def _weibull_of(size: Tensor) -> Tensor:
    """36×2. The likelihood is largest where Σxᵏ·ln x / Σxᵏ - mean ln x = 1/k; Newton's steps on k, of all blocks at once.

    In float64 throughout: where a picture is flat its gradients are rounding noise, and their logarithms reach -36.
    """
    t = (size + torch.finfo(torch.float64).eps).log()
    t = tiles(t[None])[0].transpose(1, 2).flatten(0, 1).flatten(1)
    mean, spread = t.mean(-1, keepdim=True), t.std(-1, keepdim=True)
    t = t - mean
    k = 1.2 / spread
    for _ in range(NEWTON):
        power = torch.exp(k * t)
        total = power.sum(-1, keepdim=True)
        power *= t
        first = power.sum(-1, keepdim=True) / total
        power *= t
        second = power.sum(-1, keepdim=True) / total
        k = (k - (first - 1 / k) / (second - first * first + 1 / (k * k))).clamp(k / 2, 2 * k)
    scale = torch.exp(mean + torch.exp(k * t).mean(-1, keepdim=True).log() / k)
    return torch.cat([scale, k], dim=-1)
