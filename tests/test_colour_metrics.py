"""Pixel, colour and perceptual metrics: exact sums, published tables, and what their definitions promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.ops.colourspaces import delta_e00
from assay.ops.mse import psnr_of, squares
from assay.quality.sam import sam
from assay.quality.scc import scc
from assay.types import BadInput, CannotAssess

SHARMA = [  # Sharma 2005, table 1: the pairs that turn on the quadrant of the hue and on its middle
    (50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425),
    (50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0000),
    (50, 0, 0, 50, -1, 2, 2.3669),
    (50, 2.49, -0.001, 50, -2.49, 0.0009, 7.1792),
    (50, 2.49, -0.001, 50, -2.49, 0.0011, 7.2195),
    (50, -0.001, 2.49, 50, 0.0009, -2.49, 4.8045),
    (50, -0.001, 2.49, 50, 0.0011, -2.49, 4.7461),
    (50, 2.5, 0, 58, 24, 15, 19.4535),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (22.7233, 20.0904, -46.694, 23.0331, 14.973, -42.5619, 2.0373),
    (2.0776, 0.0795, -1.135, 0.9033, -0.0636, -0.5514, 0.9082),
]


@pytest.mark.parametrize("row", SHARMA)
def test_ciede2000_keeps_to_the_published_table(row):
    one, two = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (row[:3], row[3:6]))
    assert float(delta_e00(one, two)) == pytest.approx(row[6], abs=1e-4)
    assert float(delta_e00(two, one)) == pytest.approx(row[6], abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 33, 47), (1, 3, 512, 301)])
def test_psnr_of_bytes_is_exact(shape):
    rng = np.random.default_rng(0)
    x, ref = (torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8)) for _ in range(2))
    exact = (x.double() - ref.double()).square().sum((1, 2, 3))
    assert squares(x, ref) == [int(v) for v in exact]
    want = 10 * torch.log10(255**2 * (x.numel() // len(x)) / exact)
    torch.testing.assert_close(psnr_of(x, ref), want.float())


def test_even_areas_correlate_or_count_nothing():
    grey = torch.full((1, 3, 32, 32), 0.5)
    assert float(scc(grey, ref=grey)) == 1
    assert float(scc(grey, ref=grey, flat="zero")) == 0


def test_black_and_grey_have_no_spectral_angle():
    black = torch.zeros(1, 3, 8, 8)
    with pytest.raises(CannotAssess, match="black"):
        sam(black, ref=black)
    with pytest.raises(BadInput, match="three channels"):
        sam(black[:, :1], ref=black[:, :1])
