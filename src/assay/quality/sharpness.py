"""Sharpness: how wide the sharpest edges are."""

from __future__ import annotations

from math import ceil, exp, inf, pi, sqrt

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from assay import check
from assay.catalog import carded
from assay.ops.photo import filter2, luma, patches, strips
from assay.types import CannotAssess, Scale, ScoreCard

SIDE = 128  # pixels of a patch
REACH = 24  # pixels an edge may rise on each side of its steepest place; enough for σ up to about 8
RISE = 8.0  # 8-bit steps an edge must rise in all, and 6 σ of the noise
SLOPE = 1.0  # 8-bit steps per pixel at its steepest, and 3 σ of the noise
EDGES = 4000  # looked at in each direction, evenly spread
FEWEST = 20
SHARE = 0.05  # of all squared slopes: a direction with less has too little to say
GRAIN = 1.0  # 8-bit steps: noise up to here (half a step of rounding and some) needs no smoothing
ACROSS = (0.1, 2.0)  # σ in pixels of smoothing across the edge: per 8-bit step of noise beyond GRAIN, and at most
ALONG = (1.0, 6.0)  # the same along the edge, where it costs little
UNDONE = 0.8  # share of the smoothing's variance found again in an edge's width; measured on photographs
TURN = 2.0  # an edge counts in the direction in which it is at least this much steeper: within 27 degrees


@carded(
    ScoreCard(
        name="sharpness",
        version="1",
        takes=("image",),
        min_side=64,
        scale=Scale(worst=inf, best=0, unit="px (σ of blur)", usual=(4, 0.6)),
        paper="after Marziliano, Dufaux, Winkler & Ebrahimi 2002, doi:10.1109/ICIP.2002.1038902",
        map="sharpness_map",
    )
)
def sharpness(x: Tensor) -> Tensor:
    """Sharpness: how blurred the edges in focus are, as the σ of a Gaussian blur in pixels; smaller is sharper.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8; 64 pixels at least.
    Not differentiable: pixels are rounded to 1/64 of an 8-bit step, and edges are picked by thresholds and rank.
    Returns N scores in pixels. An edge's σ is its rise over its steepest slope, by √(2π) (exact for a blurred step;
    an ideal step between two pixels reads 0.4). The score is their median weighted by squared slope, so steep edges
    decide: a soft background or low contrast does not blur a picture. Upright and level edges are taken apart and
    the wider ones count, because a moving camera blurs in one direction. Against noise, pixels are first averaged
    along the edge and a little across it, as strongly as the noise asks; what that widens is taken off again.
    Raises CannotAssess without edges.

    >>> round(float(sharpness((torch.arange(128) // 32 % 2).float().expand(1, 1, 64, 128))), 2)
    0.4
    """
    (x,) = check.images(x=x, keep_uint8=True, min_side=64)
    return torch.stack([_blur(one) for one in x])


def sharpness_map(x: Tensor) -> Tensor:
    """N×(H/8)×(W/8): how steep the picture is in each 8×8 cell, in 8-bit steps per pixel: what is in focus is bright."""
    (x,) = check.images(x=x, keep_uint8=True, min_side=64)
    rows = []
    for band in strips(x, halo=1, multiple=8):
        y = luma(band)
        if y.shape[1] > 1:
            energy = y[:, :-1].diff(dim=2).square_() + y[:, :, :-1].diff(dim=1).square_()
            energy = torch.nn.functional.pad(energy[None], (0, 1, 0, int(y.shape[1] % 8 == 0)), mode="replicate")[0]
            rows.append(avg_pool2d(energy, 8).sqrt_())
    return torch.cat(rows, dim=1)


def _blur(x: Tensor) -> Tensor:
    y = luma(patches(x, side=min(SIDE, *x.shape[1:]), most=1 << 20))
    grain = _noise(y)
    across, along = (min(most, rate * max(0.0, grain - GRAIN)) for rate, most in (ACROSS, ALONG))
    left = grain * _passed(across) * _passed(along)
    found = [_edges(_smooth(t, across, along), left) for t in (y, y.mT)]
    if max(len(width) for width, _ in found) < FEWEST:
        raise CannotAssess(f"sharpness shows at edges, and this image has fewer than {FEWEST} that rise clearly above its noise.")
    weights = [slope.double().square().sum() for _, slope in found]
    ways = [edges for edges, weight in zip(found, weights, strict=True) if len(edges[0]) >= FEWEST and weight > SHARE * sum(weights)]
    widest = torch.stack([_median(width, slope.double().square()) for width, slope in ways]).max()
    return (widest.square() - UNDONE * across**2).clamp_min(0).sqrt()


def _median(values: Tensor, weights: Tensor) -> Tensor:
    values, order = values.sort(stable=True)
    up_to = weights[order].cumsum(0)
    return values[int((up_to < up_to[-1] / 2).sum())]


def _edges(y: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """Widths (σ) and slopes of the edges met along the rows of P×h×w patches."""
    step = y.diff(dim=2)
    steep = step.abs()
    tilt = torch.zeros_like(step)
    fall = (y[:, 2:] - y[:, :-2]) / 2
    tilt[:, 1:-1] = (fall[:, :, 1:] + fall[:, :, :-1]) / 2
    here = steep[:, :, 1:-1]
    peak = (here > steep[:, :, :-2]) & (here >= steep[:, :, 2:])
    peak &= (here > max(SLOPE, 3 * noise)) & (here >= TURN * tilt[:, :, 1:-1].abs())
    p, i, j = peak.nonzero(as_tuple=True)
    if len(p) > EDGES:
        some = torch.arange(EDGES, device=p.device) * len(p) // EDGES
        p, i, j = p[some], i[some], j[some]
    j = j + 1
    lines = step.flatten(0, 1)
    row = p * step.shape[1] + i
    top = lines[row, j]
    rise = top.abs()
    open_end = torch.zeros_like(p, dtype=torch.bool)
    reach = torch.arange(1, REACH + 1, device=p.device)
    for way in (1, -1):  # follow the edge both ways for as long as it rises
        at = j[:, None] + way * reach
        inside = (at >= 0) & (at < lines.shape[1])
        onward = lines[row[:, None], at.clamp(0, lines.shape[1] - 1)] * top.sign()[:, None]
        rising = ((onward > 0) & inside).cumprod(1)
        rise = rise + (onward * rising).sum(1)
        open_end |= rising[:, -1].bool()
    slope, side = top.abs(), tilt.flatten(0, 1)[row, j]
    straight = slope / (slope.square() + side.square()).sqrt().clamp_min(1e-6)  # width square to the edge, not along the row
    good = (rise > max(RISE, 6 * noise)) & ~open_end
    return (rise * straight / slope / sqrt(2 * pi))[good], slope[good]


def _noise(y: Tensor) -> float:
    """σ of the noise in the calmest tenth of the patches.  Immerkær 1996, with a median for its mean."""
    bend = [1.0, -2.0, 1.0]
    sigma = filter2(y, bend, bend).abs().flatten(1).median(dim=1).values / (0.6745 * 6)
    return float(sigma.quantile(0.1))


def _smooth(y: Tensor, across: float, along: float) -> Tensor:
    down, right = (_gaussian(s) for s in (along, across))
    return filter2(y, down, right) if len(down) + len(right) > 2 else y


def _gaussian(sigma: float) -> list[float]:
    if sigma < 0.3:  # too narrow to change a pixel
        return [1.0]
    r = ceil(3 * sigma)
    taps = [exp(-((i / sigma) ** 2) / 2) for i in range(-r, r + 1)]
    return [t / sum(taps) for t in taps]


def _passed(sigma: float) -> float:
    """The share of white noise's σ that a Gaussian in one dimension lets through."""
    return sqrt(sum(t * t for t in _gaussian(sigma)))
