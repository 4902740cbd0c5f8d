"""Forged faces in words: what was changed of the whole face, and which of its features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.forged_faces import CAVEAT as UNSURE
from assay.nets.forged_faces import LOCALS, TOUCHES, Joint, loaded, rarity, seen
from assay.types import Evidence, EvidenceCard, Face, Finding, Weights

MODEL = Weights(
    file="sjedd.safetensors",
    sha256="9e072aaaacdb7839f028e1db9c531e5433d4951228e762d02d8941c08a404d87",
    license="Apache-2.0; trained on official portraits under the MIT licence and forgeries made of them",
    recipe="recipes/forged_faces.py",
)
RARE = 99  # hundredths of real portraits that a face must exceed to be called forged; never a hint: docs/forged-faces.md
FIRED = 0.5  # probability from which a label is named
CHANGE = {
    "identity": "the face of another person",
    "shape": "features of another shape",
    "blending": "a face blended in",
    "synthesis": "what a decoder draws",
}
CAVEAT = f"{UNSURE} The feature that it names is often the wrong one."


@carded(
    EvidenceCard(
        name="sjedd-assay",
        version="1",
        takes=("face",),
        paper="after Zou et al. 2024 (SJEDD: semantics-oriented joint embedding), arXiv:2408.16305; net, words and forgeries are our own",
        weights=(MODEL,),
        caveat=CAVEAT,
    )
)
@torch.no_grad()
def sjedd(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """Whether a face looks forged, and in words: which change it looks like, and whether eyes, brows, nose, mouth or skin fired.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it; each is looked at upright, at 96×96 pixels.
    Returns for each a sentence; data: statistic, a logit, larger is more like a forgery, in no calibrated unit; rarer_than, the share
    of real portraits that score less; changes and features, what the net gives each label, 0 to 1, such that no feature is altered
    without a change that may touch it.
    Not differentiable: it answers with findings. It never hints at an origin: it errs too often for that.
    Raises BadInput, and CannotAssess for faces with less than 16 pixels between the eyes and for faces cut off by the border.
    """
    image = check.faces(image, faces)
    if not faces:
        return []
    net, real = loaded(Joint, MODEL)
    told, labels = net.to(image.device).answers(seen(image, faces))
    return [_finding(float(s), p[1:].tolist(), real) for s, p in zip(told, labels, strict=True)]


def _finding(score: float, labels: list[float], real: Tensor) -> Finding:
    below, edge = rarity(real, score), len(TOUCHES)
    changes, features = dict(zip(TOUCHES, labels[:edge], strict=True)), dict(zip(LOCALS, labels[edge:], strict=True))
    data: dict[str, object] = {"statistic": round(score, 3), "rarer_than": round(below, 2)}
    data |= {"changes": {k: round(v, 3) for k, v in changes.items()}, "features": {k: round(v, 3) for k, v in features.items()}}
    if score <= float(real[RARE]):
        says = f"No sign of a forgery that this net knows: of 100 real portraits, {round(100 * (1 - below))} look more like one."
        return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data=data)
    says = f"This face looks forged, more than 99 of 100 real portraits do: {explained(changes, features)}."
    return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data=data)


def explained(changes: dict[str, float], features: dict[str, float]) -> str:
    """The likeliest change, and every feature that fired, or the likeliest."""
    change = CHANGE[max(changes, key=changes.__getitem__)]
    fired = [k for k, v in features.items() if v > FIRED] or [max(features, key=features.__getitem__)]
    return f"{change}, seen in {fired[0] if len(fired) == 1 else ', '.join(fired[:-1]) + ' and ' + fired[-1]}"
