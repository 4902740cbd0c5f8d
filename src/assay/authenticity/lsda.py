"""Forged faces by a net that was taught with forgeries between the known ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.forged_faces import CAVEAT, Student, loaded, rarity, seen
from assay.types import Evidence, EvidenceCard, Face, Finding, Weights

MODEL = Weights(
    file="lsda.safetensors",
    sha256="643a8aeb6887a3102ebbb0b4893ad827abee9eb077ce7e873ce4780050f08fea",
    license="Apache-2.0; trained on official portraits under the MIT licence and forgeries made of them",
    recipe="recipes/forged_faces.py",
)
RARE = 99  # hundredths of real portraits that a face must exceed to be called forged; never a hint: docs/forged-faces.md


@carded(
    EvidenceCard(
        name="lsda-assay",
        version="1",
        takes=("face",),
        paper="after Yan et al. 2024 (LSDA: augmented latents of forgeries), CVPR, arXiv:2311.11278; net and forgeries are our own",
        weights=(MODEL,),
        caveat=CAVEAT,
    )
)
@torch.no_grad()
def lsda(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Whether a face looks forged, by a net that also met forgeries between and beyond the kinds it was given.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it; each is looked at upright, at 96×96 pixels.
    Returns for each a sentence; data: statistic, a logit, larger is more like a forgery, in no calibrated unit; rarer_than, the share
    of real portraits that score less.
    Not differentiable: it answers with findings. It never hints at an origin: it errs too often for that.
    Raises BadInput, and CannotAssess for faces with less than 16 pixels between the eyes and for faces cut off by the border.
    """
    image = check.faces(image, faces)
    if not faces:
        return []
    net, real = loaded(Student, MODEL)
    return [_finding(float(s), real) for s in net.to(image.device).score(seen(image, faces))]


def _finding(score: float, real: Tensor) -> Finding:
    below = rarity(real, score)
    says = f"No sign of the forgeries that this net knows: of 100 real portraits, {round(100 * (1 - below))} look more like one."
    if score > float(real[RARE]):
        says = f"This face looks forged, more than 99 of 100 real portraits do (statistic {score:.1f})."
    return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data={"statistic": round(score, 3), "rarer_than": round(below, 2)})
