"""Faces as a viewer meets them: upright squares of the picture, brought to one size; gradients flow to the picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assay.ops.align import SIDE, TEMPLATE, similarity
from assay.types import CannotAssess, Face

SMALLEST = 24  # pixels a side of the square: less shows no face


def views(image: Tensor, faces: Sequence[Face], *, side: int, margin: float) -> Tensor:
    """The faces of one picture, neither turned nor stretched: C×H×W, uint8 or float in [0, 1] → N×C×side×side.

    margin: how much wider than the recognition template's square the view is, as a share of its side; .5 shows the whole head.
    The square is found from the five points, so that it depends little on whose box it is; where it would reach outside, it
    is moved inside. Larger squares are averaged down, smaller ones enlarged (bicubic): a small face looks as soft as it is.
    Raises CannotAssess for a face under 24 pixels or outside the picture.
    """
    if not faces:
        return image.new_zeros(0, image.shape[0], side, side)
    cuts = [square(face, image.shape[-1], image.shape[-2], margin) for face in faces]
    parts = [image[None, :, top : top + n, left : left + n] for left, top, n in cuts]
    return torch.cat([resized(p.float() / 255 if p.dtype == torch.uint8 else p, side) for p in parts]).clamp(0, 1)


def resized(x: Tensor, side: int) -> Tensor:
    """N×C×H×W → N×C×side×side, bicubic, averaging where it shrinks."""
    if x.shape[2:] == (side, side):
        return x
    return interpolate(x, (side, side), mode="bicubic", antialias=True, align_corners=False)


def square(face: Face, width: int, height: int, margin: float) -> tuple[int, int, int]:
    """Left, top and side of a face's square in whole pixels, inside the picture."""
    points = torch.tensor(face.points, dtype=torch.float64)
    template = torch.tensor(TEMPLATE, dtype=torch.float64)
    back = similarity(template, points)
    x, y = (back @ torch.tensor([SIDE / 2, SIDE / 2, 1.0], dtype=torch.float64)).tolist()
    n = min(round(float(back[:, 0].norm()) * SIDE * (1 + margin)), width, height)
    if n < SMALLEST:
        raise CannotAssess(f"This face fills {n}×{n} pixels with its surroundings; at least {SMALLEST}×{SMALLEST} are needed.")
    if not (-n / 2 < x < width + n / 2 and -n / 2 < y < height + n / 2):
        raise CannotAssess("This face lies outside the picture.")
    left, top = (min(max(0, round(c - n / 2)), limit - n) for c, limit in ((x, width), (y, height)))
    return left, top, n
