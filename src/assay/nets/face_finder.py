"""Finds faces: a small net that looks at a picture in a few sizes and says for every place whether a face is centred there.

Single-shot, one scale of features (stride 8) with context from strides 16 and 32; what is larger than its range it meets
again in a smaller copy of the picture. After CenterNet (Zhou et al. 2019, arXiv:1904.07850) and YuNet (Wu et al. 2023,
doi:10.1007/s11633-023-1423-y). Trained by recipes/face_finder.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

from assay import check, weights
from assay.nets import mtcnn
from assay.ops.detections import kept, overlap
from assay.types import BadInput, Face, Weights

MODEL = Weights(
    file="face_finder.safetensors",
    sha256="",
    license="Apache-2.0; trained on official portraits (MIT) and free photographs",
    recipe="recipes/face_finder.py",
)
STRIDE = 8  # pixels between the places that answer
LEAST = 10.0  # pixels: the smallest face the net was made for
LEVEL = 0.25  # from one size of the picture to the next; the net's range is wider, so neighbours overlap
TILE, REACH = 1024, 128  # pixels looked at in one go, and how far beyond its edge a tile must see
MARGIN = 32  # pixels of middle grey around the picture, so that half a face at its edge has room
SAME = 0.4  # overlap from which two boxes are one face
MOST = 500  # faces in one picture
TURNS = (2, 1, 3)  # quarter turns of the second look


class Step(nn.Sequential):
    """A depthwise and a pointwise convolution."""

    def __init__(self, c: int, d: int, stride: int = 1, k: int = 3) -> None:
        depth = nn.Conv2d(c, c, k, stride, k // 2, groups=c, bias=False)
        super().__init__(
            depth, nn.BatchNorm2d(c), nn.ReLU(inplace=True), nn.Conv2d(c, d, 1, bias=False), nn.BatchNorm2d(d), nn.ReLU(inplace=True)
        )
        self.adds = stride == 1 and c == d

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return x + y if self.adds else y


class FaceFinder(nn.Module):
    """N×3×H×W in [-1, 1], sides multiples of 32 → N×15×H/8×W/8: logit, shift of centre (2), logarithm of size (2), points (10)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)),
            *(nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)),
            *(Step(32, 32), Step(32, 64, 2), Step(64, 64), Step(64, 64)),
        )
        self.middle = nn.Sequential(Step(64, 128, 2), Step(128, 128), Step(128, 128), Step(128, 128))
        self.deep = nn.Sequential(Step(128, 128, 2), Step(128, 128, k=5), Step(128, 128, k=5))
        self.narrow = nn.Conv2d(128, 64, 1)
        self.joined = nn.Sequential(Step(64, 64), Step(64, 64))
        self.head = nn.Conv2d(64, 15, 1)

    def forward(self, x: Tensor) -> Tensor:
        near = self.stem(x)
        middle = self.middle(near)
        context = middle + interpolate(self.deep(middle), scale_factor=2.0, mode="nearest")
        found: Tensor = self.head(self.joined(near + interpolate(self.narrow(context), scale_factor=2.0, mode="nearest")))
        return found


def decoded(raw: Tensor) -> Tensor:
    """N×15×h×w as the net gives it → N×15×h×w: logit, then centre x, y, width, height and ten numbers of points, in pixels."""
    h, w = raw.shape[2:]
    y, x = (STRIDE * (torch.arange(n, dtype=raw.dtype, device=raw.device) + 0.5) for n in (h, w))
    at = torch.stack([x.expand(h, w), y[:, None].expand(h, w)])
    centre = at + STRIDE * raw[:, 1:3]
    size = 16 * raw[:, 3:5].clamp(-3, 4).exp()
    points = centre.repeat(1, 5, 1, 1) + raw[:, 5:15] * size.repeat(1, 5, 1, 1)
    return torch.cat([raw[:, :1], centre, size, points], dim=1)
