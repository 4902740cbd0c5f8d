"""relative_quality: signed, opposite in the other order, and right about which of two is damaged."""

from __future__ import annotations

import pytest
import torch

from assay.quality.relative_quality import relative_quality, relative_quality_map
from assay.types import CannotAssess
from pictures import DAMAGE, found, load, tensor


@pytest.mark.parametrize("damage", ["jpeg10", "jpeg30", "blur1", "blur2", "noise10", "noise25"])
def test_the_cleaner_one_wins_whichever_is_the_reference(damage, photo):
    clean, worse = tensor(photo), tensor(DAMAGE[damage](photo))
    better = relative_quality(clean, ref=worse)
    assert float(better) > 0
    torch.testing.assert_close(relative_quality(worse, ref=clean), -better)


def test_of_two_damaged_ones_the_milder_wins(photo):
    for mild, strong in (("blur1", "blur2"), ("noise10", "noise25"), ("jpeg30", "jpeg10")):
        x, ref = (tensor(DAMAGE[d](photo)) for d in (mild, strong))
        assert relative_quality(x, ref=ref) > 0 > relative_quality(ref, ref=x)


@pytest.mark.parametrize("name", ["kodim05", "kodim13", "kodim23"])
def test_a_poor_reference_does_not_win(name, data):
    clean = load(found(data / f"pristine/kodak/{name}.png"))[..., :384, :384]
    pixels = clean[0].permute(1, 2, 0).numpy()
    for damage in ("jpeg10", "blur2", "noise25"):
        assert relative_quality(clean, ref=tensor(DAMAGE[damage](pixels))) > 0


def test_flat_pictures_cannot_be_told_apart():
    x = torch.full((1, 3, 200, 200), 99, dtype=torch.uint8)
    with pytest.raises(CannotAssess, match="0 of 4 blocks of 96×96 pixels have texture in both"):
        relative_quality(x, ref=x)


def test_the_score_is_the_mean_of_the_map_and_turns_with_it(photo):
    ref = tensor(photo)[..., :256, :256]
    x = tensor(DAMAGE["blur2"](photo))[..., :256, :256]
    drawn = relative_quality_map(x, ref=ref)
    assert drawn.shape == (1, 128, 128)
    assert float(drawn.mean()) == pytest.approx(float(relative_quality(x, ref=ref)), rel=0.05)
    torch.testing.assert_close(relative_quality_map(ref, ref=x), -drawn)
