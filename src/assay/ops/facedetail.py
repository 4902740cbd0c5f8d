"""What the pixels of a face say of blur and of compression, on the picture's own grid."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.ops.component import large_enough
from assay.ops.dct import block_dct
from assay.ops.photo import luma
from assay.ops.shared import shared
from assay.types import CannotAssess, Face

BANDS = 4  # octaves of detail, the first from one pixel to the next
LEAST = 32  # pixels: a border of 15 is lost to the widest filter
FLOOR = 0.02  # 8-bit steps: less detail than this is none
SIDE = 8  # pixels, the block of JPEG
ZONES = ((1, 3), (3, 6), (6, 15))  # sums of both frequencies: coarse, middle, fine
LOST = 0.6  # 8-bit steps of a coefficient: what quantisation to zero leaves after rounding to whole pixels


@shared
def middle(image: Tensor, face: Face) -> Tensor:
    """Luma 0…255 from brows to chin and cheek to cheek, upright rectangle of the picture: h×w.  Raises CannotAssess."""
    eyes, points = large_enough(face).eye_distance, torch.tensor(face.points)
    x, y = points[:, 0].mean().item(), points[:, 1].mean().item()
    left, right = (round(x + s * 0.8 * eyes) for s in (-1, 1))
    top, bottom = (round(y + s * eyes) for s in (-0.95, 1.05))
    part = image[:, max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    whole = (right - left) * (bottom - top)
    if part.shape[1] * part.shape[2] < whole / 2:
        raise CannotAssess(
            f"Only {100 * part.shape[1] * part.shape[2] / whole:.0f} % of this face lies in the picture; at least 50 % are needed."
        )
    if min(part.shape[1:]) < LEAST:
        raise CannotAssess(f"Only {part.shape[2]}×{part.shape[1]} px of this face can be looked at; at least {LEAST}×{LEAST} are needed.")
    return luma(part.detach().cpu())


def detail(y: Tensor) -> Tensor:
    """How much detail there is in each octave, and how sparse it is: 2 × BANDS logarithms, from h×w luma.

    Differences of a plane smoothed again and again by (1, 2, 1) with growing gaps (à trous): blur empties the fine octaves first;
    noise fills them evenly, edges sparsely.
    """
    out = []
    for level in range(BANDS):
        smooth = _smooth(_smooth(y, 1 << level, 0), 1 << level, 1)
        gap = 1 << level
        band = y[gap:-gap, gap:-gap] - smooth
        mean, power = band.abs().mean(), band.square().mean().sqrt()
        out += [(mean + FLOOR).log(), (power + FLOOR).log()]
        y = smooth
    return torch.stack(out)


def _smooth(y: Tensor, gap: int, axis: int) -> Tensor:
    n = y.shape[axis] - 2 * gap
    out = y.narrow(axis, gap, n) * 2
    return out.add_(y.narrow(axis, 0, n)).add_(y.narrow(axis, 2 * gap, n)).mul_(0.25)


def grid(y: Tensor) -> Tensor:
    """Signs of an 8×8 grid and of coefficients lost on it, from h×w luma: 9 numbers.

    For the phase at which steps stand out most: by how much they do, relative to steps elsewhere; the shares of coefficients
    near zero in three zones, on that grid and on one shifted by half a block; and the strength of detail in the zones.
    """
    phases, jumps = zip(*(_phase(y, axis) for axis in (0, 1)), strict=True)
    jump = (jumps[0] + jumps[1]) / 2
    top, left = phases
    found, shifted = (block_dct(y[(top + s) % SIDE :, (left + s) % SIDE :] - 128).flatten(0, 1) for s in (0, SIDE // 2))
    order = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
    zones = [(order >= a) & (order < b) for a, b in ZONES]
    empty = [[(c[:, z].abs() < LOST).float().mean() for z in zones] for c in (found, shifted)]
    power = [(found[:, z].square().mean().sqrt() + 0.1).log() for z in zones]
    return torch.stack(
        [jump.clamp(-1, 3), *empty[0], *(a - b for a, b in zip(*empty, strict=True)), power[0] - power[1], power[1] - power[2]]
    )


def _phase(y: Tensor, axis: int) -> tuple[int, Tensor]:
    """Where the grid's lines lie along one axis, 0…7 for the first pixel of a block, and how much steps stand out there."""
    step = y.diff(dim=axis).abs().clamp(max=40).mean(1 - axis)
    out = step[1:-1] - (step[:-2] + step[2:]) / 2  # of the step from pixel i + 1 to i + 2
    out = out[: len(out) // SIDE * SIDE].view(-1, SIDE).mean(0)
    best = int(out.argmax())
    return (best + 2) % SIDE, out[best] / (step.mean() + 0.2)
