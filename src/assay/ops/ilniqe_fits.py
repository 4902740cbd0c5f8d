"""What IL-NIQE measures beside local contrast: gradients, colours and log-Gabor responses, and the distributions that fit them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from math import ceil, log, pi

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import kernels
from assay.ops import aggd
from assay.ops.fourier import passed, spectrum

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


def statistics(x: Tensor, scale: int) -> Tensor:
    """36×K×17 of each block of float64 H×W (K 1), or of the parts of complex H×W (K 2).

    The five sums of `aggd.moments` of its pixels, of its derivatives across and down; scale and shape of `_weibull_of`.
    """
    parts = torch.view_as_real(x) if x.is_complex() else x[..., None]
    if kernels.can(parts, dtypes=(torch.float64,)):
        return _statistics(parts.contiguous(), scale)
    planes = parts.permute(2, 0, 1)
    across, down = derivatives(planes, scale)
    threes = zip(planes, across, down, strict=True)
    sums = torch.stack([torch.cat([_sides(tiles(p[None])[0]) for p in three], dim=-1) for three in threes])
    fits = torch.stack([_weibull_of((a * a + b * b).sqrt()) for a, b in zip(across, down, strict=True)])
    return torch.cat([sums.flatten(1, 2), fits], dim=-1).transpose(0, 1)


def _statistics(parts: Tensor, scale: int) -> Tensor:
    out, taps = parts.new_empty(BLOCKS**2, parts.shape[2], 17), torch.stack(_taps(scale))
    source, weights, to = kernels.pointer(parts), kernels.pointer(taps), kernels.pointer(out)
    kernels.split(
        lambda start, stop: _library().ilniqe_blocks(source, parts.shape[2], parts.shape[0] // BLOCKS, weights, start, stop, to),
        BLOCKS**2,
        grain=4,
    )
    return out


def derivatives(x: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Every plane under x·exp(-(x²+y²)/2σ²) and y·exp(-(x²+y²)/2σ²), black outside: conv2(…, 'same')."""
    bell, slope = (_band(t).to(x) for t in _taps(scale))
    return _along(_along(x, bell), slope), _along(_along(x, slope), bell)


def _along(x: Tensor, band: Tensor) -> Tensor:
    """K×H×W filtered down and turned, K×W×H: CHUNK results at a time are a product of matrices."""
    reach = (len(band) - CHUNK) // 2
    return (F.pad(x, (0, 0, reach, reach)).unfold(1, len(band), CHUNK) @ band).transpose(1, 2).flatten(2)


def _taps(scale: int) -> tuple[Tensor, Tensor]:
    """The Gaussian, and its product with x, at the pixels of a window."""
    sigma = DERIVATIVE / scale**DERIVATIVE_FALL
    reach = ceil(3 * sigma)
    away = torch.arange(-reach, reach + 1, dtype=torch.float64)
    bell = torch.exp(-away.square() / (2 * sigma**2))
    return bell, -away * bell


def _band(taps: Tensor) -> Tensor:
    """A window as a matrix, from CHUNK pixels and their surroundings to CHUNK results."""
    return torch.stack([F.pad(taps, (i, CHUNK - 1 - i)) for i in range(CHUNK)], dim=1)


def log_opponent(rgb: Tensor) -> Tensor:
    """Intensity, blue-yellow and red-green of the logarithms less their means."""
    r, g, b = (t - t.mean() for t in (rgb + DARK).log().unbind(0))
    return torch.stack([(r + g + b) / 3**0.5, (r + g - 2 * b) / 6**0.5, (r - g) / 2**0.5])


def responses(y: Tensor, scale: int) -> Iterator[Tensor]:
    """What each of twelve filters passes, H×W complex: three wavelengths by four orientations."""
    radial, angular = _filters(len(y), scale)
    spectra = spectrum(y)
    memory = torch.empty_like(spectra)
    return (passed(spectra, along.to(y), across.to(y), memory) for along in radial for across in angular)


@cache
@torch.inference_mode(mode=False)
def _filters(side: int, scale: int) -> tuple[Tensor, Tensor]:
    """Wavelengths, 3×side×side, and orientations, 4×side×side, in the order of fft2; side is even."""
    f = torch.fft.fftfreq(side, dtype=torch.float64)
    octave = (f[:, None].square() + f.square()).sqrt()
    octave[0, 0] = 1
    octave = octave.log()
    angle = torch.atan2(-f[:, None], f.expand(side, side))
    radial, angular = [], []
    for k in range(FREQUENCIES):
        centre = -log(WAVELENGTH / scale**WAVELENGTH_FALL * STEP**k)
        radial.append(torch.exp(-(octave - centre).square() / (2 * log(BANDWIDTH) ** 2)))
        radial[-1][0, 0] = 0
    for o in range(ORIENTATIONS):
        away = (angle - o * pi / ORIENTATIONS).abs()
        angular.append(torch.exp(-torch.minimum(away, 2 * pi - away).square() / (2 * SPREAD**2)))
    return torch.stack(radial), torch.stack(angular)


def gaussians(sums: Tensor, side: int) -> Tensor:
    """36×2K: shape and mean width of the asymmetric generalised Gaussian of each of 36×K×5 moments of side×side pixels."""
    alpha, low, high, _ = aggd.fit(sums, torch.tensor(side**2, dtype=sums.dtype, device=sums.device))
    return torch.stack([alpha, (low + high) / 2], dim=-1).flatten(1)


def _sides(t: Tensor) -> Tensor:
    """The five sums of `aggd.moments` over 6×h×6×w, 6×6×5."""
    right, left = t.clamp_min(0), t.clamp_max(0)
    sums = (right - left, left * left, right * right, (t < 0).to(t.dtype), (t > 0).to(t.dtype))
    return torch.stack([s.sum((1, 3)).double() for s in sums], dim=-1)


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


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    library.ilniqe_blocks.argtypes, library.ilniqe_blocks.restype = [address, size, size, address, size, size, address], None
    return library
