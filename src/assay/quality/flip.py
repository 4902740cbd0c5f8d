"""FLIP: what is seen when two pictures are flipped back and forth."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import ceil, pi, sqrt

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colourspaces import WHITE, XYZ, flipped, fused, in_colour, lab, length, linear, mixed, opponents, power, strips
from assay.ops.filters import separable
from assay.types import BadInput, Scale, ScoreCard

PIXELS_PER_DEGREE = 0.7 * 3840 / 0.7 * pi / 180  # Andersson 2020: 0.7 m from a 4K screen of 0.7 m
# Andersson 2020, table 1: contrast sensitivity as sums of a·√(π/b)·exp(-π²r²/b), r in degrees, for Y, Cx and Cz
SENSITIVITY = (((1.0, 0.0047),), ((1.0, 0.0053),), ((34.1, 0.04), (13.5, 0.025)))
WIDEST = 0.04
COLOUR_POWER, FEATURE_POWER = 0.7, 0.5  # q_c and q_f
KNEE, SHARE = 0.4, 0.95  # p_c and p_t: where large differences of colour start to be squeezed, and to what
ROWS = 96  # so few that the planes at work stay near the processor, against a halo of ten
FEATURE = 0.082  # degrees, the width of an edge


@carded(
    ScoreCard(
        name="flip",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=1, best=0, usual=(0.2, 0)),
        paper="Andersson, Nilsson, Akenine-Möller, Oskarsson, Åström & Fairchild 2020, doi:10.1145/3406183",
        map="flip_map",
    )
)
def flip(x: Tensor, *, ref: Tensor, pixels_per_degree: float = PIXELS_PER_DEGREE) -> Tensor:
    """FLIP: the mean difference that people see when they flip between the two pictures.

    x, ref: N×C×H×W, sRGB of ordinary dynamic range; float in [0, 1], or uint8 for 8-bit pixels as they are.
    pixels_per_degree: how dense the pixels are to the eye, 67 at 0.7 m from a 4K screen 0.7 m wide; up to 200.
    Returns N means of the map, 0 when equal, at most 1.  Raises BadInput.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> flip(x, ref=x)
    tensor([0.])
    """
    total = sum(d.double().sum((1, 2)) for d in _differences(x, ref, pixels_per_degree))
    score: Tensor = torch.as_tensor(total) / (x.shape[2] * x.shape[3])
    return score if x.dtype == torch.float64 else score.float()


def flip_map(x: Tensor, *, ref: Tensor, pixels_per_degree: float = PIXELS_PER_DEGREE) -> Tensor:
    """The visible difference of every pixel, N×H×W: 0 is none, 1 the greatest."""
    return torch.cat(_differences(x, ref, pixels_per_degree), dim=1)


def _differences(x: Tensor, ref: Tensor, ppd: float) -> list[Tensor]:
    if not 1 <= ppd <= 200:
        raise BadInput(f"pixels_per_degree must lie in 1 to 200; got {ppd}.")
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    halo = max(_reach(ppd), ceil(3 * _width(ppd)))
    return [_strip(a, b, ppd, halo) for a, b in strips(x, ref, halo=halo, rows=ROWS)]


def _strip(a: Tensor, b: Tensor, ppd: float, halo: int) -> Tensor:
    """ΔE of the rows within the halo: the difference of colours, raised by that of edges and points."""
    if fused(a, b):
        return torch.stack([_fast(opponents(one), opponents(two), ppd, halo) for one, two in zip(a, b, strict=True)])
    a, b = (_opponent(linear(in_colour(t))) for t in (a, b))
    features = _feature_difference((a[:, :1] + 16) / 116, (b[:, :1] + 16) / 116, ppd, halo)
    return power(_colour_difference(_hunt(_seen(a, ppd, halo)), _hunt(_seen(b, ppd, halo))), 1 - features)


def _fast(a: Tensor, b: Tensor, ppd: float, halo: int) -> Tensor:
    """The same of YCxCz, 3×h×w, with the kernels."""
    pair = a[None], b[None]
    seen = torch.cat([plane[0] for t in pair for plane in _filtered(t, ppd, halo)])
    features = torch.cat([plane[0] for t in pair for plane in _responses((t[:, :1] + 16) / 116, ppd, halo)])
    inverse = (torch.tensor(_inverse(), dtype=torch.float64) * torch.tensor(WHITE, dtype=torch.float64)).float()
    return flipped(seen, features, inverse, KNEE * _largest(), _largest(), SHARE)


def _opponent(light: Tensor) -> Tensor:
    """YCxCz from linear RGB."""
    x, y, z = (v / w for v, w in zip(mixed(light, XYZ).unbind(1), WHITE, strict=True))
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def _light(opponent: Tensor) -> Tensor:
    """Linear RGB from YCxCz, cut to [0, 1]."""
    y, cx, cz = opponent.unbind(1)
    y = (y + 16) / 116
    xyz = torch.stack([(y + cx / 500) * WHITE[0], y * WHITE[1], (y - cz / 200) * WHITE[2]], dim=1)
    return mixed(xyz, _inverse()).clamp(0, 1)


@cache
def _inverse() -> tuple[tuple[float, ...], ...]:
    rows: list[list[float]] = torch.tensor(XYZ, dtype=torch.float64).inverse().tolist()
    return tuple(tuple(row) for row in rows)


def _reach(ppd: float) -> int:
    return ceil(3 * sqrt(WIDEST / (2 * pi**2)) * ppd)


def _width(ppd: float) -> float:
    return 0.5 * FEATURE * ppd


def _seen(opponent: Tensor, ppd: float, halo: int) -> Tensor:
    """What contrast sensitivity leaves of YCxCz, as linear RGB, without the halo."""
    y, cx, *cz = _filtered(opponent, ppd, halo)
    return _light(torch.cat([y, cx, cz[0] + cz[1]], dim=1))


def _filtered(opponent: Tensor, ppd: float, halo: int) -> Iterator[Tensor]:
    """Each term of SENSITIVITY: Y, Cx and the two parts of Cz."""
    reach = _reach(ppd)
    r = torch.arange(-reach, reach + 1, dtype=torch.float64) / ppd
    trim = halo - reach
    h, w = opponent.shape[2:]
    for plane, terms in zip(opponent.unbind(1), SENSITIVITY, strict=True):
        plane = plane[:, None, trim : h - trim, trim : w - trim]
        bells = [(a * sqrt(pi / b), torch.exp(-(pi**2) * r**2 / b)) for a, b in terms]
        weight = sum(float(k * g.sum() ** 2) for k, g in bells)
        for k, g in bells:
            yield separable(plane, g * (k / weight), g)


def _hunt(light: Tensor) -> Tensor:
    """L*a*b* in which dark colours are less vivid."""
    seen = lab(light)
    return torch.cat([seen[:, :1], seen[:, 1:] * (0.01 * seen[:, :1])], dim=1)


def _colour_difference(a: Tensor, b: Tensor) -> Tensor:
    """HyAB to the power 0.7, then [0, largest] to [0, 1] in two straight pieces."""
    largest = _largest()
    e, knee = _hyab(a, b), KNEE * largest
    return torch.where(e < knee, SHARE / knee * e, SHARE + (e - knee) / (largest - knee) * (1 - SHARE))


def _hyab(a: Tensor, b: Tensor) -> Tensor:
    d = a - b
    return power(d[:, 0].abs() + length(d[:, 1], d[:, 2]), COLOUR_POWER)


@cache
def _largest() -> float:
    green, blue = (_hunt(torch.tensor(c, dtype=torch.float64).view(1, 3, 1, 1)) for c in ((0, 1, 0), (0, 0, 1)))
    return float(_hyab(green, blue))


def _feature_difference(a: Tensor, b: Tensor, ppd: float, halo: int) -> Tensor:
    """By how much edges or points differ, whichever more; N×h×w."""
    (ea, ed, pa, pd), (ga, gd, qa, qd) = (tuple(_responses(t, ppd, halo)) for t in (a, b))
    edges, points = (length(ea, ed) - length(ga, gd)).abs(), (length(pa, pd) - length(qa, qd)).abs()
    return power(torch.maximum(edges, points)[:, 0] / sqrt(2), FEATURE_POWER)


def _responses(t: Tensor, ppd: float, halo: int) -> Iterator[Tensor]:
    """Of edges across and down, then of points."""
    sigma = _width(ppd)
    reach = ceil(3 * sigma)
    i = torch.arange(-reach, reach + 1, dtype=torch.float64)
    bell = torch.exp(-(i**2) / (2 * sigma**2))
    smooth, trim = bell / bell.sum(), halo - reach
    t = t[:, :, trim : t.shape[2] - trim, trim : t.shape[3] - trim].contiguous()
    for kernel in (-i * bell, (i**2 / sigma**2 - 1) * bell):
        kernel = torch.where(kernel > 0, kernel / kernel.clamp_min(0).sum(), kernel / -kernel.clamp_max(0).sum())
        yield separable(t, smooth, kernel)
        yield separable(t, kernel, smooth)
