"""PSNR-B where its block effect can be counted by hand."""

from __future__ import annotations

from math import log2, log10

import pytest
import torch

from assay.quality.psnr import psnr
from assay.quality.psnr_b import psnr_b


def stepped(at: int) -> torch.Tensor:
    """A 16×24 picture with one upright step of 0.2."""
    x = torch.full((1, 1, 16, 24), 0.4)
    x[..., at:] = 0.6
    return x


def test_a_step_at_a_border_of_blocks_counts():
    x, ref = stepped(8), torch.full((1, 1, 16, 24), 0.5)
    borders = 2 * 16 + 1 * 24  # pairs across the two upright borders, and across the level one
    want = -10 * log10(0.1**2 + 16 * 0.2**2 / borders * log2(8) / log2(16))
    assert float(psnr_b(x, ref=ref)) == pytest.approx(want, abs=1e-4)


def test_a_step_inside_a_block_does_not():
    x, ref = stepped(12), torch.full((1, 1, 16, 24), 0.5)
    assert float(psnr_b(x, ref=ref)) == pytest.approx(float(psnr(x, ref=ref)), abs=1e-4)
