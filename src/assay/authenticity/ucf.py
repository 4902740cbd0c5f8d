"""Forged faces by what all kinds of forgery have in common."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.forged_faces import CAVEAT, TAUGHT, Ucf, loaded, rarity, seen
from assay.types import Evidence, EvidenceCard, Face, Finding, Weights

MODEL = Weights(
    file="ucf.safetensors",
    sha256="dfcefdfc8b52598e850ea6ad3cfff0a1f3b13b90dafdc11b491f6ff78f9373ad",
    license="Apache-2.0; trained on official portraits under the MIT licence and forgeries made of them",
    recipe="recipes/forged_faces.py",
)
RARE = 99  # hundredths of real portraits that a face must exceed to be called forged; never a hint: docs/forged-faces.md


@carded(
    EvidenceCard(
        name="ucf-assay",
        version="1",
        takes=("face",),
        paper="after Yan et al. 2023 (UCF: common features of forgeries), ICCV, arXiv:2304.13949; net and forgeries are our own",
        weights=(MODEL,),
        caveat=CAVEAT,
    )
)
@torch.no_grad()
def ucf(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Whether a face shows what blends, swaps, warps and decoders have in common, and which of them it is most like.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it; each is looked at upright, at 96×96 pixels.
    Returns for each a sentence; data: statistic, a logit, larger is more like a forgery, in no calibrated unit; rarer_than, the share
    of real portraits that score less; kind, of four, and its share among them.
    Not differentiable: it answers with findings. It never hints at an origin: it errs too often for that.
    Raises BadInput, and CannotAssess for faces with less than 16 pixels between the eyes and for faces cut off by the border.
    """
    image = check.faces(image, faces)
    if not faces:
        return []
    net, real = loaded(Ucf, MODEL)
    told, kinds = net.to(image.device).answers(seen(image, faces))
    return [_finding(float(s), k.tolist(), real) for s, k in zip(told, kinds, strict=True)]


def _finding(score: float, shares: list[float], real: Tensor) -> Finding:
    below, best = rarity(real, score), max(range(len(shares)), key=shares.__getitem__)
    data = {"statistic": round(score, 3), "rarer_than": round(below, 2), "kind": TAUGHT[best], "share": round(shares[best], 2)}
    if score <= float(real[RARE]):
        says = f"No sign of the forgeries that this net knows: of 100 real portraits, {round(100 * (1 - below))} look more like one."
        return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data=data)
    says = f"This face looks forged, more than 99 of 100 real portraits do; most like a {TAUGHT[best]} (statistic {score:.1f})."
    return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data=data)
