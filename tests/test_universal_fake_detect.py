"""CLIP's image tower, by the names of three sources, and UniversalFakeDetect on top of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from assay import tasks
from assay.authenticity import universal_fake_detect as room
from assay.catalog import get
from assay.nets import clip_vit
from assay.nets.clip_vit import CLIPVision, Shape, _kept, load, named, shape_of
from assay.types import BadInput, MissingWeights, Weights
from assay.weights import others
from files import picture, scene, survives

detect = get("universal_fake_detect")
REFERENCE = json.loads((Path(__file__).parent / "clip_reference.json").read_text("utf-8"))
TINY = Shape(side=28, patch=7, width=64, depth=2, heads=1, embedding=6)
IMAGE = "vision_model.embeddings."


def openai(kept):
    """A state dict of ours as OpenAI would have written it, with something of the sentences' half beside."""
    out = {"logit_scale": torch.zeros(()), "transformer.resblocks.0.ln_1.weight": torch.zeros(3)}
    for name, value in kept.items():
        if name == "visual_projection.weight":
            out["visual.proj"] = value.T
        elif "self_attn" in name and "out_proj" not in name:
            at, kind = name.split(".self_attn.")[0].split("layers.")[1], name.rsplit(".", 1)[1]
            if "q_proj" in name:
                parts = [kept[name.replace("q_proj", f"{n}_proj")] for n in "qkv"]
                out[f"visual.transformer.resblocks.{at}.attn.in_proj_{kind}"] = torch.cat(parts)
        else:
            for theirs, ours in clip_vit.OURS.items():
                name = name.replace(ours, theirs)
            out["visual." + name.replace("vision_model.encoder.layers.", "transformer.resblocks.")] = value
    return out


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(1)
    return CLIPVision(TINY).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def files(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(2)
    torch.save(openai(tiny.state_dict()), folder / "openai.pt")
    torch.save({"weight": torch.randn(1, 6), "bias": torch.randn(1)}, folder / "fc.pth")
    return folder


def test_numbers_are_those_of_transformers():
    net = CLIPVision(Shape(side=28, patch=7, width=24, depth=3, heads=3, embedding=10)).double().eval()
    rng = np.random.default_rng(0)
    for name, p in net.named_parameters():
        p.data = torch.from_numpy(rng.standard_normal(p.shape)) / 10 + float("norm" in name and name.endswith("weight"))
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 3, 28, 28)))
    assert net(x)[0].tolist() == pytest.approx(REFERENCE["embedding"], abs=REFERENCE["atol"], rel=0)
    assert net.vision_model(x)[0].tolist() == pytest.approx(REFERENCE["pooled"], abs=REFERENCE["atol"], rel=0)


def test_size_and_names_are_those_of_the_release():
    """transformers' clip-vit-large-patch14: 303,179,776 parameters before the projection to 768."""
    with torch.device("meta"):
        net = CLIPVision()
    assert sum(p.numel() for p in net.vision_model.parameters()) == 303_179_776
    assert sum(p.numel() for p in net.parameters()) == 303_179_776 + 1024 * 768
    held = {k: tuple(v.shape) for k, v in net.state_dict().items()}
    wanted = {
        f"{IMAGE}class_embedding": (1024,),
        f"{IMAGE}patch_embedding.weight": (1024, 3, 14, 14),
        f"{IMAGE}position_embedding.weight": (257, 1024),
        "vision_model.pre_layrnorm.weight": (1024,),
        "vision_model.encoder.layers.23.self_attn.k_proj.bias": (1024,),
        "vision_model.encoder.layers.23.mlp.fc1.weight": (4096, 1024),
        "vision_model.post_layernorm.bias": (1024,),
        "visual_projection.weight": (768, 1024),
    }
    assert wanted.items() <= held.items()
    assert len(held) == 24 * 16 + 3 + 4 + 1
    assert shape_of(net.state_dict()) == Shape()


@pytest.mark.parametrize("form", ["openai", "half", "visual alone", "transformers", "safetensors", "wrapped"])
def test_every_form_of_the_parameters_gives_the_same_net(tiny, tmp_path, form):
    kept, path = tiny.state_dict(), tmp_path / ("net.safetensors" if form == "safetensors" else "net.pt")
    if form in ("openai", "half"):
        torch.save({k: v.half() if form == "half" else v for k, v in openai(kept).items()}, path)
    elif form == "visual alone":
        torch.save({k.removeprefix("visual."): v for k, v in openai(kept).items() if k.startswith("visual.")}, path)
    elif form == "transformers":
        torch.save(kept | {"text_model.x": torch.zeros(1), f"{IMAGE}position_ids": torch.arange(17)[None]}, path)
    elif form == "safetensors":
        save_file(kept, path)
    else:
        torch.save({"epoch": 1, "state_dict": {f"module.{k}": v for k, v in kept.items()}}, path)
    x = torch.rand(2, 3, 28, 28)
    torch.testing.assert_close(load(str(path), instead="")(x), tiny(x), atol=0.01 if form == "half" else 1e-6, rtol=0)


def test_openais_own_program_is_run_only_where_it_is_known(tmp_path, monkeypatch):
    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.visual = torch.nn.Linear(600, 600)

        def forward(self, x):
            return self.visual(x)

    path = tmp_path / "ViT-L-14.pt"
    with pytest.warns(DeprecationWarning, match="script"):
        torch.jit.script(Whole()).save(path)
    with pytest.raises(BadInput, match="holds more than tensors"):
        others.tensors(path)
    known = Weights(file=path.name, sha256=clip_vit.weights.digest(path), license="", url="")
    monkeypatch.setattr(clip_vit, "VIT_L_14", known)
    assert sorted(_kept(path)) == ["visual.bias", "visual.weight"]
    with pytest.raises(BadInput, match="does not hold the parameters of CLIP"):
        load(str(path), instead="")


def test_the_middle_is_torchvisions():
    x = torch.arange(7 * 9, dtype=torch.uint8).view(1, 7, 9)
    assert torch.equal(room.middle(x, 4), x[:, 2:6, 2:6] / 255)  # 1.5 and 2.5 are rounded to even
    small = room.middle(x, 10)
    assert torch.equal(small[:, 1:8, :9], x / 255)
    assert not small[:, 0].any()
    assert not small[:, 8:].any()
    assert not small[:, :, 9].any()


def test_a_logit_of_the_middle(tiny, files):
    pixels = scene(90, 61)
    got = detect(picture(b"", pixels=pixels), file=str(files / "openai.pt"), head=str(files / "fc.pth"))
    fc = torch.load(files / "fc.pth")
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None, :, 16:44, 31:59] / 255  # 16.5 to even
    want = tiny((x - torch.tensor(clip_vit.MEAN).view(3, 1, 1)) / torch.tensor(clip_vit.STD).view(3, 1, 1)) @ fc["weight"].T + fc["bias"]
    assert got.data["statistic"] == pytest.approx(float(want), abs=1e-4)
    assert got.data["probability"] == pytest.approx(float(want.sigmoid()), abs=1e-4)
    assert got.data["seen"] == pytest.approx(28 * 28 / (90 * 61), abs=1e-4)
    assert got.evidence[0].points_to is None
    assert got.score is None


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 200, 1), (40, 300, 3), (30, 30, 4)])
def test_any_picture_is_answered(files, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    survives(lambda of: detect(of, file=str(files / "openai.pt"), head=str(files / "fc.pth")), picture(b"", pixels=pixels))


def test_the_authors_layer_loads(data):
    weight, bias = room.layer(str(data / "weights/ufd_fc_weights.pth"))
    assert weight.shape == (1, 768)
    assert float(weight.norm()) == pytest.approx(6.2001, abs=1e-4)
    assert float(bias) == pytest.approx(-0.5167, abs=1e-4)


def test_what_is_missing_or_wrong_is_said(files, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    room.clip.cache_clear()
    of, clip, fc = picture(b"", pixels=scene(40, 40)), str(files / "openai.pt"), str(files / "fc.pth")
    with pytest.raises(MissingWeights, match=r"ViT-L-14\.pt is not on this machine.*generated-assay answers the same question"):
        detect(of)
    with pytest.raises(MissingWeights, match=r"fc_weights\.pth is not on this machine"):
        detect(of, file=clip)
    with pytest.raises(MissingWeights, match="there is no file"):
        detect(of, file="none.pt")
    with pytest.raises(MissingWeights, match="there is no file"):
        detect(of, file=clip, head="none.pt")
    with pytest.raises(BadInput, match="does not hold the parameters of CLIP"):
        detect(of, file=fc)
    with pytest.raises(BadInput, match="is no linear layer"):
        detect(of, file=clip, head=clip)
    torch.save({"weight": torch.zeros(1, 5), "bias": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(BadInput, match="takes 5 numbers and this CLIP gives 6"):
        detect(of, file=clip, head=str(tmp_path / "other.pth"))
    (tmp_path / "text.pt").write_text("no parameters")
    torch.save([1], tmp_path / "list.pt")
    (tmp_path / "bad.safetensors").write_text("no")
    for name in ("text.pt", "list.pt", "bad.safetensors"):
        with pytest.raises(BadInput, match=name):
            load(str(tmp_path / name), instead="")


def test_what_inspect_runs_leaves_it_out():
    assert "universal_fake_detect" not in tasks.offline()


def test_names_of_neither_are_left_out():
    assert named({"text_model.x": torch.zeros(1)}) == {}
