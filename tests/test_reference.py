"""Every value in tests/reference/*.json comes from an independent tool; ours must agree.

A file is named after the algorithm and holds {"tool", "command", "made_on", "cases"}; a case is
{"picture", "want", "atol", "knobs"?, "tool"?, "why"?}, where `picture` is a name of tests/pictures.py.
"""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import pytest

from assay.catalog import get
from assay.types import MissingWeights
from conftest import DATA
from pictures import pair

HERE = Path(__file__).parent


def cases():
    for file in sorted((HERE / "reference").glob("*.json")):
        for case in json.loads(file.read_text("utf-8"))["cases"]:
            knobs = ",".join(f"{k}={v}" for k, v in case.get("knobs", {}).items())
            yield pytest.param(file.stem, case, id=f"{file.stem}({knobs})-{case['picture']}")


@pytest.mark.parametrize(("name", "case"), list(cases()))
def test_agrees_with_reference(name, case):
    fn = get(name)
    x, ref = pair(case["picture"], DATA)
    given = {"ref": ref} if "reference" in fn.card.takes else {}
    want = inf if case["want"] == "Infinity" else case["want"]
    try:
        got = float(fn(x, **given, **case.get("knobs", {}))[0])
    except MissingWeights as absent:
        pytest.skip(str(absent))
    assert got == pytest.approx(want, abs=case["atol"], rel=0)
