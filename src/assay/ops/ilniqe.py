"""How far a picture's local statistics lie from those of good photographs: the maths of IL-NIQE, without a model."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.ops import aggd
from assay.ops.filters import gaussian, windowed
from assay.ops.ilniqe_fits import BLOCKS, gaussians, log_opponent, responses, statistics, tiles
from assay.ops.imresize import taps
from assay.ops.niqe import as_bytes, textured

SIDE = 84  # pixels of a block; this and all constants below: computequality.m of the authors' release
WIDTH = 524  # every picture becomes 524×524, of which 6×6 blocks are looked at
OPPONENT = ((0.30, 0.04, -0.35), (0.34, -0.60, 0.17), (0.06, 0.63, 0.27))
KEPT = 430  # of 468 principal directions: 92 %
SMALLER = 0.9  # σ of the Gaussian before every second pixel is taken
INFINITE = 1e4  # stands for an infinite feature
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
    return torch.stack([each_distance(textured(blocks(p), SIDE, i, len(x)), model) for i, p in enumerate(x)]).reshape(-1, BLOCKS, BLOCKS)


def blocks(x: Tensor) -> Blocks:
    """The statistics of the blocks of one C×H×W picture, uint8 or float in [0, 1]."""
    rgb = _resized(as_bytes(x))[..., : BLOCKS * SIDE, : BLOCKS * SIDE]
    rgb = rgb.expand(3, -1, -1)
    opponent = torch.einsum("oc,chw->ohw", torch.tensor(OPPONENT, dtype=rgb.dtype, device=rgb.device), rgb)
    features, usable, sharpness = [], torch.ones(BLOCKS**2, dtype=torch.bool, device=x.device), rgb.new_zeros(0)
    for scale in (1, 2):
        contrast, sigma = _contrast(opponent[2])
        usable &= (tiles(contrast[None] != 0)[0].double().mean((1, 3)) >= TEXTURED).flatten()
        sharpness = tiles(sigma[None])[0].mean((1, 3)).flatten() if scale == 1 else sharpness
        features += [_contrast_features(contrast), _filter_features(opponent, rgb, scale)]
        opponent, rgb = (_halved(t) for t in (opponent, rgb))
    f = torch.cat(features, dim=1)
    f = torch.where(f.isinf(), INFINITE, f)
    return Blocks(f, usable & f.isfinite().all(1), sharpness)


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
    cut = tiles(contrast[None])[0].transpose(1, 2).flatten(0, 1)
    count = torch.tensor(cut[0].numel(), dtype=cut.dtype, device=cut.device)
    alpha, left, right, mean = aggd.fit(aggd.moments(cut), count)
    own = torch.stack([alpha[:, 0], (left + right)[:, 0] / 2], dim=-1)
    return torch.cat([own, torch.stack([alpha, mean, left, right], dim=-1)[:, 1:].flatten(1)], dim=1)


def _filter_features(opponent: Tensor, rgb: Tensor, scale: int) -> Tensor:
    """36×216: of gradients, of colours, of log-Gabor responses and of their gradients."""
    colours = tiles(log_opponent(rgb)).transpose(2, 3).flatten(3)  # 3×6×6×pixels
    means = torch.stack([colours.mean(-1), colours.var(-1)], dim=-1).permute(1, 2, 0, 3).flatten(0, 1).flatten(1)
    edges = torch.cat([statistics(plane, scale) for plane in opponent], dim=1)
    waves = torch.cat([statistics(z, scale) for z in responses(opponent[2], scale)], dim=1)
    slopes = [t[..., 5:15].reshape(len(t), -1, 5) for t in (edges, waves)]
    shapes = gaussians(torch.cat([slopes[0], waves[..., :5], slopes[1]], dim=1), len(opponent[0]) // BLOCKS)
    return torch.cat([edges[..., 15:].flatten(1), means, shapes, waves[..., 15:].flatten(1)], dim=1)


def _halved(x: Tensor) -> Tensor:
    """Every second pixel of each plane after a Gaussian of 6×6; MATLAB's even windows reach one pixel further ahead."""
    size = ceil(6 * SMALLER)
    before = (size - 1) // 2
    padded = F.pad(x[None], (before, size - 1 - before) * 2, mode="replicate")
    return windowed(padded, gaussian(size, SMALLER))[0, :, ::2, ::2]
