"""Descriptions: they change as pictures do, and say nothing that was not measured."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from assay.cli import main
from assay.degrade.gaussian_blur import gaussian_blur
from assay.degrade.gaussian_noise import gaussian_noise
from assay.degrade.jpeg import jpeg
from assay.degrade.underexpose import underexpose
from assay.description import compare, describe
from assay.ops.places import place
from assay.report.rows import row
from assay.runner import inspect
from assay.types import BadInput, EvidenceCard, Item, Result
from assay.words.tell import tell
from assay.words.terms import Term, figure
from pictures import tensor

FIXED = ("of 100", "of 255", "8×8", "1 is equal", "0 is equal", "1 is just visible", "log10", "ΔE00")  # numbers of the scales themselves
DAMAGE = {  # a mild and a severe level, and what the detailed description must then say
    "blur": (gaussian_blur, "sigma", (1.3, 3), ("blurred", "strongly blurred")),
    "noise": (gaussian_noise, "sigma", (6, 30), ("slightly noisy", "strongly noisy")),
    "jpeg": (jpeg, "quality", (60, 8), ("8×8 blocks show", "8×8 blocks show strongly")),
    "dark": (underexpose, "stops", (2, 4), ("dark", "strongly dark")),
}


@pytest.fixture(scope="module")
def small(photo):
    """256×256 in the middle of a photograph, as C×H×W."""
    return tensor(photo[40:296, 100:356])[0]


def damaged(small, kind, level):
    fn, knob, levels, _ = DAMAGE[kind]
    return fn(small[None], **{knob: levels[level]})[0]


def numbers(text):
    for fixed in FIXED:
        text = text.replace(fixed, "")
    return re.findall(r"−?\d+(?:\.\d+)?", text)


def check_numbers(description):
    """Every number in every sentence is a measurement of that sentence, or the share of its region."""
    assert description.statements
    for s in description.statements:
        known = {figure(m.value) for m in s.measures} | {f"{m.value:.0f}" for m in s.measures}
        known |= {figure(s.region.share)} if s.region else set()
        assert set(numbers(s.says)) <= known, s
        assert not any(np.isnan(m.value) for m in s.measures)
        assert "nan" not in s.says.lower().split()
        assert s.says.endswith(".")
        assert "{" not in s.says


@pytest.mark.parametrize("kind", list(DAMAGE))
def test_sentences_follow_the_damage(kind, small):
    fresh = str(describe(small, detailed=True))
    for level, words in enumerate(DAMAGE[kind][3]):
        told = describe(damaged(small, kind, level), detailed=True)
        check_numbers(told)
        assert words in str(told)
        assert words not in fresh


@pytest.mark.parametrize(("kind", "word"), [("blur", "blurrier"), ("noise", "noisier"), ("jpeg", "blockier"), ("dark", "darker")])
def test_a_reference_gives_the_distance_and_the_difference(kind, word, small):
    near, far = (describe(damaged(small, kind, i), ref=small, detailed=True) for i in (0, 1))
    for told in (near, far):
        check_numbers(told)
    assert f"{word} than the reference" in str(far)
    assert 1 <= len(far.brief.statements) <= 5
    close = {s.measures[0].name: s.measures[0].value for s in near.statements if s.aspect == "reference"}
    apart = {s.measures[0].name: s.measures[0].value for s in far.statements if s.aspect == "reference"}
    assert apart["ciede2000"] > close["ciede2000"]
    assert apart["ms_ssim"] < close["ms_ssim"]


def test_a_copy_equals_its_reference(small):
    assert "Every pixel equals the reference" in str(describe(small, ref=small.clone()))


def test_the_short_form_is_short(small):
    for picture in (small, damaged(small, "noise", 1)):
        told = describe(picture)
        assert 1 <= len(told.statements) <= 3
        assert str(told) == " ".join(s.says for s in told.statements)


def test_the_better_of_two(small):
    noisy, mild = damaged(small, "noise", 1), damaged(small, "noise", 0)
    told = compare(noisy, small, detailed=True)
    check_numbers(told)
    assert "B is strongly cleaner than A" in str(told)
    told = compare(noisy, mild, ref=small, detailed=True)
    check_numbers(told)
    assert "B is closer to the reference on all" in str(told)
    assert "No attribute differs" in str(compare(small, small.clone()))
    assert "No clear winner in quality" in str(compare(small, small.clone()))


def test_an_item_is_not_measured_again(small):
    item = inspect(damaged(small, "blur", 1), maps=False)
    assert str(describe(item)) == str(item.description.brief)
    assert describe(Item("x", results=item.results), detailed=True).statements
    told = row(item)["description"]
    assert [t["says"] for t in told] == [s.says for s in item.description.statements]
    with pytest.raises(BadInput, match="measured already"):
        describe(item, ref=small)


def test_maps_or_not_the_words_are_the_same(small):
    picture = damaged(small, "jpeg", 1)
    assert inspect(picture, maps=True).description == inspect(picture, maps=False).description


def test_a_fact_in_a_finding_is_a_row_of_the_table():
    card = EvidenceCard(name="net", version="1", takes=("file",), paper="", caveat="")
    term = Term("net.blur", "detail", "{}", "No blur is seen", "Blur is seen {how}", ends=(1, 0))
    item = Item("x", results=(Result(card, None, data={"blur": 0.8}),))
    (said,) = tell(item, terms=(term,)).statements
    assert said.says == "Blur is seen strongly (0.8)."
    assert [(m.name, m.value) for m in said.measures] == [("net.blur", 0.8)]


@pytest.mark.parametrize(
    ("where", "rows", "columns"),
    [
        ("in the upper left", slice(0, 50), slice(0, 50)),
        ("in the lower right", slice(50, 100), slice(50, 100)),
        ("in the upper half", slice(0, 50), slice(0, 100)),
        ("in the right third", slice(0, 100), slice(67, 100)),
        ("along the right edge", slice(0, 100), slice(90, 100)),
        ("along the lower edge", slice(90, 100), slice(0, 100)),
        ("in the centre", slice(40, 60), slice(40, 60)),
        ("in the upper right corner", slice(2, 20), slice(80, 98)),
        ("all over the picture", slice(0, 100), slice(0, 100)),
    ],
)
def test_places_have_plain_names(where, rows, columns):
    amount = torch.zeros(100, 100)
    amount[rows, columns] = 1
    found = place(amount)
    assert found.where == where
    assert found.share > 60
    assert place(torch.zeros(5, 7)) is None


def test_a_burnt_corner_is_said_to_be_there(small):
    burnt = small.clone()
    burnt[:, :90, :120] = 255
    told = next(s for s in describe(burnt, detailed=True).statements if "burnt out" in s.says)
    assert told.region.where.startswith("in the upper left")


def test_only_measurements_describe():
    with pytest.raises(BadInput, match='by must be "measurements"'):
        describe("x.png", by="a model")
    with pytest.raises(BadInput, match='by must be "measurements"'):
        compare("x.png", "y.png", by="a model")


def test_two_sizes_are_one_sentence(small):
    with pytest.raises(BadInput, match="one shape"):
        describe(small, ref=small[:, :200])


def test_the_commands(small, tmp_path):
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, x in zip(files, (small, damaged(small, "noise", 1)), strict=True):
        Image.fromarray(x.permute(1, 2, 0).numpy()).save(file)
    said = CliRunner().invoke(main, ["describe", str(files[1]), "--json"])
    told = json.loads(said.output)["description"]
    assert any("noisy" in t["says"] and t["measures"][0]["name"] == "noise" for t in told)
    said = CliRunner().invoke(main, ["compare", *map(str, files), "--ref", str(files[0])])
    assert said.exit_code == 0, said.output
    assert "A is closer to the reference" in " ".join(said.output.split())
    said = CliRunner().invoke(main, ["describe", str(files[1]), "--ref", str(files[0]), "--detailed"])
    assert "noisier than the reference" in " ".join(said.output.split())
    assert "from noise" in said.output
