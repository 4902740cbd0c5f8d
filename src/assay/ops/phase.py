"""Phase congruency: how well the waves of a picture agree at a point, which marks features whatever their contrast.

Kovesi 1999 (Videre 1(3)), his phasecong2 with the settings of FSIM. The log-Gabor filters lie in the frequency plane.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache, lru_cache
from math import log, pi, sqrt

import torch
from torch import Tensor

from assay import kernels
from assay.ops.fourier import passed, spectrum
from assay.ops.gradients import alike, gradient_map, root
from assay.ops.shared import shared

SCALES, ORIENTATIONS = 4, 4  # Zhang 2011 (FSIM): these and the next six
SHORTEST, TIMES = 6, 2  # wavelength of the finest filter in pixels, and from one scale to the next
SIGMA_F = 0.55  # radial width: σ/f0
SIGMA_ANGLE = pi / ORIENTATIONS / 1.2  # angular width
CUTOFF, SHARPNESS = 0.45, 15  # of the low-pass that keeps the corners of the frequency plane out
NOISE_SIGMAS = 2.0
OVERSHOOT = 1.7  # by which the noise is thought to be overestimated for these filters: phasecong2
EPSILON = 1e-4  # phasecong2, in 8-bit units
TINY = 1e-12  # a picture without any wave has no features, rather than 0/0


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """The filter of scale s and orientation o is radial[s] · angular[o]; float64 until cast."""

    radial: Tensor  # SCALES×H×W
    angular: Tensor  # ORIENTATIONS×H×W
    noise: tuple[float, ...]  # per orientation: what √median of the finest energy is multiplied with to give the threshold


@lru_cache(maxsize=4)
@torch.inference_mode(mode=False)
def bank(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Bank:
    """The log-Gabor filters for pictures of that size."""
    fy, fx = (_frequencies(n) for n in (height, width))
    radius = torch.hypot(fy[:, None], fx[None])
    low = 1 / (1 + (radius / CUTOFF) ** (2 * SHARPNESS))
    theta = torch.atan2(-fy[:, None], fx[None])
    radius[0, 0] = 1
    waves = torch.tensor([1 / (SHORTEST * TIMES**s) for s in range(SCALES)], dtype=torch.float64)
    radial = low * torch.exp(-(torch.log(radius / waves.view(-1, 1, 1)) ** 2) / (2 * log(SIGMA_F) ** 2))
    radial[:, 0, 0] = 0
    angles = torch.arange(ORIENTATIONS, dtype=torch.float64).view(-1, 1, 1) * (pi / ORIENTATIONS)
    away = theta - angles
    angular = torch.exp(-(torch.atan2(away.sin(), away.cos()) ** 2) / (2 * SIGMA_ANGLE**2))
    noise = tuple(_noise(radial, a) for a in angular)
    return Bank(radial.to(device, dtype), angular.to(device, dtype), noise)


def _frequencies(n: int) -> Tensor:
    """-½ … ½ with 0 first; odd sizes reach both ends, as in phasecong2."""
    i = torch.arange(n, dtype=torch.float64) - n // 2
    shifted: Tensor = torch.fft.ifftshift(i / max(1, n - n % 2))
    return shifted


def _noise(radial: Tensor, angular: Tensor) -> float:
    """The threshold for a median of 1. Parseval: sums over products of the filters' even parts, without transforming them."""
    filters = radial * angular
    even = (filters + filters.flip(-2, -1).roll((1, 1), (-2, -1))).sum(0) / 2
    finest = float(filters[0].square().sum())
    if finest == 0:  # a picture of one pixel
        return 0.0
    rayleigh = sqrt(float(even.square().sum()) / (log(2) * finest))
    return rayleigh * (sqrt(pi / 2) + NOISE_SIGMAS * sqrt(2 - pi / 2)) / OVERSHOOT


@shared
def phase_congruency(y: Tensor) -> Tensor:
    """Phase congruency of N×1×H×W planes in 8-bit units: N×H×W in [0, 1], 0 where nothing stands out of the noise."""
    if kernels.can(y, dtypes=(torch.float32,)):
        return torch.stack([_fast(plane) for plane in y[:, 0]])
    return torch.stack([_congruency(plane) for plane in y[:, 0]])


def _congruency(y: Tensor) -> Tensor:
    """The definition, for one H×W picture."""
    filters = bank(*y.shape, y.dtype, y.device)
    seen = torch.fft.fft2(y)
    energies, amplitudes = torch.zeros_like(y), torch.zeros_like(y)
    for angular, noise in zip(filters.angular, filters.noise, strict=True):
        waves = torch.fft.ifft2(seen * (filters.radial * angular))
        e, o = waves.real, waves.imag
        power = e.square() + o.square()
        se, so = e.sum(0), o.sum(0)
        size = root(se.square() + so.square()) + EPSILON
        energy = (e * se + o * so - (e * so - o * se).abs()).sum(0) / size
        energies = energies + (energy - noise * root(_median(power[0]))).clamp(min=0)
        amplitudes = amplitudes + root(power).sum(0)
    return energies / (amplitudes + TINY)


def _median(v: Tensor) -> Tensor:
    """The mean of the two middle values, as MATLAB's median."""
    v, n = v.flatten(), v.numel()
    low = v.kthvalue((n + 1) // 2).values
    return low if n % 2 else (low + v.kthvalue(n // 2 + 1).values) / 2


def _fast(y: Tensor) -> Tensor:
    """The same with the kernels around torch's transforms; a wave of one filter at a time stays in the cache."""
    filters = bank(*y.shape, y.dtype, y.device)
    library, n = _library(), y.numel()
    seen = spectrum(y)
    energies, amplitudes = torch.zeros(y.shape), torch.zeros(y.shape)
    memory = torch.empty_like(seen)
    for angular, noise in zip(filters.angular, filters.noise, strict=True):
        waves = [passed(seen, radial, angular, memory) for radial in filters.radial]
        threshold = noise * sqrt(library.phase_median(kernels.pointer(waves[0]), n, kernels.pointer(memory)))  # as many floats as it needs
        addresses = [kernels.pointer(t) for t in (*waves, energies, amplitudes)]

        def work(start: int, stop: int, to: list[ctypes.c_void_p] = addresses, least: float = threshold) -> None:
            library.phase_energy(*to, least, EPSILON, start, stop)

        kernels.split(work, n, grain=1 << 16)
    return energies / (amplitudes + TINY)


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address, real = ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_float
    library.phase_median.argtypes, library.phase_median.restype = [address, size, address], ctypes.c_double
    library.phase_energy.argtypes, library.phase_energy.restype = [*[address] * (SCALES + 2), real, real, size, size], None
    return library


T1, T2 = 0.85, 160.0  # Zhang 2011, section IV: constants for phase congruency and for gradients of 8-bit pixels
FLAT = 1e-9  # weight of a place without features, so that two flat pictures compare at all


def feature_similarity(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    """FSIM's similarity of features and the weight of each place, N×H×W, from N×1×H×W luma in 8-bit units."""
    a, b = phase_congruency(x), phase_congruency(ref)
    edges = gradient_map(x, ref, operator="scharr", constant=T2)[:, 0]
    return alike(a, b, T1) * edges, torch.maximum(a, b) + FLAT
