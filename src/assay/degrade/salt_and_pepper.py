"""Salt and pepper."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, dice, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="salt_and_pepper",
        version="1",
        takes=("image",),
        knob="share",
        levels=(0.1, 0.5, 2, 8, 25),
        unit="%",
        paper="textbook: impulse noise",
    )
)
def salt_and_pepper(x: Tensor, *, share: float = 2.0, seed: int = 0) -> Tensor:
    """Dead pixels: some turn white, as many turn black, the rest stay as they are.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    share: of pixels struck, 0..100 %; 0 changes nothing. seed: of the places; those of a low level are among those of a higher.
    Raises BadInput.

    >>> struck = salt_and_pepper(torch.full((1, 1, 100, 100), 0.5), share=10)
    >>> 900 < int((struck != 0.5).sum()) < 1100
    True
    """
    pixels = opened(x)
    half = within("share", share, 0, 100, "%") / 200
    fate = torch.rand(x.shape[2:], generator=dice(seed)).to(x.device)
    return closed(pixels.masked_fill(fate < half, 0).masked_fill(fate > 1 - half, 1), like=x)
