"""Finding images: what a person types, and what must come of it."""

from __future__ import annotations

import io
import os
from types import SimpleNamespace

import pytest

from assay.io.find import find, natural, pair
from assay.types import BadInput


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("b/img10.jpg", "b/img2.JPG", "b/deep/x.webp", "a.png", "notes.txt", ".hidden.png", ".cache/y.png", "c.TIFF"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(found):
    return [p.as_posix() for p in found]


def test_a_folder_gives_its_images_in_natural_order(tree):
    assert names(find(["."])) == ["a.png", "c.TIFF", "b/img2.JPG", "b/img10.jpg", "b/deep/x.webp"]
    assert names(find(["."], recursive=False)) == ["a.png", "c.TIFF"]


def test_named_files_are_taken_as_they_are_and_once(tree):
    assert names(find(["notes.txt", "missing.jpg", "a.png", "./a.png", ".", str(tree / "c.TIFF")]))[:3] == [
        "notes.txt",
        "missing.jpg",
        "a.png",
    ]
    assert len(list(find([".", "b", "a.png"]))) == 5


def test_globs(tree):
    assert names(find(["b/*.jpg"])) == ["b/img10.jpg"]
    assert names(find(["**/*"])) == ["a.png", "b/deep/x.webp", "b/img2.JPG", "b/img10.jpg", "c.TIFF"]
    assert names(find(["*.txt"])) == ["notes.txt"]
    (tree / "b/[1].png").touch()
    assert names(find(["b/[1].png"])) == ["b/[1].png"], "a name that exists is no pattern"
    with pytest.raises(BadInput, match=r"\*\.gif matches nothing"):
        find(["*.gif"])
    with pytest.raises(BadInput, match="matches no image"):
        find(["n*"])


def test_errors_come_before_the_first_path(tree):
    (tree / "papers").mkdir()
    with pytest.raises(BadInput, match="papers holds no images: it is empty"):
        find([".", "papers"])
    for name in ("1.txt", "2.txt", "Makefile"):
        (tree / "papers" / name).touch()
    (tree / "papers/more").mkdir()
    with pytest.raises(BadInput, match=r"papers holds no images: it has 2 \.txt, 1 .*folder"):
        find(["papers"])
    with pytest.raises(BadInput, match="empty path"):
        find([""])


@pytest.mark.parametrize("listed", [b"a.png\nb/img2.JPG\n\nb\n", b"a.png\0b/img2.JPG\0b\0"])
def test_a_list_on_standard_input(tree, monkeypatch, listed):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(listed)))
    assert names(find(["-"])) == ["a.png", "b/img2.JPG", "b/img10.jpg", "b/deep/x.webp"]


def test_a_nul_list_may_hold_line_breaks_and_odd_bytes(tree, monkeypatch):
    odd = os.fsencode("line\nbreak.png"), b"\xff.png"
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"\0".join(odd))))
    assert [os.fsencode(p) for p in find(["-"])] == list(odd)


def test_links(tree):
    (tree / "b/loop").symlink_to(tree, target_is_directory=True)
    (tree / "b/gone.png").symlink_to(tree / "nowhere.png")
    assert "b/gone.png" in names(find(["b"])), "a dangling link is reported, not dropped"
    assert not [p for p in find(["b"]) if "loop" in p.parts]


def test_a_folder_with_an_image_suffix_is_a_folder(tree):
    (tree / "set.jpg").mkdir()
    (tree / "set.jpg/in.png").touch()
    assert names(find(["set.jpg"])) == ["set.jpg/in.png"]
    assert "set.jpg/in.png" in names(find(["."]))


def test_natural_order():
    shuffled = ["b", "A10", "a2", "a1b3", "a1b20", "a", "B1"]
    assert sorted(shuffled, key=natural) == ["a", "a1b3", "a1b20", "a2", "A10", "b", "B1"]


def test_pairs(tree):
    for name in ("ref/a.jpg", "ref/b/img2.JPG", "ref/b/img2.png", "ref/c.png", "ref/c.jpg"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    assert [str(r) for _, r in pair(["a.png", "c.TIFF"], "ref/a.jpg")] == ["ref/a.jpg"] * 2
    assert str(dict(pair(["a.png"], "ref")).popitem()[1]) == "ref/a.jpg", "the same name with another suffix"
    got = {p.as_posix(): r for p, r in pair(["b", "c.TIFF"], "ref/b")}
    assert got["b/img2.JPG"].as_posix() == "ref/b/img2.JPG", "the same relative path wins"
    assert isinstance(got["b/img10.jpg"], BadInput)
    assert "img10.jpg has no reference in ref/b" in str(got["b/img10.jpg"])
    ((_, several),) = pair(["c.TIFF"], "ref")
    assert isinstance(several, BadInput)
    assert "several references in ref: c.jpg, c.png" in str(several)
    assert {str(r) for p, r in pair(["b/*"], "ref/b") if p.name == "img2.JPG"} == {"ref/b/img2.JPG"}, "a glob's own folder is its root"
    with pytest.raises(BadInput, match="the reference nowhere does not exist"):
        pair(["a.png"], "nowhere")
