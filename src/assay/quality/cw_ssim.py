"""Complex-wavelet structural similarity."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.luma import levels
from assay.ops.steerable import coarse
from assay.ops.windowstats import box_sums
from assay.types import Scale, ScoreCard

WINDOW = 7  # Sampat 2009, section IV
TINY = 1e-6  # squared grey levels: coefficients below 0.001 are rounding, and equal. Sampat's K is 0, which is 0/0 there


@carded(
    ScoreCard(
        name="cw_ssim",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.9, 1)),
        paper="Sampat, Wang, Gupta, Bovik & Markey 2009, doi:10.1109/TIP.2009.2025923",
        min_side=64,  # the fourth level must hold a window
        map="cw_ssim_map",
    )
)
def cw_ssim(x: Tensor, *, ref: Tensor) -> Tensor:
    """Complex-wavelet similarity: how alike coarse structures are, forgiving small shifts, turns and changes of light.

    x, ref: N×C×H×W, sRGB, at least 64×64; float in [0, 1], or uint8 for 8-bit pixels as they are. Measured on grey, on
    eight orientations of the fourth level of a complex steerable pyramid; the middle of the picture counts most.
    Returns N scores, 1 when equal, the same for both orders of the pictures.  Raises BadInput.

    >>> x = torch.rand(1, 3, 64, 64)
    >>> round(float(cw_ssim(x, ref=x)), 2)
    1.0
    """
    alike = _similarity(x, ref)
    return (alike * _centre(alike)).sum((2, 3)).mean(1)


def cw_ssim_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity in windows of the fourth level, about every eighth pixel, N×h×w, mean over orientations; the middle counts most."""
    return _similarity(x, ref).mean(1)


def _similarity(x: Tensor, ref: Tensor) -> Tensor:
    """N×8×h×w."""
    x, ref = check.images(x=x, ref=ref, min_side=64, keep_uint8=True)
    a, b = coarse(levels(x)), coarse(levels(ref))
    both = torch.view_as_real(a * b.conj())
    power = torch.view_as_real(a).square().sum(-1) + torch.view_as_real(b).square().sum(-1)
    real, imaginary, power = (box_sums(t, WINDOW) / WINDOW**2 for t in (both[..., 0], both[..., 1], power))
    alike: Tensor = (2 * (real.square() + imaginary.square() + TINY**2 / 4).sqrt()) / (power + TINY)
    return alike


def _centre(x: Tensor) -> Tensor:
    """A Gaussian over the map with a quarter of the band's height as σ, sum 1: fspecial('gaussian', s-6, s(1)/4)."""
    h, w = x.shape[-2:]
    sigma = (h + WINDOW - 1) / 4
    rows, columns = (torch.exp(-((torch.arange(n) - (n - 1) / 2) ** 2).double() / (2 * sigma**2)) for n in (h, w))
    weights = rows[:, None] * columns
    return (weights / weights.sum()).to(x)
