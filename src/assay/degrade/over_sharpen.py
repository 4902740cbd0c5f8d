"""Over-sharpening."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import blurred, closed, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="over_sharpen",
        version="1",
        takes=("image",),
        knob="amount",
        levels=(0.5, 1, 2, 4, 8),
        unit="×",
        paper="textbook: the unsharp mask",
    )
)
def over_sharpen(x: Tensor, *, amount: float = 2.0, radius: float = 1.5) -> Tensor:
    """Sharpened too much: bright and dark halos along edges, gritty texture (unsharp mask).

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    amount: how many times the lost detail is added again, 0..100; 0 changes nothing.
    radius: standard deviation of the Gaussian that tells detail from the rest, 0.3..32 px.
    Raises BadInput.

    >>> import torch
    >>> edge = torch.tensor([0.2, 0.2, 0.2, 0.6, 0.6, 0.6]).expand(1, 1, 6, 6)
    >>> out = over_sharpen(edge, amount=1)
    >>> bool(out.min() < 0.2), bool(out.max() > 0.6)
    (True, True)
    """
    pixels = opened(x)
    within("amount", amount, 0, 100)
    within("radius", radius, 0.3, 32, "px")
    return closed(pixels + amount * (pixels - blurred(pixels, radius)), like=x)
