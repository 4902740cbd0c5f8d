"""Cumulative probability of blur detection."""

from __future__ import annotations

from math import pi, tan

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.canny import canny
from assay.ops.niqe import as_bytes, grey
from assay.types import CannotAssess, Scale, ScoreCard

SIDE = 64  # pixels of a block; Narvekar & Karam 2011, section III
EDGES = 0.002  # a block with a smaller share of edge pixels is smooth and does not count; there too
STEEP = 2.0  # Sobel/8 across, in 8-bit steps, above which a pixel may be an edge; the released CPBD_compute.m
FAINT, WIDTHS = 51, (5, 3)  # below this contrast 5 pixels of width are just noticed as blur, from it on 3; section II
LONGEST = 100  # pixels followed to each side; there
STRIP = 4  # rows of blocks looked at together, so that a large photo needs little memory
ROUND = 1e-12  # equal gradients may differ by this much


@carded(
    ScoreCard(
        name="cpbd",
        version="1",
        takes=("image",),
        scale=Scale(worst=0, best=1, usual=(0.1, 0.6)),
        paper="Narvekar & Karam 2011, doi:10.1109/TIP.2011.2131660",
        min_side=SIDE,
    )
)
def cpbd(x: Tensor) -> Tensor:
    """CPBD: the share of upright edges too narrow for their blur to be noticed; 1 is sharp.

    x: N×C×H×W, sRGB; uint8, or float in [0, 1]; at least 64×64. Colour becomes luminance as in MATLAB's rgb2gray.
    An edge's blur is noticed with probability 1-exp(-(w/w_j)^3.6), w its width in pixels and w_j the just noticed one;
    edges of less than 63 %, which is w ≤ w_j, count as sharp. Canny's edges say which 64×64 blocks have any; widths are
    taken at Sobel's, as in the authors' release. Pixels beyond the last whole block do not count; noise passes for sharp.
    Not differentiable: it counts.
    Returns N scores, 0 to 1.  Raises BadInput, CannotAssess without edges.
    """
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    out = x.dtype if x.is_floating_point() else torch.float32
    return torch.stack([_share(grey(as_bytes(one))) for one in x]).to(out)


def _share(y: Tensor) -> Tensor:
    rows, columns = (n // SIDE for n in y.shape)
    busy = _blocks(canny(y.float())[: rows * SIDE]).sum(-1) > EDGES * SIDE**2
    padded = F.pad(y[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    sharp = edges = torch.zeros((), dtype=torch.int64, device=y.device)
    for first in range(0, rows, STRIP):
        top, stop = first * SIDE, min(first + STRIP, rows) * SIDE
        # two rows more on each side where the picture has them: one for the window, one for the neighbours
        above, below = min(top, 1), min(y.shape[0] - stop, 1)
        strip = padded[top - above : stop + below + 2]
        a, b = _count(y[top:stop], strip, above, below, busy[first * columns : (first + STRIP) * columns])
        sharp, edges = sharp + a, edges + b
    if not int(edges):
        raise CannotAssess("CPBD looks at upright edges, and this image has none.")
    return sharp.double() / edges


def _count(y: Tensor, padded: Tensor, above: int, below: int, busy: Tensor) -> tuple[Tensor, Tensor]:
    """How many edges of the busy blocks of a strip are narrow, and how many there are."""
    found = F.pad(_sobel(padded), (1, 1, 1 - above, 1 - below))  # the picture's own border has no edges
    width = _blocks(_widths(y, padded[above : padded.shape[0] - below]) * found)
    pixels = _blocks(y)
    contrast = pixels.amax(-1) - pixels.amin(-1)
    noticed = torch.where(contrast.floor() < FAINT, *WIDTHS)[..., None]
    counts = (width > 0) & busy[:, None]
    return (counts & (width <= noticed)).sum(), counts.sum()


def _blocks(t: Tensor) -> Tensor:
    """The pixels of every whole block of a row of blocks, blocks × SIDE²."""
    columns = t.shape[1] // SIDE
    return t[:, : columns * SIDE].reshape(-1, SIDE, columns, SIDE).transpose(1, 2).reshape(-1, SIDE**2)


def _sobel(p: Tensor) -> Tensor:
    """MATLAB's edge(y, "sobel", 2, "vertical") for the pixels that have neighbours; p: y with a border of one."""
    down, over = p[:-2] + 2 * p[1:-1] + p[2:], p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:]
    across, along = (down[:, 2:] - down[:, :-2]).abs() / 8, (over[2:] - over[:-2]).abs() / 8
    here, steeper = across[1:-1, 1:-1], across[1:-1, 1:-1] >= along[1:-1, 1:-1] - ROUND
    ridge = steeper & (across[1:-1, :-2] <= here) & (here > across[1:-1, 2:])
    ridge |= (across[:-2, 1:-1] <= here) & (here > across[2:, 1:-1])
    return ridge & (here > STEEP)


def _widths(y: Tensor, padded: Tensor) -> Tensor:
    """Pixels over which the row rises or falls through each pixel; 0 where its gradient is not level within 22.5 degrees."""
    right = padded[1:-1, 2:] - padded[1:-1, :-2]
    level = ((padded[2:, 1:-1] - padded[:-2, 1:-1]).abs() <= tan(pi / 8) * right.abs()) | (right == 0)  # as in the release
    step = F.pad(y.diff(dim=1), (2, 2))  # at i+1: from pixel i-1 to i; beyond the row nothing rises
    up, fall = (_runs(s > 0) for s in (step, -step))
    return torch.where(right >= 0, up, fall) * level


def _runs(on: Tensor) -> Tensor:
    """Steps that are on, from next to each pixel outwards, to the left and to the right; and its own two."""
    at = torch.arange(on.shape[1], dtype=torch.int32, device=on.device)
    left = at - torch.where(on, 0, at).cummax(1).values
    right = (at - torch.where(on.flip(1), 0, at).cummax(1).values).flip(1)
    return left[:, :-3].clamp(max=LONGEST) + right[:, 3:].clamp(max=LONGEST) + 2
