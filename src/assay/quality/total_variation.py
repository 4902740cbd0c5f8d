"""Total variation."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.types import BadInput, Scale, ScoreCard

STRIP = 256  # rows handled at a time, so that a large photo needs little memory

Variant = Literal["mean", "sum"]


@carded(
    ScoreCard(
        name="total_variation",
        version="1",
        takes=("image",),
        differentiable=True,
        scale=Scale(worst=2, best=0, usual=(0.2, 0.02)),
        paper="Rudin, Osher & Fatemi 1992, doi:10.1016/0167-2789(92)90242-F",
        map="total_variation_map",
    )
)
def total_variation(x: Tensor, *, variant: Variant = "mean") -> Tensor:
    """Total variation: how much neighbouring pixels differ; it describes a picture rather than judges it.

    x: N×C×H×W; float in [0, 1], or uint8. Noise raises it and blur lowers it, but so do rich texture and plain subjects.
    Lower counts as better because noise reduction wants it low; compare pictures of one scene only.
    variant: "mean", the mean |difference| to the right neighbour plus that to the one below, so that size does not
        matter; or "sum", all of them added up over pixels and channels, as used for a loss.
    Returns N scores, in units of the pixel range.  Raises BadInput on a wrong shape or range.

    >>> float(total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])))
    1.0
    """
    if variant not in ("mean", "sum"):
        raise BadInput(f'variant must be "mean" or "sum"; got {variant!r}.')
    (x,) = check.images(x=x)
    across, down = _steps(x)
    if variant == "sum":
        return (across + down).to(x)
    c, h, w = x.shape[1:]
    return (across / max(1, c * h * (w - 1)) + down / max(1, c * (h - 1) * w)).to(x)


def total_variation_map(x: Tensor) -> Tensor:
    """How much every pixel differs from its right and lower neighbour, N×H×W, mean over the channels; the "mean" score is its mean."""
    (x,) = check.images(x=x)
    h, w = x.shape[2:]
    across = F.pad(x.diff(dim=3).abs().mean(1), (0, 1)) * (w / max(1, w - 1))
    down = F.pad(x.diff(dim=2).abs().mean(1), (0, 0, 0, 1)) * (h / max(1, h - 1))
    return across + down


def _steps(x: Tensor) -> tuple[Tensor, Tensor]:
    """Σ|difference| to the right and downwards, N each, in float64."""
    across = down = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for y in range(0, x.shape[2], STRIP):
        band = x[:, :, y : y + STRIP + 1]
        across = across + band[:, :, :STRIP].diff(dim=3).abs().sum((1, 2, 3), dtype=torch.float64)
        down = down + band.diff(dim=2).abs().sum((1, 2, 3), dtype=torch.float64)
    return across, down
