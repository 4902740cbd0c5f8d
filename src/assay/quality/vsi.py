"""Visual saliency-induced index."""

from __future__ import annotations

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.gradients import LMN, alike, gradient_map, means, real_power, step_of
from assay.ops.saliency import enlarged, sdsp
from assay.types import Scale, ScoreCard

C_SALIENCY, C_EDGES, C_HUES = 1.27, 386.0, 130.0  # C1, C2, C3 of Zhang 2014, section III, for pixels in 0..255
ALPHA, BETA = 0.40, 0.02  # exponents of edges and hues
FLAT = 1e-9  # weight of a place without saliency, so that two flat pictures compare at all


@carded(
    ScoreCard(
        name="vsi",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.85, 1)),
        paper="Zhang, Shen & Li 2014, doi:10.1109/TIP.2014.2346028",
        map="vsi_map",
    )
)
def vsi(x: Tensor, *, ref: Tensor) -> Tensor:
    """Visual saliency index: whether edges, hues and eye-catching places are alike, where people look.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are. Shrunk first, so that the short side is
    about 256; saliency is found on 256×256.
    Returns N scores, 1 when equal; 0.95 is plain damage.  Raises BadInput.

    >>> import torch
    >>> x = torch.rand(1, 3, 32, 32)
    >>> vsi(x, ref=x)
    tensor([1.])
    """
    same, weight = _similarity(x, ref)
    return (same * weight).sum((1, 2)) / weight.sum((1, 2))


def vsi_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Similarity in the shrunk picture, N×h×w; 1 is alike, dark is damaged. The score weights it by saliency."""
    return _similarity(x, ref)[0]


def _similarity(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    step = step_of(x)
    h, w = x.shape[2:]
    a, b = (enlarged(sdsp(t), h, w, step)[:, 0] for t in (x, ref))
    p, q = means(x, step, LMN), means(ref, step, LMN)
    edges = gradient_map(p[:, :1], q[:, :1], operator="scharr", constant=C_EDGES)[:, 0]
    m, n = alike(p[:, 1:], q[:, 1:], C_HUES).unbind(1)
    return alike(a, b, C_SALIENCY) * edges**ALPHA * real_power(m * n, BETA), a.maximum(b) + FLAT
