"""The gallery: every degradation and every metric, in one page that loads nothing."""

from __future__ import annotations

import json
import re

import pytest
import torch
from PIL import Image

from assay.catalog import get, index
from assay.gallery.measure import degradations, drop, measured, metrics, order
from assay.gallery.page import write
from assay.tasks import TOO_SLOW


def test_the_bank_and_the_metrics_are_the_whole_catalogue():
    assert set(degradations()) == {n for n, r in index().items() if r["answers"] == "alter" and r["takes"] == ["image"]}
    scores = {n: r for n, r in index().items() if r["answers"] == "score" and r["takes"] in (["image"], ["image", "reference"])}
    assert set(metrics()) == {n for n, r in scores.items() if not any(w["url"] for w in r["weights"])} - set(TOO_SLOW)


def test_order_and_drop_follow_the_scale():
    psnr, noise = get("psnr").card, get("noise").card
    assert order(psnr, [float("inf"), 40, 30, 20]) == 1
    assert order(noise, [1.0, 5.0, 25.0]) == 1
    assert order(noise, [25.0, 5.0, 1.0]) == -1
    assert order(noise, [3.0, 3.0]) == 0
    assert drop(noise, [1.0, 5.0, 25.0]) == pytest.approx(1)
    assert drop(noise, [None, 25.0]) is None


def test_a_metric_without_an_answer_is_left_open(photo):
    flat = torch.full((3, 96, 96), 128, dtype=torch.uint8)
    (found,) = measured([flat], ["haze"], ["sharpness", "psnr"], workers=1)
    assert found.scores["sharpness"] == [None] * 6
    assert found.scores["psnr"][1] > found.scores["psnr"][-1]
    assert len(found.pictures) == 5


def test_the_page_holds_all_of_a_small_run(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "one.png")
    ticks, names = [], ["gmsd", "psnr", "noise", "resolution"]
    write(tmp_path / "g.html", [tmp_path / "one.png"], side=96, scores=names, tick=lambda: ticks.append(1))
    page = (tmp_path / "g.html").read_text("utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])
    assert [d["name"] for d in data["bank"]] == list(degradations())
    assert [m["name"] for m in data["metrics"]] == names
    for d in data["bank"]:
        assert set(d["scores"]) == set(names)
        assert len(d["pictures"][0]) == len(d["levels"])
        assert len(d["scores"]["psnr"][0]["values"]) == len(d["levels"]) + 1
    assert data["bank"][0]["scores"]["psnr"][0]["values"][0] == "Infinity"
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="https?:', page)
    assert ticks
