"""The verdict on origin: rules, calibrated evidence, and silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay import fusion, verdict, weights
from assay.catalog import index
from assay.types import Evidence, EvidenceCard, MissingWeights, Result

CURVE = {k: {"scores": [0.0, 1.0], "llrs": [-2.0, 4.0]} for k in fusion.KINDS}


def table(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "curves": dict.fromkeys(names, CURVE),
        "bias": 0.0,
        "weights": dict.fromkeys(names, 0.5),
        "final": {"scores": [-4.0, 4.0], "llrs": [-4.0, 4.0], "low": [-5.0, 3.0], "high": [-3.0, 5.0]},
        "authentic": [-2.0 + i / 1000 for i in range(400)],
        "altered": [0.5 + i / 100 for i in range(400)],
    }


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters of a made-up calibration: two algorithms on edits, one on generators."""
    monkeypatch.setattr(fusion, "fitted", lambda: {"edited": table(("a", "b")), "generated": table(("c",))})


def result(name: str, statistic: float | None = None, *evidence: Evidence) -> Result:
    card = EvidenceCard(name=name, version="1", takes=("file",), paper="", caveat="")
    return Result(
        card, None, evidence=evidence or (Evidence(f"{name} looked."),), data={} if statistic is None else {"statistic": statistic}
    )


CAMERA = (
    result("metadata", None, Evidence("camera data", "camera original", "hint")),
    result("quantisation", None, Evidence("camera layout", "camera original", "hint")),
)


def test_nothing_found_is_inconclusive_and_has_no_probability() -> None:
    found = verdict.origin([result("metadata")])
    assert (found.label, found.probability, found.weighed) == ("inconclusive", None, ())


def test_calibrated_evidence_decides_and_tells_its_parts() -> None:
    found = verdict.origin([result("a", 1.0), result("b", 0.9)])
    assert found.label == "edited"
    (weighed,) = found.weighed
    assert weighed.llr == pytest.approx(0.5 * 4 + 0.5 * 3.4)
    assert weighed.interval[0] < weighed.llr < weighed.interval[1]
    assert weighed.authentic == pytest.approx(1 / 401)
    assert [n for n, _ in weighed.parts] == ["a", "b"]
    assert [e.llr for e in found.evidence] == pytest.approx([2.0, 1.7])


def test_what_is_missing_adds_nothing() -> None:
    one = verdict.origin([result("a", 0.6)]).weighed[0]
    assert one.llr == pytest.approx(0.5 * 1.6)
    assert one.parts == (("a", pytest.approx(0.8)),)


def test_authentic_looking_statistics_never_make_an_edit_and_let_hints_decide() -> None:
    found = verdict.origin([result("a", 0.0), result("b", 0.0), result("c", 0.0), *CAMERA])
    assert found.label == "camera original"
    assert found.probability is not None
    assert found.probability < 0.5


def test_camera_data_against_calibrated_evidence_is_inconclusive() -> None:
    assert verdict.origin([result("a", 1.0), result("b", 1.0), *CAMERA]).label == "inconclusive"


def test_one_hint_and_calibrated_evidence_that_agrees_decide() -> None:
    hint, shot = (result("metadata", None, Evidence("said", of, "hint")) for of in ("edited", "camera original"))
    assert verdict.origin([hint]).label == "inconclusive"
    assert verdict.origin([result("a", 0.5)]).label == "inconclusive"
    assert verdict.origin([hint, result("a", 0.5)]).label == "edited"  # alone it is too weak: nearly all altered pictures show more
    assert verdict.origin([shot, result("a", 0.5)]).label == "inconclusive"
    assert verdict.origin([shot, result("a", 0.0), result("b", 0.0)]).label == "camera original"  # no altered one looks so clean
    assert verdict.origin([shot, result("a", 0.35)]).label == "inconclusive"


def test_calibrated_evidence_does_not_silence_hints_that_say_the_same() -> None:
    said = [result(n, None, Evidence("said", "edited", "hint")) for n in ("metadata", "quantisation")]
    assert verdict.origin([*said, result("a", 0.6)]).label == "edited"
    assert verdict.origin([*said, result("c", 0.6)]).label == "inconclusive"  # they say edited, it says generated


def test_generated_and_then_edited_is_generated() -> None:
    assert verdict.origin([result("a", 1.0), result("b", 1.0), result("c", 1.0)]).label == "generated"


def test_a_hint_of_what_is_weighed_counts_once() -> None:
    hints = [result(n, 0.3, Evidence("odd", "edited", "hint")) for n in ("a", "b")]
    assert verdict.origin(hints).label == "inconclusive"


def test_strong_evidence_decides_unless_it_is_contradicted() -> None:
    signed = result("manifest", None, Evidence("signed by a generator", "generated", "strong"))
    assert verdict.origin([signed, *CAMERA]).label == "generated"
    shot = result("metadata", None, Evidence("signed by a camera", "camera original", "strong"))
    assert verdict.origin([signed, shot]).label == "inconclusive"


def test_the_kind_of_file_follows_its_tables() -> None:
    rough = result("quantisation")
    rough.data["nearest_quality"] = 75
    assert fusion.kind("JPEG", [rough]) == "strong JPEG"
    assert fusion.kind("JPEG", []) == "JPEG"
    rough.data["nearest_quality"] = 20
    assert fusion.kind("JPEG", [rough]) == fusion.ROUGH
    silent = verdict.origin([result("a", 1.0), result("b", 1.0), rough], file_format="JPEG")
    assert (silent.label, silent.weighed) == ("inconclusive", ())
    assert "quality 70" in silent.unavailable[0]
    assert fusion.kind("PNG", []) == "lossless"
    assert fusion.kind("WEBP", []) == "other"


def test_what_ships_rises_and_names_algorithms_that_exist() -> None:
    told = json.loads((weights.HERE / "origin.json").read_text("utf-8"))["questions"]
    assert "edited" in told
    for question in told.values():
        assert min(question["weights"].values()) >= 0
        for name, curves in question["curves"].items():
            assert index()[name]["at"].startswith("assay.authenticity.")
            for kind in fusion.KINDS:
                assert (np.diff(curves[kind]["llrs"]) >= -1e-6).all(), (name, kind)
        assert (np.diff(question["final"]["scores"]) > 0).all()
        assert len(question["authentic"]) >= 1 / verdict.LOST - 1  # fewer could never decide


def test_a_package_without_its_calibration_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(weights, "HERE", tmp_path)
    with pytest.raises(MissingWeights, match=r"recipes/origin\.py"):
        fusion.fitted.__wrapped__()
