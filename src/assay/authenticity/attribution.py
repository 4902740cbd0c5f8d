"""Which family of decoders made a picture, of those that it was taught; or none of them."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from assay.catalog import carded
from assay.nets.attribution import KNOWN, MODEL, loaded, usual
from assay.nets.generated import MODEL as BODY
from assay.nets.generated import SIDE
from assay.nets.generated import loaded as body
from assay.ops import photo
from assay.types import BadInput, CannotAssess, Evidence, EvidenceCard, Finding, Picture

CROPS, BATCH = 16, 6  # at most or so; and at a time, so that memory stays small
DULL = 0.25  # 8-bit steps: a crop whose neighbours differ less on average carries no trace to judge
UNKNOWN = "unknown"
CAVEAT = (
    "It was taught three kinds of small decoders and photographs, and no generator that people use: of pictures of those it says "
    '"photograph" nearly always, and of decoders that it never met most pass for one that it knows (docs/attribution.md).'
)


@carded(
    EvidenceCard(
        name="attribution-assay",
        version="1",
        takes=("file",),
        paper="own, with the losses of Sun et al. 2023 (CPL), arXiv:2309.11132, and a conformal reject",
        weights=(MODEL, BODY),
        caveat=CAVEAT,
    )
)
def attribution_assay(picture: Picture, *, alpha: float = 0.05) -> Finding:
    """Whose traces a picture carries: those of a decoder that was taught, a photograph's, or nobody's that is known.

    picture: its pixels as stored, at least 96 a side. Each of about 16 crops of 96×96 says the family in which it is most usual, or
    "unknown" where it is unusual in all; what half of the crops agree on is said of the picture, else "unknown".
    alpha: the share of a family's own crops that may be refused as too unusual; larger says "unknown" sooner.
    data: said; crops; shares (of crops, by what they say); usual (the median p-value in each family).
    Raises CannotAssess for pictures under 96 pixels a side, and flat ones; BadInput for an alpha outside 0 to 1.
    """
    if not 0 < alpha < 1:
        raise BadInput(f"alpha must lie between 0 and 1; got {alpha:g}.")
    stored = picture.stored()
    pixels = stored if len(stored) in (1, 3) else picture.pixels
    if min(pixels.shape[1:]) < SIDE:
        raise CannotAssess(f"traces of decoders are looked for in crops of {SIDE}×{SIDE} pixels; the picture is smaller.")
    p = _usual(pixels)
    best, at = p.max(1)
    names = [KNOWN[k] if sure > alpha else UNKNOWN for k, sure in zip(at.tolist(), best.tolist(), strict=True)]
    shares = {n: c / len(names) for n, c in Counter(names).most_common()}
    first = next(iter(shares))
    said = first if shares[first] >= 0.5 else UNKNOWN
    data: dict[str, object] = {"said": said, "crops": len(names), "shares": {n: round(s, 3) for n, s in shares.items()}}
    data["usual"] = {n: round(float(v), 3) for n, v in zip(KNOWN, p.median(0).values, strict=True)}
    return Finding(evidence=(Evidence(_sentence(said, shares, len(names)), caveat=CAVEAT),), data=data)


@torch.no_grad()
def _usual(pixels: Tensor) -> Tensor:
    """p-values of the crops that have detail, in each family."""
    crops = photo.steps(photo.patches(pixels, side=SIDE, most=CROPS * SIDE**2)).round().byte().expand(-1, 3, -1, -1)
    x = crops.float()
    good = (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3)) > DULL
    if not good.any():
        raise CannotAssess("the picture is flat: there is no fine detail that could carry traces of a decoder.")
    families, net = loaded(), body()
    return torch.cat([usual(families, net, part) for part in torch.split(crops[good], BATCH)])


def _sentence(said: str, shares: dict[str, float], crops: int) -> str:
    if said == UNKNOWN:
        return f"The fine detail of {crops} crops is not that of one family that is known: no name can be given."
    like = "photographs" if said == KNOWN[0] else f"pictures that decoders of the family {said} made"
    return f"The fine detail of {shares[said]:.0%} of {crops} crops is most like that of {like}, among the few families that are known."
