"""Swin-B and the teacher of Efficient-FIQA: size, names and numbers of the net; how its parameters are had."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.catalog import get
from assay.face import efficient_fiqa_teacher as room
from assay.nets.swin import Swin, SwinFIQA
from assay.types import BadInput, CannotAssess, Face, MissingWeights

teacher = get("efficient_fiqa_teacher")
REFERENCE = json.loads((Path(__file__).parent / "swin_reference.json").read_text("utf-8"))
FACE = Face((20, 10, 80, 90), ((35.0, 40.0), (65.0, 40.0), (50.0, 55.0), (38.0, 72.0), (62.0, 72.0)), 1.0)
TINY = {"dim": 8, "depths": (2, 2), "heads": (2, 4)}


def filled(net):
    rng = np.random.default_rng(0)
    for name, p in net.named_parameters():
        norm = "norm" in name or ".0.2." in f".{name}"
        p.data = torch.from_numpy(rng.standard_normal(p.shape)) / 10 + float(norm and name.endswith("weight"))
    return net.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tiny():
    return filled(Swin(**TINY))


@pytest.fixture
def small(monkeypatch):
    """The card with a small net in place of 87 million parameters."""
    monkeypatch.setattr(room, "SwinFIQA", partial(SwinFIQA, **TINY))
    return SwinFIQA(**TINY)


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda c: "×".join(map(str, c["size"])))
def test_numbers_are_those_of_transformers(tiny, case):
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 3, *case["size"])))
    assert tiny(x)[0].tolist() == pytest.approx(case["want"], abs=case["atol"], rel=0)


def test_size_and_names_are_those_of_the_release():
    """torchvision's swin_b has 86,743,224 parameters without its classifier; the head adds 1025·128 + 129."""
    with torch.device("meta"):
        net = SwinFIQA()
    assert sum(p.numel() for p in net.feature_extraction.parameters()) == 86_743_224
    assert sum(p.numel() for p in net.parameters()) == 86_743_224 + 1025 * 128 + 129
    inner = {
        "features.0.0.weight": (128, 3, 4, 4),
        "features.0.2.bias": (128,),
        "features.1.0.attn.qkv.weight": (384, 128),
        "features.1.1.attn.relative_position_bias_table": (169, 4),
        "features.1.1.attn.relative_position_index": (2401,),
        "features.2.reduction.weight": (256, 512),
        "features.5.17.mlp.3.weight": (512, 2048),
        "features.7.1.norm2.weight": (1024,),
        "norm.weight": (1024,),
    }
    names = {f"feature_extraction.feature_extraction.{k}": v for k, v in inner.items()} | {"quality.0.weight": (128, 1024)}
    held = {k: tuple(v.shape) for k, v in net.state_dict().items()}
    assert names.items() <= held.items()
    assert len(held) == 355


@pytest.mark.parametrize("size", [(4, 4), (9, 70), (28, 28), (45, 61)])
def test_any_size_each_picture_by_itself_and_the_same_again(tiny, size):
    x = torch.rand(2, 3, *size, dtype=torch.float64)
    got = tiny(x)
    assert got.shape == (2, 16)
    assert torch.equal(got, tiny(x))
    torch.testing.assert_close(got, torch.cat([tiny(x[:1]), tiny(x[1:])]))


def test_gradients_are_the_slope(tiny):
    x = torch.rand(1, 3, 32, 36, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: tiny(t).sum(), x, fast_mode=True)


def test_parameters_load_by_path_and_by_name(small, monkeypatch, tmp_path):
    image, path = torch.rand(3, 100, 100), tmp_path / room.PLUS.file
    torch.save(small.state_dict(), path)
    got = teacher(image, [FACE, FACE], file=str(path))
    assert got.shape == (2,)
    assert got[0] == got[1]
    assert torch.equal(got, teacher(image, [FACE, FACE], file=str(path)))
    assert teacher(image, [], file=str(path)).shape == (0,)
    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path))
    assert torch.equal(teacher(image, [FACE]), got[:1])
    trained = tmp_path / "best_model.pth"
    torch.save({"epoch": 3, "model_state_dict": {f"module.{k}": v for k, v in small.state_dict().items()}}, trained)
    x = image.clone().requires_grad_()
    score = teacher(x, [FACE], file=str(trained))
    assert torch.equal(score.detach(), got[:1])
    score.sum().backward()
    assert 0 < float(x.grad.abs().sum()) < float("inf")
    with pytest.raises(CannotAssess, match="at least 24"):
        teacher(image, [Face(FACE.box, tuple((v / 10, w / 10) for v, w in FACE.points), 1.0)])


def test_what_is_missing_or_wrong_is_said(small, monkeypatch, tmp_path):
    image = torch.rand(3, 100, 100)
    monkeypatch.delenv("ASSAY_WEIGHTS", raising=False)
    with pytest.raises(MissingWeights, match=r"Swin_B_plus_checkpoint\.pt is not on this machine.*fiqa-assay answers the same question"):
        teacher(image, [FACE])
    with pytest.raises(MissingWeights, match="there is no file"):
        teacher(image, [FACE], file=str(tmp_path / "none.pt"))
    torch.save({"norm.weight": torch.zeros(1)}, tmp_path / "other.pt")
    torch.save(small, tmp_path / "code.pt")
    (tmp_path / "empty.pt").touch()
    (tmp_path / "text.pt").write_text("no parameters")
    torch.save([1], tmp_path / "list.pt")
    for name in ("other", "code", "empty", "text", "list"):
        with pytest.raises(BadInput, match=rf"{name}\.pt (does not hold the parameters of Swin-B|holds )"):
            teacher(image, [FACE], file=str(tmp_path / f"{name}.pt"))
