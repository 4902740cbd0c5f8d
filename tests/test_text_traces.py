"""Words of a page that were drawn or saved unlike the others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from assay.authenticity.text_traces import text_traces
from assay.types import CannotAssess
from files import picture, scene
from pictures import jpeg, noise


def ask(pixels):
    finding = text_traces(picture(b"", pixels=pixels))
    json.dumps(finding.data, allow_nan=False)
    return finding


def page(seed=0):
    """Sixty words, 640×480, and the box of one in the middle."""
    sheet = Image.new("L", (640, 480), 245)
    draw, font, rng = ImageDraw.Draw(sheet), ImageFont.load_default(18), np.random.default_rng(seed)
    for row in range(10):
        for column in range(6):
            text = "".join(rng.choice(list("aeinorst"), rng.integers(4, 7)))
            draw.text((30 + 98 * column, 30 + 42 * row), text, 30, font)
    return np.repeat(np.asarray(sheet)[..., None], 3, 2), (slice(196, 222), slice(224, 312))


def retyped(pixels, box):
    out = pixels.copy()
    word = Image.new("L", (box[1].stop - box[1].start, box[0].stop - box[0].start), 245)
    ImageDraw.Draw(word).text((2, 2), "rotten", 30, ImageFont.load_default(18))
    out[box] = np.asarray(word)[..., None]
    return out


def inside(region, box):
    return box[1].start <= region["x"] < box[1].stop and box[0].start <= region["y"] < box[0].stop


@pytest.mark.parametrize("inverted", [False, True])
def test_a_word_typed_into_a_saved_page_is_found(inverted):
    clean, box = page()
    edited = retyped(jpeg(noise(clean, 2), 70), box)
    finding = ask(255 - edited if inverted else edited)
    assert finding.data["words"] == pytest.approx(60, abs=3)
    assert finding.data["regions"]
    assert all(inside(r, box) for r in finding.data["regions"])
    assert (finding.evidence[-1].points_to, finding.evidence[-1].weight) == ("edited", "hint")
    assert float(finding.map[box].max()) == float(finding.map.max()) > 0


@pytest.mark.parametrize("way", [lambda x: x, lambda x: noise(x, 3), lambda x: jpeg(x, 90), lambda x: jpeg(noise(x, 3), 70)])
def test_honest_pages_are_not_told(way):
    finding = ask(way(page()[0]))
    assert finding.data["regions"] == []
    assert not [e for e in finding.evidence if e.points_to]


def test_a_word_of_another_size_has_nothing_to_be_compared_with():
    clean, _ = page()
    sheet = Image.fromarray(clean)
    ImageDraw.Draw(sheet).text((30, 446), "Heading", (30, 30, 30), ImageFont.load_default(32))
    assert ask(np.asarray(sheet)).data["regions"] == []


@pytest.mark.parametrize(
    ("pixels", "text"),
    [
        (np.full((199, 300, 3), 255, np.uint8), "from 200×200"),
        (np.full((300, 300, 3), 255, np.uint8), "no page"),
        (scene(400, 300), "no page"),
    ],
)
def test_what_cannot_be_assessed_says_so(pixels, text):
    with pytest.raises(CannotAssess, match=text):
        ask(pixels)


def test_a_photograph_is_no_page(photo):
    with pytest.raises(CannotAssess, match="no page"):
        ask(photo)
