"""Structural similarity: the kernels keep to the definition, and every variant to the tool it is named for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate

from assay import kernels
from assay.ops.filters import halved, mirrored
from assay.ops.moments import SIZE, similarity, ssim_each, ssim_mean
from assay.quality.ms_ssim import ms_ssim
from assay.quality.ssim import ssim, ssim_map
from assay.types import BadInput
from conftest import DATA
from pictures import DAMAGE, pair, tensor

built = pytest.mark.skipif(kernels.library() is None, reason="the kernels are not built")
WINDOWS = ("gaussian", "box")


def scene(kind, shape, seed=0):
    """Two uint8 images: noise, flat with different greys, or a bright ramp with a little noise on one."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return (torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8)) for _ in range(2))
    if kind == "flat":
        return torch.full(shape, 250, dtype=torch.uint8), torch.full(shape, 12, dtype=torch.uint8)
    ramp = np.broadcast_to(np.linspace(200, 250, shape[-1]), shape)
    return (torch.from_numpy((ramp + rng.normal(0, s, shape)).clip(0, 255).round().astype(np.uint8)) for s in (0, 3))


@built
@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["noise", "flat", "ramp"]),
    window=st.sampled_from(WINDOWS),
    height=st.integers(11, 40),
    width=st.sampled_from([11, 12, 130, 138, 139, 145, 150, 300]),
    planes=st.sampled_from([(1, 1), (2, 3)]),
    as_float=st.booleans(),
    structure=st.booleans(),
)
def test_the_kernel_keeps_to_the_definition(kind, window, height, width, planes, as_float, structure):
    x, ref = scene(kind, (*planes, height, width))
    exact = similarity(x.double() / 255, ref.double() / 255, window=window, structure=structure)
    if as_float:
        x, ref = x / 255, ref / 255
    got = ssim_mean(x, ref, window=window, structure=structure)
    # Two flat greys 238 apart: rounding (238² in float32) leaves variances of 0.03 beside C2 = 58, the same in every window.
    # The luminance factor hides it.
    atol = 5e-4 if structure and kind == "flat" else 1e-5
    torch.testing.assert_close(got.double(), exact.mean((2, 3)), rtol=0, atol=atol)
    if not structure:
        torch.testing.assert_close(ssim_each(x, ref, window=window).double(), exact, rtol=0, atol=1e-4)


@built
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kind", ["bytes", "floats"])
def test_the_cut_of_the_rows_changes_no_bit(window, kind, monkeypatch):
    x, ref = scene("noise", (1, 3, 53, 200))
    if kind == "floats":
        x, ref = x / 255 * 0.999, ref / 255 * 0.999
    whole = ssim_mean(x, ref, window=window), ssim_each(x, ref, window=window)

    def cut(work, total, *, grain):
        edges = [0, 1, 2, 5, 42, 43, 60, 87, total - 1, total]
        for start, stop in reversed(list(pairwise(edges))):
            work(start, stop)

    monkeypatch.setattr(kernels, "split", cut)
    assert torch.equal(ssim_mean(x, ref, window=window), whole[0])
    assert torch.equal(ssim_each(x, ref, window=window), whole[1])


@built
def test_tall_pictures_are_worked_in_bands():
    x, ref = scene("noise", (1, 1, 600, 30))
    exact = similarity(x.double() / 255, ref.double() / 255)
    torch.testing.assert_close(ssim_each(x, ref).double(), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("window", WINDOWS)
def test_float32_keeps_five_digits(window):
    x, ref = (t / 255 for t in scene("ramp", (1, 3, 64, 64)))
    exact = similarity(x.double(), ref.double(), window=window).mean()
    assert float(similarity(x, ref, window=window).mean()) == pytest.approx(float(exact), abs=1e-5)


@pytest.mark.parametrize("variant", ["gaussian", "box"])
@pytest.mark.parametrize("damage", ["jpeg10", "blur2", "noise25"])
@pytest.mark.parametrize("shape", [(512, 512), (137, 211), (11, 64)])
def test_scikit_image_agrees(variant, damage, shape, photo):
    metrics = pytest.importorskip("skimage.metrics")
    ref = np.ascontiguousarray(photo[: shape[0], : shape[1]])
    x = DAMAGE[damage](ref)
    paper = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False} if variant == "gaussian" else {}
    want, each = metrics.structural_similarity(ref, x, channel_axis=2, full=True, **paper)
    assert float(ssim(tensor(x), ref=tensor(ref), variant=variant)) == pytest.approx(want, abs=2e-6)
    reach = SIZE[variant] // 2
    ours = ssim_map(tensor(x), ref=tensor(ref), variant=variant)[0]
    inner = (slice(reach, -reach), slice(reach, -reach))
    np.testing.assert_allclose(ours[inner], each.mean(2)[inner], atol=5e-5)


def test_wang_shrinks_as_matlab_does(photo):
    big = np.concatenate([photo, photo[::-1]])[:901, :].repeat(2, axis=1)[:, :771]  # short side 771: every third pixel
    x, ref = DAMAGE["jpeg10"](big), big

    def small(a):
        y = np.floor(a @ [0.298936021293775, 0.587043074451121, 0.114020904255103] + 0.5)
        return correlate(y, np.full((3, 3), 1 / 9), mode="reflect")[::3, ::3] / 255  # scipy's reflect is MATLAB's symmetric

    want = similarity(*(torch.from_numpy(small(a))[None, None] for a in (x, ref))).mean()
    assert float(ssim(tensor(x), ref=tensor(ref), variant="wang")) == pytest.approx(float(want), abs=1e-6)


def test_matlab_golden_of_a_colour_picture():
    """0.7842 is quoted as ssim.m's value for this colour pair. ssim.m takes grey: of H×W×3 it sees the planes side by side."""
    x, ref = (t.transpose(1, 2).flatten(2)[:, None] for t in pair("piqtest_I01", DATA))
    assert float(ssim(x, ref=ref, variant="wang")) == pytest.approx(0.7842, abs=5e-5)


@pytest.mark.parametrize("variant", ["gaussian", "grey", "wang", "box"])
def test_the_score_is_the_mean_of_the_inner_map(variant, photo):
    x, ref = tensor(DAMAGE["blur2"](photo)), tensor(photo)
    reach = 3 if variant == "box" else 5
    inner = ssim_map(x, ref=ref, variant=variant)[:, reach:-reach, reach:-reach]
    assert float(inner.mean()) == pytest.approx(float(ssim(x, ref=ref, variant=variant)), abs=1e-6)


def test_the_padded_map_is_the_padded_score(photo):
    x, ref = tensor(DAMAGE["blur2"](photo)), tensor(photo)
    each = ssim_map(x, ref=ref, variant="padded")
    assert each.shape == (1, 512, 512)
    assert float(each.mean()) == pytest.approx(float(ssim(x, ref=ref, variant="padded")), abs=1e-6)


@pytest.mark.parametrize("variant", ["product", "weighted_sum"])
def test_a_negative_picture_keeps_its_sign_and_its_slope(variant, photo):
    ref = tensor(photo[100:276, 100:280]) / 255
    x = (1 - ref).requires_grad_()
    score = ms_ssim(x, ref=ref, variant=variant)
    score.sum().backward()
    assert -1 <= float(score.detach()) < 0
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert float(x.grad.abs().max()) > 0


def test_negative_structure_is_not_cut_off():
    ref = torch.rand(1, 1, 64, 64)
    assert float(ssim(1 - ref, ref=ref)) < -0.5


def test_halving_an_odd_size_repeats_the_last_row_and_column():
    x = torch.tensor([[0, 2, 4], [2, 4, 6], [8, 8, 255]], dtype=torch.uint8)[None, None]
    torch.testing.assert_close(halved(x) * 255, torch.tensor([[[[2.0, 5], [8, 255]]]]))
    torch.testing.assert_close(halved(x / 255), halved(x))


def test_the_two_ways_to_mirror():
    x = torch.arange(4)[None, None, None].expand(1, 1, 4, 4)
    assert mirrored(x, 2, 3, edge="once")[0, 0, 0].tolist() == [2, 1, 0, 1, 2, 3, 2, 1, 0]
    assert mirrored(x, 2, 3, edge="twice")[0, 0, 0].tolist() == [1, 0, 0, 1, 2, 3, 3, 2, 1]


@pytest.mark.parametrize("fn", [ssim, ms_ssim])
def test_an_unknown_variant_is_named(fn):
    x = torch.rand(1, 3, 176, 176)
    with pytest.raises(BadInput, match="got 'matlab'"):
        fn(x, ref=x, variant="matlab")
