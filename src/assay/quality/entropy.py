"""Entropy of the grey levels."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colour import grey
from assay.types import Scale, ScoreCard

SIDE = 16  # pixels of a block of the map


@carded(
    ScoreCard(
        name="entropy",
        version="1",
        takes=("image",),
        scale=Scale(worst=0, best=8, unit="bit", usual=(4, 7.5)),
        paper="Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x",
        map="entropy_map",
    )
)
def entropy(x: Tensor) -> Tensor:
    """Entropy: how evenly the 256 grey levels are used, in bits; it describes a picture rather than judges it.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8. Colour becomes luminance as in MATLAB's rgb2gray, rounded to 8 bits.
    Higher counts as better because flat, foggy and badly exposed pictures use few levels; but noise raises it too, and a
    good picture of a plain subject has little. Where pixels lie does not matter.
    Not differentiable: it is computed from a histogram of rounded levels.
    Returns N scores, 0 to 8.  Raises BadInput on a wrong shape or range.

    >>> float(entropy(torch.tensor([[[[0, 85], [170, 255]]]], dtype=torch.uint8)))
    2.0
    """
    (x,) = check.images(x=x, keep_uint8=True)
    out = x.dtype if x.is_floating_point() else torch.float32
    return torch.stack([_bits(one.flatten().bincount(minlength=256)) for one in _levels(x)]).to(out)


def entropy_map(x: Tensor) -> Tensor:
    """Entropy within every whole block of 16×16 pixels, N×h×w, in bits, 8 at most; smaller pictures are one block."""
    (x,) = check.images(x=x, keep_uint8=True)
    h, w = (min(SIDE, n) for n in x.shape[2:])
    blocks = _levels(x)[:, 0].unfold(1, h, h).unfold(2, w, w).flatten(3).long()
    shape = blocks.shape[:3]
    apart = blocks.flatten(0, 2) + 256 * torch.arange(shape.numel(), device=x.device)[:, None]
    return _bits(apart.flatten().bincount(minlength=256 * shape.numel()).view(*shape, 256)).float()


def _levels(x: Tensor) -> Tensor:
    """N×1×H×W grey of 8 bits."""
    return grey(x if x.dtype == torch.uint8 else (x.clamp(0, 1) * 255).round().to(torch.uint8))


def _bits(count: Tensor) -> Tensor:
    p = count.double() / count.sum(-1, keepdim=True)
    return -torch.xlogy(p, p).sum(-1) / log(2)
