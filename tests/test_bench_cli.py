"""`assay bench …` as a person or a script meets it."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from assay import cli_bench
from assay.cli import main
from assay.types import CannotAssess


def call(*args):
    return CliRunner().invoke(main, ["bench", *map(str, args)])


@pytest.fixture
def table(tmp_path):
    """Writes columns to a CSV file."""

    def write(name="t.csv", header=True, **columns):
        rows = zip(*columns.values(), strict=True)
        lines = [",".join(columns)] * header + [",".join(map(str, r)) for r in rows]
        (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
        return tmp_path / name

    return write


@pytest.fixture
def comparisons(table):
    dice = np.random.default_rng(0)
    mated = dice.random(400) < 0.5
    a = dice.integers(0, 30, 400)
    b = np.where(mated, a, (a + 1) % 30)
    hidden = dice.random(400)
    s = dice.normal(0, 0.2, 400) + mated * hidden
    return table(similarity=s, mated=mated.astype(int), subject_a=a, subject_b=b, good=hidden, chance_a=dice.random(400),
                 chance_b=dice.random(400))  # fmt: skip


def test_every_protocol_is_listed():
    said = call("--help").output
    assert all(name in said for name in ("edc", "verification", "correlation", "fiqa", "restoration", "fairness"))


def test_edc(comparisons, tmp_path):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "curve.svg"
    done = call("edc", comparisons, "--draws", 20, "--json", "--starting-error", 0.2, "--plot", plot)
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert [(r["score"], r["up to"]) for r in told["rows"]] == [(n, u) for n in ("good", "chance") for u in ("0.2", "0.3")]
    good = told["rows"][0]
    assert good["relative"]["value"] < told["rows"][2]["relative"]["value"]
    assert good["relative"]["interval"][0] < good["relative"]["value"] < good["relative"]["interval"][1]
    assert "FNMR" in plot.read_text("utf-8") or "<svg" in plot.read_text("utf-8")
    text = call("edc", comparisons, "--draws", 0, "--protocol", "crfiqa", "--fmr", 0.05).output
    assert "crfiqa" in text
    assert "0.95" in text
    assert "starting error 0.05" in call("edc", comparisons, "--draws", 0).output


def test_verification(comparisons):
    done = call("verification", comparisons, "--draws", 20, "--threshold", 0.3)
    assert done.exit_code == 0, done.output
    assert all(word in done.output for word in ("auc", "eer", "tar@0.01", "fnmr", "too few for FAR 0.001, 0.0001"))


def test_correlation(table):
    dice = np.random.default_rng(0)
    x = dice.random(50)
    file = table(image=[f"{i}.png" for i in range(50)], mos=x + dice.normal(0, 0.1, 50), a=x, b=-x)
    told = json.loads(call("correlation", file, "--opinion", "mos", "--draws", 10, "--json").output)
    assert [r["score"] for r in told["rows"]] == ["a", "b"]
    assert told["rows"][0]["srcc"]["value"] == -told["rows"][1]["srcc"]["value"] > 0.8
    assert [
        r["score"] for r in json.loads(call("correlation", file, "--opinion", "mos", "--score", "b", "--draws", 0, "--json").output)["rows"]
    ] == ["b"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.c = torch.nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x):
        return self.c(x).mean((1, 2, 3))


def test_fiqa(table, tmp_path):
    dice = np.random.default_rng(0)
    names, y = [f"{i}.png" for i in range(30)], dice.random(30)
    labels = table("labels.csv", header=False, image=names, score=y)
    scores = table("scores.csv", header=False, image=names, score=y + dice.normal(0, 0.05, 30))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the format is what others hand over
        torch.jit.trace(Net(), torch.zeros(1, 3, 100, 100)).save(str(tmp_path / "net.pt"))
    for i, name in enumerate(names):
        Image.new("L", (300, 600 if i % 2 else 250)).save(tmp_path / name)
    done = call("fiqa", scores, labels, "--net", tmp_path / "net.pt", "--side", 100, "--images", tmp_path, "--draws", 10, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["rows"][0]["entry"] == "scores"
    assert told["rows"][0]["GFLOPs"] == pytest.approx(100 * 100 * 27 * 8 / 1e9)
    assert told["rows"][1]["score"] == 0.9664
    assert list(told["by_resolution"]) == ["224"]
    whole = table("run.csv", path=[f"/pictures/{n}" for n in names], mine=y)
    assert json.loads(call("fiqa", whole, labels, "--score", "mine", "--json", "--draws", 0).output)["figures"]["srcc"]["value"] == 1
    assert "Efficient-FIQA" in call("fiqa", scores, labels, "--draws", 0).output


@pytest.fixture
def faces(tmp_path, photo, monkeypatch):
    """Inputs and restored faces in one set, and a recogniser that looks at the mean colour."""
    for folder, at in (("inputs", 0), ("restored", 20)):
        (tmp_path / folder / "LFW-Test").mkdir(parents=True)
        for i in range(3):
            Image.fromarray(photo[at : at + 128, 100 * i : 100 * i + 128]).save(tmp_path / folder / "LFW-Test" / f"{i}.png")

    def embed(picture):
        if float(picture.float().mean()) == 0:
            raise CannotAssess("No face was found.")
        return picture.float().mean((1, 2))

    monkeypatch.setattr(cli_bench, "_embedder", lambda _: embed)
    return tmp_path


def test_restoration(faces):
    out, inputs, csv = faces / "restored", faces / "inputs", faces / "all.csv"
    done = call(
        "restoration", out, inputs, "--metrics", "contrast,sharpness", "--threshold", "published", "--draws", 5, "--json", "--csv", csv
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["passed"] is True
    assert told["official"] is None
    assert told["score"]["value"] == pytest.approx(sum(told["worths"].values()))
    assert len(csv.read_text("utf-8").splitlines()) == 4
    (out / "LFW-Test/1.png").unlink()
    text = call("restoration", out, inputs, "--metrics", "contrast", "--threshold", "0.5", "--draws", 0).output
    assert "Identity gate failed" in text
    assert "Not restored: LFW-Test/1.png" in text


def test_fairness(table):
    dice = np.random.default_rng(0)
    score = dice.normal(size=60).round(3)
    file = table(score=score + 3 * (np.arange(60) >= 40), group=["a"] * 40 + ["b"] * 17 + [""] * 3)
    done = call("fairness", file, "--draws", 10)
    assert done.exit_code == 0, done.output
    assert "score differs between the groups" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("command", "columns", "says"),
    [
        (["edc"], {"score": [1, 2]}, "no column similarity; its columns are score"),
        (["edc"], {"similarity": [1, 2]}, "no column with a score beside similarity"),
        (["edc"], {"similarity": [1, 2], "q": [1, "x"]}, "q holds 'x' in row 2"),
        (["edc"], {"similarity": [1, 2], "q": [1, "nan"]}, "quality holds nan in row 2"),
        (["edc", "--fmr", "0.1", "--threshold", "1"], {"similarity": [1, 2], "q": [1, 2]}, "exactly one of"),
        (["edc", "--plot", "x.doc", "--threshold", "1.5"], {"similarity": [1, 2, 2], "q": [1, 2, 3]}, "must end in one of"),
        (["verification"], {"similarity": [1, 2], "mated": [1, 1]}, "Both kinds are needed"),
        (["verification"], {"similarity": [1, 2], "mated": [1, 0], "subject_a": [1, 2]}, "subject_a and subject_b go together"),
        (["correlation"], {"opinion": [1, 2, 3], "q": [1, 2, 3]}, "at least 4 are needed"),
        (["correlation"], {"opinion": [1, 2, 3, 4], "q": [1, 1, 1, 1]}, "the same of every picture"),
        (["fairness"], {"score": [1, 2], "group": ["a", "b"]}, "0 groups have at least 10"),
    ],
)
def test_what_is_wrong_is_said(table, command, columns, says):
    done = call(command[0], table(**columns), *command[1:], "--draws", 0)
    assert done.exit_code == 2
    assert says in " ".join(done.output.split())


def test_wrong_questions_about_restoration(faces):
    where = ("restoration", faces / "restored", faces / "inputs")
    assert "takes a number or published" in " ".join(call(*where, "--threshold", "high").output.split())
    assert "does not score a picture without a reference" in " ".join(call(*where, "--metrics", "ssim").output.split())
    assert "at least 15 of them with a face; there are 3" in " ".join(call(*where, "--metrics", "contrast").output.split())
