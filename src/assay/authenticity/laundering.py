"""Laundering: a photograph that only passed through an image model's codec is told from what such a model invented."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assay.catalog import carded
from assay.nets.efficientnet import EfficientNetB4
from assay.nets.imagenet import standardised
from assay.ops import photo
from assay.types import BadInput, Evidence, EvidenceCard, Finding, Picture, Weights
from assay.weights import others

SYNTHETIC, LAUNDERED = (
    Weights(file=file, sha256="unpublished", license="MIT", url=f"https://www.dropbox.com/scl/fi/{at}&dl=1")
    for file, at in (
        ("synth_vs_real.pth", "na1nff3ehp4kz98n1vtdj/synth_vs_real.pth?rlkey=3k4336bs5uqasr75jwz3666di"),
        ("fully-synth_vs_laundered.pth", "bzg6e6bgqmetfbokb2ve5/fully-synth_vs_laundered.pth?rlkey=443zd7j11jqavhgb381fiiknj"),
    )
)
INSTEAD = "generated-assay"
SIDE, LEAST, SEED = 96, 256, 21  # pixels of a crop; of the shorter side, else the picture is enlarged; as released
BATCH = 16  # crops at a time, so that memory stays small
CAVEAT = (
    "Strong compression and reduction hide what it looks for. A photograph that an image model changed is neither of the three. Its zero "
    "depends on how many crops count, and is not calibrated."
)


@carded(
    EvidenceCard(
        name="laundering",
        version="1",
        takes=("file",),
        paper="Mandelli, Bestagini & Tubaro 2024, arXiv:2407.10736",
        weights=(SYNTHETIC, LAUNDERED),
        caveat=CAVEAT,
    )
)
def laundering(picture: Picture, *, synthetic: str = "", laundered: str = "", crops: int = 800, best: int = 600) -> Finding:
    """Photograph, photograph passed through an image model's codec, or invented by one: two nets asked in turn. Slow.

    picture: its pixels as stored, enlarged (bilinear) to 256 pixels where a side is smaller; crops of 96×96 at random places, the same
    each time, though not those of the release, which draws others.
    synthetic, laundered: synth_vs_real.pth and fully-synth_vs_laundered.pth of the authors; "" looks for them in ASSAY_WEIGHTS.
    crops: how many are judged; best: how many of them, those with the highest scores, count.
    data: statistic (of the first net; above 0 is synthetic or laundered), laundered (of the second, above 0 is laundered; only where the
    first is above 0, since it was taught nothing of photographs), class.
    Raises MissingWeights, and BadInput for files that do not fit.
    """
    if not 1 <= best <= crops:
        raise BadInput(f"best must be 1 to crops; got {best} of {crops}.")
    stored = picture.stored()
    parts = cut(stored if len(stored) in (1, 3) else picture.pixels, crops)
    first = judged(load(others.place(SYNTHETIC, synthetic, instead=INSTEAD)), parts, best)
    data: dict[str, object] = {"statistic": round(first, 4), "class": "photograph"}
    says = f"The first net says {first:+.2f}: "
    if first <= 0:
        says += "like a photograph; this clears nothing."
    else:
        second = judged(load(others.place(LAUNDERED, laundered, instead=INSTEAD)), parts, best)
        data |= {"laundered": round(second, 4), "class": "laundered" if second > 0 else "synthetic"}
        says += "traces of an image model. The second says "
        says += f"{second:+.2f}: " + ("of its codec alone, over what may be a photograph." if second > 0 else "of the whole model.")
    return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data=data)


def cut(pixels: Tensor, crops: int) -> Tensor:
    """C×H×W → crops×C×96×96 in 8-bit steps."""
    x = photo.steps(pixels)
    if min(x.shape[1:]) < LEAST:
        scale = LEAST / min(x.shape[1:])
        size = [max(LEAST, round(n * scale)) for n in x.shape[1:]]
        x = interpolate(x[None], size, mode="bilinear", align_corners=False)[0].round()
    dice = torch.Generator().manual_seed(SEED)
    tops, lefts = (torch.randint(n - SIDE + 1, (crops,), generator=dice).tolist() for n in x.shape[1:])
    return torch.stack([x[:, t : t + SIDE, left : left + SIDE] for t, left in zip(tops, lefts, strict=True)])


@torch.no_grad()
def judged(net: EfficientNetB4, crops: Tensor, best: int) -> float:
    """The mean of the highest scores; a score is the second of the net's two numbers, as released."""
    scores = [net(standardised(part.expand(-1, 3, -1, -1) / 255))[:, 1] for part in crops.split(BATCH)]  # type: ignore[no-untyped-call]
    return float(torch.cat(scores).topk(best).values.mean())


@cache
def load(path: Path) -> EfficientNetB4:
    kept = {k.removeprefix("model."): v for k, v in others.tensors(path).items()}
    return others.filled(EfficientNetB4(), kept, path, "EfficientNet-B4 with two outputs")
