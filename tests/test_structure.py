"""The shape of the project: rooms import one way, the index is fresh, importing is free."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from assay.catalog import index, scan

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src/assay"
ALGORITHMS = ("quality", "face", "authenticity", "degrade")
BELOW = {  # each room, and all it may import
    "types": (),
    "catalog": ("types",),
    "check": ("types",),
    "kernels": ("types",),
    "ops": ("types", "check", "kernels"),
    "weights": ("types",),
    "nets": ("types", "check", "ops", "weights"),
    "quality": ("types", "check", "catalog", "ops", "nets", "weights"),
    "face": ("types", "check", "catalog", "ops", "nets", "weights"),
    "authenticity": ("types", "check", "catalog", "ops", "nets", "weights"),
    "degrade": ("types", "check", "catalog", "ops"),
    "io": ("types",),
    "fusion": ("types", "ops", "weights"),
    "verdict": ("types", "fusion"),
    "words": ("types", "ops"),
    "tasks": ("types", "catalog"),
    "people": ("types", "tasks", "nets", "ops", "words"),
    "runner": ("types", "check", "catalog", "io", "ops", "people", "tasks", "verdict", "words"),
    "description": ("types", "catalog", "io", "runner", "tasks", "words"),
    "choose": ("types", "check", "nets", "ops", "runner"),
    "cli_faces": ("types", "choose", "io", "report"),
    "report": ("types", "catalog", "tasks", "io"),
    "cli_verify": ("types", "report", "runner", "tasks"),
    "training": ("types", "bench", "io", "nets", "ops"),
    "cli_train": ("bench", "io", "report", "training"),
    "demo": ("types", "degrade"),
    "docs": ("catalog",),
    "gallery": ("types", "catalog", "demo", "report", "tasks", "io"),
    "bench": ("types", "io"),
    "cli_bench": (
        "types",
        "check",
        "catalog",
        "bench",
        "cli_bench_authenticity",
        "cli_bench_sets",
        "cli_bench_shared",
        "io",
        "ops",
        "nets",
    ),
    "cli_bench_authenticity": ("types", "bench", "cli_bench_shared"),
    "cli_bench_sets": ("types", "bench", "cli_bench_shared", "io", "runner", "tasks"),
    "cli_bench_shared": ("types", "bench"),
    "cli": (
        "cli_bench",
        "cli_faces",
        "cli_train",
        "cli_verify",
        "demo",
        "description",
        "gallery",
        "types",
        "catalog",
        "runner",
        "report",
        "tasks",
        "io",
        "kernels",
        "weights",
    ),
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "assay":
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("assay."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("assay."))


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_rooms_import_one_way(path):
    room = path.relative_to(SRC).parts[0].removesuffix(".py")
    if room == "__init__":
        return  # only lazy names, checked below
    allowed = {*BELOW[room], "__version__"}
    if room not in ALGORITHMS:
        allowed.add(room)
    used = set(imports(path)) - ({room} if room in ALGORITHMS and path.name == "__init__.py" else set())
    assert used <= allowed, f"{path.relative_to(SRC)} may not import {', '.join(sorted(used - allowed))}"


def test_catalog_is_fresh():
    assert scan() == index(), "run `make catalog`"


def loads(code):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split("\n")[-2].split())


@pytest.mark.parametrize("code", ["import assay", "import assay.cli; from assay.catalog import index; index()"])
def test_importing_and_listing_load_nothing_heavy(code):
    assert not loads(code) & {"torch", "numpy", "scipy", "PIL"}
