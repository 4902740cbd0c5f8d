"""Where people look first: two fast models of visual saliency that similarity indices weight their maps with."""

from __future__ import annotations

import ctypes
from functools import cache, lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import kernels
from assay.ops.filters import gaussian, separable
from assay.ops.gradients import root
from assay.ops.imresize import Taps, combined, imresize, taps, trimmed
from assay.ops.shared import shared

SIDE = 256  # SDSP works at this size: VSI.m of the authors of Zhang 2014; so do the next four
OMEGA, SIGMA_F = 0.021, 1.34  # centre (of ½ = Nyquist) and width of the log-Gabor filter
SIGMA_D = 145.0  # pixels: reach of the bias towards the centre
SIGMA_C = 0.001  # of the bias towards warm colours
# sRGB to XYZ for D65, but divided by the white of D50, as that code does
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.9642, 1.0, 0.8251)
EPSILON, KAPPA = 0.008856, 903.3  # CIE 15


def lab(x: Tensor) -> Tensor:
    """N×3×H×W sRGB in [0, 1] to L, a, b."""
    m = torch.tensor(XYZ, dtype=torch.float64) / torch.tensor(WHITE, dtype=torch.float64)[:, None]
    if kernels.can(x, dtypes=(torch.float32,)):
        return _lab(x.contiguous(), m.float().contiguous())
    bright = x > 0.04045  # IEC 61966-2-1
    linear = torch.where(bright, ((torch.where(bright, x, 1) + 0.055) / 1.055) ** 2.4, x / 12.92)
    t = torch.einsum("kc,nchw->nkhw", m.to(x), linear)
    bright = t > EPSILON
    f = torch.where(bright, torch.where(bright, t, 1) ** (1 / 3), (KAPPA * t + 16) / 116)
    fx, fy, fz = f.unbind(1)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], dim=1)


def _lab(x: Tensor, m: Tensor) -> Tensor:
    out = torch.empty_like(x)
    for a, b in zip(x, out, strict=True):
        planes = [kernels.pointer(p) for p in (*a, m)]
        _library().srgb_to_lab(*planes, a[0].numel(), *(kernels.pointer(p) for p in b))
    return out


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    library.srgb_to_lab.argtypes, library.srgb_to_lab.restype = [*[address] * 4, size, *[address] * 3], None
    library.sdsp_join.argtypes, library.sdsp_join.restype = [address, address, address, ctypes.c_float, size, address], None
    return library


@lru_cache(maxsize=4)
@torch.inference_mode(mode=False)
def _priors(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The log-Gabor filter for fft2, and the bias towards the centre."""
    i = torch.arange(SIDE, dtype=torch.float64)
    f = torch.fft.ifftshift((i - SIDE // 2) / SIDE)
    radius = torch.hypot(f[:, None], f[None])
    inside = (radius > 0) & (radius <= 0.5)
    wave = torch.where(inside, torch.exp(-(torch.log(torch.where(inside, radius, 1) / OMEGA) ** 2) / (2 * SIGMA_F**2)), 0)
    d = (i + 1 - SIDE / 2) ** 2  # counted from 1, as there
    centre = torch.exp(-(d[:, None] + d[None]) / SIGMA_D**2)
    return wave.to(device, dtype), centre.to(device, dtype)


@shared
def sdsp(x: Tensor) -> Tensor:
    """Saliency by simple priors (Zhang, Gu & Li 2013): N×1×256×256, from N×C×H×W, uint8 or float in [0, 1], of any size.

    What stands out of its surroundings in Lab, near the centre, and warm in colour.
    """
    small = imresize(x, SIDE, SIDE, kernel="bilinear")
    small = small / 255 if x.dtype == torch.uint8 else small
    colours = lab(small.expand(-1, 3, -1, -1))
    wave, centre = _priors(colours.dtype, colours.device)
    band = _outstanding(colours, wave)
    if kernels.can(band, dtypes=(torch.float32,)):
        return _joined(band, colours, centre)
    warm = spread(colours[:, 1:]).square().sum(1, keepdim=True)
    return root(band.square().sum(1, keepdim=True)) * centre * (1 - torch.exp(-warm / SIGMA_C**2))


def _outstanding(colours: Tensor, wave: Tensor) -> Tensor:
    """What the filter, which is real and even, leaves of L, a and b."""
    waves: Tensor = torch.fft.irfft2(torch.fft.rfft2(colours) * wave[:, : SIDE // 2 + 1], s=(SIDE, SIDE))
    return waves


def _joined(band: Tensor, colours: Tensor, centre: Tensor) -> Tensor:
    out = torch.empty(len(band), 1, SIDE, SIDE)
    for b, c, to in zip(band.contiguous(), colours, out, strict=True):
        _library().sdsp_join(*map(kernels.pointer, (b, c[1:], centre)), SIGMA_C, centre.numel(), kernels.pointer(to))
    return out


def spread(v: Tensor) -> Tensor:
    """Each plane from its smallest to its largest value as 0..1; a flat plane is 0 (MATLAB's mat2gray)."""
    low, high = v.amin((2, 3), keepdim=True), v.amax((2, 3), keepdim=True)
    return (v - low) / torch.where(high > low, high - low, 1)


def enlarged(saliency: Tensor, height: int, width: int, step: int) -> Tensor:
    """A saliency map at a picture's size, spread to 0..1, then its block means (conv2 'same', every step-th): N×1×h×w.

    Enlarging and averaging are one table, so that the map at full size never exists. Its extremes lie at the first and
    last pixels between two nodes, because it is linear in between.
    """
    rows, columns = (_enlarging(saliency.shape[d], n, step) for d, n in ((2, height), (3, width)))
    corners = combined(saliency, rows[1], columns[1])
    low, high = corners.amin((2, 3), keepdim=True), corners.amax((2, 3), keepdim=True)
    inside = (rows[2][:, None] * columns[2][None]).to(saliency)  # zero outside: border blocks are not covered in full
    return (combined(saliency, rows[0], columns[0]) - low * inside) / torch.where(high > low, high - low, 1)


@lru_cache(maxsize=32)
@torch.inference_mode(mode=False)
def _enlarging(size: int, out: int, step: int) -> tuple[Taps, Taps, Tensor]:
    """Tables for block means and for the places of extremes, and how much of each block lies inside."""
    full = taps(size, out, out / size, "bilinear")
    before = (step - 1) // 2
    blocks = -(-out // step)
    matrix = F.pad(full.dense(size), (0, 0, before, blocks * step - before - out)) / step
    means = matrix.view(blocks, step, size).sum(1)
    some = int((means != 0).sum(1).max())
    weights, places = means.abs().topk(some, dim=1)
    ends = torch.ones(out, dtype=torch.bool)
    if out > size:
        at = torch.floor((torch.arange(out, dtype=torch.float64) + 0.5) * size / out - 0.5)
        change = at[1:] != at[:-1]
        ends = F.pad(change, (1, 0), value=True) | F.pad(change, (0, 1), value=True)
    found = ends.nonzero()[:, 0]
    found = torch.cat([found[::2], found[1::2]])  # neighbours of one kind lie between neighbouring nodes: no gather
    return trimmed(places, weights), Taps(full.places[found].contiguous(), full.weights[found].contiguous()), means.sum(1)


@shared
def spectral_residual(y: Tensor, window: int) -> Tensor:
    """Saliency by what is unusual in the spectrum (Hou & Zhang 2007): N×1×H×W of any unit to the same size, 0..1 before enlarging."""
    h, w = y.shape[-2:]
    small = imresize(y, -(-h // 4), -(-w // 4), kernel="bicubic", scale=0.25).double()  # few pixels; zeros stay zero
    waves = torch.fft.fft2(small)
    amplitude = 0.5 * (waves.real.square() + waves.imag.square()).clamp(min=1e-12).log()
    usual = F.avg_pool2d(F.pad(amplitude, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    unusual = torch.fft.ifft2(waves * torch.exp(-usual))  # exp(amplitude - usual + i·phase)
    power = unusual.real.square() + unusual.imag.square()
    before = (window - 1) // 2  # an even window reaches one further at its end, as in imfilter
    power = F.pad(power, (before, window - 1 - before, before, window - 1 - before))
    g = gaussian(window, 3.8).to(power)  # σ of SR_SIM.m
    power = separable(power, g, g)
    return imresize(spread(power).to(y.dtype), h, w, kernel="bicubic")
