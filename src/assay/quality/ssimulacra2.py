"""SSIMULACRA 2: structure, ringing and blur on six scales in the colours of JPEG XL."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colourspaces import in_colour, linear, power
from assay.ops.filters import halved
from assay.ops.ssimulacra import damage, damage_maps, xyb
from assay.types import Scale, ScoreCard

GAIN = 0.9562382616834844  # ssimulacra2.cc
SCALES, SIDE = 6, 8  # pictures of less than 8 pixels are not halved again
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
        map="ssimulacra2_map",
    )
)
def ssimulacra2(x: Tensor, *, ref: Tensor) -> Tensor:
    """SSIMULACRA 2: fidelity of a compressed picture; 90 cannot be told apart, 70 is high, 50 medium, 30 low.

    x, ref: N×C×H×W, sRGB, at least 8×8; float in [0, 1], or uint8 for 8-bit pixels as they are.
    Averages weigh as in the C++ program of version 2.1: its recursive Gaussian is a sum of three cosines over nine pixels,
    black outside the picture. The program's own float32 recursion moves its values by up to 0.1, differently on different
    processors; ports with another Gaussian or border (PyPI's ssimulacra2) are off by up to 3.4.
    Returns N scores, 100 when equal; very bad ones lie below 0.  Raises BadInput.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> ssimulacra2(x, ref=x)
    tensor([100.])
    """
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    return torch.cat([_of_one(a, b) for a, b in zip(x.split(1), ref.split(1), strict=True)])  # type: ignore[no-untyped-call]


def ssimulacra2_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """The damage of all scales together at every pixel, N×H×W: 0 is none, bright is damaged. The score falls with its mean."""
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    out = torch.zeros(len(x), *x.shape[2:], dtype=torch.float64 if x.dtype == torch.float64 else torch.float32, device=x.device)
    for to, one, its in zip(out, x, ref, strict=True):
        for a, b, weights in _scales(one[None], its[None]):
            local = sum(_local(damage_maps(b[:, c : c + 1], a[:, c : c + 1])[0, 0], w) for c, w in enumerate(weights))
            to += F.interpolate(torch.as_tensor(local)[None, None], to.shape, mode="bilinear", align_corners=False)[0, 0]
    return GAIN * out


def _local(maps: Tensor, weights: Tensor) -> Tensor:
    """What every place adds, h×w, of 3×h×w: its mean is that of the weighted means and 4-norms, because ‖d‖₄ = mean d⁴ / ‖d‖₄³."""
    fourth = maps**4
    norm = fourth.mean((1, 2), keepdim=True) ** 0.75
    return (weights[:3, None, None] * maps + weights[3:, None, None] * fourth / norm.clamp_min(torch.finfo(norm.dtype).tiny)).sum(0)


def _of_one(x: Tensor, ref: Tensor) -> Tensor:
    total: Tensor | float = 0.0
    for a, b, weights in _scales(x, ref):
        for norm, values in enumerate(damage(b, a)):
            total = total + (weights[:, 3 * norm : 3 * norm + 3] * values).sum((1, 2))
    return _score(GAIN * torch.as_tensor(total))


def _scales(x: Tensor, ref: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """On every scale the two pictures in XYB, and the weights, channel × 6."""
    a, b = (linear(in_colour(t)) for t in (x, ref))
    for scale in range(SCALES):
        if min(a.shape[2:]) < SIDE:  # as the program: 8 to 15 pixels are halved once more
            return
        if scale:
            a, b = halved(a), halved(b)
        yield xyb(a), xyb(b), _weights()[:, scale].to(a)


def _score(s: Tensor) -> Tensor:
    s = 2.326765642916932 * s - 0.020884521182843837 * s**2 + 6.248496625763138e-5 * s**3
    return 100 - 10 * power(s.clamp_min(0), 0.6276336467831387)


@cache
@torch.inference_mode(mode=False)
def _weights() -> Tensor:
    """Channel × scale × 6."""
    return torch.tensor(WEIGHTS, dtype=torch.float64)
