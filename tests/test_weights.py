"""Where parameter files come from: found, checked, fetched on request, and never by surprise."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from safetensors.torch import save

from assay import weights
from assay.types import BadInput, MissingWeights, Weights

BODY = b"parameters" * 1000


def declared(body=BODY, url="", file="model.bin", recipe=""):
    return Weights(file=file, sha256=hashlib.sha256(body).hexdigest(), license="CC0", url=url, recipe=recipe)


@pytest.fixture(autouse=True)
def _away_from_home(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASSAY_WEIGHTS", raising=False)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("ASSAY_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def server(tmp_path):
    """A web server on this machine alone: its folder, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_shipped_file_is_found():
    from assay.quality.niqe_assay import MODEL

    assert weights.find(MODEL) == weights.HERE / "niqe_assay.safetensors"
    assert set(weights.load_safetensors(MODEL)) == {"mu", "cov"}
    assert weights.load_safetensors(MODEL) is weights.load_safetensors(MODEL)


def test_a_mirror_is_searched_by_name(mirror):
    (mirror / "model.bin").write_bytes(BODY)
    assert weights.find(declared()) == mirror / "model.bin"


def test_a_mirror_is_searched_by_content(mirror):
    (mirror / "a/b").mkdir(parents=True)
    (mirror / "other").write_bytes(b"x")
    (mirror / "a/b/renamed").write_bytes(BODY)
    assert weights.find(declared()) == mirror / "a/b/renamed"


def test_content_wins_over_a_name(mirror):
    (mirror / "model.bin").write_bytes(b"something else of that name")
    (mirror / "renamed").write_bytes(BODY)
    assert weights.find(declared()) == mirror / "renamed"


def test_other_content_under_the_name_is_refused(mirror):
    (mirror / "model.bin").write_bytes(b"tampered")
    with pytest.raises(BadInput, match=r"model\.bin is not the model\.bin that was declared: its sha256 is .*, wanted .*Replace or remove"):
        weights.find(declared())


def test_a_changed_file_is_hashed_again(mirror):
    path = mirror / "model.bin"
    path.write_bytes(BODY)
    assert weights.find(declared()) == path
    path.write_bytes(BODY + b"!")
    with pytest.raises(BadInput, match="is not the model"):
        weights.find(declared())


def test_a_mirror_that_is_no_folder_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match=r"ASSAY_WEIGHTS is .*nowhere.*not a folder"):
        weights.find(declared())


def test_a_missing_file_says_what_to_do():
    w = declared(url="https://example.org/model.bin")
    with pytest.raises(MissingWeights) as e:
        weights.find(w, instead="other-metric")
    for part in (w.file, w.url, w.license, w.sha256, "ASSAY_WEIGHTS", "fetch", "Offline, other-metric"):
        assert part in str(e.value)


def test_a_missing_shipped_file_names_its_recipe():
    with pytest.raises(MissingWeights, match=r"come with the package; recipes/model\.py makes it"):
        weights.find(declared(recipe="recipes/model.py"))


def test_fetch_downloads_once(server):
    folder, address = server
    (folder / "model.bin").write_bytes(BODY)
    w, steps = declared(url=f"{address}/model.bin"), []
    path = weights.fetch(w, progress=lambda done, total: steps.append((done, total)))
    assert path.read_bytes() == BODY
    assert steps[-1] == (len(BODY), len(BODY))
    (folder / "model.bin").unlink()
    assert weights.fetch(w) == path == weights.find(w)
    assert [p.name for p in path.parent.iterdir()] == ["model.bin"]


def test_what_cannot_be_checked_is_not_downloaded(server):
    folder, address = server
    (folder / "model.bin").write_bytes(BODY)
    with pytest.raises(MissingWeights, match="no published sha256"):
        weights.fetch(replace(declared(url=f"{address}/model.bin"), sha256="unpublished"))
    assert not weights.cache_dir().exists()


def test_finding_never_downloads(server):
    folder, address = server
    (folder / "model.bin").write_bytes(BODY)
    with pytest.raises(MissingWeights):
        weights.find(declared(url=f"{address}/model.bin"))
    assert not weights.cache_dir().exists()


def test_a_wrong_download_is_not_kept(server):
    folder, address = server
    (folder / "model.bin").write_bytes(b"not it")
    w = declared(url=f"{address}/model.bin")
    with pytest.raises(BadInput, match="gave another file than declared"):
        weights.fetch(w)
    assert not [p for p in weights.cache_dir().rglob("*") if p.is_file()]


def test_an_unreachable_address_is_a_sentence(server):
    _, address = server
    with pytest.raises(MissingWeights, match=r"could not be downloaded from .*404.*ASSAY_WEIGHTS"):
        weights.fetch(declared(url=f"{address}/absent.bin"))
    assert not [p for p in weights.cache_dir().rglob("*") if p.is_file()]


@pytest.mark.parametrize("url", ["", "file:///etc/hostname", "ftp://example.org/model.bin"])
def test_only_the_web_is_fetched_from(url):
    with pytest.raises(MissingWeights):
        weights.fetch(declared(url=url))


def test_tensors_are_checked_before_they_are_read(mirror):
    body = save({"mu": torch.arange(3.0)})
    w = declared(body, file="tiny.safetensors")
    (mirror / "tiny.safetensors").write_bytes(b"junk" + body)
    with pytest.raises(BadInput, match="is not the tiny"):
        weights.load_safetensors(w)
    (mirror / "tiny.safetensors").write_bytes(body)
    assert weights.load_safetensors(w)["mu"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("platform", "variable", "tail"),
    [("linux", "XDG_CACHE_HOME", "assay"), ("win32", "LOCALAPPDATA", "assay"), ("darwin", "", "Library/Caches/assay")],
)
def test_the_cache_lies_where_the_platform_keeps_such_things(platform, variable, tail, tmp_path, monkeypatch):
    monkeypatch.delenv("ASSAY_CACHE")
    monkeypatch.setattr(weights.sys, "platform", platform)
    monkeypatch.setenv("HOME", str(tmp_path))
    if variable:
        monkeypatch.setenv(variable, str(tmp_path))
    assert weights.cache_dir() == tmp_path / tail
