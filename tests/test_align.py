"""Alignment puts the five points where the template wants them, and passes gradients."""

import math

import pytest
import torch

from assay.ops.align import SIDE, TEMPLATE, chips, similarity
from assay.types import CannotAssess, Face


def face(scale: float, turn: float, x: float, y: float) -> Face:
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    points = tuple((c * a - s * b + x, s * a + c * b + y) for a, b in TEMPLATE)
    return Face(box=(0, 0, 1, 1), points=points, confidence=1)


def dots(f: Face, height: int, width: int) -> torch.Tensor:
    """A picture with a soft white dot on each point."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    r = max(0.8, 2 * f.eye_distance / 35)
    return sum(torch.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * r * r)) for a, b in f.points).clamp(0, 1)[None]


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.7, 6.0])
@pytest.mark.parametrize("turn", [0.0, 0.5, -2.9])
def test_the_points_land_on_the_template(scale: float, turn: float) -> None:
    f = face(scale, turn, 800, 750)
    chip = chips(dots(f, 1500, 1600), [f])[0, 0]
    for x, y in TEMPLATE:
        part = chip[int(y) - 8 : int(y) + 9, int(x) - 8 : int(x) + 9]
        j, i = torch.meshgrid(torch.arange(17) + int(y) - 7.5, torch.arange(17) + int(x) - 7.5, indexing="ij")
        assert abs(float((part * i).sum() / part.sum()) - x) < 0.35
        assert abs(float((part * j).sum() / part.sum()) - y) < 0.35


def test_the_template_itself_is_left_as_it_is() -> None:
    picture = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(chips(picture, [face(1, 0, 0, 0)])[0], picture, atol=1e-5)


def test_a_margin_shows_more() -> None:
    picture = torch.zeros(1, 400, 400)
    picture[:, 144:256, 144:256] = 1  # the template's square
    chip = chips(picture, [face(1, 0, 144, 144)], side=112, margin=1.0)[0, 0]
    assert chip[30:82, 30:82].min() > 0.99
    assert chip[:26].max() < 0.01


def test_no_faces_no_chips() -> None:
    assert chips(torch.zeros(3, 64, 64), []).shape == (0, 3, SIDE, SIDE)


def test_gradients_reach_the_picture() -> None:
    picture = torch.rand(1, 40, 44, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for scale in (0.15, 0.06):
        f = face(scale, 0.3, 12, 10)
        assert torch.autograd.gradcheck(lambda p, f=f: chips(p, [f], side=12), picture)


def test_points_on_one_spot_are_refused() -> None:
    with pytest.raises(CannotAssess, match="one spot"):
        similarity(torch.ones(5, 2), torch.rand(5, 2))
