"""Unsupervised face utility by the robustness of an embedding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from assay import check
from assay.catalog import carded
from assay.nets.face_recogniser import MODEL, SIDE, recogniser, sized
from assay.ops.align import chips
from assay.types import BadInput, Face, Scale, ScoreCard

SEED = 0


@carded(
    ScoreCard(
        name="embedding_robustness",
        version="1",
        takes=("face",),
        scale=Scale(worst=2 / (1 + 2.718281828459045**2), best=1, usual=(0.43, 0.5)),
        paper="Terhörst et al. 2020 (SER-FIQ), arXiv:2003.09373, on our own small recogniser",
        weights=(MODEL,),
    )
)
def embedding_robustness(image: Tensor, faces: Sequence[Face], *, passes: int = 100, rate: float = 0.5) -> Tensor:
    """How little a recogniser's idea of a face changes when random parts of what it sees are left out.

    image: C×H×W, sRGB; float in [0, 1], or uint8. faces: five points each.
    passes: how often parts are left out; rate: the share of what tells the face from an average one. The draws are always the same.
    Returns N scores 2 / (1 + exp(d)), d the mean distance between the directions of all pairs of passes; 1 is best.
    It is the recogniser's own doubt: another recogniser may doubt other faces. The published display scale, fitted to ArcFace, is
    not used.  Raises BadInput; CannotAssess where a face cannot be aligned.
    Not differentiable: it draws which parts to leave out, and was not made to be optimised against.
    """
    image = check.faces(image, faces, keep_uint8=True)
    if passes < 2 or not 0 < rate < 1:
        raise BadInput(f"passes must be at least 2 and rate lie between 0 and 1; got {passes} and {rate}.")
    with torch.no_grad():
        net = recogniser().to(image.device)
        seen = net.features(sized(chips(image, faces), SIDE).float())
        kept = torch.rand(passes, seen.shape[1], generator=torch.Generator().manual_seed(SEED)) >= rate
        masks = (kept / (1 - rate)).to(seen)
        return torch.stack([robustness(normalize(net.head(row * masks))) for row in seen]) if len(seen) else seen.new_zeros(0)


def robustness(directions: Tensor) -> Tensor:
    """2 / (1 + exp(mean distance)) of T×D directions."""
    return 2 / (1 + torch.pdist(directions.double()).mean().exp())
