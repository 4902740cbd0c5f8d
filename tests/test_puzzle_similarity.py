"""Matching of pieces: what must hold for any features, and that local damage is found where it was made."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from scipy.stats import rankdata
from torch.nn.functional import interpolate

from assay.cli import main
from assay.io.decode import read
from assay.ops import pieces
from assay.ops.pieces import counterparts
from assay.quality.puzzle_similarity_assay import puzzle_similarity_assay, puzzle_similarity_assay_map
from assay.runner import assess, in_scene
from assay.tasks import tasks
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


@pytest.fixture
def folders(tmp_path, photo):
    """Two views to judge, one of them damaged, and a folder with three pictures of the scene."""
    for name, (top, left) in {"a": (60, 90), "b": (80, 100), "c": (100, 110)}.items():
        save(tmp_path / "scene" / f"{name}.png", photo[top : top + 96, left : left + 96])
    view = photo[72:168, 96:192].copy()
    save(tmp_path / "views" / "whole.png", view)
    view[30:60, 30:60] = np.random.default_rng(0).integers(0, 255, (30, 30, 3))
    save(tmp_path / "views" / "damaged.png", view)
    return tmp_path


def save(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def shell(*args):
    return CliRunner().invoke(main, ["run", "puzzle_similarity-assay", *map(str, args)])


def test_the_command_line_judges_views_beside_a_scene(folders):
    done = shell(folders / "views", "--scene", folders / "scene", "--json", folders / "out.jsonl", "-q")
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (folders / "out.jsonl").read_text("utf-8").splitlines()]
    got = {r["path"].rpartition("/")[2]: r["results"][0]["value"] for r in rows if "path" in r}
    assert got["damaged.png"] < got["whole.png"] - 0.05
    scene = [read(p).pixels for p in sorted((folders / "scene").iterdir())]
    one = assess("puzzle_similarity-assay", folders / "views/whole.png", scene=scene, maps=True)
    assert one.value == pytest.approx(got["whole.png"], abs=1e-6)
    assert one.map is not None


def test_what_is_wrong_with_a_scene_is_said(folders):
    views, scene = folders / "views", folders / "scene"
    assert "--scene" in shell(views).output
    assert "is no folder" in shell(views, "--scene", folders / "absent").output
    save(scene / "d.png", np.zeros((50, 60, 3), np.uint8))
    assert "one size; got 60×50, 96×96" in shell(views, "--scene", scene).output
    (scene / "d.png").write_bytes(b"no picture")
    assert "d.png" in shell(views, "--scene", scene).output
    for name in "bcd":
        (scene / f"{name}.png").unlink()
    assert "at least two pictures; got 1" in shell(views, "--scene", scene).output
    with pytest.raises(BadInput, match="none of the algorithms looks at one"):
        assess("psnr", views / "whole.png", ref=views / "whole.png", scene=[scene / "a.png"])


def test_a_kept_row_belongs_to_its_scene(folders):
    scene = sorted((folders / "scene").iterdir())
    (first,), (second,) = (in_scene(tasks(["puzzle_similarity-assay"]), s) for s in (scene, scene[:2]))
    assert first.identity != second.identity
