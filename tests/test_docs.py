"""The pages made from the cards."""

from __future__ import annotations

import pytest

from assay.catalog import index
from assay.docs import PLACE, pages
from conftest import ROOT


@pytest.mark.parametrize("name", list(pages()))
def test_the_pages_are_fresh(name):
    assert (ROOT / PLACE / name).read_text("utf-8") == pages()[name], "run `make catalog`"


def test_every_algorithm_has_an_entry():
    text = "".join(pages().values())
    assert all(f"\n## {name}\n" in text and row["says"] in text for name, row in index().items())
