"""Neighbouring pixel relationships: the marks that enlarging by a whole factor leaves between neighbours."""

from __future__ import annotations

from functools import cache
from math import exp
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from assay.catalog import carded
from assay.nets.imagenet import standardised
from assay.nets.npr import NPR, mean_over_cells, residual
from assay.ops import photo
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, MissingWeights, Picture
from assay.weights import others

SIDE = 32  # pixels at least: every step of a row meets its like four times
LONG_SIDE = 2048  # of the map, pixels
CROP, MOST = 224, 1 << 20  # the release is trained on crops of 224; at most so many pixels are judged
CELLS = (2, 3)  # the factors of enlarging that are looked for; 4 and 8 show as 2
WHITE = 0.99  # this share of the map is darker than white
CAVEAT = (
    "An honest photograph enlarged by pixel repetition leaves the same marks; any later resize removes them, and strong JPEG hides them."
)


@carded(
    EvidenceCard(
        name="npr",
        version="1",
        takes=("file",),
        paper="Tan et al. 2024 (NPR), arXiv:2312.10461",
        caveat=CAVEAT,
    )
)
def npr(picture: Picture, *, file: str = "") -> Finding:
    """Marks of enlarging: are steps inside 2×2 or 3×3 cells smaller than steps between cells? And a picture of these steps.

    picture: its pixels as stored. file: parameters of the paper's net, NPR.pth of github.com/chuangchuangtan/NPR-DeepfakeDetection (no
    licence is stated, so none ship) or others of the same names; without, only the steps are measured.
    map: h×w in [0, 1], NPR's residual: each pixel less the first of its 2×2 cell, absolute, the largest of the colours. Pictures with a
    side over 2048 are averaged down by a whole factor.
    data: statistic (the logarithm of steps between cells over steps inside, for the clearest factor; 0 is none), factor, and with
    parameters logit (the net's, mean over the four places where cells may begin; larger says "generated").
    Raises CannotAssess under 32 pixels a side and where a picture is flat; BadInput for a file that does not fit.
    """
    stored = picture.stored()
    pixels = stored if len(stored) in (1, 3) else picture.pixels
    if min(pixels.shape[1:]) < SIDE:
        raise CannotAssess(f"steps between neighbours are counted in pictures of at least {SIDE} pixels a side.")
    luma = photo.luma(pixels)
    steps = [between(luma, axis) for axis in (1, 0)]
    marks = {cell: max(periodic(s, cell) for s in steps) for cell in CELLS}
    factor = max(marks, key=lambda cell: marks[cell])
    data: dict[str, object] = {"statistic": round(marks[factor], 4), "factor": factor}
    more = 100 * (exp(marks[factor]) - 1)
    says = f"Steps between neighbouring pixels come in cells of {factor}: those between cells are {more:.0f} % larger."
    evidence = [Evidence(says, caveat=CAVEAT)]
    if file:
        logit = _judged(load(Path(file)), pixels)
        data["logit"] = round(logit, 4)
        evidence.append(
            Evidence(f"The net of NPR says {logit:+.2f}; it calls a picture generated above 0.", caveat="It errs often on JPEG.")
        )
    return Finding(
        map=_drawn(pixels),
        map_says="Brightness is the step from the first pixel of each 2×2 cell; a regular weave is a mark of enlarging.",
        evidence=tuple(evidence),
        data=data,
    )


def between(luma: Tensor, axis: int) -> Tensor:
    """The mean size of the step from each column (axis 1) or row (0) of an H×W picture to the next, float64."""
    n = luma.shape[axis] - 1
    return (luma.narrow(axis, 1, n) - luma.narrow(axis, 0, n)).abs_().mean(1 - axis).double()


def periodic(steps: Tensor, cell: int) -> float:
    """How much larger steps between cells are than inside them: a logarithm, for the best place of the cells.

    steps: of `between`, in 8-bit steps. JPEG makes one step in eight stand out and lifts steps by their distance to it: for cells of 2
    each step is held against the mean of its two neighbours, and steps within two of the most prominent one of eight do not count.
    """
    period = 8 if cell == 2 else cell
    whole = len(steps) // period * period
    mean = steps[:whole].reshape(-1, period).mean(0)
    if float(mean.max()) < 1e-3:
        raise CannotAssess("the picture is flat: there are no steps between neighbouring pixels.")
    level = (mean + 0.02).log()
    if cell == 3:
        rest = (level.sum() - level) / 2
        return max(0.0, float((level - rest).max()))
    level = level.roll(-int(level.argmax()))  # the most prominent one first
    bend = (level - (level.roll(1) + level.roll(-1)) / 2)[2:7]
    return abs(float((bend[0] + bend[2] + bend[4]) / 3 - (bend[1] + bend[3]) / 2)) / 2


def _drawn(pixels: Tensor) -> Tensor:
    even = pixels[:, : pixels.shape[1] // 2 * 2, : pixels.shape[2] // 2 * 2]
    reduce = -(-max(even.shape[1:]) // LONG_SIDE)
    strips = []
    for strip in photo.strips(even, multiple=2 * reduce):
        step = residual(strip.short() if strip.dtype == torch.uint8 else photo.steps(strip)).abs_().amax(0).float()
        strips.append(avg_pool2d(step[None], reduce, ceil_mode=True)[0] if reduce > 1 else step)
    seen = torch.cat(strips)
    bright = float(seen.flatten()[:: max(1, seen.numel() >> 18)].quantile(WHITE))
    return (seen / max(bright, 1.0)).clamp_(0, 1)


@torch.no_grad()
def _judged(net: NPR, pixels: Tensor) -> float:
    """The mean logit over crops, or over the whole of a picture smaller than a crop."""
    side = min(CROP, *pixels.shape[1:])
    crops = photo.patches(pixels, side=side, most=MOST)
    x = photo.steps(crops).expand(-1, 3, -1, -1) / 255
    return float(torch.cat([mean_over_cells(net, standardised(part)) for part in torch.split(x, 4)]).mean())


@cache
def load(path: Path) -> NPR:
    """The net with the parameters of a file: a plain state dict, or a training script's under "model"."""
    if not path.is_file():
        raise MissingWeights(f"there is no file {path}; give the path of NPR.pth.")
    return others.filled(NPR(), others.tensors(path), path, "NPR's net")
