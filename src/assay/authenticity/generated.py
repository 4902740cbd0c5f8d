"""A learned detector of generated pictures, trained on photographs and what decoders make of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from assay.catalog import carded
from assay.nets.generated import MODEL, SIDE, Generated, adapted
from assay.ops import photo
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

CROPS = 16  # at most or so, of the picture as it is; a reduced view has fewer
BATCH = 6  # crops at a time, so that memory stays small
VIEWS = (1.0,)  # sizes at which the picture is looked at
DULL = 0.25  # 8-bit steps: a crop whose neighbours differ less on average carries no trace to judge
CELLS = 3  # of the map for each crop, down and across
LARGE = 2.0  # statistic that clean photographs do not exceed: docs/generated.md
CAVEAT = (
    "Strong compression and reduction hide what it looks for; photographs that passed through a learned codec, an enlarger or a beauty "
    "filter carry the same traces, and generators whose pictures were reduced may carry none."
)


@carded(
    EvidenceCard(
        name="generated-assay",
        version="1",
        takes=("file",),
        paper="own; after Rajan et al. 2024 (aligned reconstructions), arXiv:2410.11835, and Tan et al. 2024 (NPR), arXiv:2312.10461",
        weights=(MODEL,),
        caveat=CAVEAT,
    )
)
def generated_assay(picture: Picture, *, head: str = "") -> Finding:
    """Traces of a learned decoder, such as generators of pictures end with: how strong they are, and where.

    picture: its pixels as stored, at least 96 a side. Crops of 96×96, evenly spread, 20 at most, are judged one by one.
    head: a file of `assay train authenticity`, whose last layer then judges, with 410 numbers of the picture's fine detail beside it.
    A hint then begins where 1 in 100 of the authentic pictures that it was made with lies, each judged without itself.
    data: statistic (the mean of the middle half of the crops' logits, and with a head what fine detail adds; larger speaks for
    "generated"; a rank, no probability), crops, spread (between the crops' quartiles).
    map: 3×3 places for each crop, logits; they lie as the crops do, evenly over the picture.
    Raises CannotAssess for pictures under 96 pixels a side, and flat ones; BadInput for a head that is none.
    """
    stored = picture.stored()
    pixels = stored if len(stored) in (1, 3) else picture.pixels
    if min(pixels.shape[1:]) < SIDE:
        raise CannotAssess(f"traces of decoders are looked for in crops of {SIDE}×{SIDE} pixels; the picture is smaller.")
    net, detail = adapted(head)
    seen = [_crops(net, view) for view in views(pixels)]
    logits = torch.cat([places.mean((2, 3))[good] for places, good in seen])
    if not len(logits):
        raise CannotAssess("the picture is flat: there is no fine detail that could carry traces of a decoder.")
    statistic = _middle(logits) + (0.0 if detail is None else detail.logit(pixels))
    low, high = logits.quantile(torch.tensor([0.25, 0.75])).tolist()
    return Finding(
        map=_laid(seen[0][0]),
        map_says="Logits of the net: bright places carry more of what decoders leave. Neighbouring places share pixels.",
        evidence=(_said(statistic, len(logits), LARGE if detail is None else float(detail.limit)),),
        data={"statistic": round(statistic, 4), "crops": len(logits), "spread": round(high - low, 4)},
    )


def views(pixels: Tensor) -> list[Tensor]:
    """The picture at the sizes at which it is looked at, as far as they are large enough."""
    height, width = pixels.shape[1:]
    sizes = [(round(height * s), round(width * s)) for s in VIEWS if s == 1 or min(height, width) * s >= SIDE]
    return [pixels if size == (height, width) else _reduced(pixels, size) for size in sizes]


def _reduced(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    x = interpolate(photo.steps(pixels)[None], size, mode="bicubic", antialias=True, align_corners=False)[0]
    return x.round_().clamp_(0, 255).to(torch.uint8)


@torch.no_grad()
def _crops(net: Generated, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of each crop's places, rows×columns×h×w, and whether the crop has detail enough, rows×columns."""
    rows, columns = photo.grid(*pixels.shape[1:], side=SIDE, most=CROPS * SIDE**2)
    crops = photo.patches(pixels, side=SIDE, most=CROPS * SIDE**2)
    places, good = [], []
    for part in torch.split(crops, BATCH):
        x = photo.steps(part)
        good.append((x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3)) > DULL)
        places.append(net(x.expand(-1, 3, -1, -1) / 255).places)
    laid = torch.cat(places)
    return laid.view(rows, columns, *laid.shape[1:]), torch.cat(good).view(rows, columns)


def _middle(logits: Tensor) -> float:
    """The mean of the middle half: one odd crop says nothing of the picture."""
    ordered = logits.sort().values
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def _laid(places: Tensor) -> Tensor:
    """rows×columns×h×w → one map."""
    small = adaptive_avg_pool2d(places, CELLS)
    return small.transpose(1, 2).reshape(small.shape[0] * CELLS, small.shape[1] * CELLS)


def _said(statistic: float, crops: int, limit: float) -> Evidence:
    where = f"{crops} crop{'s' * (crops != 1)} of 96×96 pixels"
    if statistic > limit:
        says = (
            f"The fine detail of {where} is like that of pictures that a learned decoder made (logit {statistic:+.2f}, above {limit:+.2f})."
        )
        return Evidence(says, points_to="generated", weight="hint", caveat=CAVEAT)
    says = f"No clear trace of a learned decoder in {where} (logit {statistic:+.2f}; a hint begins at {limit:+.2f}); this clears nothing."
    return Evidence(says, caveat=CAVEAT)
