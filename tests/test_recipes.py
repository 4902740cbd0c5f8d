"""The driver that makes every net for faces asks recipes that exist for what they know, and says what it lacks."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-f", "recipes/faces.mk", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def helped(recipe: str, monkeypatch, capsys) -> str:
    """What `python recipes/NAME.py --help` prints."""
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    monkeypatch.setattr("sys.argv", [recipe, "--help"])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(ROOT / "recipes" / recipe), run_name="__main__")
    assert done.value.code == 0
    return capsys.readouterr().out


@needs_make
def test_every_step_of_the_driver_is_a_recipe_and_knows_its_options(tmp_path, monkeypatch, capsys):
    steps = re.findall(r"^python recipes/(\S+) (.*)$", make("-n", "PYTHON=python", f"OUT={tmp_path}/out", "DATA=.").stdout, re.MULTILINE)
    asked: dict[str, set[str]] = {}
    for recipe, words in steps:
        asked.setdefault(recipe, set()).update(w for w in words.split() if w.startswith("--"))
    assert len(asked) > 10
    for recipe, options in asked.items():
        told = helped(recipe, monkeypatch, capsys)
        assert all(option in told for option in options), recipe


@needs_make
def test_the_driver_makes_and_ships_every_net_for_faces():
    made = make("-n", "PYTHON=python", "OUT=out", "DATA=.").stdout
    sources = [*(ROOT / "src/assay/face").glob("*.py"), *(ROOT / "src/assay/nets").glob("face_*.py")]
    declared = re.compile(r'file="(\w+\.safetensors)".*?recipe="(recipes/\w+\.py)"', re.DOTALL)
    nets = {found for path in sources for found in declared.findall(path.read_text("utf-8"))}
    assert len(nets) >= 9
    for file, recipe in nets:
        assert f"recipes/ship.py out/{file}\n" in made, file
        assert f"python {recipe} " in made, recipe


@needs_make
def test_without_data_the_driver_says_what_it_lacks(tmp_path):
    told = make(f"OUT={tmp_path}/out", f"DATA={tmp_path}")
    assert told.returncode
    assert "must be a folder that holds faces/portraits pristine/camera" in told.stderr
