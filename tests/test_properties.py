"""What must hold for every algorithm that scores an image; a new card is picked up by itself."""

from __future__ import annotations

import inspect

import pytest
import torch

from assay.catalog import get, index, map_of
from assay.types import BadInput, CannotAssess, Finding
from pictures import DAMAGE, drawn_faces, tensor


def offline(row):
    """Algorithms that run without official parameter files."""
    return row["answers"] == "score" and row["takes"][0] == "image" and not any(w["url"] for w in row["weights"])


SCORES = [n for n, row in index().items() if offline(row)]
PAIRS = [n for n in SCORES if "reference" in index()[n]["takes"]]
COMPARED = [n for n in SCORES if len(index()[n]["takes"]) > 1]
SIGNED = {"relative_quality": 0}  # a copy is as good as its reference, no better
SMOOTH = [n for n in SCORES if index()[n]["differentiable"]]
MAPPED = [n for n in SCORES if index()[n]["map"]]


def beside(fn, ref):
    """The other input, by the name that the function gives it."""
    return {"ref": ref} if "reference" in fn.card.takes else {"scene": ref} if "images" in fn.card.takes else {}


def score(name, x, ref=None):
    fn = get(name)
    out = fn(x, **beside(fn, ref))
    return torch.stack([torch.as_tensor(f.score) for f in out]) if isinstance(out, list) and isinstance(out[0], Finding) else out


@pytest.fixture(scope="module")
def photo_256():
    return pytest.importorskip("skimage.data").astronaut()[100:356, 100:356]


def damaged(photo_256, damage):
    return tensor(DAMAGE[damage](photo_256))


@pytest.mark.parametrize("name", COMPARED)
def test_a_copy_is_best(name, photo_256):
    x = tensor(photo_256)
    assert float(score(name, x, x)[0]) == pytest.approx(SIGNED.get(name, get(name).card.scale.best), abs=1e-5)


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("kind", ["blur", "noise", "jpeg"])
def test_more_damage_never_scores_better(name, kind, photo_256):
    x = tensor(photo_256)
    steps = {"blur": ("ref", "blur1", "blur2"), "noise": ("ref", "noise10", "noise25"), "jpeg": ("ref", "jpeg30", "jpeg10")}[kind]
    good = [get(name).card.scale.good(float(score(name, damaged(photo_256, d), x)[0])) for d in steps]
    assert good == sorted(good, reverse=True)


@pytest.mark.parametrize("name", SCORES)
def test_a_batch_scores_as_its_items(name, photo_256):
    x = torch.cat([damaged(photo_256, d) for d in ("ref", "noise10", "blur1")])
    ref = tensor(photo_256).expand_as(x)
    one_by_one = torch.cat([score(name, a[None], b[None]) for a, b in zip(x, ref, strict=True)])
    torch.testing.assert_close(score(name, x, ref), one_by_one, rtol=1e-6, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", SCORES)
def test_bytes_and_floats_score_alike(name, photo_256):
    x, ref = damaged(photo_256, "noise10"), tensor(photo_256)
    want, got = score(name, x, ref), score(name, x / 255, ref / 255)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SCORES)
def test_the_caller_keeps_his_pixels(name, photo_256):
    x, ref = damaged(photo_256, "noise10"), tensor(photo_256)
    before = x.clone(), ref.clone()
    score(name, x, ref)
    assert torch.equal(x, before[0])
    assert torch.equal(ref, before[1])


@pytest.mark.parametrize("name", SCORES)
def test_a_view_scores_as_its_copy(name, photo_256):
    x, ref = damaged(photo_256, "blur1"), tensor(photo_256)
    view, copy = x.mT, x.mT.contiguous()
    torch.testing.assert_close(score(name, view, ref.mT), score(name, copy, ref.mT.contiguous()))


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x: x.float(), "Divide 8-bit data by 255"),
        (lambda x: x[0], r"x\[None\]"),
        (lambda x: x.permute(0, 2, 3, 1), r"x.permute\(0, 3, 1, 2\)"),
        (lambda x: (x / 255).index_fill(3, torch.tensor([0]), float("nan")), "NaN"),
        (lambda x: x.int(), "uint8"),
    ],
    ids=["0..255 floats", "no batch", "channels last", "nan", "int32"],
)
def test_wrong_input_is_a_sentence(name, make, text, photo_256):
    bad = make(tensor(photo_256))
    with pytest.raises(BadInput, match=text):
        score(name, bad, bad)


@pytest.mark.parametrize("name", PAIRS)
def test_two_sizes_are_refused(name, photo_256):
    x = tensor(photo_256)
    with pytest.raises(BadInput, match="one shape"):
        score(name, x, x[..., :-1])


@pytest.mark.parametrize("name", SCORES)
def test_too_small_says_so(name):
    side = index()[name]["min_side"]
    if side == 1:
        one = torch.full((1, 3, 1, 1), 128, dtype=torch.uint8)
        assert score(name, one, one).shape == (1,)
        return
    small = torch.full((1, 3, side - 1, side + 40), 128, dtype=torch.uint8)
    with pytest.raises(BadInput, match=f"at least {side}×{side}"):
        score(name, small, small)


@pytest.fixture(scope="module")
def small(photo_256):
    """A crop no metric finds too small, and no larger: 1×3×180×184 in [0, 1]."""
    return tensor(photo_256[:180, :184]) / 255


PLAIN = {"flat": 0.5, "black": 0.0, "white": 1.0}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("case", ["noisy", "equal", "against flat", *PLAIN])
def test_gradients_are_finite(name, case, small, photo_256):
    ref = torch.full_like(small, PLAIN.get(case, 0.5)) if case in (*PLAIN, "against flat") else small
    x = damaged(photo_256, "noise10")[..., :180, :184] / 255 if case in ("noisy", "against flat") else ref
    x = x.clone().requires_grad_()
    try:
        score(name, x, ref).sum().backward()
    except CannotAssess:
        assert case == "black"  # refused in a sentence: it divides by brightness
        return
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", SMOOTH)
def test_the_gradient_of_a_batch_is_that_of_its_items(name, photo_256):
    side = max(48, index()[name]["min_side"])
    x, ref = (
        torch.cat([tensor(p[:side, :side]), tensor(p[-side:, -side:])]).double() / 255 for p in (DAMAGE["noise10"](photo_256), photo_256)
    )
    x[1] = ref[1]
    together = x.clone().requires_grad_()
    score(name, together, ref).sum().backward()
    alone = x[:1].clone().requires_grad_()
    score(name, alone, ref[:1]).sum().backward()
    torch.testing.assert_close(together.grad[:1], alone.grad, rtol=1e-5, atol=1e-8 * float(alone.grad.abs().max()))
    assert together.grad[1].isfinite().all()


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("damage", ["noise10", "blur1"])
def test_the_gradient_is_the_slope(name, damage, small, photo_256):
    """In float64 and off the 8-bit grid: grey levels in a row lie exactly on kinks (hues opposite, differences of 0)."""
    g = torch.Generator().manual_seed(3)
    ref = small.double()
    x = damaged(photo_256, damage)[..., :180, :184].double() / 255
    x = (0.98 * x + 0.02 * torch.rand(x.shape, generator=g, dtype=torch.double)).requires_grad_()
    score(name, x, ref).sum().backward()
    with torch.no_grad():
        way = torch.randn(x.shape, generator=g, dtype=torch.double) + x.grad.sign()
        way = way * x * (1 - x)
        step = 1e-8
        slope = (score(name, x + step * way, ref) - score(name, x - step * way, ref)).sum() / (2 * step)
    assert float((x.grad * way).sum()) == pytest.approx(float(slope), rel=1e-3)


@pytest.mark.parametrize("name", [n for n, row in index().items() if row["answers"] == "score" and not row["differentiable"]])
def test_what_has_no_gradient_says_why(name):
    assert "Not differentiable: " in (get(name).__doc__ or "")


@pytest.mark.parametrize("name", MAPPED)
def test_a_map_has_a_value_per_place(name, photo_256):
    fn = get(name)
    x, ref = damaged(photo_256, "jpeg10"), tensor(photo_256)
    maps = map_of(fn)(x, **beside(fn, ref))
    assert maps.ndim == 3
    assert maps.shape[0] == 1
    assert maps.isfinite().all()


def decibels(mean):
    return -10 * mean.log10()


POOLED = {  # metrics whose score is a function of their map's mean
    **dict.fromkeys(("ciede2000", "flip", "sam", "scc", "uqi", "total_variation"), lambda mean: mean),
    **dict.fromkeys(("psnr", "psnr_y", "psnr_hvs", "psnr_hvs_m"), decibels),
    **dict.fromkeys(("banding", "overexposure", "underexposure"), lambda mean: 100 * mean),
    "ergas": lambda mean: 25 * mean.sqrt(),
}


@pytest.mark.parametrize("name", POOLED)
def test_the_mean_of_a_map_is_the_score(name, photo_256):
    fn = get(name)
    x, ref = (tensor(p[:, :201].clip(1, 255)) for p in (DAMAGE["jpeg30"](photo_256), photo_256))
    maps = map_of(fn)(x, ref=ref) if "reference" in fn.card.takes else map_of(fn)(x)
    torch.testing.assert_close(POOLED[name](maps.mean((1, 2), dtype=torch.float64)).float(), score(name, x, ref), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_right(name, half, photo_256):
    x, ref = damaged(photo_256, "noise10") / 255, tensor(photo_256) / 255
    card = get(name).card
    poor, fine = card.scale.usual or (card.scale.worst, card.scale.best)
    exact = score(name, x.to(half).float(), ref.to(half).float())
    assert float((score(name, x.to(half), ref.to(half)).float() - exact).abs()) <= 1e-2 * abs(fine - poor)


@pytest.mark.parametrize("name", list(index()))
def test_knobs_and_references_are_keywords(name):
    parameters = list(inspect.signature(get(name)).parameters.values())
    with_faces = 2 if "face" in get(name).card.takes else 1  # the picture, and the faces in it
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters[with_faces:])


FACES = [
    n for n, row in index().items() if row["answers"] == "score" and row["takes"][0] == "face" and not any(w["url"] for w in row["weights"])
]
TOGETHER = ("single_face_present",)  # asks how the faces of one picture compare


def of_faces(name, image, faces):
    out = get(name)(image, faces)
    return torch.stack([torch.as_tensor(f.score) for f in out]) if isinstance(out, list) else out


@pytest.mark.parametrize("name", FACES)
def test_faces_score_within_their_scale(name):
    image, faces = drawn_faces(2)
    card, got = get(name).card, of_faces(name, image, faces)
    assert got.shape == (2,)
    ends = sorted((card.scale.worst, card.scale.best))
    assert all(ends[0] <= v <= ends[1] for v in got.tolist())
    torch.testing.assert_close(of_faces(name, image, faces), got, rtol=0, atol=0)


@pytest.mark.parametrize("name", FACES)
def test_no_faces_no_scores(name):
    assert len(get(name)(drawn_faces()[0], [])) == 0


@pytest.mark.parametrize("name", [n for n in FACES if n not in TOGETHER])
def test_a_list_of_faces_scores_as_each(name):
    image, faces = drawn_faces(2)
    one_by_one = torch.cat([of_faces(name, image, [face]) for face in faces])
    torch.testing.assert_close(of_faces(name, image, faces), one_by_one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FACES)
def test_faces_in_bytes_floats_views_and_halves_score_alike(name):
    image, faces = drawn_faces()
    before, want, step = image.clone(), of_faces(name, image, faces), 0.01 * abs(get(name).card.scale.best - get(name).card.scale.worst)
    torch.testing.assert_close(of_faces(name, image / 255, faces), want, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(of_faces(name, image.mT.contiguous().mT, faces), want, rtol=1e-5, atol=1e-5)
    assert torch.equal(image, before)
    for half in (torch.bfloat16, torch.float16):
        x = (image / 255).to(half)
        torch.testing.assert_close(of_faces(name, x, faces).float(), of_faces(name, x.float(), faces).float(), rtol=0, atol=step)


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x, f: (x.float(), f), "Divide 8-bit data by 255"),
        (lambda x, f: (x.expand(2, -1, -1, -1), f), "one picture"),
        (lambda x, f: (x, [f[0].box]), "assay.Face"),
    ],
    ids=["0..255 floats", "a batch", "boxes"],
)
def test_wrong_faces_are_a_sentence(name, make, text):
    with pytest.raises(BadInput, match=text):
        get(name)(*make(*drawn_faces()))


@pytest.mark.parametrize("name", [n for n in FACES if index()[n]["differentiable"]])
def test_gradients_of_faces_are_finite(name):
    image, faces = drawn_faces()
    x = (image / 255).requires_grad_()
    of_faces(name, x, faces).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
