"""The certainty ratio: how surely a sample is told from the nearest other class, which is what CR-FIQA and ViT-FIQA call its quality.

Boutros et al. 2023, arXiv:2112.06592, with the + 1 of ViT-FIQA (arXiv:2508.13957): without it the ratio explodes where the nearest other
class is at a right angle, which the public training script of CR-FIQA does.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from assay.ops.sface import members
from assay.types import BadInput

EPS = 1e-9
WEIGHT = 10.0  # of the quality loss beside the recognition loss, both papers
BETA = 0.5  # where the loss turns from square to straight


def certainty(cosines: Tensor, labels: Tensor) -> Tensor:
    """c / (n + 1): c to the own centre, n to the nearest other.  cosines: N×C, C at least 2; labels: N.  Returns N, no gradient."""
    if cosines.ndim == 2 and cosines.shape[1] < 2:
        raise BadInput("a certainty ratio needs at least two classes.")
    own = members(cosines, labels)
    cosines = cosines.detach()
    nearest = cosines.masked_fill(own, -2.0).amax(1)  # below any cosine
    return cosines[own] / (nearest + 1 + EPS)


def certainty_loss(quality: Tensor, target: Tensor) -> Tensor:
    """What the quality head pays for missing the certainty ratio."""
    return WEIGHT * smooth_l1_loss(quality, target, beta=BETA)
