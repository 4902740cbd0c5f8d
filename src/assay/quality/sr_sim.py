"""Spectral residual based similarity."""

from __future__ import annotations

from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.gradients import YIQ, alike, gradient_map, means, step_of
from assay.ops.saliency import spectral_residual
from assay.types import BadInput, Scale, ScoreCard

C_SALIENCY, C_EDGES = 0.40, 225.0  # C1 and C2 of SR_SIM.m, for pixels in 0..255
ALPHA = 0.50  # exponent of the edges
FLAT = 1e-9  # weight of a place without saliency, so that two flat pictures compare at all


@carded(
    ScoreCard(
        name="sr_sim",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.85, 1)),
        paper="Zhang & Li 2012, doi:10.1109/ICIP.2012.6467149",
        map="sr_sim_map",
    )
)
def sr_sim(x: Tensor, *, ref: Tensor, window: int = 10) -> Tensor:
    """Spectral residual similarity: whether edges and eye-catching places are alike, where the picture is unusual.

    x, ref: N×C×H×W, sRGB; float in [0, 1], or uint8 for 8-bit pixels as they are. On luma, shrunk first, so that the short
    side is about 256. window: side of the Gaussian that smooths the saliency; the authors' code has 10.
    Returns N scores, 1 when equal; 0.95 is plain damage.  Raises BadInput.

    >>> import torch
    >>> x = torch.rand(1, 3, 32, 32)
    >>> sr_sim(x, ref=x)
    tensor([1.])
    """
    same, weight = _similarity(x, ref, window)
    return (same * weight).sum((1, 2)) / weight.sum((1, 2))


def sr_sim_map(x: Tensor, *, ref: Tensor, window: int = 10) -> Tensor:
    """Similarity in the shrunk picture, N×h×w; 1 is alike, dark is damaged. The score weights it by saliency."""
    return _similarity(x, ref, window)[0]


def _similarity(x: Tensor, ref: Tensor, window: int) -> tuple[Tensor, Tensor]:
    if window < 1:
        raise BadInput(f"window must be 1 or more pixels; got {window}.")
    x, ref = check.images(x=x, ref=ref, keep_uint8=True)
    step = step_of(x)
    p, q = (means(t, step, YIQ)[:, :1] for t in (x, ref))
    a, b = spectral_residual(p, window), spectral_residual(q, window)
    edges = gradient_map(p, q, operator="scharr", constant=C_EDGES)
    return (alike(a, b, C_SALIENCY) * edges**ALPHA)[:, 0], a.maximum(b)[:, 0] + FLAT
