"""The restoration protocol: the gate, the score, what is missing, and drift over a clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from assay.bench.identity import direction, drift, stranger_threshold
from assay.bench.restoration import ALLOWED, COUNTS, THRESHOLDS, Term, judge, limit, official, rank
from assay.types import BadInput, CannotAssess

LIGHT = Term("light", lambda x: float(x.mean()), lambda v: v)
RICH = Term("rich", lambda x: float(x.std()), lambda v: max(0.0, 1 - v))


def read(path):
    return torch.from_numpy(np.asarray(Image.open(path), dtype=np.float32) / 255).permute(2, 0, 1)


def embed(picture):
    """Red against green is who it is; black is no face."""
    if float(picture.mean()) == 0:
        raise CannotAssess("No face.")
    return picture.mean((1, 2))[:2]


def angle(degrees):
    """A picture of the person at this angle."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.full((8, 8, 3), [round(200 * c), round(200 * s), 90], np.uint8)


@pytest.fixture
def folders(tmp_path):
    """A folder of inputs at 0°, and a maker of restored folders with persons at given angles."""

    def fill(name, angles, place="CelebA"):
        (tmp_path / name / place).mkdir(parents=True, exist_ok=True)
        for i, a in enumerate(angles):
            Image.fromarray(np.zeros((8, 8, 3), np.uint8) if a is None else angle(a)).save(tmp_path / name / place / f"{i}.png")
        return tmp_path / name

    return fill


def entry(restored, inputs, **knobs):
    return judge("x", restored, inputs, read=read, embed=embed, terms=[LIGHT, RICH], times=20, **knobs)


@pytest.mark.parametrize("bad", [10, 11])
def test_the_gate_passes_with_ten_bad_faces_and_fails_with_eleven(folders, bad):
    got = entry(folders("out", [80] * bad + [50] * (14 - bad)), folders("in", [0] * 14))  # cosines .17 and .64; CelebA wants .5
    assert len(got.failing) == bad
    assert got.passed == (bad <= ALLOWED)


def test_copying_the_input_passes_with_likeness_one(folders):
    same = folders("in", range(0, 90, 10))
    got = entry(same, same)
    assert [r.likeness for r in got.rows] == pytest.approx([1] * 9)
    assert got.passed
    assert got.official is None
    assert got.official_needs == ("clipiqa", "maniqa", "musiq", "niqe", "qalign", "fid")


def test_a_face_lost_fails_and_an_input_without_one_asks_nothing(folders):
    got = entry(folders("out", [None, 0, 0]), folders("in", [0, 0, None]))
    assert [r.file for r in got.failing] == ["CelebA/0.png"]
    assert got.unknown == ("CelebA/2.png",)
    assert got.rows[0].likeness is None


def test_every_input_needs_its_picture(folders):
    got = entry(folders("out", [0, 0]), folders("in", [0, 0, 0]))
    assert got.missing == ("CelebA/2.png",)
    assert not got.passed
    with pytest.raises(BadInput, match="has the name of one in"):
        entry(folders("other", [0], place="elsewhere"), folders("in", [0]))


def test_sets_weigh_by_their_size_and_means_come_before_worth(folders):
    inputs = folders("in", [0] * 3)
    inputs = folders("in", [0], place="LFW-Test")
    restored = folders("out", [0, 30, 60])
    restored = folders("out", [10], place="LFW-Test")
    got = entry(restored, inputs)
    light = [float(read(restored / r.file).mean()) for r in got.rows]
    rich = [float(read(restored / r.file).std()) for r in got.rows]
    assert got.worths["light"] == pytest.approx(0.75 * np.mean(light[:3]) + 0.25 * light[3])
    assert got.worths["rich"] == pytest.approx(1 - (0.75 * np.mean(rich[:3]) + 0.25 * rich[3]))
    assert got.score.value == pytest.approx(sum(got.worths.values()))
    assert [line["set"] for line in got.table()] == ["CelebA", "LFW-Test", "all"]
    assert got.table()[0]["failing"] == 0
    assert got.table()[2]["pictures"] == 4


def test_the_official_score():
    assert sum(COUNTS.values()) == 450
    assert set(COUNTS) == set(THRESHOLDS)
    flat = {"clipiqa": 0.7, "maniqa": 0.6, "musiq": 70, "niqe": 10, "qalign": 4, "fid": 100}
    assert official(flat) == pytest.approx(0.7 + 0.6 + 0.7 + 0 + 0.8 + 0)
    assert official(flat | {"niqe": 14, "fid": 300}) == official(flat)
    assert official(flat | {"niqe": 4, "fid": 40}) == pytest.approx(official(flat) + 0.6 + 0.6)
    assert official({"clipiqa": 1, "maniqa": 1, "musiq": 100, "niqe": 0, "qalign": 5, "fid": 0}) == 6
    with pytest.raises(CannotAssess, match="maniqa, fid are missing"):
        official({"clipiqa": 1, "musiq": 100, "niqe": 0, "qalign": 5})


def test_the_official_score_stands_where_all_six_are_given(folders):
    same = folders("in", [0, 0])
    five = [Term(n, lambda _: 1.0, lambda v: v) for n in ("clipiqa", "maniqa", "musiq", "niqe", "qalign")]
    got = judge("x", same, same, read=read, embed=embed, terms=five, fid=lambda files: 50.0 * len(files) / 2, times=0)
    assert got.official == pytest.approx(1 + 1 + 0.01 + 0.9 + 0.2 + 0.5)


def test_thresholds(folders):
    assert limit(0.3, "anything") == 0.3
    with pytest.raises(BadInput, match="for the set 'Flickr', only for CelebA"):
        entry(folders("in", [0], place="Flickr"), folders("in", [0], place="Flickr"))
    persons = folders("people", range(0, 90, 5))  # 18 persons, 153 pairs: one pair may be more alike
    got = entry(persons, persons, thresholds=None)
    assert np.cos(np.radians(5)) < got.thresholds < 1.001
    with pytest.raises(CannotAssess, match="at least 15 of them with a face; there are 3"):
        stranger_threshold([np.eye(3)[i] for i in range(3)])


def test_the_gate_comes_before_the_score(folders):
    inputs = folders("in", [0] * 12)
    honest, other = entry(folders("a", [20] * 12), inputs), entry(folders("b", [75] * 12), inputs)
    assert not other.passed
    assert [e.passed for e in rank([other, honest])] == [True, False]


def test_drift_of_a_face_that_turns_away():
    frames = [torch.from_numpy(angle(a)).permute(2, 0, 1) / 255 for a in (0, 10, 20, 30)]
    told = drift([*frames, torch.zeros(3, 8, 8)], embed=embed, fps=10)
    assert told.to_first[:4] == pytest.approx(np.cos(np.radians([0, 10, 20, 30])), abs=5e-3)
    assert told.to_mean[:4] == pytest.approx(np.cos(np.radians([15, 5, 5, 15])), abs=5e-3)
    assert told.to_first[4] is None
    assert told.lowest == pytest.approx(told.to_first[3])
    assert told.per_second == pytest.approx(-np.polyfit(np.arange(4) / 10, told.to_first[:4], 1)[0])
    assert drift([frames[0]] * 5, embed=embed, fps=25).per_second == pytest.approx(0, abs=1e-9)
    with pytest.raises(CannotAssess, match="found in 1 of 2 frames"):
        drift([frames[0], torch.zeros(3, 8, 8)], embed=embed, fps=10)
    with pytest.raises(BadInput, match="fps"):
        drift(frames, embed=embed, fps=0)
    with pytest.raises(BadInput, match="without a direction"):
        direction(lambda _: torch.zeros(4), frames[0])
