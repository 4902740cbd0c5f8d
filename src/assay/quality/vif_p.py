"""Visual information fidelity in the pixel domain."""

from __future__ import annotations

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.fidelity import finest, information
from assay.types import Scale, ScoreCard


@carded(
    ScoreCard(
        name="vif_p",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=0, best=1, usual=(0.2, 1)),
        paper="Sheikh & Bovik 2006, doi:10.1109/TIP.2005.859378; the authors' pixel-domain version, vifp_mscale.m",
        min_side=41,  # four scales with windows of 17, 9, 5 and 3 pixels
        map="vif_p_map",
    )
)
def vif_p(x: Tensor, *, ref: Tensor) -> Tensor:
    """Share of the reference's visual information that is left, from pixels: quick and close to `vif`.

    x, ref: N×C×H×W, sRGB, at least 41×41; float in [0, 1], or uint8 for 8-bit pixels as they are. Measured on grey.
    Returns N scores: 1 when equal, and above 1 where x shows the reference's detail with more contrast. The two pictures
    are not interchangeable. A flat reference holds no information: 1 if x equals it, else 0.  Raises BadInput.

    >>> x = torch.rand(1, 3, 64, 64)
    >>> vif_p(x, ref=x)
    tensor([1.])
    """
    x, ref = check.images(x=x, ref=ref, min_side=41, keep_uint8=True)
    left, all_ = information(x, ref).unbind(1)
    flat = ref.flatten(1).amax(1) == ref.flatten(1).amin(1)
    same = (x == ref).flatten(1).all(1).to(left)
    score = torch.where(flat, same, left / torch.where(flat, 1, all_))
    return score.to(torch.float32 if x.dtype == torch.uint8 else x.dtype)


def vif_p_map(x: Tensor, *, ref: Tensor) -> Tensor:
    """Share of the information left around every pixel on the finest scale, N×(H-16)×(W-16); 1 is all, dark is damaged."""
    return finest(*check.images(x=x, ref=ref, min_side=41))
