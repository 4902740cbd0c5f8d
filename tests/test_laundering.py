"""Laundering: EfficientNet-B4 by the release's names, crops, and the two nets asked in turn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay import tasks
from assay.authenticity import laundering as room
from assay.catalog import get
from assay.nets.efficientnet import EfficientNetB4
from assay.types import BadInput, MissingWeights
from files import picture, scene

detect = get("laundering")


class Fixed(torch.nn.Module):
    """Scores 0, 1, 2, … in turn, moved by `by`."""

    def __init__(self, by):
        super().__init__()
        self.by, self.at = by, 0

    def forward(self, x):
        scores = torch.arange(self.at, self.at + len(x)).float() + self.by
        self.at += len(x)
        return torch.stack([torch.zeros(len(x)), scores], 1)


def test_size_and_names_are_those_of_the_release():
    """efficientnet_pytorch's efficientnet-b4 without its last layer: 17,548,616 parameters."""
    with torch.device("meta"):
        net = EfficientNetB4()
    assert sum(p.numel() for p in net.efficientnet.parameters()) == 17_548_616
    held = {k: tuple(v.shape) for k, v in net.state_dict().items()}
    wanted = {
        "efficientnet._conv_stem.weight": (48, 3, 3, 3),
        "efficientnet._blocks.0._se_reduce.weight": (12, 48, 1, 1),
        "efficientnet._blocks.31._depthwise_conv.weight": (2688, 1, 3, 3),
        "efficientnet._conv_head.weight": (1792, 448, 1, 1),
        "classifier.weight": (2, 1792),
    }
    assert wanted.items() <= held.items()
    assert net.efficientnet._blocks[6]._depthwise_conv.border == (2, 2, 2, 2)  # 95 to 48 pixels at 380; dynamic borders would differ


@pytest.mark.parametrize("shape", [(300, 400, 3), (40, 300, 1), (1, 1, 3), (256, 256, 3)])
def test_crops_lie_in_the_picture_and_are_the_same_each_time(shape):
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, np.uint8)).permute(2, 0, 1)
    before = torch.get_rng_state()
    got = room.cut(pixels, 9)
    assert got.shape == (9, shape[2], 96, 96)
    assert torch.equal(got, room.cut(pixels, 9))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(got, got.round())


def test_the_highest_scores_count():
    crops = torch.zeros(40, 3, 96, 96)
    assert room.judged(Fixed(0), crops, 40) == pytest.approx(19.5)
    assert room.judged(Fixed(0), crops, 10) == pytest.approx(34.5)


@pytest.mark.parametrize(("first", "second", "want"), [(-99, 0, "photograph"), (1, 1, "laundered"), (1, -99, "synthetic")])
def test_the_second_net_is_asked_only_where_the_first_finds_traces(tmp_path, monkeypatch, first, second, want):
    for name in "ab":
        (tmp_path / name).touch()
    monkeypatch.setattr(room, "load", lambda path: Fixed({"a": first, "b": second}[path.name]))
    files = {"synthetic": str(tmp_path / "a"), "laundered": str(tmp_path / "b")}
    got = detect(picture(b"", pixels=scene(300, 280)), **files, crops=20, best=10)
    assert got.data["class"] == want
    assert ("laundered" in got.data) == (want != "photograph")
    assert got.data["statistic"] == pytest.approx(first + 14.5)
    assert got.evidence[0].points_to is None


def test_parameters_load_as_released(tmp_path):
    net = EfficientNetB4().eval()
    torch.save({"net": net.state_dict(), "epoch": 3}, tmp_path / "net.pth")
    x = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(room.load(tmp_path / "net.pth")(x), net(x))


def test_what_is_missing_or_wrong_is_said(tmp_path, monkeypatch):
    of = picture(b"", pixels=scene(40, 40))
    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match=r"synth_vs_real\.pth is not on this machine.*generated-assay answers"):
        detect(of, crops=2, best=1)
    with pytest.raises(MissingWeights, match="there is no file"):
        detect(of, synthetic="none.pth", crops=2, best=1)
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(BadInput, match="does not hold the parameters of EfficientNet-B4"):
        detect(of, synthetic=str(tmp_path / "other.pth"), crops=2, best=1)
    with pytest.raises(BadInput, match="best must be 1 to crops; got 3 of 2"):
        detect(of, crops=2, best=3)
    assert "laundering" not in tasks.offline()
