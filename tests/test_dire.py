"""DIRE against the authors' own code: the net, the way there and back, the error as a picture; and its files."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from assay import tasks
from assay.authenticity import dire as room
from assay.catalog import get
from assay.nets.adm import ADM, SMALL, Shape
from assay.nets.resnet50 import ResNet50
from assay.ops.ddim import alphas, reconstructed, spaced
from assay.types import BadInput, MissingWeights
from files import picture, scene, survives

detect = get("dire")
ROOT = Path(__file__).parent.parent
REFERENCE = json.loads((ROOT / "tests/dire_reference.json").read_text("utf-8"))
TINY = Shape(side=16, width=32, times=(1, 2), blocks=1, attends=(8,), head=16, out=6, groups=32)


def nothing(x, at):
    return torch.zeros_like(x)


@pytest.fixture(scope="module")
def tiny():
    net, rng = ADM(TINY), np.random.default_rng(0)
    for p in net.parameters():
        p.data = torch.from_numpy(rng.standard_normal(p.shape)) / 10
    return net.double().eval().requires_grad_(False)


@pytest.fixture
def net(tiny, tmp_path):
    save_file(
        {k: v.float() for k, v in tiny.state_dict().items()}, tmp_path / "net.safetensors", metadata={"shape": json.dumps(asdict(TINY))}
    )
    return str(tmp_path / "net.safetensors")


def test_the_net_and_the_way_are_those_of_the_release(tiny):
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 3, 16, 16)))
    got = tiny(x, torch.tensor([350]))[0, :, ::5, ::5]
    assert got.flatten().tolist() == pytest.approx(REFERENCE["net"], abs=REFERENCE["atol"], rel=0)
    x = torch.from_numpy(np.random.default_rng(2).uniform(-1, 1, (1, 3, 16, 16)))
    for case in REFERENCE["cases"]:
        got = reconstructed(x, tiny, depth=case["depth"])[0, :, ::5, ::5]
        assert got.flatten().tolist() == pytest.approx(case["want"], abs=REFERENCE["atol"], rel=0)


def test_sizes_are_those_of_the_release():
    """256x256_diffusion_uncond.pt: 552,814,086 parameters under 566 names; torchvision's resnet50 without its last layer: 23,508,032."""
    with torch.device("meta"):
        whole, small, classifier = ADM(), ADM(SMALL), ResNet50()
    assert sum(p.numel() for p in whole.parameters()) == 552_814_086
    held = {k: tuple(v.shape) for k, v in whole.state_dict().items()}
    assert len(held) == 566
    assert held["input_blocks.17.0.in_layers.2.weight"] == (1024, 1024, 3, 3)
    assert held["middle_block.1.qkv.weight"] == (3072, 1024, 1)
    assert held["output_blocks.17.0.skip_connection.weight"] == (256, 512, 1, 1)
    assert sum(p.numel() for p in small.parameters()) < 2_000_000
    assert sum(p.numel() for p in classifier.parameters()) == 23_508_032 + 2049


def test_the_chain():
    assert spaced(20) == list(range(0, 1000, 50))
    assert float(alphas()[0]) == pytest.approx(1 - 1e-4)
    assert float(alphas()[-1]) == pytest.approx(4.036e-5, rel=1e-3)
    with pytest.raises(BadInput, match="thinned evenly"):
        spaced(999)
    with pytest.raises(BadInput, match="depth must be 0"):
        reconstructed(torch.zeros(1, 3, 2, 2), nothing, depth=21)


def test_without_noise_a_part_of_the_way_rescales_and_all_of_it_forgets():
    x, kept = torch.rand(1, 3, 4, 4).double() * 2 - 1, alphas()[::50]
    got = reconstructed(x, nothing, depth=10, clip=False)
    torch.testing.assert_close(got, x * (kept[10] / kept[0] / kept[9]).sqrt())
    assert not reconstructed(x, nothing, clip=False).any()


def test_the_error_is_drawn_where_it_lies(net):
    pixels = scene(48, 32)
    got = detect(picture(b"", pixels=pixels), net=net, depth=7)
    assert got.map.shape == (16, 24)
    assert not got.map[:, :4].any()
    assert not got.map[:, 20:].any()
    assert got.data["statistic"] == -got.data["dire"]
    assert got.data["dire"] == pytest.approx(float(got.map[:, 4:20].mean()), abs=1e-3)
    assert got.evidence[0].points_to is None


def test_the_classifier_sees_the_error(net, tmp_path):
    torch.manual_seed(0)
    body = ResNet50().eval()
    torch.save({"model": body.state_dict(), "total_steps": 3}, tmp_path / "lsun_adm.pth")
    pixels = scene(16, 16)
    got = detect(picture(b"", pixels=pixels), net=net, depth=7, file=str(tmp_path / "lsun_adm.pth"))
    noise, _ = room.seeing(net)
    with torch.no_grad():
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
        want = float(body(room.pictured((x - reconstructed(x, noise, depth=7))[0].abs() * 127.5)))
    assert got.data["statistic"] == pytest.approx(want, abs=1e-3)
    assert len(got.evidence) == 2


def test_bytes_of_the_error_are_cut_and_its_middle_is_taken():
    error = torch.full((3, 256, 256), 7.9)
    error[:, 16:240, 16:240] = 300
    seen = room.pictured(error)
    assert seen.shape == (1, 3, 224, 224)
    assert float(seen.amin()) == pytest.approx((1 - 0.485) / 0.229, abs=1e-5)


def test_the_middle_is_center_crop_arr():
    """Halved by averages while twice too large, then bicubic: the shorter side is the net's."""
    x, frame = room.middle(torch.from_numpy(scene(100, 70)).permute(2, 0, 1), 16)
    assert x.shape == (3, 16, 16)
    assert frame == (16, 24)
    flat, _ = room.middle(torch.full((1, 5, 9), 200, dtype=torch.uint8), 16)
    assert torch.equal(flat, torch.full((3, 16, 16), 200 / 127.5 - 1))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 100, 1), (30, 30, 4)])
def test_any_picture_is_answered(net, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    survives(lambda of: detect(of, net=net, steps=2), picture(b"", pixels=pixels))


def test_a_program_may_see_the_noise(tmp_path):
    class Calm(torch.nn.Module):
        def forward(self, x, at):
            return x * (at.view(-1, 1, 1, 1) >= 0)

    path = tmp_path / "calm.ts"
    with pytest.warns(DeprecationWarning, match="script"):
        torch.jit.script(Calm()).save(path)
    assert detect(picture(b"", pixels=scene(30, 30)), net=str(path), depth=2).map.shape == (256, 256)


def test_the_recipe_makes_what_the_card_reads(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    recipe = runpy.run_path(str(ROOT / "recipes/small_diffusion.py"))
    monkeypatch.setitem(recipe["train"].__globals__, "BATCH", 2)
    Image.fromarray(scene(90, 80)).save(tmp_path / "a.png")
    out = tmp_path / "small.safetensors"
    assert recipe["train"]([tmp_path / "a.png"], out, minutes=1, steps=2) == 2
    assert recipe["train"]([tmp_path / "a.png"], out, minutes=1, steps=3) == 3  # it goes on where it was
    assert detect(picture(b"", pixels=scene(70, 64)), net=str(out), steps=2).map.shape == (64, 70)


def test_what_is_missing_or_wrong_is_said(net, tmp_path, monkeypatch):
    of = picture(b"", pixels=scene(20, 20))
    with pytest.raises(MissingWeights, match=r"DIRE needs a diffusion model.*generated-assay answers the same question"):
        detect(of)
    with pytest.raises(MissingWeights, match="there is no file none"):
        detect(of, net="none.pt")
    with pytest.raises(MissingWeights, match="DIRE's classifier"):
        detect(of, net=net, steps=2, file="none.pt")
    with pytest.raises(BadInput, match="a ResNet-50 with one output"):
        detect(of, net=net, steps=2, file=net)
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(BadInput, match="does not hold the parameters of ADM's U-Net"):
        detect(of, net=str(tmp_path / "other.pt"))
    (tmp_path / "bad.ts").write_text("no")
    with pytest.raises(BadInput, match="is no TorchScript file"):
        detect(of, net=str(tmp_path / "bad.ts"))
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(BadInput, match="pip install assay"):
        detect(of, net=str(tmp_path))
    assert "dire" not in tasks.offline()
