"""Gradient magnitude similarity deviation."""

from __future__ import annotations

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.gradients import LUMA, gradient_deviation, gradient_map, means
from assay.types import Scale, ScoreCard

T = 170.0  # Xue 2014, section III-B, for pixels in 0..255
STEP = 2  # Xue 2014: halved first, whatever the size
SIDE = 3  # the deviation needs two values


@carded(
    ScoreCard(
        name="gmsd",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0.5, best=0, usual=(0.2, 0)),
        paper="Xue, Zhang, Mou & Bovik 2014, doi:10.1109/TIP.2013.2293423",
        min_side=SIDE,
        map="gmsd_map",
    )
)
def gmsd(x: Tensor, *, ref: Tensor) -> Tensor:
    """Gradient magnitude similarity deviation: how unevenly edges were damaged.

    x, ref: N×C×H×W, sRGB, at least 3×3; float in [0, 1], or uint8 for 8-bit pixels as they are. On luma, halved.
    Returns N scores, 0 when equal; 0.1 is plain to see. Damage that is the same everywhere counts little.  Raises BadInput.

    >>> import torch
    >>> x = torch.rand(1, 3, 32, 32)
    >>> gmsd(x, ref=x)
    tensor([0.])
    """
    a, b = _prepared(x, ref)
    return gradient_deviation(a, b, operator="prewitt", constant=T)


def gmsd_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity of the edges at every second pixel, N×⌈H/2⌉×⌈W/2⌉; 1 is alike, dark is damaged."""
    a, b = _prepared(x, ref)
    return gradient_map(a, b, operator="prewitt", constant=T)[:, 0]


def _prepared(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    x, ref = check.images(x=x, ref=ref, min_side=SIDE, keep_uint8=True)
    return means(x, STEP, LUMA), means(ref, STEP, LUMA)
