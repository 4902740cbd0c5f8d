"""ViT-FIQA with a file of the authors' layout: their names, their mathematics written out, small numbers of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, layer_norm, linear, relu6

from assay.face.vit_fiqa import load, vit_fiqa
from assay.ops.align import chips
from assay.types import BadInput, Face, MissingWeights

WIDTH, HEADS, DEPTH, PATCHES = 128, 2, 2, 144
FACE = Face((30.0, 30.0, 160.0, 170.0), ((70.0, 85.0), (125.0, 83.0), (98.0, 115.0), (75.0, 145.0), (122.0, 144.0)), 0.9)


def parameters() -> dict[str, Tensor]:
    """Random ones under the names of the release."""
    g = torch.Generator().manual_seed(3)

    def some(*shape: int, scale: float = 0.05) -> Tensor:
        return scale * torch.randn(*shape, generator=g)

    w = WIDTH
    p = {"qs_token": some(1, 1, w), "mask_token": some(1, 1, w), "pos_embed": some(1, PATCHES + 1, w)}
    p |= {"patch_embed.proj.weight": some(w, 3, 9, 9), "patch_embed.proj.bias": some(w)}
    for i in range(DEPTH):
        at = f"blocks.{i}."
        p |= {at + f"norm{k}.weight": 1 + some(w) for k in (1, 2)} | {at + f"norm{k}.bias": some(w) for k in (1, 2)}
        p |= {at + "attn.qkv.weight": some(3 * w, w), at + "attn.proj.weight": some(w, w), at + "attn.proj.bias": some(w)}
        p |= {at + "mlp.fc1.weight": some(4 * w, w), at + "mlp.fc1.bias": some(4 * w)}
        p |= {at + "mlp.fc2.weight": some(w, 4 * w), at + "mlp.fc2.bias": some(w)}
    p |= {"norm.weight": 1 + some(w), "norm.bias": some(w)}
    p |= {"feature.0.weight": some(w, PATCHES * w, scale=0.01), "feature.2.weight": some(w, w), "head_qs.1.weight": some(1, w)}
    for bn in ("feature.1", "feature.3", "head_qs.0"):
        p |= {f"{bn}.weight": 1 + some(w), f"{bn}.bias": some(w), f"{bn}.running_mean": some(w)}
        p |= {f"{bn}.running_var": 1 + some(w).abs(), f"{bn}.num_batches_tracked": torch.tensor(7)}
    return p


def quality(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """As vit_qs.py computes it in evaluation, mode "token": chips N×3×112×112 in [0, 1] → N."""
    x = conv2d((x - 0.5) / 0.5, p["patch_embed.proj.weight"], p["patch_embed.proj.bias"], stride=9).flatten(2).mT
    x = torch.cat([p["qs_token"].expand(len(x), -1, -1), x], 1) + p["pos_embed"]
    for i in range(DEPTH):
        b = {k.removeprefix(f"blocks.{i}."): v for k, v in p.items() if k.startswith(f"blocks.{i}.")}
        y = layer_norm(x, (WIDTH,), b["norm1.weight"], b["norm1.bias"])
        q, k, v = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in linear(y, b["attn.qkv.weight"]).chunk(3, dim=2))
        seen = (q @ k.mT * (WIDTH // HEADS) ** -0.5).softmax(-1) @ v
        x = x + linear(seen.transpose(1, 2).flatten(2), b["attn.proj.weight"], b["attn.proj.bias"])
        y = layer_norm(x, (WIDTH,), b["norm2.weight"], b["norm2.bias"])
        x = x + linear(relu6(linear(y, b["mlp.fc1.weight"], b["mlp.fc1.bias"])), b["mlp.fc2.weight"], b["mlp.fc2.bias"])
    token = layer_norm(x, (WIDTH,), p["norm.weight"], p["norm.bias"])[:, 0]
    bn = [p[f"head_qs.0.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
    return linear(batch_norm(token, *bn, eps=2e-5), p["head_qs.1.weight"])[:, 0]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    load.cache_clear()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_released_file_gives_the_released_mathematics(tmp_path: Path, prefix: str) -> None:
    p, image = parameters(), torch.rand(3, 200, 200, generator=torch.Generator().manual_seed(1))
    torch.save({prefix + k: v for k, v in p.items()}, tmp_path / "model.pt")
    found = vit_fiqa(image, [FACE, FACE], file=str(tmp_path / "model.pt"))
    assert torch.allclose(found, quality(p, chips(image, [FACE, FACE], side=112)), atol=1e-5)


def test_it_is_found_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.rand(3, 200, 200)
    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match="vit-fiqa-assay"):
        vit_fiqa(image, [FACE])
    (tmp_path / "vit_fiqa").mkdir()
    torch.save(parameters(), tmp_path / "vit_fiqa" / "model.pt")
    assert len(vit_fiqa(image, [FACE])) == 1


@pytest.mark.parametrize("kept", [{}, {"qs_token": torch.zeros(1, 1, 128)}, [1, 2]])
def test_other_files_are_refused(tmp_path: Path, kept: object) -> None:
    torch.save(kept, tmp_path / "model.pt")
    with pytest.raises(BadInput, match=r"ViT-FIQA|no tensors|more than tensors"):
        load(tmp_path / "model.pt")
    (tmp_path / "text.pt").write_text("no parameters")
    with pytest.raises(BadInput, match=r"ViT-FIQA|no tensors|more than tensors"):
        load(tmp_path / "text.pt")
