"""Feature similarity index on luma."""

from __future__ import annotations

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.gradients import YIQ, means, step_of
from assay.ops.phase import feature_similarity
from assay.types import Scale, ScoreCard


@carded(
    ScoreCard(
        name="fsim",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.7, 1)),
        paper="Zhang, Zhang, Mou & Zhang 2011, doi:10.1109/TIP.2011.2109730",
        map="fsim_map",
    )
)
def fsim(x: Tensor, *, ref: Tensor) -> Tensor:
    """Feature similarity: whether edges and lines are still where they were, and as strong.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are. Shrunk first, so that the short side is
    about 256. Phase congruency says where features are, Scharr gradients how strong; `fsimc` adds colour.
    Returns N scores, 1 when equal; 0.9 is plain damage.  Raises BadInput.

    >>> import torch
    >>> x = torch.rand(1, 3, 32, 32)
    >>> fsim(x, ref=x)
    tensor([1.])
    """
    same, weight = feature_similarity(*_prepared(x, ref))
    return (same * weight).sum((1, 2)) / weight.sum((1, 2))


def fsim_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity of features in the shrunk picture, N×h×w; 1 is alike, dark is damaged. The score weights it by phase congruency."""
    return feature_similarity(*_prepared(x, ref))[0]


def _prepared(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    step = step_of(x)
    return means(x, step, YIQ)[:, :1], means(ref, step, YIQ)[:, :1]
