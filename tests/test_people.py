"""Faces in a run: every face is judged, one that fails spoils no other, and the best ones are found."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from jsonschema import validate
from PIL import Image
from rich.console import Console

import assay
from assay import choose, people
from assay.catalog import carded
from assay.cli import main
from assay.report import rows, terminal
from assay.report.html import HtmlReport
from assay.tasks import Task, task
from assay.types import BadInput, CannotAssess, Face, Finding, Scale, ScoreCard

SCHEMA = json.loads((Path(rows.__file__).parent / "schema.json").read_text("utf-8"))
TEMPLATE = ((38.3, 51.7), (73.5, 51.5), (56.0, 71.7), (41.5, 92.4), (70.7, 92.2))


def placed(x: float, y: float, scale: float) -> Face:
    points = tuple((x + scale * a, y + scale * b) for a, b in TEMPLATE)
    return Face(box=(x, y, x + 112 * scale, y + 112 * scale), points=points, confidence=0.9)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> list[Face]:
    """A finder that sees two faces in everything, the larger first."""
    seen = [placed(20, 30, 1.2), placed(190, 60, 0.8)]
    monkeypatch.setattr(people, "find", lambda images: [seen] * len(images))
    return seen


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "find", lambda images: [[] for _ in images])


def photo(path: Path, seed: int = 0) -> Path:
    noise = np.random.default_rng(seed).normal(128, 40, (60, 80, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC).save(path)
    return path


@carded(ScoreCard(name="width", version="1", takes=("face",), scale=Scale(0, 200), paper=""))
def width(image: torch.Tensor, faces: list[Face]) -> list[Finding]:
    """Width: of the box."""
    if len(faces) > 1 or faces[0].size < 100:
        raise CannotAssess("too small, or too many")
    return [Finding(f.size) for f in faces]


def test_faces_are_found_in_whatever_can_be_judged(two: list[Face], tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png")
    assert assay.find_faces(path) == two
    assert assay.find_faces(assay.read(path)) == two


def test_one_face_that_fails_spoils_no_other(two: list[Face], tmp_path: Path) -> None:
    first, second = people.judge(assay.read(photo(tmp_path / "a.png")), [Task(width)])
    assert [r.value for r in first.results] == [pytest.approx(two[0].size)]
    assert not first.errors
    assert not second.results
    assert [(e.what, e.kind) for e in second.errors] == [("width", "CannotAssess")]


def test_of_many_faces_the_largest_are_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    crowd = [placed(10 * k, 10, 1) for k in range(people.JUDGED + 3)]
    monkeypatch.setattr(people, "find", lambda _: [crowd])
    items = people.judge(assay.read(photo(tmp_path / "a.png")), [Task(width)])
    assert [bool(i.results) for i in items] == [True] * people.JUDGED + [False] * 3


def test_a_group_is_not_told_to_be_a_portrait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    picture = assay.read(photo(tmp_path / "a.png"))
    tasks = [task("single_face_present"), task("inter_eye_distance")]
    for scale, says in ((0.9, False), (0.4, True)):
        monkeypatch.setattr(people, "find", lambda _, scale=scale: [[placed(20, 30, 1), placed(180, 30, scale)]])
        first, second = (" ".join(i.advice) for i in people.judge(picture, tasks))
        assert ("one person alone" in first) == says
        assert "one person alone" not in second
        assert "eyes" in second


def test_a_run_by_name_gives_every_face_and_the_largest_for_the_picture(two: list[Face], tmp_path: Path) -> None:
    (item,) = assay.run(["inter_eye_distance", "contrast"], [photo(tmp_path / "a.png")])
    assert [r.name for r in item.results] == ["inter_eye_distance", "contrast"]
    assert item.results[0].value == item.faces[0].results[0].value
    assert len(item.faces) == 2
    assert assay.assess("inter_eye_distance", tmp_path / "a.png").value == item.results[0].value


def test_a_picture_without_a_face_says_so_by_name_and_is_no_error_for_inspect(nobody: None, tmp_path: Path) -> None:
    (item,) = assay.run(["inter_eye_distance"], [photo(tmp_path / "a.png")])
    assert [(e.what, e.kind, e.says) for e in item.errors] == [("inter_eye_distance", "CannotAssess", people.NOBODY)]
    with pytest.raises(CannotAssess, match="No face"):
        assay.assess("inter_eye_distance", tmp_path / "a.png")


def test_that_there_is_a_face_says_nothing_of_the_origin(two: list[Face], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.nets.face_finder.find", lambda images, **_: [two] * len(images))
    (item,) = assay.run(["faces", "metadata"], [photo(tmp_path / "a.png")], verdicts=True)
    assert [r.name for r in item.results if r.evidence] == ["faces", "metadata"]
    assert item.origin is not None
    assert not [e for e in item.origin.evidence if "face" in e.says]


def test_all_outputs_tell_of_the_faces(two: list[Face], tmp_path: Path) -> None:
    (item,) = assay.run(["inter_eye_distance", "head_pose_yaw", "entropy"], [photo(tmp_path / "a.png")], verdicts=True, keep_pictures=True)
    assert [r.name for r in item.results] == ["entropy"], "what is said of a face is told with the face"
    told = rows.row(item)
    validate(told, SCHEMA)
    assert [len(f["results"]) for f in told["faces"]] == [2, 2]
    assert told["faces"][0]["box"] == pytest.approx(two[0].box, rel=1e-4)
    console = Console(width=100, record=True, file=io.StringIO())
    terminal.story(told, console)
    text = console.export_text()
    assert "Face 1" in text
    assert "Face 2" in text
    with HtmlReport(tmp_path / "r.html") as page:
        page.add(item)
    assert '"eye_distance":' in (tmp_path / "r.html").read_text("utf-8")


class Best:
    """Three pictures of two people, the finder sees one face in each: its size says how good, its colour whose it is."""

    @pytest.fixture(autouse=True)
    def album(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.folder = tmp_path / "album"
        self.folder.mkdir()
        for name, red, side in (("a", 200, 100), ("b", 200, 150), ("c", 20, 120)):
            Image.new("RGB", (side * 2, side * 2), (red, 90, 90)).save(self.folder / f"{name}.png")

        def find(images: torch.Tensor) -> list[list[Face]]:
            return [[placed(10, 10, images.shape[-1] / 240)] for _ in images]

        def embed(chips: torch.Tensor) -> torch.Tensor:
            red = chips[:, 0].amax((1, 2))
            return torch.stack([torch.cos(red), torch.sin(red)], 1)

        monkeypatch.setattr(people, "find", find)
        monkeypatch.setattr(choose, "embed", embed)
        monkeypatch.setattr(choose, "SAME", 0.95)
        monkeypatch.setattr(choose, "JUDGES", {"people": "inter_eye_distance", "matcher": "inter_eye_distance"})


class TestBest(Best):
    def test_the_best_come_first(self) -> None:
        shots = choose.best(sorted(self.folder.iterdir()), n=2)
        assert [Path(s.path).stem for s in shots] == ["b", "c"]
        assert shots[0].score > shots[1].score

    def test_of_each_person(self) -> None:
        shots = choose.best(sorted(self.folder.iterdir()), n=1, per_identity=True)
        assert [(s.person, Path(s.path).stem) for s in shots] == [(1, "b"), (2, "c")]

    def test_what_shows_no_face_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(people, "find", lambda images: [[] for _ in images])
        (self.folder / "d.png").write_bytes(b"no picture")
        lost: list[choose.Failure] = []
        assert choose.best(sorted(self.folder.iterdir()), lost=lost) == []
        assert [f.kind for f in lost] == ["CannotAssess"] * 3 + ["BadInput"]

    def test_an_unknown_purpose_is_refused(self) -> None:
        with pytest.raises(BadInput, match="people"):
            choose.best([], purpose="passport")

    def test_a_face_that_cannot_be_judged_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        profile = placed(10, 10, 1)
        monkeypatch.setattr(people, "find", lambda images: [[replace(profile, points=((40, 50),) * 5)] for _ in images])
        lost: list[choose.Failure] = []
        assert choose.best(sorted(self.folder.iterdir()), lost=lost) == []
        assert [f.kind for f in lost] == [choose.UNJUDGED] * 3
        assert "one spot" in lost[0].says

    def test_a_file_that_cannot_be_read_fails_the_command(self) -> None:
        (self.folder / "d.png").write_bytes(b"no picture")
        done = CliRunner().invoke(main, ["faces", str(self.folder), "--json"])
        assert done.exit_code == 1
        assert "d.png" in done.stderr

    def test_the_command(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(
            main, ["faces", str(self.folder), "--best", "1", "--per-identity", "--json", "--copy-to", str(tmp_path / "best")]
        )
        assert done.exit_code == 0, done.output
        told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert [(t["person"], Path(t["path"]).stem) for t in told] == [(1, "b"), (2, "c")]
        assert sorted(p.name for p in (tmp_path / "best").iterdir()) == ["01-001-b.png", "02-002-c.png"]
