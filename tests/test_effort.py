"""Effort's split layers against their definition, its checkpoints, and its training on a small tower."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assay import tasks
from assay.authenticity import effort as room
from assay.catalog import get
from assay.nets.clip_vit import CLIPVision, Shape, standardised
from assay.nets.effort import Effort, SVDResidualLinear, layers, merged, split
from assay.types import BadInput, MissingWeights
from files import picture, scene, survives

detect = get("effort")
ROOT = Path(__file__).parent.parent
TINY = Shape(side=28, patch=7, width=64, depth=2, heads=1, embedding=6)


@pytest.fixture
def clip():
    torch.manual_seed(1)
    return CLIPVision(TINY).eval()


def moved(net, by=0.05):
    """As if it had been trained."""
    torch.manual_seed(3)
    with torch.no_grad():
        for m in layers(net):
            for p in (m.U_residual, m.S_residual, m.V_residual):
                p.add_(by * torch.randn_like(p))
    return net


def released(net):
    """A checkpoint as the authors save it: with the factors of the frozen part, and the sides' own buffers left out."""
    kept = {k: v for k, v in net.state_dict().items() if not k.endswith(("U_0", "V_0", "strength"))}
    for name, m in net.named_modules():
        if isinstance(m, SVDResidualLinear):
            u, s, v = torch.linalg.svd(m.weight_main)
            kept |= {f"{name}.U_r": u[:, :-1], f"{name}.S_r": s[:-1], f"{name}.V_r": v[:-1]}
    return {f"module.{k}": v for k, v in kept.items()} | {"module.backbone.embeddings.position_ids": torch.arange(17)[None]}


def test_the_split_changes_nothing_and_frees_what_it_says(clip):
    net, x = split(clip, free=3), torch.rand(2, 3, 28, 28)
    torch.testing.assert_close(net.backbone(x), clip.vision_model(x), atol=1e-5, rtol=0)
    free = {n for n, p in net.named_parameters() if p.requires_grad}
    assert all(n.startswith("head.") or "_residual" in n for n in free)
    assert sum(p.numel() for n, p in net.named_parameters() if n in free) == 2 * 4 * 3 * (64 + 1 + 64) + 64 * 2 + 2
    for m in layers(net):
        assert float((m.weight_main.T @ m.U_residual).detach().abs().max()) < 1e-6
        assert float((m.weight_main @ m.V_residual.T).detach().abs().max()) < 1e-6
        assert torch.linalg.matrix_rank(m.weight_main, rtol=1e-5) == 61


def test_as_many_are_free_as_in_the_release():
    """24·4 layers of 1024 + 1 + 1024 numbers, and a head of 2,050."""
    with torch.device("meta"):
        layer = SVDResidualLinear(torch.nn.Linear(1024, 1024), 1)
    assert sum(p.numel() for p in layer.parameters()) == 2049
    assert 24 * 4 * 2049 == 196_704


@pytest.mark.parametrize("free", [1, 5])
def test_what_holds_the_directions_is_the_published_formula(free):
    torch.manual_seed(0)
    first = torch.nn.Linear(24, 24).double()
    m = SVDResidualLinear(first, free)
    assert float(m.orthogonality().detach()) < 1e-5
    assert float(m.spectrum().detach()) < 1e-9
    u, _, v = torch.linalg.svd(first.weight.detach())
    moved(torch.nn.ModuleList([m]), 0.3)
    every = [torch.cat([u[:, :-free], m.U_residual], 1), torch.cat([v[:-free], m.V_residual], 0)]
    want = sum(0.5 * torch.linalg.norm(q @ q.T - torch.eye(24).double()) for q in every)
    assert float(m.orthogonality().detach()) == pytest.approx(float(want.detach()), rel=1e-9)
    whole = m.weight_main + m.U_residual @ torch.diag(m.S_residual) @ m.V_residual
    want = (torch.linalg.norm(whole) ** 2 - torch.linalg.norm(first.weight) ** 2).abs()
    assert float(m.spectrum().detach()) == pytest.approx(float(want.detach()), rel=1e-9)
    assert torch.autograd.gradcheck(lambda *_: m.orthogonality() + m.spectrum(), tuple(m.parameters()))


def test_slopes_are_finite_at_the_start(clip):
    net = split(clip)
    sum(m.orthogonality() + m.spectrum() for m in layers(net)).backward()
    assert all(torch.isfinite(p.grad).all() for m in layers(net) for p in m.parameters())


def test_merging_and_loading_change_nothing(clip, tmp_path):
    net, path = moved(split(clip)).eval(), tmp_path / "net.pth"
    pixels = scene(60, 41)
    torch.save(released(net), path)
    got = detect(picture(b"", pixels=pixels), file=str(path))
    with torch.no_grad():
        real, fake = net(standardised(room.squeezed(torch.from_numpy(pixels).permute(2, 0, 1), 28)[None]))[0].tolist()
    assert got.data["statistic"] == pytest.approx(fake - real, abs=1e-3)
    assert got.data["probability"] == pytest.approx(1 / (1 + np.exp(real - fake)), abs=1e-3)
    assert got.evidence[0].points_to is None
    whole = Effort(TINY)
    whole.load_state_dict(merged(net.state_dict()))


def test_squeezing_is_opencvs():
    """cv2.resize of OpenCV 5.0.0 gave these bytes for these: half a pixel in, two neighbours, nothing averaged."""
    row = torch.tensor([[[0, 10, 20, 200, 40, 50, 60, 255]]], dtype=torch.uint8).expand(1, 8, 8)
    assert (room.squeezed(row, 4)[0, 0] * 255).round().int().tolist() == [5, 110, 45, 158]


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 200, 1), (40, 300, 3), (30, 30, 4)])
def test_any_picture_is_answered(clip, tmp_path, shape):
    torch.save(split(clip).state_dict(), tmp_path / "net.pth")
    of = picture(b"", pixels=np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    survives(lambda of: detect(of, file=str(tmp_path / "net.pth")), of)


def test_the_recipe_moves_the_free_directions_alone(clip, tmp_path, capsys, monkeypatch):
    recipe = runpy.run_path(str(ROOT / "recipes/effort.py"))
    monkeypatch.setitem(recipe["train"].__globals__, "BATCH", 4)
    rng = np.random.default_rng(0)
    for name, low in (("real", 0), ("fake", 128)):
        (tmp_path / name).mkdir()
        for i in range(8):
            Image.fromarray(rng.integers(low, low + 128, (32, 32, 3), np.uint8)).save(tmp_path / name / f"{i}.png")
    net, out = split(clip), tmp_path / "net.pth"
    before = {k: v.clone() for k, v in net.state_dict().items()}
    assert recipe["train"](net, tmp_path, out, minutes=1, steps=12) == 12
    for name, value in net.state_dict().items():
        changed = not torch.equal(value, before[name])
        assert changed == (name.startswith("head.") or "_residual" in name), name
    assert max(float(m.orthogonality().detach()) for m in layers(net)) < 0.05
    assert max(float(m.spectrum().detach() / m.strength) for m in layers(net)) < 0.01
    assert "held out: AUC" in capsys.readouterr().out
    of = picture(b"", pixels=scene(40, 40))
    first = detect(of, file=str(out)).data
    assert recipe["train"](net, tmp_path, out, minutes=1, steps=12) == 12  # it goes on where it was
    assert first == detect(of, file=str(out)).data


def test_the_effective_rank_is_that_of_the_features():
    recipe = runpy.run_path(str(ROOT / "recipes/effort.py"))
    x = torch.randn(200, 3) @ torch.randn(3, 20)
    assert recipe["components"](x, 0.999999) == 3
    assert recipe["components"](torch.randn(2000, 20)) >= 18


def test_what_is_missing_or_wrong_is_said(clip, tmp_path, monkeypatch):
    of = picture(b"", pixels=scene(40, 40))
    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match=r"trainOn_sdv14\.pth is not on this machine.*generated-assay answers the same question"):
        detect(of)
    with pytest.raises(MissingWeights, match="there is no file"):
        detect(of, file="none.pth")
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    with pytest.raises(BadInput, match="does not hold the parameters of Effort"):
        detect(of, file=str(tmp_path / "clip.pt"))
    torch.save(split(clip).state_dict(), tmp_path / room.GENIMAGE.file)
    assert "statistic" in detect(of).data
    assert "effort" not in tasks.offline()
