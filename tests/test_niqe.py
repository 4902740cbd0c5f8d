"""NIQE against an implementation of its own: plain NumPy and SciPy in float64, step by step as the released MATLAB code."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.ndimage import correlate
from scipy.special import gamma

from assay import kernels
from assay.ops import aggd
from assay.ops.niqe import blocks, fused_sums, grey, sums
from assay.ops.resize import halve
from assay.quality.niqe import niqe, niqe_map, official
from assay.quality.niqe_assay import MODEL, model, niqe_assay, niqe_assay_map
from assay.types import BadInput, CannotAssess
from pictures import DAMAGE, found, load, tensor

ROOT = Path(__file__).parent.parent
ALPHA = 0.2 + 0.001 * np.arange(9801)
RATIO = gamma(2 / ALPHA) ** 2 / (gamma(1 / ALPHA) * gamma(3 / ALPHA))


def plain_fit(v):
    left, right = (np.sqrt(np.mean(v[side] ** 2)) for side in (v < 0, v > 0))
    g = left / right
    wanted = np.mean(np.abs(v)) ** 2 / np.mean(v**2) * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    a = ALPHA[np.argmin((RATIO - wanted) ** 2)]
    width = np.sqrt(gamma(1 / a) / gamma(3 / a))
    return a, left * width, right * width


def plain_features(block):
    a, left, right = plain_fit(block)
    out = [a, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a, left, right = plain_fit(block * np.roll(block, shift, (0, 1)))
        out += [a, (right - left) * gamma(2 / a) / gamma(1 / a), left, right]
    return out


def plain_mscn(im):
    i = np.arange(7) - 3
    window = np.exp(-(i[:, None] ** 2 + i**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    mu = correlate(im, window, mode="nearest")
    sigma = np.sqrt(np.abs(correlate(im * im, window, mode="nearest") - mu * mu))
    return np.where(np.abs(im - mu) < 1e-9 * 255, 0, im - mu) / (sigma + 1)


def plain_halving(n):
    """The matrix of imresize(…, 0.5) along one side: the stretched bicubic at every sample, mirrored at the border."""
    m = np.zeros((n // 2, n))
    for i in range(n // 2):
        centre = 2 * i + 0.5
        taps = {}
        for j in range(2 * i - 5, 2 * i + 7):
            t = abs(j - centre) / 2
            taps[j] = 1.5 * t**3 - 2.5 * t**2 + 1 if t <= 1 else -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t <= 2 else 0
        for j, weight in taps.items():
            m[i, -1 - j if j < 0 else 2 * n - 1 - j if j >= n else j] += weight / sum(taps.values())
    return m


def plain_niqe(rgb, mu, cov):
    """H×W×3 uint8 → distance."""
    im = np.floor(rgb.astype(float) @ [0.298936021293775, 0.587043074451121, 0.114020904255103] + 0.5)
    h, w = im.shape[0] // 96, im.shape[1] // 96
    im = im[: h * 96, : w * 96]
    rows = [[] for _ in range(h * w)]
    for side in (96, 48):
        contrast = plain_mscn(im)
        for i in range(h * w):
            y, x = i // w * side, i % w * side
            block = contrast[y : y + side, x : x + side]
            rows[i] += plain_features(block) if np.count_nonzero(block) >= 0.01 * block.size else [np.nan] * 18
        im = plain_halving(im.shape[0]) @ im @ plain_halving(im.shape[1]).T
    f = np.array([r for r in rows if np.isfinite(r).all()])
    d = mu - f.mean(0)
    return float(np.sqrt(d @ np.linalg.pinv((cov + np.cov(f, rowvar=False)) / 2) @ d))


def pixels(x):
    return x[0].permute(1, 2, 0).numpy()


def ours():
    return [t.numpy() for t in model()]


@pytest.mark.parametrize("damage", DAMAGE)
def test_equals_the_plain_implementation(damage, photo):
    a = DAMAGE[damage](photo[:300, 100:500])
    assert float(niqe_assay(tensor(a).double() / 255)) == pytest.approx(plain_niqe(a, *ours()), rel=1e-8)


@pytest.mark.parametrize("name", ["kodak/kodim01.png", "gb82/girl-lossless.webp", "camera/Canon_PowerShot_A720_IS.jpg"])
def test_equals_the_plain_implementation_on_photographs(name, data):
    x = load(found(data / "pristine" / name))
    assert float(niqe_assay(x.double() / 255)) == pytest.approx(plain_niqe(pixels(x), *ours()), rel=1e-8)


@pytest.mark.slow
def test_equals_the_plain_implementation_on_every_photograph(data):
    far = {}
    for path in sorted(found(data / "pristine").rglob("*.*")):
        x = load(path)
        try:
            got = float(niqe_assay(x.double() / 255))
        except CannotAssess:
            continue
        far[path.name] = abs(got / plain_niqe(pixels(x), *ours()) - 1)
    assert len(far) > 200
    assert max(far.values()) < 1e-6, max(far, key=far.get)


@pytest.fixture
def released(data, monkeypatch):
    monkeypatch.setenv("ASSAY_WEIGHTS", str(found(data / "weights")))


# The values that MATLAB printed for the pictures of the release. Of image 3 (8.0362) 19 % is exactly flat; there MATLAB
# counts the signs of its rounding noise, which we set to 0 on purpose, so its value cannot be ours.
@pytest.mark.parametrize(("name", "want"), [("image1.bmp", 5.0290), ("image2.bmp", 17.8659), ("image4.bmp", 2.6571)])
def test_gives_what_matlab_gave(name, want, data, released):
    assert float(niqe(load(found(data / "parity/niqe_release" / name)))) == pytest.approx(want, abs=5.1e-5)


def test_a_flat_share_moves_the_score_off_matlabs_noise(data, released):
    assert float(niqe(load(found(data / "parity/niqe_release/image3.bmp")))) == pytest.approx(7.6299, abs=1e-4)


def test_the_two_models_agree(photo, released):
    x = torch.cat([tensor(fn(photo)) for fn in DAMAGE.values()])
    a, b = niqe(x), niqe_assay(x)
    assert float(torch.corrcoef(torch.stack([a, b]))[0, 1]) > 0.95
    assert niqe_map(x[:1]).shape == (1, 5, 5)
    assert [t.shape for t in official()] == [t.shape for t in model()]


KINDS = {
    "noise": lambda g, s: torch.randint(0, 256, s, generator=g, dtype=torch.uint8),
    "flat": lambda g, s: torch.full(s, int(torch.randint(0, 256, (), generator=g)), dtype=torch.uint8),
    "specks": lambda g, s: (torch.rand(s, generator=g) > 0.999).to(torch.uint8) * 200,
    "steps": lambda _, s: (torch.arange(s[-1]).expand(s) // 40 * 30 % 256).to(torch.uint8),
    "ramp": lambda _, s: (torch.arange(s[-1]).expand(s) // 2 % 256).to(torch.uint8),
    "half": lambda g, s: torch.randint(0, 256, s, generator=g, dtype=torch.uint8) * (torch.arange(s[-1]) < s[-1] // 2),
}


@pytest.mark.skipif(kernels.library() is None, reason="the kernels were not built")
@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    st.sampled_from(list(KINDS)),
    st.integers(96, 300),
    st.integers(96, 300),
    st.sampled_from([1, 3]),
    st.sampled_from("bf"),
    st.integers(0, 9),
)
def test_the_kernel_is_the_definition(kind, h, w, channels, dtype, seed):
    x = KINDS[kind](torch.Generator().manual_seed(seed), (channels, h, w))
    if dtype == "f":
        x = x / 255 * 0.987
    want, got = sums(x), fused_sums(x)
    assert got.shape == want.shape == ((h // 96) * (w // 96), 2, 26)
    torch.testing.assert_close(got[..., :25], want[..., :25], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(got[..., 25] / 96**2, want[..., 25] / 96**2, rtol=1e-7, atol=1e-5)  # flat: roots of rounding noise
    counts = [i for i in range(25) if i % 5 > 2]
    assert torch.equal(got[..., counts], want[..., counts])


@pytest.mark.skipif(kernels.library() is None, reason="the kernels were not built")
def test_threads_do_not_change_the_answer(photo):
    x = tensor(photo)[0]
    before = torch.get_num_threads()
    try:
        answers = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            answers.append(fused_sums(x))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])


@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=50))
def test_the_table_finds_what_trying_all_shapes_finds(wanted):
    ratio = aggd.ratios()
    w = torch.tensor(wanted, dtype=torch.float64)
    assert torch.equal(aggd.nearest(w), (ratio - w[:, None]).square().argmin(-1))


def test_the_table_breaks_ties_like_trying_all_shapes():
    ratio = aggd.ratios()
    w = torch.cat([ratio[::41], ((ratio[1:] + ratio[:-1]) / 2)[::41], torch.tensor([-9.0, 0, 1, 9], dtype=torch.float64)])
    picked = torch.cat([(ratio - part[:, None]).square().argmin(-1) for part in w.split(500)])
    assert torch.equal(aggd.nearest(w), picked)
    assert (ratio.diff() > 0).all()


@pytest.mark.parametrize(("alpha", "left", "right"), [(2.0, 1.0, 1.0), (1.0, 0.5, 1.5), (0.6, 1.0, 0.7)])
def test_the_fit_finds_the_shape_it_was_drawn_from(alpha, left, right):
    rng = np.random.default_rng(0)
    size = rng.gamma(1 / alpha, 1, (4, 300, 300)) ** (1 / alpha)
    side = rng.random(size.shape) < left / (left + right)
    x = torch.from_numpy(np.where(side, -left * size, right * size))
    a, bl, br, mean = (float(t[..., 0].mean()) for t in aggd.fit(aggd.moments(x), torch.tensor(x.shape[-1] ** 2)))
    assert (a, bl, br) == pytest.approx((alpha, left, right), rel=0.03)
    assert mean == pytest.approx(float((right - left) * gamma(2 / alpha) / gamma(1 / alpha)), abs=0.03)


@pytest.mark.parametrize(("h", "w"), [(2, 2), (4, 6), (96, 192)])
def test_halving_is_imresize(h, w):
    x = torch.randint(0, 256, (2, 3, h, w)).double()
    want = torch.from_numpy(plain_halving(max(h, 8))[: h // 2, :h]) if h >= 8 else None
    if want is not None:
        a, b = (torch.from_numpy(plain_halving(n)) for n in (h, w))
        torch.testing.assert_close(halve(x), a @ x @ b.T, rtol=0, atol=1e-11)
    assert halve(x).shape == (2, 3, h // 2, w // 2)
    torch.testing.assert_close(halve(torch.full_like(x, 7)), torch.full((2, 3, h // 2, w // 2), 7.0, dtype=x.dtype))


def test_halving_takes_even_sides():
    with pytest.raises(ValueError, match="even sides; got 5×4"):
        halve(torch.zeros(1, 1, 4, 5))


def test_grey_is_matlabs():
    x = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 200, 200], [12, 34, 56]], dtype=torch.uint8).T.reshape(3, 1, 5)
    assert grey(x).tolist() == [[76, 150, 29, 200, 30]]
    assert grey(x / 255).tolist()[0] == pytest.approx([76.2287, 149.696, 29.0753, 200, 29.9318], abs=1e-3)


def test_finer_pixels_than_8_bit_are_not_rounded(photo):
    x = tensor(photo) / 255
    rounded, finer = niqe_assay(x), niqe_assay(x * 0.999)
    assert float((rounded - finer).abs()) < 0.2
    assert torch.equal(rounded, niqe_assay(tensor(photo)))
    assert not torch.equal(rounded, finer)


def test_flat_blocks_are_left_out(photo):
    page = np.full((480, 480, 3), 255, np.uint8)
    page[:192, :288] = photo[:192, :288]
    x = tensor(page)
    b = blocks(x[0])
    assert b.usable.tolist() == [[y < 2 and x < 3 for x in range(5)] for y in range(5)]
    m = niqe_assay_map(x)[0]
    assert (m[~b.usable] == 0).all()
    assert (m[b.usable] > 0).all()


@pytest.mark.parametrize("side", [96, 191, 400])
def test_a_flat_image_has_no_answer(side):
    flat = torch.full((1, 3, side, side), 77, dtype=torch.uint8)
    for x in (flat, flat / 255 * 0.99):
        with pytest.raises(CannotAssess, match=r"0 of \d+ blocks of 96×96 pixels with texture"):
            niqe_assay(x)


def test_one_block_is_too_few_and_the_batch_says_which(photo):
    with pytest.raises(CannotAssess, match="the image has 1 of 1 blocks"):
        niqe_assay(tensor(photo[:150, :150]))
    with pytest.raises(CannotAssess, match="image 1 of the batch has 0 of 4"):
        niqe_assay(torch.cat([tensor(photo[:192, :192]), torch.zeros(1, 3, 192, 192, dtype=torch.uint8)]))
    with pytest.raises(BadInput, match="at least 96×96"):
        niqe_assay(tensor(photo[:95]))


def test_the_recipe_makes_the_same_file_twice(photo, tmp_path, monkeypatch, capsys):
    from PIL import Image

    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(4):
        Image.fromarray(photo[i * 20 :, i * 30 :][:200, :200]).save(photos / f"{i}.png")
    recipe = runpy.run_path(str(ROOT / "recipes/niqe_assay.py"))["main"]
    made = []
    for name in ("a", "b"):
        monkeypatch.setattr(sys, "argv", ["niqe_assay.py", str(photos), "--out", str(tmp_path / name)])
        recipe()
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    assert {n: t.shape for n, t in load_file(tmp_path / "a").items()} == {"mu": (36,), "cov": (36, 36)}
    assert "of 3 photographs" in capsys.readouterr().out
    assert MODEL.recipe == "recipes/niqe_assay.py"
