"""Information-weighted structural similarity."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.filters import gaussian, windowed
from assay.ops.imresize import Taps, combined
from assay.ops.luma import levels
from assay.ops.moments import SIGMA, SIZE, ssim_each
from assay.ops.pyramid import BINOMIAL, laplacian
from assay.ops.vectors import spectrum, strengths
from assay.ops.windowstats import box_sums
from assay.types import Scale, ScoreCard

WEIGHTS = tuple(w / 1.0001 for w in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333))  # Wang 2003, made to sum to 1
LEVELS = len(WEIGHTS)
NOISE = 0.4  # Wang & Li 2011, section III: variance of the visual noise, for pixels in 0..255
TOL = 1e-15  # info_content_weight_map of iwssim.m
C1 = (0.01 * 255) ** 2
STRIP = 1 << 17  # pixels


@carded(
    ScoreCard(
        name="iw_ssim",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.7, 1)),
        paper="Wang & Li 2011, doi:10.1109/TIP.2010.2092435",
        min_side=176,  # an 11×11 window on the fifth level
        map="iw_ssim_map",
    )
)
def iw_ssim(x: Tensor, *, ref: Tensor) -> Tensor:
    """Structural similarity where it matters: places that carry more information about the scene weigh more.

    x, ref: N×C×H×W, sRGB, at least 176×176; float in [0, 1], or uint8 for 8-bit pixels as they are. Measured on grey, on
    the five bands of a Laplacian pyramid.
    Returns N scores, 1 when equal. The two pictures are not interchangeable: the weights come mostly from the reference.
    Raises BadInput.

    >>> x = torch.rand(1, 3, 176, 176)
    >>> round(float(iw_ssim(x, ref=x)), 4)
    1.0
    """
    x, ref = check.images(x=x, ref=ref, min_side=176, keep_uint8=True)
    return torch.cat([_score(a[None], b[None]) for a, b in zip(x, ref, strict=True)])  # alone, so that a batch rounds alike


def iw_ssim_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity of contrast and structure of the finest band, N×(H-10)×(W-10); 1 is alike, dark is damaged."""
    x, ref = check.images(x=x, ref=ref, min_side=176, keep_uint8=True)
    a, b = (laplacian(levels(t), LEVELS, BINOMIAL, "once")[0] / 255 for t in (x, ref))
    return ssim_each(a, b, structure=True)[:, 0]


def _score(x: Tensor, ref: Tensor) -> Tensor:
    a, b = (laplacian(levels(t), LEVELS, BINOMIAL, "once") for t in (x, ref))
    score = torch.ones(len(x), dtype=a[0].dtype, device=x.device)
    for i, weight in enumerate(WEIGHTS):
        if i == LEVELS - 1:
            alike = ssim_each(a[i] / 255, b[i] / 255, structure=True) * _light(a[i], b[i])
            mean = alike.mean((1, 2, 3))
        else:
            parent = _enlarged(b[i + 1][:, 0])[:, : b[i].shape[2], : b[i].shape[3]] if i < LEVELS - 2 else None
            mean = _weighted(a[i], b[i], parent)
        score = score * _power(mean, weight)
    return score


def _weighted(x: Tensor, ref: Tensor, parent: Tensor | None) -> Tensor:
    """The mean similarity of a band, weighted by information; in strips, so that what is at work stays near the processor."""
    values, ways = spectrum(ref[:, 0], parent, centred=False)
    reach = SIZE["gaussian"] - 1
    height = x.shape[2] - reach
    step = max(1, STRIP // x.shape[3])
    total = weight = torch.zeros((), dtype=torch.float64, device=x.device)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height) + reach)
        alike = ssim_each(x[:, :, rows] / 255, ref[:, :, rows] / 255, structure=True)[:, 0]
        above = None if parent is None else parent[:, rows]
        told = _information(x[:, 0, rows], ref[:, 0, rows], above, values, ways)
        total = total + (alike * told).sum((1, 2), dtype=torch.float64)
        weight = weight + told.sum((1, 2), dtype=torch.float64)
    return ((total + TOL) / (weight + TOL)).to(x.dtype)


def _light(x: Tensor, ref: Tensor) -> Tensor:
    mx, mr = (windowed(t, gaussian(SIZE["gaussian"], SIGMA))[:, 0] for t in (x, ref))
    return (2 * mx * mr + C1) / (mx.square() + mr.square() + C1)


def _power(mean: Tensor, weight: float) -> Tensor:
    """mean^weight with the sign kept: the mean of a picture against its negative is below 0. Gradient 0 at 0."""
    size = mean.abs()
    some = size > 0
    return mean.sign() * torch.where(some, torch.where(some, size, 1) ** weight, 0)


def _information(x: Tensor, ref: Tensor, parent: Tensor | None, values: Tensor, ways: Tensor) -> Tensor:
    """Bits that the reference and the damaged band share with what is seen of them, around each SSIM window: N×h×w."""
    gain, rest = _channel(x, ref)
    strength = strengths(ref, parent, values, ways)
    crop = SIZE["gaussian"] // 2 - 1
    gain, rest, strength = (t[:, crop : t.shape[1] - crop, crop : t.shape[2] - crop] for t in (gain, rest, strength))
    scale = (rest + (1 + gain.square()) * NOISE) * strength / NOISE**2
    base = 1 + rest / NOISE
    told = torch.zeros_like(scale)
    for pair in torch.split(values.to(scale)[:, :, None, None], 2, dim=1):  # a factor stays below 1e16: two fit a float32
        told = told + (base[:, None] + scale[:, None] * pair).prod(1).log2()
    return told


def _channel(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    """The gain with which ref passes into x around every inner coefficient, and the variance of what is not ref."""
    mx, mr, xx, rr, both = (box_sums(t, 3) / 9 for t in (x, ref, x * x, ref * ref, x * ref))
    vx, vr, both = (xx - mx.square()).clamp(min=0), (rr - mr.square()).clamp(min=0), both - mx * mr
    some = (vr >= TOL) & (vx >= TOL)
    gain = torch.where(some, both / (vr + TOL), 0)
    return gain, (vx - gain * both).clamp(min=0)


def _enlarged(x: Tensor) -> Tensor:
    """Twice the size of N×h×w, as imenlarge2.m."""
    return combined(x, *(_doubling(n) for n in x.shape[1:]))


@lru_cache(maxsize=16)
@torch.inference_mode(mode=False)
def _doubling(n: int) -> Taps:
    """n to 4n-3 samples by imresize 'bilinear', one more extrapolated at each end, and of those every second."""
    fine = 4 * n - 3
    at = torch.cat([torch.tensor([0, 1]), torch.arange(1, fine, 2), torch.tensor([fine - 2, fine - 1])]).double()
    place = ((at + 0.5) * n / fine - 0.5).clamp(0, n - 1)
    low = place.floor().long().clamp(max=n - 2)
    share = place - low
    weights = torch.stack([1 - share, share], 1)
    weights[1], weights[-2] = 2 * weights[0] - weights[1], 2 * weights[-1] - weights[-2]
    return Taps(torch.stack([low, low + 1], 1)[1:-1].contiguous(), weights[1:-1].contiguous())
