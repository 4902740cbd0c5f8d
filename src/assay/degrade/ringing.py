"""Ringing."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, opened, within
from assay.types import AlterCard


@carded(
    AlterCard(
        name="ringing",
        version="1",
        takes=("image",),
        knob="cutoff",
        levels=(75, 50, 35, 25, 15),
        unit="% of Nyquist",
        paper="textbook: the Gibbs phenomenon of an ideal (sinc) low-pass",
    )
)
def ringing(x: Tensor, *, cutoff: float = 35.0) -> Tensor:
    """Echoes beside every edge: all frequencies above a limit are cut off at once, across and down (sinc filter).

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    cutoff: highest frequency kept, 1..100 % of Nyquist's; 100 changes nothing. The edges are mirrors.
    Raises BadInput.

    >>> edge = torch.tensor([0.2] * 16 + [0.6] * 16).expand(1, 1, 32, 32)
    >>> ringing(edge, cutoff=25).max() > 0.63
    tensor(True)
    """
    pixels = opened(x)
    if within("cutoff", cutoff, 1, 100, "%") < 100:
        pixels = limited(limited(pixels, cutoff / 100).mT, cutoff / 100).mT
    return closed(pixels, like=x)


def limited(x: Tensor, share: float) -> Tensor:
    """Rows without the frequencies above `share` of Nyquist's; plane by plane, each row followed by its mirror image."""
    w = x.shape[-1]
    kept = (torch.arange(w + 1, device=x.device) <= share * w).to(x.dtype)
    planes = x.flatten(0, 1)
    lows = [torch.fft.irfft(torch.fft.rfft(torch.cat([p, p.flip(-1)], dim=-1)) * kept, 2 * w)[..., :w] for p in planes]
    return torch.stack(lows).view_as(x)
