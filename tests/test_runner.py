"""The runner: order, isolation of failures, mixing of metrics, one decode, resuming after a kill."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import assay
import corpus
from assay import runner, tasks
from assay.report.rows import line, row
from assay.types import BadInput, CannotAssess, ScoreCard


@pytest.fixture
def folder(tmp_path, photo):
    """Nine small photographs, three of them damaged beyond reading."""
    for i in range(9):
        Image.fromarray(photo[i * 20 : i * 20 + 200, 100:356]).save(tmp_path / f"{i}.png")
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "4.png").write_bytes((tmp_path / "3.png").read_bytes()[:900])
    (tmp_path / "6.png").write_text("not an image")
    return tmp_path


def test_items_come_in_order_and_failures_stay_alone(folder):
    paths = sorted(folder.iterdir())
    items = list(assay.run(["colourfulness"], paths, workers=4))
    assert [i.path for i in items] == [str(p) for p in paths]
    assert [bool(i.errors) for i in items] == [n in (2, 4, 6) for n in range(9)]
    assert all(len(i.errors) == 1 and i.errors[0].kind == "BadInput" for i in items if i.errors)


def test_batches_and_workers_do_not_change_results(folder):
    paths = sorted(folder.iterdir())
    rows = [
        [[r.value for r in i.results] for i in assay.run(["sharpness", "contrast"], paths, **how)]
        for how in ({"workers": 1}, {"workers": 3}, {"batch": 4, "workers": 2})
    ]
    assert rows[0] == rows[1] == rows[2]


def test_metrics_with_and_without_a_reference_mix(folder):
    pairs = [(folder / "1.png", folder / "0.png"), (folder / "1.png", folder / "1.png")]
    first, second = assay.run(["psnr", "contrast"], pairs)
    assert [r.name for r in first.results] == ["psnr", "contrast"]
    assert second.results[0].value == float("inf")
    assert first.reference == str(folder / "0.png")


def test_a_broken_reference_is_blamed_on_the_reference(folder):
    (item,) = assay.run(["psnr"], [(folder / "1.png", folder / "2.png")])
    assert item.errors[0].what == "reference"
    (item,) = assay.run(["psnr"], [(folder / "1.png", folder / "gone.png")])
    assert item.errors[0].what == "reference"


def test_a_missing_reference_is_said_once_per_algorithm(folder):
    (item,) = assay.run(["psnr", "contrast"], [folder / "1.png"])
    assert [e.what for e in item.errors] == ["psnr"]
    assert "--ref" in item.errors[0].says
    assert [r.name for r in item.results] == ["contrast"]


def test_one_odd_picture_does_not_spoil_its_batch():
    flat = np.full((64, 64, 3), 128, np.uint8)
    rough = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)

    def picky(x):
        if (x == 128).all(dim=(1, 2, 3)).any():
            raise CannotAssess("the picture is flat")
        return x.float().mean(dim=(1, 2, 3))

    picky.card = ScoreCard(name="picky", version="1", takes=("image",), paper="", scale=assay.types.Scale(0, 255))
    good, bad, last = assay.run([picky], [rough, flat, rough], batch=3)
    assert bad.errors[0].says == "the picture is flat"
    assert good.results[0].value == last.results[0].value == pytest.approx(rough.mean(), rel=1e-4)


def test_a_bug_in_an_algorithm_is_a_row_not_a_crash():
    def broken(x):
        raise ZeroDivisionError("oops")

    broken.card = ScoreCard(name="broken", version="1", takes=("image",), paper="", scale=assay.types.Scale(0, 1))
    (item,) = assay.run([broken], [np.zeros((8, 8), np.uint8)])
    assert item.errors[0].kind == "ZeroDivisionError"
    assert "unexpected" in item.errors[0].says


def test_each_file_is_decoded_once(folder, monkeypatch):
    count = []
    read = runner.read
    monkeypatch.setattr(runner, "read", lambda *a, **k: (count.append(a), read(*a, **k))[1])
    list(assay.run(["contrast", "sharpness", "noise", "colourfulness"], [folder / "0.png", folder / "1.png"]))
    assert len(count) == 2


def test_waiting_work_is_bounded(folder):
    asked = 0

    def endless():
        nonlocal asked
        while True:
            asked += 1
            yield folder / "0.png"

    items = assay.run(["contrast"], endless(), workers=2)
    for _ in range(3):
        next(items)
    items.close()
    assert asked <= 3 + 2 * 2


def test_arrays_tensors_and_paths_agree(photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "a.png")
    file = tmp_path / "a.png"
    sources = (photo, torch.from_numpy(photo).permute(2, 0, 1), file, str(file), assay.read(file))
    values = {assay.assess("contrast", source).value for source in sources}
    assert len(values) == 1


def test_grey_beside_colour_is_compared(photo):
    grey = photo[..., 1]
    same = assay.assess("psnr", grey, ref=np.repeat(grey[..., None], 3, 2)).value
    assert same == float("inf")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sharpnes", "did you mean sharpness"),
        ("ssim:varient=box", "did you mean variant"),
        ("ssim:variant=bx", "box"),
        ("psnr:x=1", "has no knob"),
    ],
)
def test_unknown_names_get_the_nearest(name, text, photo):
    with pytest.raises(BadInput, match=text):
        assay.assess(name, photo, ref=photo)


def test_knobs_are_part_of_the_name(photo):
    result = assay.assess("ssim:variant=box", photo, ref=photo)
    assert result.name == "ssim:variant=box"
    assert tasks.task("ssim:variant=gaussian").name == "ssim"


def test_inspect_gives_both_verdicts(photo):
    item = assay.inspect(photo)
    assert 0 <= item.quality.interval[0] <= item.quality.score <= item.quality.interval[1] <= 100
    assert item.origin.label == "inconclusive"
    assert item.origin.probability is None
    assert not item.errors


def cli(*args, **kwargs):
    return subprocess.run([sys.executable, "-m", "assay.cli", *map(str, args)], capture_output=True, text=True, **kwargs)


def test_all_stands_for_the_quality_metrics_that_need_nothing_else():
    with_reference, without = ({t.fn.card.name for t in tasks.tasks([name])} for name in ("all-fr", "all-nr"))
    assert {"psnr", "ssim", "flip", "mad"} <= with_reference
    assert {"colourfulness", "niqe-assay"} <= without
    assert not (with_reference | without) & {"niqe", "error_level", "gaussian_blur"}
    assert [t.name for t in tasks.tasks(["ssim:variant=box", "all-fr", "psnr"])].count("psnr") == 1
    assert {"ssim", "ssim:variant=box"} <= {t.name for t in tasks.tasks(["ssim:variant=box", "all-fr"])}


def test_what_metrics_share_changes_no_value(photo):
    ref = np.ascontiguousarray(photo[:192, :208])
    x = np.clip(ref + np.random.default_rng(0).normal(0, 9, ref.shape), 0, 255).astype(np.uint8)
    (together,) = assay.run(["all-fr"], [(x, ref)])
    alone = {t.name: assay.assess(t, x, ref=ref).value for t in tasks.tasks(["all-fr"])}
    assert {r.name: r.value for r in together.results} == alone


def test_exit_status_and_rows(folder, tmp_path):
    out = tmp_path / "out.jsonl"
    done = cli("run", "contrast", folder, "--json", out, "-q")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert (done.returncode, len(rows)) == (1, 9)
    assert cli("run", "contrast", folder / "0.png", "-q").returncode == 0
    assert cli("run", "contrst", folder).returncode == 2
    assert cli("inspct", folder).returncode == 2
    assert "did you mean inspect" in cli("inspct", folder).stderr


@pytest.mark.slow
def test_killed_ten_times_and_resumed_the_output_is_the_same(folder, tmp_path):
    for i in range(20):
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (300, 400, 3), np.uint8)).save(folder / f"more{i:02}.png")
    photos = [folder]
    whole, broken = tmp_path.parent / "whole.jsonl", tmp_path.parent / "broken.jsonl"
    command = [sys.executable, "-m", "assay.cli", "inspect", *map(str, photos), "-q", "--resume", "--json"]
    start = time.monotonic()
    subprocess.run([*command, str(whole)], check=False)
    took = time.monotonic() - start
    chance = random.Random(0)
    for _ in range(10):
        process = subprocess.Popen([*command, str(broken)])
        time.sleep(chance.uniform(0.3, 1) * took)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(broken)], check=False)
    assert broken.read_bytes() == whole.read_bytes()
    assert not list(Path(tmp_path.parent).glob("broken.jsonl.*"))


@pytest.mark.slow
def test_every_odd_file_is_answered_or_refused(tmp_path):
    """The whole corpus through `inspect`: an error row or a right answer, never a crash, and no file is lost."""
    expected = corpus.make(tmp_path)
    items = {Path(i.path).name: i for i in assay.run(tasks.offline(), [tmp_path / n for n in expected], verdicts=True, maps=True)}
    assert items.keys() == expected.keys()
    for name, (kind, _) in expected.items():
        item = items[name]
        assert bool([e for e in item.errors if e.what == "read"]) == (kind == "error"), (name, item.errors)
        assert not [e for e in item.errors if "unexpected" in e.says], (name, item.errors)
        assert json.loads(line(row(item)))["path"].endswith(name)
