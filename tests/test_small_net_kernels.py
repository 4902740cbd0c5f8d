"""The kernels of statistics, layers and resizing against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from assay import kernels
from assay.nets import face_finder
from assay.ops import localstats
from assay.ops.align import TEMPLATE, chips, fitted, similarity
from assay.ops.dct import luma8
from assay.ops.layers import layer, run
from assay.ops.localstats import fine, means, plain, spectra, steps, textures
from assay.ops.resize import averaged
from assay.types import CannotAssess, Face

pytestmark = pytest.mark.skipif(kernels.library() is None, reason="the kernels are not built")


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def close(got, want, within=1e-5):
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.double(), want, rtol=within, atol=within)


@pytest.mark.parametrize("size", [(16, 16), (48, 304), (112, 64)])
def test_statistics(size):
    x = noise(2, 3, *size)
    x[..., : size[0] // 2, :] = 0.25 + x[..., : size[0] // 2, :] / 4
    wide, y = x.double(), x[:, :1].contiguous()
    close(plain(x, y), plain(wide, y.double()))
    close(steps(y), steps(y.double()))
    close(means(x, 4), means(wide, 4))
    for cell in (16, 8, 4):
        close(fine(x, cell), fine(wide, cell))
        close(textures(y, x[:, 1:2], x[:, 2:] / 9, cell), textures(wide[:, :1], wide[:, 1:2], wide[:, 2:] / 9, cell))
        close(spectra(y, cell), spectra(y.double(), cell))


def test_statistics_of_turned_strides_and_with_gradients():
    x = noise(1, 3, 48, 64)
    want = localstats.statistics(x.mT.contiguous())
    assert torch.equal(localstats.statistics(x.mT), want)
    torch.testing.assert_close(localstats.statistics(x.mT.clone().requires_grad_()), want, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("c", "d", "side", "stride", "alone"),
    [
        (3, 16, 3, 2, False),
        (16, 32, 3, 2, False),
        (32, 64, 3, 2, True),
        (64, 64, 3, 1, True),
        (128, 128, 5, 1, True),
        (24, 15, 1, 1, False),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (34, 41)])
def test_layers(c, d, side, stride, alone, size):
    torch.manual_seed(0)
    own = nn.Conv2d(c, c, side, stride, side // 2, groups=c) if alone else None
    mix = nn.Conv2d(c, d, 1) if alone else nn.Conv2d(c, d, side, stride, side // 2)
    adds = alone and c == d and stride == 1
    x = noise(1, c, *size) - 0.5
    with torch.no_grad():
        want = mix(x if own is None else own(x).relu()).relu()
        got = run([layer(mix, own=own, adds=adds)], x[0].permute(1, 2, 0))
    torch.testing.assert_close(got.permute(2, 0, 1)[None], x + want if adds else want, rtol=1e-5, atol=1e-5)


def test_layers_refuse_what_they_are_not():
    with pytest.raises(ValueError, match="padded by half"):
        layer(nn.Conv2d(3, 4, 3))


def test_the_finders_net():
    net = face_finder.network(torch.device("cpu"))
    x = noise(1, 3, 64, 96) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(face_finder.raw_answers(net, x), net(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "to"), [((48, 64), (24, 32)), ((48, 64), (7, 9)), ((33, 57), (20, 20)), ((20, 31), (64, 90)), ((2, 2), (1, 1))]
)
def test_smaller_copies(size, to):
    x = (noise(2, 3, *size) * 255).to(torch.uint8)
    want = interpolate(x.double() / 255, to, mode="bilinear", antialias=True, align_corners=False)
    close(averaged(x, to), want)
    close(averaged(x.float() / 255, to), want)


def turned(size, angle, x, y):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.array(TEMPLATE) / 112 @ turn * size + (x, y)
    return Face((0.0, 0.0, 1.0, 1.0), tuple((float(a), float(b)) for a, b in points), 1.0)


@pytest.mark.parametrize(("size", "angle", "x", "y"), [(9, 0.2, 30, 20), (60, -1.0, 10, 60), (150, 3.0, 130, 90), (900, 0.1, -300, -250)])
def test_upright_views(size, angle, x, y):
    image, face = (noise(3, 100, 150) * 255).to(torch.uint8), turned(size, angle, x, y)
    want = chips(image.double() / 255, [face], side=48, margin=0.5)
    close(chips(image, [face], side=48, margin=0.5), want)
    close(chips(image.float()[:, :, ::1] / 255, [face], side=48, margin=0.5), want)


def test_plain_numbers_fit_as_tensors_do():
    face = turned(77, 0.7, 12, 34)
    turn, shift = fitted(face.points, TEMPLATE)
    want = similarity(torch.tensor(face.points, dtype=torch.float64), torch.tensor(TEMPLATE, dtype=torch.float64))
    got = torch.tensor([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], dtype=torch.float64)
    torch.testing.assert_close(got, want)
    with pytest.raises(CannotAssess, match="one spot"):
        fitted([(3.0, 4.0)] * 5, TEMPLATE)


def test_whole_luma():
    x = (noise(3, 41, 53) * 255.99).to(torch.uint8)
    r, g, b = x.int()
    assert torch.equal(luma8(x), ((299 * r + 587 * g + 114 * b + 500) // 1000).to(torch.uint8))
