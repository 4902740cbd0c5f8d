"""Low resolution."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

from assay.catalog import carded
from assay.ops.degrading import closed, opened, within
from assay.types import AlterCard, BadInput


@carded(
    AlterCard(
        name="downscale",
        version="1",
        takes=("image",),
        knob="factor",
        levels=(1.5, 2, 3, 4, 8),
        unit="×",
        paper="textbook",
    )
)
def downscale(x: Tensor, *, factor: float = 2.0, kernel: str = "bicubic") -> Tensor:
    """Made smaller and enlarged again: what a thumbnail looks like at full size.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    factor: how many times smaller along each side, 1..64 (sides are rounded, and never under 1 px); 1 changes nothing.
    kernel: "bicubic", "bilinear" (both antialiased on the way down), or "nearest" (jagged, with false patterns).
    Raises BadInput.

    >>> import torch
    >>> downscale(torch.eye(4)[None, None], factor=4, kernel="nearest").unique().numel()
    1
    """
    pixels = opened(x)
    if kernel not in ("bicubic", "bilinear", "nearest"):
        raise BadInput(f"kernel must be bicubic, bilinear or nearest; got {kernel}.")
    within("factor", factor, 1, 64)
    full = x.shape[2:]
    small = [max(1, round(side / factor)) for side in full]
    if small == list(full):
        return closed(pixels, like=x)
    if kernel == "nearest":
        return closed(interpolate(interpolate(pixels, small, mode="nearest-exact"), full, mode="nearest-exact"), like=x)
    return closed(interpolate(interpolate(pixels, small, mode=kernel, antialias=True), full, mode=kernel), like=x)
