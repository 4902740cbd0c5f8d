"""Grey in 8-bit units, as most full-reference metrics of the literature start from it."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import kernels
from assay.ops.colour import LUMA
from assay.ops.gradients import means
from assay.ops.shared import shared


@shared
def levels(x: Tensor, rounded: bool = False) -> Tensor:
    """N×C×H×W, uint8 or float in [0, 1], to N×1×H×W grey in 0..255, floating.

    rounded: to whole numbers, as MATLAB's rgb2gray does with 8-bit pictures. The gradient is then 0.
    """
    if kernels.can(x, dtypes=(torch.uint8, torch.float32)):
        y = means(x, 1, (LUMA,))
        return (y + 0.5).floor() if rounded else y
    scale = 1 if x.dtype == torch.uint8 else 255
    x = x.float() if x.dtype == torch.uint8 else x
    if x.shape[1] == 3:
        r, g, b = (scale * w for w in LUMA)
        x = torch.add(torch.add(r * x[:, :1], x[:, 1:2], alpha=g), x[:, 2:], alpha=b)
    else:
        x = scale * x
    return (x + 0.5).floor() if rounded else x


def flat(ref: Tensor) -> Tensor:
    """Which of N pictures are one single value per channel: those hold nothing that could be lost."""
    return (ref.flatten(2).amax(2) == ref.flatten(2).amin(2)).all(1)
