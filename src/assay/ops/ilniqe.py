"""How far a picture's local statistics lie from those of good photographs: the maths of IL-NIQE, without a model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, log, pi

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.ops import aggd
from assay.ops.filters import gaussian, windowed
from assay.ops.imresize import taps
from assay.ops.niqe import as_bytes
from assay.types import CannotAssess

SIDE = 84  # pixels of a block; this and all constants below: computequality.m of the authors' release
WIDTH, BLOCKS = 524, 6  # every picture becomes 524×524, of which 6×6 blocks are looked at
OPPONENT = ((0.30, 0.04, -0.35), (0.34, -0.60, 0.17), (0.06, 0.63, 0.27))
DERIVATIVE, DERIVATIVE_FALL = 1.66, 0.28  # σ of the Gaussian derivative, and how it falls with the scale
WAVELENGTH, WAVELENGTH_FALL, STEP, BANDWIDTH, SPREAD = 2.4, 0.87, 1.31, 0.55, pi / 4 / 1.10
FREQUENCIES, ORIENTATIONS = 3, 4
KEPT = 430  # of 468 principal directions: 92 %
DARK = 1e-5  # added before logarithms of colours
SMALLER = 0.9  # σ of the Gaussian before every second pixel is taken
INFINITE = 1e4  # stands for an infinite feature
NEWTON = 5  # steps to the Weibull shape, which then stands to seven digits
CHUNK = 42  # rows filtered together; divides both sizes of the picture
FLAT = 1e-9 * 255  # as for NIQE: |x-μ| below this is rounding noise
TEXTURED = 0.01  # a block with a smaller share of contrast that is not 0 is flat


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Good photographs: features less `mean`, times `vectors`, have this mean and covariance; all float64."""

    mean: Tensor  # 468
    vectors: Tensor  # 468×430
    mu: Tensor  # 430
    cov: Tensor  # 430×430

    @classmethod
    def diagonal(cls, mean: Tensor, vectors: Tensor, variance: Tensor) -> Model:
        """Of principal components, along which the photographs' own mean is 0 and nothing is correlated."""
        return cls(mean.double(), vectors.double(), torch.zeros_like(variance).double(), torch.diag(variance.double()))


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """One picture's 6×6 blocks."""

    features: Tensor  # 36×468, float64
    usable: Tensor  # 36, bool
    sharpness: Tensor  # 36: mean local deviation, on 0..255


def scores(x: Tensor, model: Model) -> Tensor:
    """The mean distance of the textured blocks of each of N×C×H×W pictures.  Raises as `distances` does."""
    return distances(x, model).flatten(1).nanmean(1).to(x.dtype if x.is_floating_point() else torch.float32)


def maps(x: Tensor, model: Model) -> Tensor:
    """The distance of every block, N×6×6; 0 where a block is flat and was left out.  Raises as `distances` does."""
    return distances(x, model).nan_to_num().to(x.dtype if x.is_floating_point() else torch.float32)


def distances(x: Tensor, model: Model) -> Tensor:
    """The distance of each block of N×C×H×W pictures from the model, N×6×6; NaN where a block is flat.

    Raises CannotAssess where fewer than two blocks have texture.
    """
    return torch.stack([each_distance(_seen(p, i, len(x)), model) for i, p in enumerate(x)]).reshape(-1, BLOCKS, BLOCKS)


def blocks(x: Tensor) -> Blocks:
    """The statistics of the blocks of one C×H×W picture, uint8 or float in [0, 1]."""
    rgb = _resized(as_bytes(x))[..., : BLOCKS * SIDE, : BLOCKS * SIDE]
    rgb = rgb.expand(3, -1, -1)
    opponent = torch.einsum("oc,chw->ohw", torch.tensor(OPPONENT, dtype=rgb.dtype, device=rgb.device), rgb)
    features, usable, sharpness = [], torch.ones(BLOCKS**2, dtype=torch.bool, device=x.device), rgb.new_zeros(0)
    for scale in (1, 2):
        contrast, sigma = _contrast(opponent[2])
        usable &= (_tiles(contrast[None] != 0)[0].double().mean((1, 3)) >= TEXTURED).flatten()
        sharpness = _tiles(sigma[None])[0].mean((1, 3)).flatten() if scale == 1 else sharpness
        features += [_contrast_features(contrast), _filter_features(opponent, rgb, scale)]
        opponent, rgb = (_halved(t) for t in (opponent, rgb))
    f = torch.cat(features, dim=1)
    f = torch.where(f.isinf(), INFINITE, f)
    return Blocks(f, usable & f.isfinite().all(1), sharpness)


def _seen(picture: Tensor, i: int, n: int) -> Blocks:
    b = blocks(picture)
    if int(b.usable.sum()) < 2:
        which = f"image {i} of the batch" if n > 1 else "the image"
        raise CannotAssess(
            f"{which} has {int(b.usable.sum())} of {BLOCKS**2} blocks with texture; its statistics need at least two. "
            "Flat areas and margins cannot be judged."
        )
    return b


def mean_distance(b: Blocks, model: Model) -> Tensor:
    """The mean over the textured blocks."""
    return each_distance(b, model).nanmean()


def each_distance(b: Blocks, model: Model) -> Tensor:
    """√((f-μ)ᵀ ((Σ₁+Σ₂)/2)⁻¹ (f-μ)) of every block, 36; NaN for flat ones.  Zhang 2015, eq. 12."""
    vectors, cov = model.vectors.to(b.features.device), model.cov.to(b.features.device)
    f = (b.features.nan_to_num() - model.mean.to(b.features.device)) @ vectors
    half = torch.linalg.cholesky((cov + f[b.usable].T.cov()) / 2)
    apart = torch.linalg.solve_triangular(half, (f - model.mu.to(f.device)).T, upper=False)
    return torch.where(b.usable, apart.square().sum(0).sqrt(), torch.nan)


def _resized(x: Tensor) -> Tensor:
    """MATLAB's imresize to 524×524 in float64 on 0..255: the side that shrinks more first, 8-bit pixels rounded after each."""
    whole = x.dtype == torch.uint8
    y = x.double() if whole else x.double() * 255
    h, w = x.shape[1:]
    for dim in (-2, -1) if h >= w else (-1, -2):
        size = y.shape[dim]
        m = taps(size, WIDTH, WIDTH / size, "bicubic").dense(size).to(y)
        y = m @ y if dim == -2 else y @ m.T
        y = y.clamp(0, 255)
        y = (y + 0.5).floor() if whole else y
    return y


def _contrast(y: Tensor) -> tuple[Tensor, Tensor]:
    """(x-μ)/(σ+1) and σ under a Gaussian of 5×5, σ 5/6."""
    w, padded = gaussian(5, 5 / 6), F.pad(y[None, None], (2, 2, 2, 2), mode="replicate")
    mu, square = windowed(padded, w)[0, 0], windowed(padded * padded, w)[0, 0]
    sigma = (square - mu * mu).abs().sqrt()
    d = y - mu
    return torch.where(d.abs() < FLAT, 0, d / (sigma + 1)), sigma


def _contrast_features(contrast: Tensor) -> Tensor:
    """36×18: shape and width of the contrast; shape, mean and widths of its products with four neighbours."""
    tiles = _tiles(contrast[None])[0].transpose(1, 2).flatten(0, 1)
    count = torch.tensor(tiles[0].numel(), dtype=tiles.dtype, device=tiles.device)
    alpha, left, right, mean = aggd.fit(aggd.moments(tiles), count)
    own = torch.stack([alpha[:, 0], (left + right)[:, 0] / 2], dim=-1)
    return torch.cat([own, torch.stack([alpha, mean, left, right], dim=-1)[:, 1:].flatten(1)], dim=1)


def _filter_features(opponent: Tensor, rgb: Tensor, scale: int) -> Tensor:
    """36×216: of gradients, of colours, of log-Gabor responses and of their gradients."""
    across, down = _derivatives(opponent, scale)
    colours = _tiles(_log_opponent(rgb)).transpose(2, 3).flatten(3)  # 3×6×6×pixels
    means = torch.stack([colours.mean(-1), colours.var(-1)], dim=-1).permute(1, 2, 0, 3).flatten(0, 1).flatten(1)
    response = _responses(opponent[2], scale)
    dx, dy = _derivatives(response, scale)
    signed = [torch.stack([across, down], dim=1).flatten(0, 1), response, torch.stack([dx, dy], dim=1).flatten(0, 1)]
    return torch.cat([_weibull(across, down), means, *(_gaussians(t) for t in signed), _weibull(dx, dy)], dim=1)


def _tiles(x: Tensor) -> Tensor:
    """K×H×W to K×6×h×6×w."""
    side = x.shape[1] // BLOCKS
    return x.reshape(len(x), BLOCKS, side, BLOCKS, side)


def _derivatives(x: Tensor, scale: int) -> tuple[Tensor, Tensor]:
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


def _log_opponent(rgb: Tensor) -> Tensor:
    """Intensity, blue-yellow and red-green of the logarithms less their means."""
    r, g, b = (t - t.mean() for t in (rgb + DARK).log().unbind(0))
    return torch.stack([(r + g + b) / 3**0.5, (r + g - 2 * b) / 6**0.5, (r - g) / 2**0.5])


def _responses(y: Tensor, scale: int) -> Tensor:
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


def _gaussians(x: Tensor) -> Tensor:
    """36×2K: shape and mean width of the asymmetric generalised Gaussian of each of K planes."""
    moments = torch.stack([_sides(_tiles(plane[None])[0]) for plane in x])  # plane by plane, so that a cache holds it
    alpha, low, high, _ = aggd.fit(moments, torch.tensor((x.shape[1] // BLOCKS) ** 2, dtype=torch.float64, device=x.device))
    return torch.stack([alpha, (low + high) / 2], dim=-1).permute(1, 2, 0, 3).flatten(0, 1).flatten(1)


def _sides(t: Tensor) -> Tensor:
    """The five sums of `aggd.moments` over 6×h×6×w, 6×6×5."""
    right, left = t.clamp_min(0), t.clamp_max(0)
    sums = (right - left, left * left, right * right, (t < 0).to(t.dtype), (t > 0).to(t.dtype))
    return torch.stack([s.sum((1, 3)).double() for s in sums], dim=-1)


def _weibull(across: Tensor, down: Tensor) -> Tensor:
    """36×2K: scale and shape of the Weibull distribution of each of K planes' gradients, by maximum likelihood (wblfit)."""
    return torch.cat([_weibull_of((a * a + b * b).sqrt()) for a, b in zip(across, down, strict=True)], dim=1)


def _weibull_of(size: Tensor) -> Tensor:
    """36×2. The likelihood is largest where Σxᵏ·ln x / Σxᵏ - mean ln x = 1/k; Newton's steps on k, of all blocks at once.

    In float64 throughout: where a picture is flat its gradients are rounding noise, and their logarithms reach -36.
    """
    t = (size + torch.finfo(torch.float64).eps).log()
    t = _tiles(t[None])[0].transpose(1, 2).flatten(0, 1).flatten(1)
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


def _halved(x: Tensor) -> Tensor:
    """Every second pixel of each plane after a Gaussian of 6×6; MATLAB's even windows reach one pixel further ahead."""
    size = ceil(6 * SMALLER)
    before = (size - 1) // 2
    padded = F.pad(x[None], (before, size - 1 - before) * 2, mode="replicate")
    return windowed(padded, gaussian(size, SMALLER))[0, :, ::2, ::2]
