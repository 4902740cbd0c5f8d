"""The document for a newsroom: complete, safe to open, and honest where little is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from assay import cli_verify
from assay.cli import main
from assay.report import verify as document
from assay.runner import run
from assay.tasks import evidence


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG whose name would be a tag if it were not escaped."""
    path = tmp_path_factory.mktemp("verify") / "<b>odd & name.jpg"
    y, x = np.mgrid[:192, :256]
    grain = np.random.default_rng(0).normal(0, 6, (192, 256, 3))
    pixels = (128 + 60 * np.sin(x / 17) * np.cos(y / 23))[..., None] + grain
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=80)
    return path


def test_the_document_tells_verdict_evidence_history_and_versions(photo: Path) -> None:
    item = next(run(evidence(), [str(photo)], maps=True, verdicts=True, keep_pictures=True))
    page = document.page(item)
    assert item.sha256 in page
    assert item.origin is not None
    assert f"{item.origin.label}</p>" in page
    for name in ("jpeg_grid", "quantisation", "error_level"):
        assert f"<h3>{name}" in page
    assert "quality 80" in page  # of the last step of its history
    assert "&lt;b&gt;odd &amp; name.jpg" in page
    assert "<b>odd" not in page
    assert "default-src 'none'" in page
    assert "<script" not in page


def test_the_command_writes_it_and_tells_machines_too(photo: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["verify", str(photo), "--html", str(tmp_path / "a.html"), "--json"])
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["verdicts"]["origin"]["label"] in ("camera original", "edited", "generated", "inconclusive")
    assert {r["name"] for r in told["results"]} >= {"jpeg_grid", "quantisation"}
    assert (tmp_path / "a.html").read_text("utf-8").startswith("<!doctype html>")


def test_what_is_no_picture_gets_a_document_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    found = CliRunner().invoke(main, ["verify", str(tmp_path / "a.jpg"), "--html", str(tmp_path / "a.html")])
    assert found.exit_code == 1
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "No verdict" in page
    assert "not decoded" in page


def test_without_a_browser_pdf_is_a_sentence(monkeypatch: pytest.MonkeyPatch, photo: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(cli_verify, "BROWSERS", ())
    found = CliRunner().invoke(main, ["verify", str(photo), "--pdf", str(tmp_path / "a.pdf")])
    assert found.exit_code == 2
    assert "print that page" in found.output
