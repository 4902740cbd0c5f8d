"""The command line as a person or a script meets it."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from assay.catalog import index
from assay.cli import main


@pytest.fixture
def photos(tmp_path, photo):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(photo[i * 90 : i * 90 + 200, 100:356]).save(folder / f"{i}.png")
    return folder


def call(*args, stdin=None):
    return CliRunner().invoke(main, [str(a) for a in args], input=stdin)


def test_list_names_every_algorithm_and_can_be_narrowed():
    everything = call("list").output
    assert all(name in everything for name in index())
    assert "jpeg_grid" not in call("list", "quality").output
    assert "there are quality" in call("list", "qualty").output


@pytest.mark.parametrize("name", list(index()))
def test_show_tells_the_whole_card(name):
    shown = call("show", name)
    assert shown.exit_code == 0, shown.output
    assert index()[name]["paper"] in shown.output
    assert index()[name]["version"] in shown.output


def test_doctor_says_which_path_runs():
    said = call("doctor").output
    assert "kernels" in said
    assert "weights of niqe" in said


def test_rows_go_to_standard_output_alone(photos):
    done = call("run", "contrast,noise", photos, "--json", "-")
    rows = [json.loads(text) for text in done.output.splitlines()]
    assert [r["name"] for r in rows[0]["results"]] == ["contrast", "noise"]
    table = list(csv.DictReader(io.StringIO(call("run", "contrast", photos, "--csv", "-").output.lstrip("\ufeff"))))
    assert [float(r["contrast"]) for r in table] == pytest.approx([r["results"][0]["value"] for r in rows], rel=1e-5)


def test_a_list_on_standard_input(photos):
    names = "\n".join(str(p) for p in sorted(photos.iterdir())[:2])
    done = call("run", "contrast", "-", "--json", "-", stdin=names)
    assert len(done.output.splitlines()) == 2


def test_a_folder_against_a_folder_pairs_by_name(photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for p in list(photos.iterdir())[:2]:
        Image.open(p).save(other / f"{p.stem}.bmp")
    done = call("run", "psnr,contrast", photos, "--ref", other, "--json", "-")
    rows = [json.loads(text) for text in done.output.splitlines()]
    assert sum(r["results"][0]["value"] == "Infinity" for r in rows if r["results"]) == 2
    assert sum(bool(r["errors"]) for r in rows) == 1
    assert done.exit_code == 1


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("run", "contrast,sharpnes", "PHOTOS"), "did you mean sharpness"),
        (("run", "psnr", "PHOTOS"), "--ref"),
        (("run", "gaussian_blur", "PHOTOS"), "changes a picture"),
        (("run", "contrast", "PHOTOS", "--resume"), "--json FILE"),
        (("run", "contrast", "PHOTOS", "--json", "-", "--csv", "-"), "only one output"),
        (("run", "contrast", "PHOTOS", "--json", "PHOTOS/none/x.jsonl"), "No such file"),
        (("inspect", "PHOTOS/none-*"), "matches nothing"),
        (("insepct", "PHOTOS"), "did you mean inspect"),
        (("show", "ssmi"), "did you mean ssim"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(photos, args, text):
    done = call(*(a.replace("PHOTOS", str(photos)) for a in args))
    assert done.exit_code == 2, done.output
    assert text in done.output
    assert "Traceback" not in done.output


def test_inspect_without_answers_still_succeeds(tmp_path):
    Image.fromarray(np.full((80, 80, 3), 200, np.uint8)).save(tmp_path / "flat.png")
    done = call("inspect", tmp_path / "flat.png", "--json", "-")
    row = json.loads(done.output)
    assert done.exit_code == 0
    assert {e["kind"] for e in row["errors"]} == {"CannotAssess"}


@pytest.mark.slow
def test_the_demo_finds_every_splice_and_no_other(tmp_path):
    assert call("demo", tmp_path).exit_code == 0
    rows = [json.loads(text) for text in (tmp_path / "report.jsonl").read_text("utf-8").splitlines()]
    edited = {r["path"] for r in rows if r["verdicts"]["origin"]["label"] == "edited"}
    assert edited == {r["path"] for r in rows if "spliced" in r["path"]}
    score = {r["path"].split("/")[-1]: r["verdicts"]["quality"]["score"] for r in rows}
    assert all(score[n] < score[f"{n.rsplit('-', 1)[0]}-fresh.png"] for n in score if not n.endswith(("-fresh.png", "-spliced.png")))
    assert (tmp_path / "report.html").stat().st_size > 1e6
