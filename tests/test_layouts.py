"""Readers of public sets, on small sets of the same layout made here."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from assay.bench.df40 import FAMILY, KNOWN, UNKNOWN, df40
from assay.bench.forgerynet import images, listed, masks, videos
from assay.bench.layouts import folders, spread, write
from assay.cli_bench import bench
from assay.types import BadInput


def call(*args):
    return CliRunner().invoke(bench, [str(a) for a in args], catch_exceptions=False)


def put(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), value).save(path)
    return path


@pytest.fixture
def faces(tmp_path):
    """Two swaps in both domains, one reenactment in ff, one unknown method; lists as DeepfakeBench writes them, on Windows."""
    root = tmp_path / "sets"
    lists = root / "dataset_json"
    lists.mkdir(parents=True)

    def frames(folder: str, videos: list[str]) -> dict:
        for v in videos:
            for i in range(4):
                put(root / folder / v / f"{i:03d}.png")
        slashed = folder.replace("/", "\\")
        return {v: {"frames": [f"deepfake_detection_datasets\\{slashed}\\{v}\\{i:03d}.png" for i in range(4)]} for v in videos}

    real = {"ff": "FaceForensics++/original_sequences/youtube/c23/frames", "cdf": "Celeb-DF-v2/Celeb-real/frames"}
    for method, domain in (("simswap", "ff"), ("simswap", "cdf"), ("e4s", "ff"), ("fomm", "ff")):
        whole = {f"{method}_Real": {}, f"{method}_Fake": {}}
        for split, (a, b) in {"train": ("000", "003"), "test": ("010", "013")}.items():
            whole[f"{method}_Real"][split] = {"c23": frames(real[domain], [a, b])} if domain == "ff" else frames(real[domain], [a, b])
            whole[f"{method}_Fake"][split] = frames(f"DF40/{method}/{domain}", [f"{a}_{b}", f"{b}_{a}"])
            for label, parts in whole.items():
                for told in parts[split].get("c23", parts[split]).values():
                    told["label"] = label
        (lists / f"{method}_{domain}.json").write_text(json.dumps({f"{method}_{domain}": whole}))
    for kind in ("real", "fake"):
        put(root / "DF40/heygen" / kind / "anna" / "1.png")
    return root


def test_the_families_are_those_of_the_paper():
    assert [len(m) for m in KNOWN.values()] == [9, 12, 10]
    assert len(UNKNOWN) == 9
    assert len(FAMILY) == 40


def test_protocol_1_is_one_domain_and_says_what_was_trained(faces):
    told = df40(faces, protocol=1, trained="fs")
    assert {(s.generator, s.seen) for s in told.samples if s.fake} == {("simswap", True), ("e4s", True), ("fomm", False)}
    assert {s.domain for s in told.samples} == {"ff"}
    real = [s for s in told.samples if not s.fake]
    assert len(real) == 8, "the authentic videos that three lists share count once"
    assert all(s.seen is None for s in real)
    assert {s.subject for s in told.samples} == {"ff 010", "ff 013"}, "a face put onto 010 is of 010"
    assert "blendface_ff" in told.missing


def test_protocols_2_to_4_and_training(faces):
    assert {(s.domain, s.generator) for s in df40(faces, protocol=2, trained="FS").samples} == {("cdf", ""), ("cdf", "simswap")}
    unknown = df40(faces, protocol=3, trained="FS").samples
    assert {(s.domain, s.generator, s.family) for s in unknown} == {("heygen", "", ""), ("heygen", "heygen", "FR")}
    every = df40(faces, protocol=4, trained="SimSwap").samples
    assert {s.generator for s in every if s.seen} == {"simswap"}
    assert {s.domain for s in every} == {"ff", "heygen"}
    train = df40(faces, protocol=1, trained="FS", split="train", frames=2).samples
    assert {s.subject for s in train} == {"ff 000", "ff 003"}
    assert len(train) == 2 * (2 + 2 + 2)
    tested = {s.path for s in df40(faces, protocol=1, trained="FS").samples}
    assert not tested & {s.path for s in train}


def test_what_is_not_there_is_said(faces, tmp_path):
    with pytest.raises(BadInput, match="has no folder dataset_json"):
        df40(tmp_path / "nothing", protocol=1, trained="FS")
    with pytest.raises(BadInput, match="is trained on one of FS, FR, EFS; got 'simswap'"):
        df40(faces, protocol=1, trained="simswap")
    with pytest.raises(BadInput, match="has no part 'val'"):
        df40(faces, protocol=1, trained="FS", split="val")
    (faces / "dataset_json/e4s_ff.json").write_text('{"e4s_ff": {"e4s_Fake": {"test": {"1": {"label": "e4s_Fake"}}}}}')
    with pytest.raises(BadInput, match="is not laid out as DF40's lists are"):
        df40(faces, protocol=1, trained="FS")
    (faces / "DF40/simswap/ff/010_013/000.png").unlink()
    (faces / "dataset_json/e4s_ff.json").unlink()
    assert "1 of 16 pictures of simswap_ff" in df40(faces, protocol=1, trained="FS").missing
    for p in faces.rglob("*.png"):
        p.unlink()
    with pytest.raises(BadInput, match=r"lists 16 files and none of them is there; the first would be .*000.png"):
        df40(faces, protocol=1, trained="FS")


def test_rows_go_to_the_bench(faces, tmp_path):
    out = tmp_path / "rows.csv"
    done = call("rows", "df40", faces, "--protocol", "4", "--trained", "simswap", "--out", out, "--json")
    assert done.exit_code == 0
    told = json.loads(done.output)
    assert sum(r["files"] for r in told["rows"]) == len(out.read_text().splitlines()) - 1
    assert len(told["sha256"]) == 64
    with out.open(newline="") as file:
        table = list(csv.reader(file))
    scored = [[*table[0], "score"], *([*row, row[1]] for row in table[1:])]
    with out.open("w", newline="") as file:
        csv.writer(file).writerows(scored)
    done = call("detection", out, "--within", "domain", "--by", "subject", "--draws", "0", "--json")
    rows = json.loads(done.output)["rows"]
    assert {(r["after"], r["generator"]) for r in rows} >= {("ff", "simswap"), ("ff", "fomm"), ("heygen", "heygen")}
    assert all(r["auc"]["value"] == 1 for r in rows)


@pytest.mark.parametrize("names", [("real", "fake"), ("0_real", "1_fake"), ("nature", "ai")])
def test_plain_folders(tmp_path, names):
    for generator in ("progan", "biggan"):
        for name, file in zip(names, ("1.png", "1.jpg"), strict=True):
            put(tmp_path / generator / "val" / name / file)
    told = folders(tmp_path).samples
    assert [(s.generator, s.domain) for s in told if s.fake] == [("biggan", "biggan"), ("progan", "progan")]
    assert len({s.subject for s in told}) == 2


def test_plain_folders_by_generator_below_fake(tmp_path):
    put(tmp_path / "real/a.png")
    put(tmp_path / "fake/glide/a.png")
    put(tmp_path / "fake/b.png")
    assert {(s.generator, s.domain) for s in folders(tmp_path).samples} == {("", ""), ("glide", ""), ("fake", "")}
    with pytest.raises(BadInput, match="holds no pictures in a folder called real, 0_real, nature or authentic"):
        folders(tmp_path / "fake")


def test_frames_are_spread_and_the_table_is_the_rows(tmp_path):
    assert spread(list("abcdefgh"), 4) == list("aceg")
    assert spread(list("ab"), 4) == list("ab")
    put(tmp_path / "real/a.png")
    put(tmp_path / "fake/a.png")
    one, two = (write(folders(tmp_path), tmp_path / f"{n}.csv") for n in "xy")
    assert one == two


@pytest.fixture
def forgery(tmp_path):
    root = tmp_path / "Training/image"
    put(root / "train/real one/a.jpg")
    put(root / "train/3/b.jpg")
    put(tmp_path / "Training/spatial_localize/train/3/b.png", 255)
    lines = tmp_path / "Training/image_list.txt"
    lines.write_text("train/real one/a.jpg 0 0 0\ntrain/3/b.jpg 1 2 3\n")
    return root, lines


def test_forgerynet_pictures_and_masks(forgery, tmp_path):
    root, lines = forgery
    real, fake = images(lines, root).samples
    assert (real.fake, fake.fake, fake.generator, fake.family) == (False, True, "method 3", "identity remained")
    assert masks(lines, root) == [
        ("train/real one/a.jpg", "", ""),
        ("train/3/b.jpg", str(tmp_path / "Training/spatial_localize/train/3/b.png"), "identity remained"),
    ]
    assert listed(tmp_path, "image") == lines
    out, maps = tmp_path / "masks.csv", tmp_path / "maps"
    assert call("rows", "forgerynet", root, "--lists", lines, "--task", "mask", "--out", out).exit_code == 0
    for name, value in (("train/real one/a.npy", 0.0), ("train/3/b.npy", 0.9)):
        (maps / name).parent.mkdir(parents=True)
        np.save(maps / name, np.full((4, 4), value))
    (row,) = json.loads(call("localisation", maps, out, "--draws", "0", "--json").output)["rows"]
    assert (row["f1"]["value"], row["false_area"]["value"]) == (1, 0)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a.jpg 0 1 0", "its three labels do not agree"),
        ("a.jpg 1 3 2", "labels are 0 to 1, 0 to 2 and 0 to 15"),
        ("a.jpg 1", "NAME binary triple sixteen is wanted"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, says):
    (tmp_path / "l.txt").write_text(f"\n{line}\n")
    with pytest.raises(BadInput, match=f"line 2 of .*{says}"):
        images(tmp_path / "l.txt", tmp_path)


def test_forgerynet_videos_and_their_stretches(tmp_path):
    for name in ("r.mp4", "f g.mp4"):
        (tmp_path / name).write_bytes(b"")
    lines = tmp_path / "video_list.txt"
    lines.write_text("1 r.mp4 0 50 0 0 0 0\n3 f g.mp4 0 10 0 10 20 1 30 5 0 1 1 4\n1 lost.mp4 0 9 1 1 1 4\n")
    found, lost = videos(lines, tmp_path)
    assert lost == 1
    assert found[1].stretches == ((0, 10, False), (10, 30, True), (30, 35, False))
    truth, said = tmp_path / "truth.csv", tmp_path / "said.csv"
    assert call("rows", "forgerynet", tmp_path, "--task", "time", "--out", truth).exit_code == 0
    assert truth.read_text().splitlines() == ["video,start,end", "r.mp4,,", "f g.mp4,10,30"]
    said.write_text("video,start,end,score\nf g.mp4,12,30,.9\nr.mp4,0,5,.1\n")
    done = call("temporal", said, truth, "--draws", "0", "--json")
    told = {r["figure"]: r["value"]["value"] for r in json.loads(done.output)["rows"]}
    assert (told["ap@0.5"], told["ap@0.75"], told["ap@0.9"]) == (1, 1, 1)
    lines.write_text("2 f g.mp4 0 10 1 1 1 4\n")
    with pytest.raises(BadInput, match=r"line 1 of .*(wanted|announced)"):
        videos(lines, tmp_path)
    lines.write_text("1 f g.mp4 0 10 1 0 0 0\n")
    with pytest.raises(BadInput, match="the video's label and those of its stretches disagree"):
        videos(lines, tmp_path)
