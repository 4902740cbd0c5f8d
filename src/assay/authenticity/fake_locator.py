"""Where a face was altered, and how much, as a grey map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.forged_faces import Locator, loaded, rarity, seen
from assay.types import Evidence, EvidenceCard, Face, Finding, Weights

MODEL = Weights(
    file="fake_locator.safetensors",
    sha256="ab6c7c4ca34ead3d1e91724e46b4aaffc391a442158bd415b4a80ff4df97011a",
    license="Apache-2.0; trained on official portraits under the MIT licence and forgeries made of them",
    recipe="recipes/forged_faces.py",
)
RARE = 99  # hundredths of real portraits that a face must exceed to be called forged; never a hint: docs/forged-faces.md
ALTERED = 0.25  # of the map: what counts towards the share told
MAP = (
    "The upright face: the brighter, the more it looks altered there. A guess of a small net, pale, and mostly where forgeries usually lie."
)
CAVEAT = (
    "A small net, trained for minutes on four home-made kinds of forgery: its map shows mostly where forgeries usually lie, little of "
    "where this one does, it is at chance on warps and on faces of real generators (docs/forged-faces.md). It clears and accuses "
    "nobody: by name only, do not rely on it."
)


@carded(
    EvidenceCard(
        name="fake_locator-assay",
        version="1",
        takes=("face",),
        paper="after Huang et al. 2022 (FakeLocator), IEEE TIFS, arXiv:2001.09598, whose code is not public; net and forgeries are our own",
        weights=(MODEL,),
        caveat=CAVEAT,
    )
)
@torch.no_grad()
def fake_locator(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Where a face looks altered and how much, pixel by pixel, and whether it looks forged at all.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it; each is looked at upright, at 96×96 pixels.
    Returns for each a sentence; map: 96×96, how much each pixel of the upright face looks altered, 0 to 1 (an amount, no probability);
    data: statistic, a logit, larger is more like a forgery, in no calibrated unit; rarer_than, the share of real portraits that
    score less; altered, the share of the map above a quarter.
    Not differentiable: it answers with findings. It never hints at an origin: it errs too often for that.
    Raises BadInput, and CannotAssess for faces with less than 16 pixels between the eyes and for faces cut off by the border.
    """
    image = check.faces(image, faces)
    if not faces:
        return []
    net, real = loaded(Locator, MODEL)
    told = net.to(image.device)(seen(image, faces))
    return [_finding(float(s), m.cpu(), real) for s, m in zip(told.logit, told.map, strict=True)]


def _finding(score: float, drawn: Tensor, real: Tensor) -> Finding:
    below, share = rarity(real, score), float((drawn > ALTERED).float().mean())
    data: dict[str, object] = {"statistic": round(score, 3), "rarer_than": round(below, 2), "altered": round(share, 3)}
    if score <= float(real[RARE]):
        says = f"No sign of the alterations that this net knows: of 100 real portraits, {round(100 * (1 - below))} look more like one."
        return Finding(map=drawn, map_says=MAP, evidence=(Evidence(says, caveat=CAVEAT),), data=data)
    says = f"This face looks altered, more than 99 of 100 real portraits do; the map marks {100 * share:.0f} % of it."
    return Finding(map=drawn, map_says=MAP, evidence=(Evidence(says, caveat=CAVEAT),), data=data)
