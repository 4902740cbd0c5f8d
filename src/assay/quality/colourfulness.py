"""Colourfulness."""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.photo import steps, strips
from assay.types import Scale, ScoreCard


@carded(
    ScoreCard(
        name="colourfulness",
        version="1",
        takes=("image",),
        scale=Scale(worst=0, best=inf, usual=(0, 59)),  # 59: "quite colourful" to the viewers of the paper
        paper="Hasler & Süsstrunk 2003, doi:10.1117/12.477378",
    )
)
def colourfulness(x: Tensor) -> Tensor:
    """Colourfulness: how strong and how varied the colours are; 0 is grey, 15 slightly, 45 fairly, 82 highly colourful.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8.
    Not differentiable: pixels are rounded to 1/64 of an 8-bit step.
    Returns N scores: M3 of the paper, √(σ² of red-green + σ² of yellow-blue) + 0.3 √(their squared means), in
    8-bit steps. More is not always better: black-and-white is a choice.

    >>> colourfulness(torch.rand(1, 1, 8, 8))
    tensor([0.])
    """
    (x,) = check.images(x=x, keep_uint8=True)
    if x.shape[1] == 1:
        return torch.zeros(len(x), device=x.device)
    return torch.stack([_m3(one) for one in x]).float()


def _m3(x: Tensor) -> Tensor:
    pixels = x.shape[1] * x.shape[2]
    first = torch.zeros(2, dtype=torch.float64, device=x.device)
    second = torch.zeros_like(first)
    for strip in strips(x):
        r, g, b = steps(strip)
        for i, opponent in enumerate((r - g, (r + g).mul_(0.5).sub_(b))):
            first[i] += opponent.sum(dtype=torch.float64)
            second[i] += opponent.square_().sum(dtype=torch.float64)
    mean = first / pixels
    variance = (second / pixels - mean.square()).clamp_min(0)
    return variance.sum().sqrt() + 0.3 * mean.square().sum().sqrt()  # Hasler & Süsstrunk 2003, section 6
