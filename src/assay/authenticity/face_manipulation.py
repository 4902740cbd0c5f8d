"""Faces that were blended into a picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.nets.face_traces import Blended, views
from assay.types import Evidence, EvidenceCard, Face, Finding, Weights

MODEL = Weights(
    file="face_manipulation.safetensors",
    sha256="ab6550b6bb937cf1012013d7027e2b61fd238e91087d45312269e619f7447ce8",
    license="Apache-2.0; trained on official portraits under the MIT licence, blended with themselves",
    recipe="recipes/self_blended.py",
)
SIDE = 112  # pixels of the view that the net was trained on
MAP = "The upright face: bright where it looks blended. A guess of the net, 8 pixels of 112 to a place."
CAVEAT = (
    "A small net that knows blends of official portraits with themselves: of real faces in other photographs a quarter to a half look "
    "more blended to it than 99 of 100 portraits do, which is why it never hints. Retouching, make-up filters, beauty modes of phones, "
    "strong light and glasses may look blended; faces that were generated as a whole have no seam. docs/face-authenticity.md has figures."
)


@carded(
    EvidenceCard(
        name="face_manipulation-assay",
        version="1",
        takes=("face",),
        paper="after Shiohara & Yamasaki 2022 (self-blended images), arXiv:2204.08376; net, data and masks are our own",
        weights=(MODEL,),
        caveat=CAVEAT,
    )
)
@torch.no_grad()
def face_manipulation(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Whether a face looks blended into the picture, or its eyes, nose or mouth: seams, and colours or sharpness that do not match.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it; each is looked at upright, at 112×112 pixels.
    Returns for each a sentence that speaks for nothing; data: statistic, a logit, larger is more like a blend, in no calibrated unit;
    rarer_than, the share of real portraits that score less. map: 14×14 places of the upright face, 0 to 1, larger is more likely blended.
    Not differentiable: it answers with findings.
    Raises BadInput, and CannotAssess for faces with less than 16 pixels between the eyes and for faces cut off by the border.
    """
    image = check.faces(image, faces)
    if not faces:
        return []
    net, real = model()
    told, where = net.to(image.device)(views(image, faces, SIDE))
    return [_finding(float(s), m.sigmoid().cpu(), real) for s, m in zip(told, where[:, 0], strict=True)]


def _finding(score: float, where: Tensor, real: Tensor) -> Finding:
    below = float((real < score).float().mean())
    says = f"It looks more blended in than {round(100 * below)} of 100 official portraits do; among other photographs that says little."
    data: dict[str, object] = {"statistic": round(score, 3), "rarer_than": round(below, 2)}
    return Finding(map=where, map_says=MAP, evidence=(Evidence(says, caveat=CAVEAT),), data=data)


@cache
def model() -> tuple[Blended, Tensor]:
    """The net, and 101 quantiles of what real portraits score."""
    tensors = {k: v.float() for k, v in weights.load_safetensors(MODEL).items()}
    real = tensors.pop("real")
    net = Blended()
    net.load_state_dict(tensors, strict=False)  # batch norm's counters are not stored
    return net.eval().requires_grad_(False), real
