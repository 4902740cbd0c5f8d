"""SSIMULACRA 2: structure, ringing and blur on six scales in the colours of JPEG XL."""

from __future__ import annotations

from functools import cache
from math import inf, pi

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colourspaces import in_colour, linear, mixed, power
from assay.ops.filters import halved
from assay.types import Scale, ScoreCard

SCALES, SIDE = 6, 8  # pictures of less than 8 pixels are not halved again
LMS = ((0.30, 0.622, 0.078), (0.23, 0.692, 0.078), (0.24342268924547819, 0.20476744424496821, 0.5518098665095536))  # JPEG XL
BIAS = 0.0037930732552754493  # JPEG XL
C2 = 0.0009
SIGMA, RADIUS = 1.5, 5
# The fit of version 2.1: for X, Y and B and every scale, of the mean and then of the 4-norm: structure, ringing, blur.
# fmt: off
WEIGHTS = (
    (
        (0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0),
        (0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752),
        (0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0),
        (0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0),
        (0.0007289346991508072, 0.9677937080626833, 0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053),
        (0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0),
    ),
    (
        (0, 0, 0, 7.466890328078848, 0, 17.445833984131262),
        (0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264),
        (225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985),
        (176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408),
        (0, 0, 0, 34.77906344483772, 44.835625328877896, 0),
        (0, 0, 0, 0, 0, 0),
    ),
    (
        (0, 0.0008680556573291698, 0, 0, 0, 0),
        (0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0),
        (0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0),
        (0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0),
        (95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493, 171.2667255897307, 0.9807858872435379),
        (0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537),
    ),
)
# fmt: on


@carded(
    ScoreCard(
        name="ssimulacra2",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=-inf, best=100, usual=(10, 90)),
        paper="Sneyers 2023, SSIMULACRA 2.1, github.com/cloudinary/ssimulacra2",
        min_side=SIDE,
    )
)
def ssimulacra2(x: Tensor, *, ref: Tensor) -> Tensor:
    """SSIMULACRA 2: fidelity of a compressed picture; 90 cannot be told apart, 70 is high, 50 medium, 30 low.

    x, ref: N×C×H×W, sRGB, at least 8×8; float in [0, 1], or uint8 for 8-bit pixels as they are.
    Averages weigh as in the C++ program of version 2.1, whose recursive Gaussian is the sum of three cosines over nine pixels
    that is used here. Ports with a sampled Gaussian and mirrored borders differ by some tenths.
    Returns N scores, 100 when equal; very bad ones lie below 0.  Raises BadInput.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> ssimulacra2(x, ref=x)
    tensor([100.])
    """
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    return torch.cat([_of_one(a, b) for a, b in zip(x.split(1), ref.split(1), strict=True)])  # type: ignore[no-untyped-call]


def _of_one(x: Tensor, ref: Tensor) -> Tensor:
    a, b = (linear(in_colour(t)) for t in (x, ref))
    total = torch.zeros(len(a), dtype=a.dtype, device=a.device)
    for scale in range(SCALES):
        if min(a.shape[2:]) < SIDE:
            break
        if scale:
            a, b = halved(a), halved(b)
        for channel, (p, q) in enumerate(zip(_xyb(b), _xyb(a), strict=True)):
            total = total + _damage(p, q, WEIGHTS[channel][scale])
    return _score(0.9562382616834844 * total)


def _score(s: Tensor) -> Tensor:
    s = 2.326765642916932 * s - 0.020884521182843837 * s**2 + 6.248496625763138e-5 * s**3
    return 100 - 10 * power(s.clamp_min(0), 0.6276336467831387)


def _xyb(light: Tensor) -> tuple[Tensor, ...]:
    """The three planes of JPEG XL's XYB, moved into the positive, from linear RGB."""
    long, middle, short = ((mixed(light, LMS) + BIAS).clamp_min(BIAS / 2) ** (1 / 3) - BIAS ** (1 / 3)).unbind(1)
    x, y = (long - middle) / 2, (long + middle) / 2
    return x * 14 + 0.42, y + 0.01, short - y + 0.55


def _damage(ref: Tensor, x: Tensor, weights: tuple[float, ...]) -> Tensor:
    """The weighted sum of means and 4-norms of one plane's three maps, N."""
    mr, mx = _blurred(ref), _blurred(x)
    vr, vx, both = _blurred(ref * ref) - mr * mr, _blurred(x * x) - mx * mx, _blurred(ref * x) - mr * mx
    structure = (1 - (1 - (mr - mx) ** 2) * (2 * both + C2) / (vr + vx + C2)).clamp_min(0)
    edge = (1 + (x - mx).abs()) / (1 + (ref - mr).abs()) - 1
    maps = (structure, edge.clamp_min(0), (-edge).clamp_min(0))
    means = [w * m.mean((1, 2)) for w, m in zip(weights[:3], maps, strict=True) if w]
    norms = [w * power((m**4).mean((1, 2)), 0.25) for w, m in zip(weights[3:], maps, strict=True) if w]
    return sum(means + norms, torch.zeros_like(ref[:, 0, 0]))


def _blurred(plane: Tensor) -> Tensor:
    """N×H×W under JPEG XL's Gaussian, zero outside."""
    w = _window().to(plane)
    reach = len(w) // 2
    out = F.conv2d(plane[:, None], w.view(1, 1, -1, 1), padding=(reach, 0))
    return F.conv2d(out, w.view(1, 1, 1, -1), padding=(0, reach))[:, 0]


@cache
def _window() -> Tensor:
    """Charalampidis 2016, doi:10.1109/TSP.2016.2549985: a Gaussian as three cosines that end after RADIUS pixels.

    Their weights give the sum, the second moment and the least squares fit: what the recursion of JPEG XL unrolls to.
    """
    k = torch.tensor([1, 3, 5], dtype=torch.float64)
    omega = k * pi / (2 * RADIUS)
    sign = torch.tensor([1, -1, 1], dtype=torch.float64)
    p = sign / torch.tan(omega / 2)
    r = sign * p * p / torch.sin(omega)
    rho = torch.exp(-0.5 * SIGMA**2 * omega**2) / RADIUS
    free = torch.linalg.cross(p, r)  # what keeps the first two conditions
    zeta = free / free[2]
    wanted = torch.stack([torch.ones(()).double(), torch.tensor(RADIUS**2 - SIGMA**2).double(), (zeta * rho).sum()])
    beta = torch.linalg.solve(torch.stack([p, r, zeta]), wanted)
    n = torch.arange(1 - RADIUS, RADIUS, dtype=torch.float64)
    window: Tensor = (beta[:, None] * torch.cos(omega[:, None] * n)).sum(0)
    return window
