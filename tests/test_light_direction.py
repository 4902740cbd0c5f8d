"""The direction of light on a drawn head, and pictures without people."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from assay.authenticity.light_direction import light_direction
from assay.ops.align import TEMPLATE
from assay.ops.lighting import AXES, CENTRE, between, lights
from assay.types import CannotAssess, Face, Media, Picture


def head(angle, turned=0.0, side=224):
    """An ellipsoid lit from `angle`, turned in the picture, and its face: 3×side×side."""
    spin = complex(math.cos(math.radians(turned)), -math.sin(math.radians(turned)))
    middle = complex(side / 2, side / 2)
    y, x = np.mgrid[:side, :side] + 0.5
    at = ((x + 1j * y) - middle) / spin  # where each pixel lies on the upright chip, around its middle
    u, v = (at.real + 56 - CENTRE[0]) / AXES[0], (at.imag + 56 - CENTRE[1]) / AXES[1]
    z = np.sqrt(np.maximum(1 - u**2 - v**2, 0))
    normal = np.stack([u / AXES[0], v / AXES[1], z / AXES[0]])
    normal /= np.maximum(np.linalg.norm(normal, axis=0), 1e-9)
    light = complex(math.cos(math.radians(angle)), -math.sin(math.radians(angle))) / spin
    seen = np.where(z > 0, 0.4 + 0.25 * (light.real * normal[0] + light.imag * normal[1]) + 0.1 * normal[2], 0.2)
    image = torch.from_numpy(np.clip(seen, 0, 1) ** (1 / 2.2)).float().expand(3, -1, -1)
    points = [(complex(*p) - complex(56, 56)) * spin + middle for p in TEMPLATE]
    return image, Face((60, 60, 160, 160), tuple((p.real, p.imag) for p in points), 1.0)


@pytest.mark.parametrize(("angle", "turned"), [(0, 0), (90, 0), (135, 0), (-60, 0), (90, 25), (10, -30)])
def test_the_direction_is_measured_in_the_picture(angle, turned):
    image, face = head(angle, turned)
    (light,) = lights(image, [face])
    assert between(light.angle, angle) < 5
    assert light.fit > 0.95


def test_angles_go_round():
    assert between(170, -170) == 20
    assert between(-90, 90) == 180


def test_without_two_faces_nothing_is_told():
    pixels = torch.full((3, 200, 200), 90, dtype=torch.uint8)
    empty = Picture(pixels, b"", "", "", Media("array", 200, 200, "RGB"), lambda: pixels)
    with pytest.raises(CannotAssess, match="this picture has 0"):
        light_direction(empty)
