"""LPIPS and DISTS: their wiring against torch's own modules with small random parameters, and their official heads."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from assay import weights
from assay.catalog import get
from assay.nets import alexnet, squeezenet, vgg16
from assay.quality import dists as dists_room
from assay.quality import lpips as lpips_room
from assay.quality.dists import dists, halved
from assay.quality.lpips import HEADS, lpips, lpips_map
from assay.quality.puzzle_similarity import puzzle_similarity, puzzle_similarity_map
from assay.runner import assess
from assay.tasks import offline
from assay.types import BadInput, MissingWeights, Weights

LESS = 16  # the nets here have a sixteenth of the channels: the wiring is the same


class Fire(nn.Module):
    def __init__(self, given, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(given, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], 1)


def alex():
    a, b, c, d, e = (n // LESS for n in alexnet.CHANNELS)
    pool, relu = nn.MaxPool2d(3, 2), nn.ReLU()
    convs = [
        nn.Conv2d(3, a, 11, 4, 2),
        nn.Conv2d(a, b, 5, padding=2),
        *(nn.Conv2d(i, o, 3, padding=1) for i, o in ((b, c), (c, d), (d, e))),
    ]
    return nn.Sequential(convs[0], relu, pool, convs[1], relu, pool, convs[2], relu, convs[3], relu, convs[4], relu, pool), (1, 4, 7, 9, 11)


def vgg():
    layers, given = [], 3
    for channels, count in zip(vgg16.CHANNELS, (2, 2, 3, 3, 3), strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(given, channels // LESS, 3, padding=1), nn.ReLU()]
            given = channels // LESS
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers), (3, 8, 15, 22, 29)


def squeeze():
    n, pool = 64 // LESS, lambda: nn.MaxPool2d(3, 2, ceil_mode=True)
    layers = [
        nn.Conv2d(3, n, 3, 2),
        nn.ReLU(),
        pool(),
        Fire(n, 1, n),
        Fire(2 * n, 1, n),
        pool(),
        Fire(2 * n, 2, 2 * n),
        Fire(4 * n, 2, 2 * n),
    ]
    layers += [pool(), Fire(4 * n, 3, 3 * n), Fire(6 * n, 3, 3 * n), Fire(6 * n, 4, 4 * n), Fire(8 * n, 4, 4 * n)]
    return nn.Sequential(*layers), (1, 4, 7, 9, 10, 11, 12)


BUILT = {"alex": alex, "vgg": vgg, "squeeze": squeeze}
BODIES = {"alex": alexnet, "vgg": vgg16, "squeeze": squeezenet}
Small = dict[str, tuple[nn.Sequential, tuple[int, ...], list[torch.Tensor]]]


def saved(folder, w: Weights, tensors) -> Weights:
    """The declaration of a file made here in place of the official one."""
    path = folder / w.file
    torch.save(tensors, path)
    return replace(w, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def small(tmp_path, monkeypatch) -> Small:
    """Random nets and heads, in files of the official names that the loader finds and checks; the nets as torch's modules."""
    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path))
    nets = {}
    for name, build in BUILT.items():
        features, taken = build()
        for p in features.parameters():
            nn.init.normal_(p, std=0.5 / p[0].numel() ** 0.5 if p.ndim > 1 else 0.1)
        module = nn.Module()
        module.features, module.classifier = features, nn.Linear(2, 2)
        w = saved(tmp_path, BODIES[name].IMAGENET, module.state_dict())
        monkeypatch.setattr(BODIES[name], "IMAGENET", w)
        monkeypatch.setitem(lpips_room.BODIES, name, (BODIES[name].features, w))
        heads = [torch.rand(1, c // LESS, 1, 1) for c in BODIES[name].CHANNELS]
        monkeypatch.setitem(HEADS, name, saved(tmp_path, HEADS[name], {f"lin{i}.model.1.weight": h for i, h in enumerate(heads)}))
        nets[name] = features, taken, heads
    channels = (3, *(c // LESS for c in vgg16.CHANNELS))
    mix = {k: torch.rand(1, sum(channels), 1, 1) for k in ("alpha", "beta")}
    monkeypatch.setattr(dists_room, "CHANNELS", channels)
    monkeypatch.setattr(dists_room, "RELEASE", saved(tmp_path, dists_room.RELEASE, mix))
    return nets


def seen(features, taken, x):
    out = []
    for place, layer in enumerate(features):
        x = layer(x)
        if place in taken:
            out.append(x)
    return out


def pictures(h=70, w=83):
    ref = torch.rand(2, 3, h, w)
    return (ref + 0.1 * torch.randn(ref.shape)).clamp(0, 1), ref


@pytest.mark.parametrize("net", list(BUILT))
def test_lpips_is_what_the_modules_give(net, small):
    x, ref = pictures()
    features, taken, heads = small[net]
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    a, b = (seen(features, taken, ((2 * t - 1) - shift) / scale) for t in (x, ref))
    maps = []
    for one, other, head in zip(a, b, heads, strict=True):
        one, other = (t / (t.square().sum(1, keepdim=True).sqrt() + 1e-10) for t in (one, other))
        maps.append(((one - other).square() * head).sum(1, keepdim=True))
    torch.testing.assert_close(lpips(x, ref=ref, net=net), sum(m.mean((1, 2, 3)) for m in maps), atol=1e-6, rtol=1e-5)
    spatial = sum(interpolate(m, x.shape[2:], mode="bilinear") for m in maps)[:, 0]
    torch.testing.assert_close(lpips_map(x, ref=ref, net=net), spatial, atol=1e-6, rtol=1e-5)


def plain_l2(x):
    """Every second pixel: the root of the weighted mean square of its 3×3, zeros outside."""
    w = torch.tensor([0.25, 0.5, 0.25])
    squares = nn.functional.pad(x.square(), (1, 1, 1, 1)).unfold(2, 3, 2).unfold(3, 3, 2)
    return ((squares * (w[:, None] * w)).sum((-1, -2)) + 1e-12).sqrt()


def test_dists_is_what_the_modules_give(small):
    x, ref = pictures(64, 75)
    torch.testing.assert_close(halved(x), plain_l2(x))
    features, taken, _ = small["vgg"]
    features = [plain_l2 if isinstance(layer, nn.MaxPool2d) else layer for layer in features]
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    a, b = ([t, *seen(features, taken, (t - mean) / std)] for t in (x, ref))
    mix = weights.load_pth(dists_room.RELEASE)
    total, place, alike = mix["alpha"].sum() + mix["beta"].sum(), 0, 0
    for one, other in zip(a, b, strict=True):
        for c in range(one.shape[1]):
            u, v = one[:, c].flatten(1), other[:, c].flatten(1)
            cov = (u * v).mean(1) - u.mean(1) * v.mean(1)
            texture = (2 * u.mean(1) * v.mean(1) + 1e-6) / (u.mean(1) ** 2 + v.mean(1) ** 2 + 1e-6)
            structure = (2 * cov + 1e-6) / (u.var(1, correction=0) + v.var(1, correction=0) + 1e-6)
            alike = alike + (mix["alpha"][0, place] * texture + mix["beta"][0, place] * structure).flatten() / total
            place += 1
    torch.testing.assert_close(dists(x, ref=ref), 1 - alike, atol=1e-5, rtol=1e-4)


def test_puzzle_similarity_is_what_the_modules_give(small):
    x, scene = torch.rand(2, 3, 60, 75), torch.rand(3, 3, 64, 70)
    features, taken, _ = small["squeeze"]
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    seen_x, seen_scene = (seen(features, taken, ((2 * t - 1) - shift) / scale) for t in (x, scene))
    want = 0
    for layer, weight in ((2, 0.67), (3, 0.20), (4, 0.13)):
        a, b = (t[layer] / t[layer].norm(dim=1, keepdim=True).clamp(min=1e-12) for t in (seen_x, seen_scene))
        best = torch.einsum("nchw,mcyx->nhwmyx", a, b).flatten(3).amax(3)
        want = want + weight * interpolate(best[:, None], x.shape[2:], mode="bilinear", align_corners=True)[:, 0]
    torch.testing.assert_close(puzzle_similarity_map(x, scene=scene), want, atol=1e-5, rtol=1e-5)
    worst = want.flatten(1).sort(dim=1).values[:, : round(0.05 * 60 * 75)].mean(1)
    torch.testing.assert_close(puzzle_similarity(x, scene=scene), worst, atol=1e-5, rtol=1e-5)


CASES = [("lpips", {"net": n}) for n in BUILT] + [("dists", {})]


@pytest.mark.parametrize(("name", "knobs"), CASES)
def test_properties_hold(name, knobs, small):
    fn, (x, ref) = get(name), pictures()
    got = fn(x, ref=ref, **knobs)
    torch.testing.assert_close(torch.cat([fn(x[i : i + 1], ref=ref[i : i + 1], **knobs) for i in (0, 1)]), got)
    assert fn(ref, ref=ref, **knobs).tolist() == [0, 0]
    assert (got > 0).all()
    for dtype in (torch.bfloat16, torch.float16):
        a, b = x.to(dtype), ref.to(dtype)
        assert torch.equal(fn(a, ref=b, **knobs), fn(a.float(), ref=b.float(), **knobs))
    a, b = ((t * 255).round().byte() for t in (x, ref))
    torch.testing.assert_close(fn(a, ref=b, **knobs), fn(a / 255, ref=b / 255, **knobs))
    grey = x[:, :1]
    torch.testing.assert_close(fn(grey, ref=ref[:, :1], **knobs), fn(grey.repeat(1, 3, 1, 1), ref=ref[:, :1].repeat(1, 3, 1, 1), **knobs))


@pytest.mark.parametrize(("name", "knobs"), CASES)
@pytest.mark.parametrize("start", ["equal", "black", "noisy"])
def test_gradients_are_finite_and_the_slope(name, knobs, start, small):
    x, ref = (t.double() for t in pictures(40, 45))
    x, ref = {"equal": (ref.clone(), ref), "black": (0 * x, 0 * ref), "noisy": (x, ref)}[start]
    x.requires_grad_()
    fn = get(name)
    fn(x, ref=ref, **knobs).sum().backward()
    assert x.grad.isfinite().all()
    if start == "noisy":
        way = torch.randn_like(x) * (x * (1 - x)).detach()
        up, down = (fn(x.detach() + s * way, ref=ref, **knobs).sum() for s in (1e-6, -1e-6))
        assert float((x.grad * way).sum()) == pytest.approx(float(up - down) / 2e-6, rel=1e-3)


def test_small_pictures_and_unknown_nets_are_sentences(small):
    x = torch.rand(1, 3, 31, 31)
    assert lpips(x, ref=x) == 0
    with pytest.raises(BadInput, match="at least 31×31"):
        lpips(x[..., :30], ref=x[..., :30])
    with pytest.raises(BadInput, match="at least 16×16"):
        dists(x[..., :15], ref=x[..., :15])
    with pytest.raises(BadInput, match="net must be alex, vgg or squeeze; got 'resnet'"):
        lpips(x, ref=x, net="resnet")


@pytest.mark.parametrize(("name", "file"), [("lpips", "alexnet-owt-7be5be79.pth"), ("dists", "vgg16-397923af.pth")])
def test_a_missing_backbone_says_how_to_get_it(name, file, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    with pytest.raises(MissingWeights) as e:
        assess(name, torch.rand(3, 40, 40), ref=torch.rand(3, 40, 40))
    for part in (file, f"https://download.pytorch.org/models/{file}", "BSD-3-Clause", "ASSAY_WEIGHTS", "Offline, haarpsi"):
        assert part in str(e.value)


def test_inspect_leaves_out_what_needs_a_download():
    assert not {"lpips", "dists", "puzzle_similarity", "niqe", "brisque"} & set(offline())


@pytest.mark.parametrize("net", list(HEADS))
def test_official_heads_fit_the_nets(net, data, monkeypatch):
    monkeypatch.setenv("ASSAY_WEIGHTS", str(data / "weights"))
    heads = weights.load_pth(HEADS[net])
    assert [heads[f"lin{i}.model.1.weight"].shape[1] for i in range(len(heads))] == list(BODIES[net].CHANNELS)
    assert all((h >= 0).all() for h in heads.values())


def test_official_mix_fits_the_net(data, monkeypatch):
    monkeypatch.setenv("ASSAY_WEIGHTS", str(data / "weights"))
    mix = weights.load_pth(dists_room.RELEASE)
    assert mix["alpha"].numel() == mix["beta"].numel() == sum(dists_room.CHANNELS) == 1475


def test_a_pickle_of_anything_but_tensors_is_refused(tmp_path, monkeypatch):
    import pickle

    monkeypatch.setenv("ASSAY_WEIGHTS", str(tmp_path))
    evil = saved(tmp_path, Weights("evil.pth", "", "none"), {"x": print})
    with pytest.raises(pickle.UnpicklingError):
        weights.load_pth(evil)
    other = saved(tmp_path, Weights("other.pth", "", "none"), {"x": torch.ones(1)})
    with pytest.raises(BadInput, match="holds no tensors whose names begin"):
        weights.load_pth(other, only="features.")
