"""Feature similarity index with colour."""

from __future__ import annotations

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.gradients import YIQ, alike, means, real_power, step_of
from assay.ops.phase import feature_similarity
from assay.types import Scale, ScoreCard

T_HUE = 200.0  # T3 and T4 of Zhang 2011, section IV, for pixels in 0..255
LAMBDA = 0.03  # how much colour counts


@carded(
    ScoreCard(
        name="fsimc",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.7, 1)),
        paper="Zhang, Zhang, Mou & Zhang 2011, doi:10.1109/TIP.2011.2109730",
        map="fsimc_map",
    )
)
def fsimc(x: Tensor, *, ref: Tensor) -> Tensor:
    """Feature similarity with colour: whether edges, lines and hues are still where they were.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are. As `fsim`, times the similarity of the
    two colour planes to the power 0.03; on grey pictures the two scores are one.
    Returns N scores, 1 when equal; 0.9 is plain damage.  Raises BadInput.

    >>> import torch
    >>> x = torch.rand(1, 3, 32, 32)
    >>> fsimc(x, ref=x)
    tensor([1.])
    """
    same, weight = _similarity(x, ref)
    return (same * weight).sum((1, 2)) / weight.sum((1, 2))


def fsimc_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity of features and hues in the shrunk picture, N×h×w; 1 is alike, dark is damaged."""
    return _similarity(x, ref)[0]


def _similarity(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    step = step_of(x)
    a, b = means(x, step, YIQ), means(ref, step, YIQ)
    features, weight = feature_similarity(a[:, :1], b[:, :1])
    i, q = alike(a[:, 1:], b[:, 1:], T_HUE).unbind(1)
    return features * real_power(i * q, LAMBDA), weight
