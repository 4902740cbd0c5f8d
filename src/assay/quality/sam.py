"""Spectral angle."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colourspaces import power, strips
from assay.ops.pairs import angles
from assay.types import BadInput, CannotAssess, Scale, ScoreCard


@carded(
    ScoreCard(
        name="sam",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=pi / 2, best=0, unit="rad", usual=(0.2, 0)),
        paper="Kruse, Lefkoff, Boardman et al. 1993, doi:10.1016/0034-4257(93)90013-N",
        map="sam_map",
    )
)
def sam(x: Tensor, *, ref: Tensor) -> Tensor:
    """Spectral angle: how far hues and saturations moved, whatever the brightness.

    x, ref: N×3×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are.
    Returns N mean angles between the colours of a pixel, in radians; 0 when equal. Black has no direction: pixels that are
    black in either picture are left out.  Raises BadInput, or CannotAssess where no pixel is left.

    >>> red, yellow = torch.tensor([1.0, 0, 0]), torch.tensor([1.0, 1, 0])
    >>> sam(yellow.view(1, 3, 1, 1), ref=red.view(1, 3, 1, 1))
    tensor([0.7854])
    """
    x, ref = _checked(x, ref)
    total, count = angles(x, ref) or _total(x, ref)
    if not bool(count.all()):
        raise CannotAssess("Every pixel is black in x or ref, and black has no spectral angle.")
    return (total / count).to(torch.float32 if x.dtype == torch.uint8 else x.dtype)


def _total(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    """The definition: the sum of the angles where neither colour is black, and how many those are."""
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    count = torch.zeros_like(total)
    for a, b in strips(x, ref):
        angle, seen = _angles(a, b)
        total = total + angle.double().sum((1, 2))
        count += seen.sum((1, 2))
    return total, count


def sam_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """The angle of every pixel in radians, N×H×W; 0 is the same hue and saturation, or black. The score leaves black out."""
    return torch.cat([_angles(a, b)[0] for a, b in strips(*_checked(x, ref))], dim=1)


def _checked(x: Tensor, ref: Tensor) -> tuple[Tensor, ...]:
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    if x.shape[1] != 3:
        raise BadInput("x and ref must have three channels: grey has no spectral angle.")
    return x, ref


def _angles(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The angle at every pixel, N×H×W, 0 where either is black; and where neither is."""
    a, b = (t / 255 if t.dtype == torch.uint8 else t for t in (a, b))
    seen = (a > 0).any(1) & (b > 0).any(1)
    cross = power(torch.linalg.cross(a, b, dim=1).square().sum(1), 0.5)  # sharper than arccos where colours are close
    return torch.atan2(cross, torch.where(seen, (a * b).sum(1), 1)) * seen, seen
