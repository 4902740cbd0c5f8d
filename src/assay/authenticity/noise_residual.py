"""Noise residual: what is left of a picture when its content is smoothed away."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from assay.catalog import carded
from assay.ops.dct import luma8
from assay.types import Evidence, EvidenceCard, Finding, Picture

LONG_SIDE = 2048  # of the map, pixels
STRIP = 256  # rows at a time, times the reduction
WHITE = 0.98  # this share of the map is darker than white: grain shows, edges may clip
MOST = 50.0  # amplification at most


@carded(
    EvidenceCard(
        name="noise_residual",
        version="1",
        takes=("file",),
        paper="Mahdian & Saic 2009, doi:10.1016/j.imavis.2009.02.001 (noise inconsistencies); 3×3 median, Tukey 1977",
        caveat="Texture looks like noise; focus, exposure and noise reduction differ within one honest photograph.",
    )
)
def noise_residual(picture: Picture) -> Finding:
    """A picture of the grain: what a 3×3 median takes away. Pasted or retouched parts may be smoother. To look at only.

    picture: luma of its pixels as stored; map: h×w in [0, 1], the absolute residual, brightened so that its top 2 %
    is white (50-fold at most). Pictures with a side over 2048 are reduced by a whole factor, as root mean square.
    data: level (root mean square of the residual, in grey levels of 255), amplification, reduced_by.
    """
    luma = luma8(picture.stored()).cpu()
    reduce = -(-max(luma.shape) // LONG_SIDE)
    step = STRIP * reduce
    strips = [_shrink(_energy(luma, top, top + step), reduce) for top in range(0, luma.shape[0], step)]
    grain = torch.cat(strips).sqrt_()
    level = float(grain.double().square().mean().sqrt())
    bright = float(np.quantile(grain.numpy(), WHITE)) / 255
    gain = MOST if bright * MOST <= 1 else 1 / bright
    return Finding(
        map=grain.mul_(gain / 255).clamp_(0, 1),
        map_says=(
            "Brightness is how much fine grain each place holds. Within one exposure, surfaces of one brightness should carry like "
            "grain; smooth or coarse islands may be retouched or pasted. A picture to look at, never a verdict."
        ),
        evidence=(Evidence(f"Noise residual drawn (on average {level:.1f} grey levels): a picture to look at, not a verdict."),),
        data={"level": round(level, 3), "amplification": round(gain, 2), "reduced_by": reduce},
    )


def _energy(luma: Tensor, top: int, bottom: int) -> Tensor:
    """Squared difference to the 3×3 median of the rows top..bottom, with the border repeated outward."""
    rows = torch.arange(top - 1, min(bottom, luma.shape[0]) + 1).clamp_(0, luma.shape[0] - 1)
    around = torch.cat([luma[rows, :1], luma[rows], luma[rows, -1:]], dim=1)
    return (around[1:-1, 1:-1].float() - _median9(around).float()).square_()


def _median9(x: Tensor) -> Tensor:
    """The median of every 3×3 window: of the largest low, the middle middle and the smallest high of its sorted columns."""
    low, middle, high = _sort3(x[:-2], x[1:-1], x[2:])
    columns = (slice(None, -2), slice(1, -1), slice(2, None))
    lows, middles, highs = ([t[:, c] for c in columns] for t in (low, middle, high))
    at_most = torch.maximum(torch.maximum(lows[0], lows[1]), lows[2])
    at_least = torch.minimum(torch.minimum(highs[0], highs[1]), highs[2])
    return _sort3(at_most, _sort3(*middles)[1], at_least)[1]


def _sort3(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    a, b = torch.minimum(a, b), torch.maximum(a, b)
    b, c = torch.minimum(b, c), torch.maximum(b, c)
    return torch.minimum(a, b), torch.maximum(a, b), c


def _shrink(x: Tensor, by: int) -> Tensor:
    return avg_pool2d(x[None, None], by, ceil_mode=True, count_include_pad=False)[0, 0] if by > 1 else x
