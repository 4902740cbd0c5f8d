"""Faces brought to the five-point template of face recognition; gradients flow to the picture.

The template is that of ArcFace (Deng et al. 2019, arXiv:1801.07698): five points in a square of 112 pixels.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

from assay import kernels
from assay.types import CannotAssess, Face

SIDE = 112
TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
ONE_SPOT = "The five points of this face lie on one spot, so it cannot be aligned."


def similarity(points: Tensor, target: Tensor) -> Tensor:
    """The turn, scale and shift that brings points nearest to target, in least squares: K×2, K×2 → 2×3.

    Umeyama's solution without reflection (IEEE TPAMI 13(4), 1991), in two dimensions: closed form.
    """
    p, q = points.mean(0), target.mean(0)
    a, b = points - p, target - q
    power = a.square().sum()
    if power < 1e-6:
        raise CannotAssess(ONE_SPOT)
    c = (a * b).sum() / power
    s = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / power
    turn = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
    return torch.cat([turn, (q - turn @ p)[:, None]], dim=1)


def fitted(points: Sequence[Sequence[float]], target: Sequence[Sequence[float]]) -> tuple[complex, complex]:
    """`similarity` of plain numbers, with x + iy for a point: target is nearly turn · point + shift."""
    p, q = ([complex(*v) for v in side] for side in (points, target))
    middle, aim = sum(p) / len(p), sum(q) / len(q)
    power = sum(abs(v - middle) ** 2 for v in p)
    if power < 1e-6:
        raise CannotAssess(ONE_SPOT)
    turn = sum((v - middle).conjugate() * (w - aim) for v, w in zip(p, q, strict=True)) / power
    if abs(turn) < 1e-9:
        raise CannotAssess(ONE_SPOT)
    return turn, aim - turn * middle


def chips(image: Tensor, faces: Sequence[Face], *, side: int = SIDE, margin: float = 0.0) -> Tensor:
    """The faces of one picture, upright and of one size: C×H×W in [0, 1] → N×C×side×side.

    margin: how much wider than the template's square the view is, as a share of its side; .5 shows the whole head.
    Pictures much larger than the chip are averaged down first, so that nothing aliases. Outside the picture is black.
    """
    target = torch.tensor(TEMPLATE, dtype=torch.float64)
    target = (target + SIDE * margin / 2) * (side / (SIDE * (1 + margin)))
    if not faces:
        return torch.zeros(
            0, image.shape[0], side, side, dtype=image.dtype if image.is_floating_point() else torch.float32, device=image.device
        )
    return torch.cat([view(image, f, target, side, side) for f in faces])


def view(image: Tensor, face: Face, target: Tensor, height: int, width: int) -> Tensor:
    """One face with its points as near to target as turn, scale and shift bring them: C×H×W, K×2 → 1×C×height×width in [0, 1].

    uint8 is turned into floats only where it is looked at.
    """
    turn, shift = fitted(face.points, target.tolist())
    corners = [(complex(x, y) - shift) / turn for x in (0, width) for y in (0, height)]
    shrink = max(1, int(1 / abs(turn)))  # abs(turn) is how many pixels of the view one of the picture fills
    h, w = image.shape[-2:]
    across, down = [c.real for c in corners], [c.imag for c in corners]
    left, top = (int(max(0, math.floor(min(v)) - 2 * shrink)) for v in (across, down))
    right, bottom = (int(min(n, math.ceil(max(v)) + 2 * shrink)) for n, v in ((w, across), (h, down)))
    if right - left < 1 or bottom - top < 1:
        raise CannotAssess("This face lies outside the picture.")
    back, start = 1 / turn, -shift / turn - complex(left, top)
    theta = torch.tensor([[back.real, -back.imag, start.real], [back.imag, back.real, start.imag]], dtype=torch.float64)
    part = image[:, top:bottom, left:right]
    if kernels.can(image, dtypes=(torch.uint8, torch.float32)) and part.stride(2) == 1:
        return _seen(part, theta, shrink, height, width)
    part = part[None].float() / 255 if part.dtype == torch.uint8 else part[None]
    part = avg_pool2d(part, shrink, ceil_mode=True, count_include_pad=False) if shrink > 1 else part
    n, m = part.shape[-2:]
    wide, high = m * shrink, n * shrink
    # from (x, y) in pixels to the −1…1 of grid_sample, on both ends
    unit = torch.tensor([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]], dtype=torch.float64)
    theta = theta @ unit
    theta = theta * torch.tensor([[2 / wide], [2 / high]], dtype=torch.float64)
    theta[:, 2] -= 1
    grid = affine_grid(theta[None].to(part), [1, 1, height, width], align_corners=False)
    return grid_sample(part, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _seen(part: Tensor, turn: Tensor, shrink: int, height: int, width: int) -> Tensor:
    """A part of a picture at the middles of height×width pixels, turned; between means over shrink×shrink."""
    turn = turn / shrink
    turn[:, 2] += turn[:, :2].sum(1) / 2 - 0.5  # middles of pixels on both ends
    out = torch.empty(1, len(part), height, width)
    run, scale = _kernel(part.dtype), 1 / 255 if part.dtype == torch.uint8 else 1.0
    given = (len(part), part.stride(0), part.stride(1), *part.shape[1:], shrink)
    run(ctypes.c_void_p(part.data_ptr()), *given, kernels.pointer(turn), scale, height, width, kernels.pointer(out))
    return out


def _kernel(dtype: torch.dtype) -> ctypes._NamedFuncPointer:
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    return kernels.typed("askew", dtype, (address, *[size] * 6, address, ctypes.c_float, size, size, address))
