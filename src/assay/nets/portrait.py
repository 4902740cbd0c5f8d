"""The body of `portrait-assay`: one look at the whole picture, one at the face, and what both say together.

After DN-PIQA (Sun et al. 2024, arXiv:2405.08555), whose two branches are Swin-B and whose third is CLIP asked for 495 kinds of
damage; here both branches are the statistics net of `assay-q`, and the third is its own 21 kinds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from assay.nets.assay_q import KINDS, STRIDE, AssayQ

WIDTH = 128
SIDE = 256  # of the face's view, and the shorter side of the picture's


def shrunk(image: Tensor) -> Tensor:
    """N×C×H×W with a shorter side of 256, the other cut evenly to a multiple of 16."""
    height, width = image.shape[2:]
    times = SIDE / min(height, width)
    size = [max(SIDE, round(n * times)) for n in (height, width)]
    small = interpolate(image, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    top, left = (n % STRIDE // 2 for n in size)
    return small[:, :, top : top + size[0] // STRIDE * STRIDE, left : left + size[1] // STRIDE * STRIDE]


class Portrait(nn.Module):
    """Statistics of pictures and of a face in each → N scores, in units of which one is preferred by 84 of 100."""

    def __init__(self) -> None:
        super().__init__()
        self.picture, self.face = AssayQ(WIDTH), AssayQ(WIDTH)
        self.judge = nn.Sequential(nn.Linear(4 * WIDTH + len(KINDS), 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1))

    def forward(self, picture: Tensor, face: Tensor) -> Tensor:
        whole, near = pooled(self.picture, picture), pooled(self.face, face)
        kinds = self.picture.whole(whole)[:, 2:]
        return self.judge(torch.cat([whole, near, kinds], 1))[:, 0]  # type: ignore[no-any-return]


def pooled(net: AssayQ, found: Tensor) -> Tensor:
    """Mean and deviation of the features over the places."""
    z = ((found - net.centre[:, None, None]) / net.scale[:, None, None]).clamp(-5, 5)
    f = net.body(z)
    return torch.cat([f.mean((2, 3)), (f.var((2, 3), unbiased=False) + 1e-6).sqrt()], 1)
