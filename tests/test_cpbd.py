"""CPBD and the Canny edges it stands on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.ops.canny import canny
from assay.quality.cpbd import cpbd
from assay.types import CannotAssess
from pictures import blur, tensor


def test_the_more_blur_the_lower():
    photo = pytest.importorskip("skimage.data").astronaut()[:300, :300]
    scores = [float(cpbd(tensor(blur(photo, sigma) if sigma else photo))) for sigma in (0, 0.7, 1, 1.5, 2, 3)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.3
    assert scores[-1] < 0.01


def ramps(width, contrast):
    """Upright edges that rise over so many pixels, and the steep ones between them that fall at once."""
    steps = np.clip((np.arange(64) - 32) / width + 0.5, 0, 1) * contrast + 60
    return tensor(np.tile(np.round(steps).astype(np.uint8), (128, 2)))


@pytest.mark.parametrize(("contrast", "widest"), [(40, 4), (150, 2)])
def test_blur_is_noticed_from_a_width_on_that_contrast_decides(contrast, widest):
    """A ramp over n pixels reads as n + 1, of which 5 are just not noticed where contrast is low, and 3 where it is high."""
    scores = [float(cpbd(ramps(n, contrast))) for n in range(1, 7)]
    assert scores[:widest] == [1] * widest
    assert max(scores[widest:]) < 0.5


def test_flat_pictures_have_no_edges():
    with pytest.raises(CannotAssess, match="upright edges"):
        cpbd(torch.full((1, 3, 80, 80), 90, dtype=torch.uint8))
    level = torch.arange(96, dtype=torch.uint8).div(48, rounding_mode="floor").mul(200).view(1, 1, 96, 1).expand(1, 3, 96, 96)
    with pytest.raises(CannotAssess, match="upright edges"):
        cpbd(level)


def test_pixels_beyond_the_last_block_do_not_count():
    x = ramps(5, 150)
    wider = torch.cat([x, ramps(1, 150)[..., :40]], dim=3)
    assert float(cpbd(wider)) == float(cpbd(wider[..., :160]))


def square(side=40, faint=0.0):
    y = torch.zeros(side, side)
    y[10:30, 10:30] = 200
    y[:, 33:36] = faint
    return y


def test_canny_draws_round_a_square():
    edges = canny(square())
    assert edges[20, 8:12].any()
    assert edges[8:12, 20].any()
    assert not edges[14:26, 14:26].any()
    assert not edges[:6].any()


def test_weak_edges_stay_only_where_strong_ones_reach_them():
    assert not canny(square(faint=20))[:, 31:].any()
    y = square()
    y[20:22, 30:] = 90  # the same faint line, joined to the square
    assert canny(y)[18:24, 33:36].any()


def test_a_flat_picture_has_no_edges():
    assert not canny(torch.full((20, 30), 7.0)).any()
