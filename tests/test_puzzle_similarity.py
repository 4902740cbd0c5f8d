"""Matching of pieces: what must hold for any features, and that local damage is found where it was made."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from torch.nn.functional import interpolate

from assay.ops import pieces
from assay.ops.pieces import counterparts
from assay.quality.puzzle_similarity_assay import puzzle_similarity_assay, puzzle_similarity_assay_map
from assay.runner import assess
from assay.tasks import task
from assay.types import BadInput
from pictures import DAMAGE, found, load, tensor


def test_blocks_give_what_one_product_gives(monkeypatch):
    query, views = torch.randn(5, 6, 7), [torch.randn(5, 4, 9), torch.randn(5, 8, 3)]
    all_pieces = torch.cat([v.flatten(1) for v in views], 1)
    want = torch.nn.functional.cosine_similarity(query.flatten(1)[:, :, None], all_pieces[:, None], dim=0).amax(1)
    torch.testing.assert_close(counterparts(query, views).flatten(), want)
    monkeypatch.setattr(pieces, "BLOCK", 100)
    torch.testing.assert_close(counterparts(query, views).flatten(), want)


def test_more_views_never_hurt_and_their_order_does_not_matter(photo):
    p = tensor(photo)
    x, scene = p[..., 100:164, 100:164], torch.cat([p[..., i : i + 64, 90:154] for i in (60, 117, 133)])
    maps = [puzzle_similarity_assay_map(x, scene=s) for s in (scene[:2], scene, scene.flip(0))]
    assert (maps[1] >= maps[0] - 1e-6).all()
    torch.testing.assert_close(maps[1], maps[2])
    with_itself = torch.cat([torch.nn.functional.interpolate(scene.float(), (64, 64)).byte(), x])
    assert float(puzzle_similarity_assay(x, scene=with_itself)) == pytest.approx(1, abs=1e-5)


def test_views_may_have_another_size_or_be_grey(photo):
    p = tensor(photo)
    x = p[..., 100:164, 100:180]
    assert puzzle_similarity_assay_map(x, scene=p[..., 90:190, 90:170]).shape == (1, 64, 80)
    assert puzzle_similarity_assay(x, scene=p[:, :1, 90:190, 90:170]) < 1


@pytest.mark.parametrize(("damage", "least"), [("foreign", 0.9), ("blur", 0.75)])
def test_damage_is_found_where_it_was_made(damage, least, data):
    """A crop, seen beside other crops of its photograph and one enlarged by 6 %; none is aligned with it."""
    p, other = (load(found(data / f"pristine/kodak/kodim{i}.png")) for i in ("05", "13"))
    large = interpolate(p.float(), scale_factor=1.06, mode="bicubic", antialias=True).clamp(0, 255).round().byte()
    views = [p[..., y : y + 200, x : x + 200] for y, x in ((161, 191), (203, 241), (157, 263))]
    scene = torch.cat([*views, large[..., 210:410, 265:465]])
    x, mask = p[..., 190:318, 240:368].clone(), torch.zeros(128, 128, dtype=torch.bool)
    mask[40:80, 56:96] = True
    piece = x[0, :, 40:80, 56:96].permute(1, 2, 0).numpy()
    x[..., 40:80, 56:96] = other[..., 300:340, 300:340] if damage == "foreign" else tensor(DAMAGE["blur2"](piece))
    rank = rankdata(-puzzle_similarity_assay_map(x, scene=scene)[0].flatten().numpy())[mask.flatten().numpy()]
    inside, outside = len(rank), mask.numel() - len(rank)
    assert (rank.sum() - inside * (inside + 1) / 2) / (inside * outside) > least


def test_the_runner_says_how_to_call_it():
    with pytest.raises(BadInput, match=r"from assay\.quality\.puzzle_similarity_assay import .*scene=views"):
        task("puzzle_similarity-assay")
    with pytest.raises(BadInput, match="only Python"):
        assess("puzzle_similarity", np.zeros((40, 40), np.uint8))
