"""Adapting the detector: it learns what can be learned, says so honestly, and warns where the files give the classes away."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from assay import training
from assay.authenticity.generated import generated_assay
from assay.cli import main
from assay.io.decode import read
from assay.nets.generated import MODEL, WIDTHS, Generated, adapted, loaded
from assay.ops import finedetail
from assay.types import BadInput


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of random numbers: enough to tell noise from enlarged noise."""
    torch.manual_seed(0)
    net = Generated().eval().requires_grad_(False)
    monkeypatch.setattr(training, "loaded", lambda: net)
    monkeypatch.setattr(training, "CROPS", 1)


def folder(path: Path, count: int, *, enlarged: bool, suffix: str = ".png", seed: int = 0) -> Path:
    path.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(count):
        noise = rng.integers(40, 216, (132, 132, 3) if not enlarged else (66, 66, 3)).astype(np.uint8)
        Image.fromarray(noise).resize((132, 132), Image.Resampling.NEAREST).save(path / f"{i:03}{suffix}")
    return path


def test_it_learns_a_generator_and_keeps_the_layer_that_says_so(tmp_path: Path) -> None:
    real, fake = folder(tmp_path / "real", 24, enlarged=False), folder(tmp_path / "fake", 24, enlarged=True, seed=1)
    out = tmp_path / "mine.safetensors"
    found = CliRunner().invoke(
        main, ["train", "authenticity", "--real", str(real), "--fake", str(fake), "--out", str(out), "--draws", "20", "--json"]
    )
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)["rows"]
    adapted = {r["after"]: r["auc"]["value"] for r in rows if r["judge"] == "adapted"}
    assert adapted["as it is"] > 0.95
    assert set(adapted) == set(training.WAYS)
    with safe_open(out, "numpy") as file:
        assert file.get_tensor("head.weight").shape == (1, WIDTHS[-1], 1, 1)
        assert file.get_tensor("detail.weight").shape == (finedetail.COUNT,)
        assert json.loads(file.metadata()["figures"])["adapted"]["as it is"]["auc"] == pytest.approx(adapted["as it is"])


def test_the_layer_says_of_a_picture_what_was_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "loaded", loaded)  # as shipped
    real, fake = folder(tmp_path / "real", 20, enlarged=False), folder(tmp_path / "fake", 20, enlarged=True, seed=1)
    seen = training.look(sorted(real.iterdir()), sorted(fake.iterdir()))
    made, out = training.adapt(seen, draws=0), tmp_path / "mine.safetensors"
    training.save(made, out)
    new = folder(tmp_path / "new", 1, enlarged=True, seed=2), folder(tmp_path / "other", 1, enlarged=False, seed=3)
    found, clear = (generated_assay(read(path / "000.png"), head=str(out)) for path in new)
    assert found.data["statistic"] > made.limit > clear.data["statistic"]
    assert [e.points_to for e in (*found.evidence, *clear.evidence)] == ["generated", None]
    learned = made.layer(seen.features[-1, 0])  # one crop, so that its mean is also the mean of its middle half
    assert generated_assay(read(fake / "019.png"), head=str(out)).data["statistic"] == pytest.approx(learned, rel=0.2)
    old = {k: v for k, v in load_file(out).items() if not k.startswith("detail")}
    save_file(old, out, {"body": MODEL.sha256})
    adapted.cache_clear()
    with pytest.raises(BadInput, match="another version"):
        generated_assay(read(fake / "000.png"), head=str(out))


def test_what_cannot_be_told_apart_is_at_chance(tmp_path: Path) -> None:
    seen = training.look(
        sorted(folder(tmp_path / "a", 40, enlarged=False).iterdir()), sorted(folder(tmp_path / "b", 40, enlarged=False, seed=1).iterdir())
    )
    told = training.adapt(seen, draws=0).figures["adapted"]
    assert np.mean([f["auc"].value for f in told.values()]) == pytest.approx(0.5, abs=0.2)


def test_files_that_give_the_classes_away_are_told(tmp_path: Path) -> None:
    real, fake = folder(tmp_path / "real", 22, enlarged=False, suffix=".jpg"), folder(tmp_path / "fake", 22, enlarged=False, seed=1)
    command = ["train", "authenticity", "--real", str(real), "--fake", str(fake), "--out", str(tmp_path / "o.safetensors"), "--draws", "0"]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 0, found.output
    assert "Beware" in found.stdout


def test_namesakes_stay_in_one_fold_and_too_few_pictures_are_a_sentence(tmp_path: Path) -> None:
    real, fake = folder(tmp_path / "real", 20, enlarged=False), folder(tmp_path / "fake", 20, enlarged=True)
    seen = training.look(sorted(real.iterdir()), sorted(fake.iterdir()))
    assert len(np.unique(seen.groups)) == 20
    with pytest.raises(BadInput, match="at least 20"):
        training.look(sorted(real.iterdir())[:3], sorted(fake.iterdir()))
    with pytest.raises(BadInput, match="folds"):
        training.adapt(seen, folds=20)
    (tmp_path / "real" / "broken.png").write_bytes(b"no")
    assert len(training.look(sorted(real.iterdir()), sorted(fake.iterdir())).lost) == 1
