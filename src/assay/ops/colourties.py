"""How the colours of neighbouring pixels hang together in every small square of a picture: what a change of colours breaks.

A camera file has little colour detail: filling in a mosaic, taking noise out and saving chroma at half size leave red, green and blue
with nearly the same fine steps. Colours changed later give a part other steps in one channel than in another, and gaps or doubles in
the histogram of its values.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

CELL = 16  # pixels: two blocks of JPEG, one of chroma at half size
MOST = 9216  # cells looked at; of larger pictures only a part of every cell is
SCALES = (1, 2, 4)  # pixels averaged to one before steps are taken
BESIDE = 3  # cells: one place is judged with its neighbours
ROWS = 16  # of cells at a time
TINY, DARK = 0.05, 4.0  # grey levels² and grey levels: below, ratios say nothing
SPARSE = 50.0  # pixels of a histogram: below, its shape says nothing
STEPS = tuple(f"{name}, {s}" for s in SCALES for name in ("red steps", "blue steps", "red with green", "blue with green", "green steps"))
COLOURS = ("red", "green", "blue")
NAMES = (*STEPS, "light", *(f"{name} {c}" for name in ("rough", "missing") for c in COLOURS), "redness", "blueness")
LOOK = len(NAMES) - 2  # of them; what colour a place has is no trace of anything, and only explains the others
SPREAD = 0.05  # of every statistic over a picture, at least
EXPLAINED = tuple(5 * i + j for i in range(len(SCALES)) for j in (0, 1))  # places in NAMES of steps that the colour explains in part
INPUTS = 2 * LOOK + len(EXPLAINED)
TURNS = 5  # of the robust fit


def ties(rgb: Tensor) -> tuple[Tensor, int]:
    """NAMES of every square, P×h×w, and the side of the squares in pixels. rgb: 3×H×W, uint8 or float in [0, 1], CELL×CELL at least.

    Squares are CELL wide, or larger by a whole factor where there would be more than MOST; then only CELL×CELL of each is looked at.
    A rest of less than one square at the right and lower edge is not looked at.
    """
    height, width = rgb.shape[1:]
    times = max(1, -int(-((height * width / MOST) ** 0.5) // CELL))
    while min(height, width) < times * CELL:
        times -= 1
    side = CELL * times
    whole = rgb[:, : height // side * side, : width // side * side]
    moments, histograms = (torch.cat(p, 1) for p in zip(*_parts(whole, side, (times - 1) // 2 * CELL), strict=True))
    return _told(_beside(moments), _beside(histograms)), side


def _parts(rgb: Tensor, side: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Row by row of squares: moments, and histograms of the three channels."""
    cells = rgb[:, start:, start:].unfold(1, CELL, side).unfold(2, CELL, side)  # 3×h×w×CELL×CELL
    for top in range(0, cells.shape[1], ROWS):
        part = cells[:, top : top + ROWS].contiguous()
        part = part.float() * 255 if part.is_floating_point() else part.float()
        yield _moments(part), _histograms(part)


def _moments(x: Tensor) -> Tensor:
    """Of second differences across and down, at each scale, means of rr, gg, bb, rg, bg; and the means of the channels. 3×h×w×n×n."""
    out = []
    small = x
    for s in SCALES:
        if s > 1:
            small = (small[..., ::2] + small[..., 1::2]) / 2
            small = (small[..., ::2, :] + small[..., 1::2, :]) / 2
        across = 2 * small[..., 1:-1] - small[..., 2:] - small[..., :-2]
        down = 2 * small[..., 1:-1, :] - small[..., 2:, :] - small[..., :-2, :]
        d = torch.cat([across.flatten(3), down.flatten(3)], -1)
        r, g, b = d
        out += [(p * q).mean(-1) for p, q in ((r, r), (g, g), (b, b), (r, g), (b, g))]
    return torch.stack([*out, *x.mean((-1, -2))])


def _histograms(x: Tensor) -> Tensor:
    """Of the values in every cell: 768×h×w."""
    c, h, w = x.shape[:3]
    values = x.round().long().reshape(c * h * w, -1) + 256 * torch.arange(c * h * w)[:, None]
    counts = torch.bincount(values.flatten(), minlength=256 * c * h * w).reshape(c, h, w, 256)
    return counts.permute(0, 3, 1, 2).reshape(c * 256, h, w).float()


def _beside(x: Tensor) -> Tensor:
    """The mean over BESIDE×BESIDE squares."""
    return avg_pool2d(x[None], BESIDE, 1, BESIDE // 2, count_include_pad=False)[0]


def _told(moments: Tensor, histograms: Tensor) -> Tensor:
    out = []
    for i in range(len(SCALES)):
        rr, gg, bb, rg, bg = moments[5 * i : 5 * i + 5]
        rr, gg, bb = rr + TINY, gg + TINY, bb + TINY
        out += [(rr / gg).log() / 2, (bb / gg).log() / 2, rg / (rr * gg).sqrt(), bg / (bb * gg).sqrt(), gg.log()]
    r, g, b = moments[-3:] + DARK
    return torch.stack([*out, g / 255, *_combs(histograms), (r / g).log(), (b / g).log()])


def _combs(histograms: Tensor) -> Tensor:
    """How rough the histogram of each channel is against what chance makes, as logarithms, and the share of values that gaps lack."""
    h = histograms.reshape(3, 256, *histograms.shape[1:]) * BESIDE**2
    near = (h[:, :-4] + h[:, 1:-3] + h[:, 3:-1] + h[:, 4:]) / 4
    here = h[:, 2:-2]
    chance = 1.25 * here.sum(1)  # a variable of Poisson less the mean of four: 1¼ variances
    rough = ((here - near).square().sum(1) + SPARSE) / (chance + SPARSE)
    missing = (near * (here == 0)).sum(1) / (near.sum(1) + SPARSE)
    return torch.cat([rough.log(), missing])


def beside_the_rest(told: Tensor) -> Tensor:
    """INPUTS×h×w: the statistics, how far each lies from the picture's median in robust deviations, and how far steps lie from what
    the colour of the place lets expect in this picture."""
    flat = told.flatten(1)
    look = flat[:LOOK]
    middle = look.median(1).values[:, None]
    spread = 1.4826 * (look - middle).abs().median(1).values[:, None] + SPREAD
    odd = ((look - middle) / spread).clamp(-8, 8)
    return torch.cat([look, odd, _unexplained(flat)]).reshape(INPUTS, *told.shape[1:])


def _unexplained(flat: Tensor) -> Tensor:
    """Red and blue steps less a robust line in the colour of the place, in robust deviations: a camera has one rule for all."""
    n = flat.shape[1]
    colour = torch.stack([torch.ones(n), flat[-2], flat[-1]]).double()  # 3×n
    y = flat[list(EXPLAINED)].double()
    clear = (flat[[i // 5 * 5 + 4 for i in EXPLAINED]] > 0).double() + 1e-3  # elsewhere there are no steps but those of rounding
    weight, gap, scale = clear, y, torch.ones(len(y), 1)
    for _ in range(TURNS):
        a = (colour * weight[:, None]) @ colour.T + 1e-6 * n * torch.eye(3)
        line = torch.linalg.solve(a, (weight * y) @ colour.T)
        gap = y - line @ colour
        scale = 1.4826 * gap.abs().median(1, keepdim=True).values + 0.02
        weight = clear / (1 + (gap / (2 * scale)).square())
    return (gap / scale).clamp(-15, 15).float()
