"""Faces brought to the five-point template of face recognition; gradients flow to the picture.

The template is that of ArcFace (Deng et al. 2019, arXiv:1801.07698): five points in a square of 112 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

from assay.types import CannotAssess, Face

SIDE = 112
TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))


def similarity(points: Tensor, target: Tensor) -> Tensor:
    """The turn, scale and shift that brings points nearest to target, in least squares: K×2, K×2 → 2×3.

    Umeyama's solution without reflection (IEEE TPAMI 13(4), 1991), in two dimensions: closed form.
    """
    p, q = points.mean(0), target.mean(0)
    a, b = points - p, target - q
    power = a.square().sum()
    if power < 1e-6:
        raise CannotAssess("The five points of this face lie on one spot, so it cannot be aligned.")
    c = (a * b).sum() / power
    s = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / power
    turn = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
    return torch.cat([turn, (q - turn @ p)[:, None]], dim=1)


def chips(image: Tensor, faces: Sequence[Face], *, side: int = SIDE, margin: float = 0.0) -> Tensor:
    """The faces of one picture, upright and of one size: C×H×W in [0, 1] → N×C×side×side.

    margin: how much wider than the template's square the view is, as a share of its side; .5 shows the whole head.
    Pictures much larger than the chip are averaged down first, so that nothing aliases. Outside the picture is black.
    """
    target = torch.tensor(TEMPLATE, dtype=torch.float64)
    target = (target + SIDE * margin / 2) * (side / (SIDE * (1 + margin)))
    return torch.cat([view(image, f, target, side, side) for f in faces]) if faces else (image.new_zeros(0, image.shape[0], side, side))


def view(image: Tensor, face: Face, target: Tensor, height: int, width: int) -> Tensor:
    """One face with its points as near to target as turn, scale and shift bring them: C×H×W, K×2 → 1×C×height×width in [0, 1].

    uint8 is turned into floats only where it is looked at.
    """
    forth = similarity(torch.tensor(face.points, dtype=torch.float64), target)
    scale = float(forth[:, 0].norm())  # pixels of the view per pixel of the picture
    back = torch.linalg.inv(torch.cat([forth, forth.new_tensor([[0, 0, 1]])]))
    corners = back @ torch.tensor([[0.0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], dtype=torch.float64)
    shrink = max(1, int(1 / scale))
    h, w = image.shape[-2:]
    left, top = (int(max(0, v.min().floor() - 2 * shrink)) for v in corners[:2])
    right, bottom = (int(min(n, v.max().ceil() + 2 * shrink)) for n, v in zip((w, h), corners[:2], strict=True))
    if right - left < 1 or bottom - top < 1:
        raise CannotAssess("This face lies outside the picture.")
    part = image[None, :, top:bottom, left:right]
    part = part.float() / 255 if part.dtype == torch.uint8 else part
    part = avg_pool2d(part, shrink, ceil_mode=True, count_include_pad=False) if shrink > 1 else part
    n, m = part.shape[-2:]
    wide, high = m * shrink, n * shrink
    theta = back[:2].clone()
    theta[:, 2] -= torch.tensor([left, top], dtype=torch.float64)
    # from (x, y) in pixels to the −1…1 of grid_sample, on both ends
    unit = torch.tensor([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]], dtype=torch.float64)
    theta = theta @ unit
    theta = theta * torch.tensor([[2 / wide], [2 / high]], dtype=torch.float64)
    theta[:, 2] -= 1
    grid = affine_grid(theta[None].to(part), [1, 1, height, width], align_corners=False)
    return grid_sample(part, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
