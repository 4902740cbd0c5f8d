"""Correlation with opinions, the face quality challenge, and the counter of multiply-accumulates."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit
from scipy.stats import kendalltau, pearsonr, spearmanr
from torch import nn

from assay.bench.correlation import correlation, krcc, logistic, plcc_logistic, plcc_raw, rmse, srcc
from assay.bench.flops import Cost, cost
from assay.bench.rows import numbers, read
from assay.bench.vquala_fiqa import LEADERBOARD, by_resolution, evaluate, gates, labels, split
from assay.cli_bench import bench
from assay.types import BadInput, CannotAssess
from conftest import ROOT


@pytest.fixture
def opinions():
    """Scores of 400 pictures on a scale of 0 to 100, and opinions on a bent one of 0 to 1."""
    dice = np.random.default_rng(0)
    x = dice.normal(50, 20, 400)
    return x, 0.1 + 0.8 / (1 + np.exp(-(x - 45) / 8)) + dice.normal(0, 0.05, 400)


def official(x, a, b, c, d):
    return b + (a - b) / (1 + np.exp(-(x - c) / abs(d)))


def test_figures_are_those_of_scipy(opinions):
    x, y = opinions
    x = x.round(-1)  # many ties
    assert srcc(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert krcc(x, y) == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)
    assert plcc_raw(x, y) == pytest.approx(pearsonr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_curve_is_the_best_one(opinions, sign):
    x, y = opinions
    p, _ = curve_fit(official, sign * x, y, p0=[y.max(), y.min(), sign * x.mean(), 8.0], maxfev=10000)
    fitted = official(sign * x, *p)
    assert plcc_logistic(sign * x, y) == pytest.approx(sign * pearsonr(fitted, y).statistic, abs=1e-6)
    assert rmse(sign * x, y) == pytest.approx(np.sqrt(((fitted - y) ** 2).mean()), abs=1e-6)
    assert logistic(sign * x, y)(sign * x) == pytest.approx(fitted, abs=1e-3)


def test_scale_and_bend_change_what_they_should(opinions):
    x, y = opinions
    assert plcc_logistic(x / 1000 - 7, y) == pytest.approx(plcc_logistic(x, y), abs=1e-6)
    assert plcc_logistic(x, y) > plcc_raw(x, y) + 0.01
    assert plcc_logistic(x, 3 * x + 1) == pytest.approx(1, abs=1e-4)  # a line is a very wide curve
    steps = np.repeat([0.0, 1.0], 50)
    assert plcc_logistic(np.arange(100) ** 3.0, steps) > 0.99  # and a step a very narrow one
    assert srcc(x, y) == srcc(np.exp(x / 9), y)


def test_intervals_cover_and_use_the_photographs(opinions):
    x, y = opinions
    told = correlation(x, y, times=40)
    assert list(told) == ["srcc", "krcc", "plcc_raw", "plcc_logistic", "rmse"]
    for f in told.values():
        assert f.interval[0] < f.value < f.interval[1]
        assert f.interval[1] - f.interval[0] < 0.1
    wide = correlation(np.tile(x[:40], 10), np.tile(y[:40], 10), subjects=[np.tile(np.arange(40), 10)], times=40)["srcc"]
    tight = correlation(np.tile(x[:40], 10), np.tile(y[:40], 10), times=40)["srcc"]
    assert np.ptp(wide.interval) > 2 * np.ptp(tight.interval)


def test_no_answer_is_a_sentence(opinions):
    x, y = opinions
    for f in (srcc, krcc, plcc_raw, plcc_logistic, rmse, correlation):
        with pytest.raises(CannotAssess, match="says the same of every picture"):
            f(np.ones(400), y)
        with pytest.raises(BadInput, match="score holds nan in row 3"):
            f([1, 2, np.nan, 3], [1, 2, 3, 4])
        with pytest.raises(BadInput, match="at least 4"):
            f([1, 2, 3], [1, 2, 3])
    with pytest.raises(BadInput, match="opinion has 399 rows"):
        srcc(x, y[1:])


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x)[0] + nn.functional.scaled_dot_product_attention(x, x, x)


@pytest.mark.parametrize(
    ("net", "shape", "macs", "parameters"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (2, 3, 10, 12), 2 * 120 * 27 * 8, 27 * 8 + 8),
        (nn.Conv2d(8, 8, 5, stride=2, padding=2, groups=8, bias=False), (1, 8, 12, 12), 36 * 25 * 8, 200),
        (nn.Linear(20, 30), (5, 20), 5 * 600, 630),
        (Attends(), (1, 10, 16), 10 * 16 * 64 + 2 * 2 * 10 * 10 * 16, 16 * 64 + 64),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)), (1, 3, 9, 9), 0, 6),
    ],
)
def test_multiply_accumulates_by_hand(net, shape, macs, parameters):
    assert cost(net.train(), torch.rand(shape)) == Cost(macs, parameters)
    assert net.training
    assert torch.backends.mha.get_fastpath_enabled()


def test_fused_attention_is_counted_too():
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval()
    assert cost(layer, torch.rand(1, 10, 16)).macs == 10 * 16 * 64 + 2 * 10 * 10 * 16 + 2 * 10 * 16 * 32
    with pytest.raises(BadInput, match=r"torch\.nn\.Module"):
        cost(lambda x: x, torch.rand(1))  # type: ignore[arg-type]


def test_the_winner_of_the_board_costs_what_its_authors_say():
    edgenext = pytest.importorskip("assay.nets.edgenext", reason="the net is not here")
    net = edgenext.EdgeNeXtFIQA()
    assert cost(net, torch.zeros(1, 3, 256, 256)).macs == pytest.approx(261e6, rel=0.02)  # its authors: 261M MAdds
    at_352 = cost(net, torch.zeros(1, 3, 352, 352))  # .487 G: the .3313 of the board is not that of this size
    assert gates(at_352) == ()
    assert at_352.parameters / 1e6 == pytest.approx(LEADERBOARD[0].mparameters, abs=1e-4)


def test_both_limits_themselves_are_allowed():
    assert gates(Cost(500_000_000, 5_000_000)) == ()
    assert gates(Cost(500_000_001, 5_000_000)) == ("0.5000 G multiply-accumulates are more than 0.5 G.",)
    assert len(gates(Cost(10**9, 10**7))) == 2


def test_the_score_of_the_board(opinions):
    x, y = opinions
    names = [f"{i}.png" for i in range(400)]
    given = dict(zip(reversed(names), reversed(x), strict=True)) | {"extra.png": 1.0}
    told = evaluate(given, dict(zip(names, y, strict=True)), cost=Cost(10**9, 1), times=20)
    f = told.figures
    assert f["score"].value == pytest.approx((srcc(x, y) + plcc_logistic(x, y)) / 2)
    assert f["score_raw"].value == pytest.approx((srcc(x, y) + plcc_raw(x, y)) / 2)
    assert told.broken
    assert told.place == 1 + sum(e.score > f["score"].value for e in LEADERBOARD)
    with pytest.raises(BadInput, match=r"1 of 401 labelled pictures have no score, first 400\.png"):
        evaluate(given, dict.fromkeys([*names, "400.png"], 1.0), times=0)


def test_by_resolution(opinions):
    x, y = opinions
    sides = np.repeat([200, 300, 600, 4000], [3, 197, 100, 100])
    told = by_resolution(x, y, sides, times=20)
    assert list(told) == [0, 224, 512, 768]
    assert told[0] == "3 pictures are too few."
    assert told[512].value == pytest.approx(srcc(x[200:300], y[200:300]))


def test_the_split_is_that_of_scikit_learn():
    train, held = split([str(i) for i in range(11)])
    assert held == ["5", "0", "9"]  # scikit-learn 1.9.1: train_test_split(np.arange(11), train_size=.8, random_state=42)
    assert sorted(train + held, key=int) == [str(i) for i in range(11)]
    assert len(split(["x"] * 27686)[0]) == 22148


def test_files_and_what_is_wrong_with_them(tmp_path):
    file = tmp_path / "a.csv"

    def write(text):
        file.write_text(text, "utf-8")
        return file

    assert labels(write("a.png,0.5\nb.png,1\n")) == {"a.png": 0.5, "b.png": 1}
    with pytest.raises(BadInput, match="holds 'score' in row 1"):
        labels(write("image,score\na.png,0.5\n"))
    with pytest.raises(BadInput, match=r"a\.png more than once"):
        labels(write("a.png,0.5\na.png,1\n"))
    with pytest.raises(BadInput, match=r"line 2 .* has 1 cells; 2 are wanted"):
        labels(write("a.png,0.5\nb.png\n"))
    with pytest.raises(BadInput, match="no column quality; its columns are image, score"):
        read(write("image,score\na,1\n"), ["image", "quality"])
    with pytest.raises(BadInput, match="a header and no rows"):
        read(write("image,score\n"))
    with pytest.raises(BadInput, match="is empty"):
        read(write(""))
    with pytest.raises(BadInput, match="'x' in row 2"):
        numbers(read(write("q\n1\nx\n")), "q")


def test_the_example_of_the_page_runs():
    page = (ROOT / "docs/benches.md").read_text("utf-8")
    exec(page.split("```python\n")[1].split("```")[0], {})


def test_every_command_of_the_page_is_there():
    page = (ROOT / "docs/benches.md").read_text("utf-8")
    assert set(re.findall(r"`assay bench (\w+)", page)) == set(bench.commands)
