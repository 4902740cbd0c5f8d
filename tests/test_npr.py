"""NPR's residual and net against their definitions, and what enlarging leaves in a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from assay.authenticity.npr import npr
from assay.nets.npr import GAIN, NPR, mean_over_cells, residual
from assay.types import BadInput, CannotAssess, MissingWeights
from files import picture
from pictures import jpeg


def ask(pixels, **knobs):
    return npr(picture(b"", pixels=np.atleast_3d(pixels)), **knobs)


def enlarged(pixels, by, how):
    im = Image.fromarray(pixels)
    return np.asarray(
        im.resize((im.width // by, im.height // by), Image.Resampling.BOX).resize((im.width // by * by, im.height // by * by), how)
    )


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = NPR().eval()
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.5, 2)
    return net


def test_residual_is_the_paper_s():
    x = torch.rand(2, 3, 12, 16, dtype=torch.float64)
    half = interpolate(x, scale_factor=0.5, mode="nearest", recompute_scale_factor=True)
    back = interpolate(half, scale_factor=2.0, mode="nearest", recompute_scale_factor=True)
    assert torch.equal(residual(x), x - back)
    assert not residual(x)[..., ::2, ::2].any()
    assert torch.equal(residual(x, 1, 1), residual(x[..., 1:-1, 1:-1]))
    assert not residual(torch.full((3, 8, 8), 0.3)).any()
    twice = x.repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert not residual(twice).any()
    assert residual(twice, 1, 1).any()


def test_the_net_is_half_a_resnet(net):
    kept = net.state_dict()
    assert sum(p.numel() for p in net.parameters()) == 1_437_761
    for name, shape in {
        "conv1.weight": (64, 3, 3, 3),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer1.2.bn3.running_var": (256,),
        "layer2.0.conv2.weight": (128, 128, 3, 3),
        "layer2.3.conv3.weight": (512, 128, 1, 1),
        "fc1.weight": (1, 512),
    }.items():
        assert kept[name].shape == shape, name
    assert "layer1.1.downsample.0.weight" not in kept


def test_any_size_and_any_batch(net):
    x = torch.rand(3, 3, 41, 34)
    with torch.no_grad():
        together = mean_over_cells(net, x)
        for i in range(3):
            torch.testing.assert_close(mean_over_cells(net, x[i : i + 1])[0], together[i], atol=1e-6, rtol=0)
    assert GAIN == 2 / 3


@pytest.mark.parametrize(("by", "how", "least"), [(2, 0, 3), (4, 0, 0.3), (3, 0, 3), (2, 2, 0.15)])
def test_enlarging_shows(photo, by, how, least):
    plain, large = ask(photo), ask(enlarged(photo, by, Image.Resampling(how)))
    assert plain.data["statistic"] < 0.1
    assert large.data["statistic"] > least
    assert large.data["factor"] == (3 if by == 3 else 2)
    assert ask(jpeg(enlarged(photo, by, Image.Resampling(how)), 90)).data["statistic"] > least / 10
    json.dumps(large.data, allow_nan=False)


@pytest.mark.parametrize("quality", [60, 75, 90])
def test_jpeg_is_no_enlarging(photo, quality):
    assert ask(jpeg(photo, quality)).data["statistic"] < 0.15
    assert ask(jpeg(photo, quality)[3:, 5:]).data["statistic"] < 0.15


def test_the_map_is_the_residual(photo):
    finding = ask(photo[:101, :122])
    assert finding.map.shape == (100, 122)
    assert not finding.map[::2, ::2].any()
    assert 0 < finding.map.max() <= 1
    assert ask(photo[:64, :64, 1]).map.shape == (64, 64)


def test_parameters_by_path(net, photo, tmp_path):
    file = tmp_path / "NPR.pth"
    torch.save({"module." + k: v for k, v in net.state_dict().items()}, file)
    finding = ask(photo[:240, :250], file=str(file))
    assert finding.data == ask(photo[:240, :250], file=str(file)).data
    assert "logit" not in ask(photo).data
    assert f"{finding.data['logit']:+.2f}" in finding.evidence[1].says
    with pytest.raises(MissingWeights, match="no file"):
        ask(photo, file=str(tmp_path / "none"))
    torch.save({"fc1.bias": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(BadInput, match="does not hold the parameters"):
        ask(photo, file=str(tmp_path / "other.pth"))


@pytest.mark.parametrize(
    ("pixels", "text"), [(np.full((50, 50, 3), 7, np.uint8), "flat"), (np.zeros((31, 99, 3), np.uint8), "at least 32")]
)
def test_what_cannot_be_assessed_says_so(pixels, text):
    with pytest.raises(CannotAssess, match=text):
        ask(pixels)


def test_photographs_do_not_look_enlarged(data):
    files = sorted((data / "pristine/kodak").glob("*.png"))[::6]
    if not files:
        pytest.skip("no Kodak photographs")
    for file in files:
        assert ask(np.asarray(Image.open(file).convert("RGB"))).data["statistic"] < 0.15, file.name
