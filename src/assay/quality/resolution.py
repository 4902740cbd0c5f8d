"""Resolution: how much of the pixel grid carries detail."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.photo import luma, patches
from assay.types import CannotAssess, Scale, ScoreCard

SIDE = 128  # pixels of a patch: the spectrum has 64 steps up to Nyquist
FALL = 1.2  # natural images fall about as 1/f to 1/f² in power; Field 1987. Within one octave the choice hardly matters
DROP = 0.7  # decades of power: this far below the octave beneath, detail has ended
OCTAVE = (0.4, 0.7)  # of a frequency: what it is compared with
LOWEST = 10  # of 64: below, no octave is left to compare with
KNEE = 1.2  # the drop is seen before the end; measured: 0.83 of the true end for bicubic and Lanczos, ×1.5 to ×3
FLOOR = 0.1  # squared 8-bit steps: at or below the power of rounding to 8 bits, 1/12


@carded(
    ScoreCard(
        name="resolution",
        version="1",
        takes=("image",),
        min_side=SIDE,
        scale=Scale(worst=0, best=100, unit="% of Nyquist", usual=(40, 95)),
        paper="after Field 1987, doi:10.1364/JOSAA.4.002379",
    )
)
def resolution(x: Tensor) -> Tensor:
    """Resolution: the share of the pixel grid, in each direction, that carries real detail; an image enlarged twice has 50 %.

    x: N×C×H×W, sRGB; float in [0, 1], or uint8; 128 pixels at least.
    Not differentiable: the end of the spectrum is found by a threshold.
    Returns N scores in %: the frequency above which the spectrum stays 5 times below the octave beneath it (both
    corrected for the natural fall), over the Nyquist frequency; geometric mean of both directions, in the quarter
    of the picture with the most detail. Megapixels × (score/100)² are the megapixels really used. Blur lowers it
    too. Noise added after an enlargement fills the empty frequencies and hides it. Raises CannotAssess where
    nothing has detail.

    >>> resolution(torch.rand(1, 1, 128, 128))
    tensor([100.])
    """
    (x,) = check.images(x=x, keep_uint8=True, min_side=SIDE)
    return torch.stack([_used(one) for one in x])


def _used(x: Tensor) -> Tensor:
    y = luma(patches(x, side=SIDE))
    y = y - y.mean(dim=(1, 2), keepdim=True)
    window = torch.hann_window(SIDE, device=y.device)
    ends = []
    for turned in (y, y.mT):
        power = torch.fft.rfft(turned * window, dim=2).abs().square_().mean(dim=1) / window.square().sum()
        detail = power[:, 4:].clamp_min(FLOOR / 10).log10()
        best = detail.mean(dim=1).topk(max(1, len(power) // 4)).indices
        if float(power[best, 4:LOWEST].mean()) <= FLOOR:
            raise CannotAssess("resolution shows in fine detail, and this image is flat.")
        ends.append(_end(detail[best].mean(dim=0)))
    return (ends[0] * ends[1]).sqrt() * 100


def _end(detail: Tensor) -> Tensor:
    """The share of Nyquist where detail ends, from log10 of the power at the frequencies 4/64 to 64/64."""
    f = torch.arange(4, SIDE // 2 + 1, device=detail.device) / (SIDE // 2)
    even = detail + FALL * f.log10()
    octave = (f >= OCTAVE[0] * f[:, None]) & (f <= OCTAVE[1] * f[:, None])
    beneath = (octave * even).sum(1) / octave.sum(1).clamp_min(1)
    highest_above = even.flip(0).cummax(0).values.flip(0)
    ended = (highest_above < beneath - DROP) & (f >= LOWEST / (SIDE // 2))
    first = torch.where(ended, f, 1.0).min()
    return (first * KNEE).clamp_max(1)
