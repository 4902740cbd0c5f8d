"""Losses that teach a recogniser: SFace and CosFace, on the cosines between embeddings and the centres of their classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from assay.types import BadInput

NEAR = 1 - 1e-7  # acos has no finite slope at 1, and rounding may carry a cosine beyond it


def sface(cosines: Tensor, labels: Tensor, *, s: float = 64.0, k: float = 80.0, a: float = 0.87, b: float = 1.2) -> Tensor:
    """Pulls every sample to its own centre and pushes it from the others, each until it is far enough.

    cosines: N×C; labels: N classes.  Returns one number, whose value says little, because its weights are constants to the gradient:
    watch the mean angles instead.
    a, b: angles in radians at which the pull and the push are halved; the published ones (a, b) are .87, 1.20 for CASIA-WebFace,
    .88, 1.25 for VGGFace2 and .90, 1.20 for MS1MV2. The push is a sum over classes, so few classes want a larger b.
    Sigmoid-constrained hypersphere loss: Zhong et al. 2021, "SFace", IEEE TIP 30, doi:10.1109/TIP.2020.3048632.
    """
    own = members(cosines, labels)
    with torch.no_grad():  # float32 at least: in half precision exp(80 · 1.5) overflows
        wide = cosines if cosines.dtype == torch.float64 else cosines.float()
        angles = wide.clamp(-NEAR, NEAR).acos()
        weights = torch.where(own, -torch.sigmoid(k * (angles - a)), torch.sigmoid(k * (b - angles)))
    return s * (weights * cosines).sum(1).mean()


def cosface(cosines: Tensor, labels: Tensor, *, s: float = 64.0, m: float = 0.4) -> Tensor:
    """Cross entropy where the own cosine is handicapped by a margin.  Wang et al. 2018, arXiv:1801.09414; s and m as in ViT-FIQA."""
    return cross_entropy(s * (cosines - m * members(cosines, labels).to(cosines)), labels)


def members(cosines: Tensor, labels: Tensor) -> Tensor:
    """N×C, true where the class is the sample's own."""
    if cosines.ndim != 2 or labels.shape != cosines.shape[:1]:
        raise BadInput(f"wanted N×C cosines and N labels; got {tuple(cosines.shape)} and {tuple(labels.shape)}.")
    return one_hot(labels, cosines.shape[1]).bool()
