"""DCT subband similarity."""

from __future__ import annotations

from math import exp

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.dct import matrix
from assay.ops.filters import gaussian
from assay.ops.gradients import LUMA, means, root
from assay.types import Scale, ScoreCard

SIGMA = 1.55  # dss_index.m of the authors: how fast the weight of a frequency falls; so are the next four
LEAST = 0.01  # frequencies of less weight are left out
C_DC, C_AC = 1000.0, 300.0  # for pixels in 0..255
WINDOW, SPREAD = 3, 1.5  # Gaussian over neighbouring blocks
WORST = 0.05  # share of places that decides
SIDE = 8  # one block


def _bands() -> list[tuple[int, int, float]]:
    """Vertical and horizontal frequency and weight of the subbands that count; the weights sum to 1."""
    all_ = [(m, n, exp(-((m + 0.5) ** 2 + (n + 0.5) ** 2) / (2 * SIGMA**2))) for m in range(8) for n in range(8)]
    some = [b for b in all_ if b[2] >= LEAST]
    total = sum(w for _, _, w in some)
    return [(m, n, w / total) for m, n, w in some]


@carded(
    ScoreCard(
        name="dss",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.4, 1)),
        paper="Balanov, Schwartz, Moshe & Peleg 2015, doi:10.1109/ICIP.2015.7351172",
        min_side=SIDE,
        map="dss_map",
    )
)
def dss(x: Tensor, *, ref: Tensor) -> Tensor:
    """DCT subband similarity: whether each frequency varies over the picture as it did, where it fares worst.

    x, ref: N×C×H×W, sRGB, at least 8×8; float in [0, 1], or uint8 for 8-bit pixels as they are. On luma, in 8×8 blocks;
    what is left of a block at the right and the bottom is not looked at.
    Returns N scores, 1 when equal; 0.7 is plain damage.  Raises BadInput.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> dss(x, ref=x)
    tensor([1.])
    """
    same, structure, weights = _similarity(x, ref)
    same, structure = _worst(same), _worst(structure)
    same = torch.cat([same[:, :1] * structure, same[:, 1:]], dim=1)
    return (same * weights).sum(1).to(torch.float64 if x.dtype == torch.float64 else torch.float32)


def dss_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity of every 8×8 block, N×⌊H/8⌋×⌊W/8⌋; 1 is alike, dark is damaged. Of each frequency the worst 5 % make the score."""
    same, structure, weights = _similarity(x, ref)
    same = torch.cat([same[:, :1] * structure, same[:, 1:]], dim=1)
    return torch.einsum("nchw,c->nhw", same, weights).to(torch.float64 if x.dtype == torch.float64 else torch.float32)


def _similarity(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How alike each subband varies, N×bands×h×w, how alike the first runs, N×1×h×w, and the weights of the bands."""
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    a, b = (_subbands(means(t, 1, LUMA)) for t in (x, ref))
    va, vb = (_covariance(t, t).clamp(min=0) for t in (a, b))
    deviations = root(va) * root(vb)
    c = torch.full((a.shape[1], 1, 1), C_AC, dtype=a.dtype, device=a.device)
    c[0] = C_DC
    same = (2 * deviations + c) / (va + vb + c)
    structure = (_covariance(a[:, :1], b[:, :1]) + C_DC) / (deviations[:, :1] + C_DC)
    weights = torch.tensor([w for _, _, w in _bands()], dtype=a.dtype, device=a.device)
    return same, structure, weights


def _subbands(y: Tensor) -> Tensor:
    """N×1×H×W luma to N×bands×⌊H/8⌋×⌊W/8⌋ coefficients, float64: their squares are large against the constants."""
    d = matrix().to(y)
    kernels = torch.stack([d[m][:, None] * d[n][None] for m, n, _ in _bands()])[:, None]
    return F.conv2d(y, kernels, stride=8).double()


def _covariance(a: Tensor, b: Tensor) -> Tensor:
    return _blurred(a * b) - _blurred(a) * _blurred(b)


def _blurred(v: Tensor) -> Tensor:
    """Gaussian means over 3×3 blocks, zero outside."""
    side, mid = (float(w) for w in gaussian(WINDOW, SPREAD)[:2])
    p = F.pad(v, (1, 1, 1, 1))
    p = side * (p[..., :-2, :] + p[..., 2:, :]) + mid * p[..., 1:-1, :]
    return side * (p[..., :-2] + p[..., 2:]) + mid * p[..., 1:-1]


def _worst(v: Tensor) -> Tensor:
    """Mean of the lowest twentieth of each N×C×h×w plane, at least one place: N×C."""
    v = v.flatten(2)
    return v.topk(max(1, int(WORST * v.shape[2] + 0.5)), dim=2, largest=False, sorted=False).values.mean(2)
