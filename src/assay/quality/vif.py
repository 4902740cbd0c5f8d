"""Visual information fidelity, on the coefficients of a steerable pyramid."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.filters import mirrored
from assay.ops.luma import flat, levels
from assay.ops.steerable import edges
from assay.ops.vectors import energies, thirds
from assay.types import Scale, ScoreCard

M = 3  # vifvec.m: coefficients are taken as vectors of 3×3 neighbours
NOISE = 0.4  # vifvec.m: variance of the visual noise, for pixels in 0..255
TOL = 1e-15  # vifsub_est_M.m: energies below this are none
LEVELS = 4


@carded(
    ScoreCard(
        name="vif",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.1, 1)),
        paper="Sheikh & Bovik 2006, doi:10.1109/TIP.2005.859378",
        min_side=65,  # the fourth level, an eighth of the picture, must hold a window inside its border
        map="vif_map",
    )
)
def vif(x: Tensor, *, ref: Tensor, rounded: bool = False) -> Tensor:
    """Share of the reference's visual information that is left: noise and blur take it away, contrast can add to it.

    x, ref: N×C×H×W, sRGB, at least 65×65; float in [0, 1], or uint8 for 8-bit pixels as they are. Measured on grey, on two
    of the six orientations (upright and level edges), as the authors' vifvec.m does.
    rounded: grey to whole 8-bit levels first, as MATLAB's rgb2gray makes it; moves the score by up to 0.002.
    Returns N scores: 1 when equal, and above 1 where x shows the reference's detail with more contrast. The two pictures
    are not interchangeable. A flat reference holds no information: 1 if x equals it, else 0.  Raises BadInput.

    >>> x = torch.rand(1, 3, 80, 80)
    >>> vif(x, ref=x)
    tensor([1.])
    """
    x, ref = check.images(x=x, ref=ref, min_side=65, keep_uint8=True)
    left = all_ = torch.zeros((), dtype=torch.float64)
    for level, (a, b) in enumerate(zip(edges(levels(x, rounded), LEVELS), edges(levels(ref, rounded), LEVELS), strict=True)):
        for way in (0, 1):
            kept, told = _information(a[:, way], b[:, way], 2 ** (LEVELS - level) + 1)
            left, all_ = left + kept.sum((1, 2), dtype=torch.float64), all_ + told.sum((1, 2), dtype=torch.float64)
    empty = flat(ref)
    same = (x == ref).flatten(1).all(1).to(all_)
    score = torch.where(empty, same, left / torch.where(empty, 1, all_))
    return score.to(torch.float32 if x.dtype == torch.uint8 else x.dtype)


def vif_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Share of the information left at every third pixel of the finest level, N×h×w; 1 is all, dark is damaged."""
    x, ref = check.images(x=x, ref=ref, min_side=65, keep_uint8=True)
    a, b = (next(edges(levels(t), 1)) for t in (x, ref))
    kept, told = (sum(v) for v in zip(*(_information(a[:, way], b[:, way], 2**LEVELS + 1) for way in (0, 1)), strict=True))
    told = torch.as_tensor(told)
    some = told > 0
    return torch.where(some, kept / torch.where(some, told, 1), 1)


def _information(x: Tensor, ref: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """What a band of x, N×h×w, still tells about that of ref, and what that tells; in nats, for each vector."""
    h, w = (n // M * M for n in ref.shape[-2:])
    x, ref = x[:, :h, :w], ref[:, :h, :w]
    gain, rest = _channel(x, ref, window)
    strength, eigenvalues = energies(ref)
    border = -(-(window // 2) // M)  # windows that lean over the border are left out
    gain, rest, strength = (t[:, border : t.shape[1] - border, border : t.shape[2] - border] for t in (gain, rest, strength))
    clear, seen = gain.square() * strength / (rest + NOISE), strength / NOISE
    kept, told = (sum(torch.log1p(t * v.to(t)[:, None, None]) for v in eigenvalues.unbind(1)) for t in (clear, seen))
    return torch.as_tensor(kept), torch.as_tensor(told)


def _channel(x: Tensor, ref: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """The gain with which ref passes into x around every third coefficient, and the variance of what is not ref."""
    reach = window // 2
    x, ref = (mirrored(t, reach, reach, edge="once")[:, 1:, 1:] for t in (x, ref))
    sx, sr, xx, rr, both = (thirds(t, window) for t in (x, ref, x * x, ref * ref, x * ref))
    area = window * window
    ex = (xx - sx.square() / area).clamp(min=0)
    er = (rr - sr.square() / area).clamp(min=0)
    both = both - sx * sr / area
    some = (er >= TOL) & (ex >= TOL)
    gain = torch.where(some, both / (er + TOL), 0)
    rest = torch.where(some, (ex - gain * both) / area, torch.where(ex >= TOL, ex, 0))
    rest = torch.where(gain < 0, ex, rest)  # vifsub_est_M.m: an energy here, not a variance
    return gain.clamp(min=0), rest.clamp(min=TOL)
