"""The body of `assay-q`: local statistics of a picture, and a small net that judges them.

Orientation is taken out by construction, not by training: every statistic is the same for a turned or mirrored picture, and
every filter of the net is symmetric, with one weight for the centre, one for the four edges and one for the four corners.
A turned or mirrored picture whose sides are multiples of 16 meets the very same numbers in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, pad, relu

from assay import weights
from assay.ops.dct import filters
from assay.ops.filters import gaussian, windowed
from assay.types import Weights

KINDS = (  # the families of damage that the net tells apart, as a person calls them
    "blur",
    "motion blur",
    "low resolution",
    "smearing",
    "noise",
    "impulse noise",
    "JPEG compression",
    "other compression",
    "over-sharpening",
    "banding",
    "overexposure",
    "underexposure",
    "low contrast",
    "high contrast",
    "oversaturation",
    "faded colour",
    "colour cast",
    "chromatic aberration",
    "warping",
    "moire",
    "missing blocks",
)
STRIDE = 16  # pixels of the picture under one place of the map
REACH = 64  # pixels from which a place's statistics may come: a multiple of the stride that holds them all
SCALES = 3  # the picture as it is, halved, and halved again
LUMA = (0.299, 0.587, 0.114)  # BT.601
CALM = 3 / 255  # the floor of local normalisation
TINY = 1e-6  # energy of 8-bit rounding: below this there is nothing to measure
STATISTICS = SCALES * (35 + 10 + 7 + 6) + 20


class Seen(NamedTuple):
    """What the net says: logits."""

    score: Tensor  # N
    spread: Tensor  # N: logarithm of the score's standard deviation in points
    kinds: Tensor  # N×K: how strong each family of damage is
    score_map: Tensor  # N×h×w
    kinds_map: Tensor  # N×K×h×w


def statistics(x: Tensor) -> Tensor:
    """What the net looks at, for every 16×16 pixels: N×3×H×W in [0, 1], H and W multiples of 16 → N×194×H/16×W/16."""
    r, g, b = (x[:, i : i + 1] for i in range(3))
    y = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b
    found = [*colours(y, r, g, b), grid(y)]
    for scale in range(SCALES):
        small = avg_pool2d(y, 2**scale) if scale else y
        cell = STRIDE >> scale
        found += [bands(small, cell), texture(small, cell)]
    return torch.cat(found, dim=1)


def bands(y: Tensor, cell: int) -> Tensor:
    """Energies of 8×8 DCTs at every fourth pixel: 35 bands, how unevenly 10 rings spread theirs, and 7 differences of direction."""
    basis, pairs, rings = dct_bank()
    power = conv2d(pad(y, (4, 4, 4, 4), mode="reflect"), basis.to(y), stride=4).square()  # 64, the constant one unused
    window = {"kernel_size": cell // 4 + 1, "stride": cell // 4}
    both = conv2d(power, pairs.to(y))
    rung = conv2d(both, rings.to(y))
    means = avg_pool2d(power[:, 1:], **window) + TINY  # type: ignore[arg-type]
    level = (conv2d(means, pairs[:, 1:].to(y))).log()
    sparse = (avg_pool2d(rung, **window) + TINY).log() - avg_pool2d((rung + TINY).log(), **window)  # type: ignore[arg-type]
    logs = means.log()
    across, down = logs[:, 0:7], logs[:, 7::8]  # (0, v) and (u, 0), u and v from 1 to 7
    return torch.cat([level, sparse, (across - down).abs()], dim=1)


@cache
def dct_bank() -> tuple[Tensor, Tensor, Tensor]:
    """The 64 orthonormal filters; which two make one of 35 bands (u, v and v, u); which bands make one of 10 rings."""
    names = [(u, v) for u in range(8) for v in range(u, 8) if v]
    pairs = torch.zeros(35, 64)
    rings = torch.zeros(10, 35)
    for i, (u, v) in enumerate(names):
        pairs[i, 8 * u + v] += 0.5
        pairs[i, 8 * v + u] += 0.5
        rings[min(9, round((u * u + v * v) ** 0.5) - 1), i] = 1
    rings /= rings.sum(1, keepdim=True)
    return filters(8), pairs[:, :, None, None], rings[:, :, None, None]


def texture(y: Tensor, cell: int) -> Tensor:
    """The locally normalised picture (MSCN): its moments and how neighbours go together; and the local deviation."""
    mean, power = smooth(y), smooth(y.square())
    sigma = (power - mean.square()).clamp_min(0).add(1e-8).sqrt()
    m = (y - mean) / (sigma + CALM)
    near, far = neighbours(m)
    square = m.square()
    each = [m.abs(), square, square.square(), m * near, m * far, (sigma + 1e-3).log()]
    a, s, f, p, q, d = averages(each, cell).unbind(1)
    return torch.stack([a, (s + TINY).log(), (f + TINY).log() - 2 * (s + TINY).log(), p, q, d], dim=1)


def colours(y: Tensor, r: Tensor, g: Tensor, b: Tensor) -> list[Tensor]:
    """Light, colour, clipping, flatness, fine detail of luma and of colour, and whether the channels' edges lie together."""
    cb, cr = 0.564 * (b - y), 0.713 * (r - y)
    rgb = torch.cat([r, g, b], dim=1)
    top, low = rgb.amax(1, keepdim=True), rgb.amin(1, keepdim=True)
    chroma = (cb.square() + cr.square() + 1e-8).sqrt()
    near = beside(y)
    planes = [y, y.square(), cb, cr, chroma, cb.square() + cr.square(), (top > 0.995).float(), (low < 0.005).float()]
    planes += [(y > 0.97).float(), (y < 0.03).float(), ((y - near).abs() < 0.4 / 255).float(), top - low]
    v = averages(planes, STRIDE)
    spread = (v[:, 1:2] - v[:, :1].square()).clamp_min(0).add(1e-5).log()
    tint = (v[:, 5:6] - v[:, 2:3].square() - v[:, 3:4].square()).clamp_min(0).add(TINY).log()
    out = [v[:, :1], spread, v[:, 2:5], tint, v[:, 6:]]
    for scale in range(SCALES):
        small = [avg_pool2d(p, 2**scale) if scale else p for p in (y, cb, cr)]
        fine = [(p - beside(p)).square() for p in small]
        e = averages([*fine, *(f.square() for f in fine)], STRIDE >> scale)
        luma, tone = e[:, :1] + TINY, e[:, 1:2] + e[:, 2:3] + TINY
        out.append((tone / luma).log())
        if not scale:
            out += [e[:, 3:4].add(TINY**2).log() - 2 * luma.log(), (e[:, 4:5] + e[:, 5:6]).add(TINY**2).log() - 2 * tone.log()]
    return [*out, together(rgb)]


def together(rgb: Tensor) -> Tensor:
    """How well the edges of red, and of blue, lie on those of green, before and after the best shift is ruled out: 1 is perfectly."""
    wide = pad(rgb, (1, 1, 1, 1), mode="replicate")
    across, down = wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2], wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]
    r, g, b = ((across[:, i : i + 1], down[:, i : i + 1]) for i in range(3))

    def dot(p: tuple[Tensor, Tensor], q: tuple[Tensor, Tensor]) -> Tensor:
        return avg_pool2d(p[0] * q[0] + p[1] * q[1], STRIDE)

    rr, gg, bb = (dot(c, c) + 1e-5 for c in (r, g, b))
    return torch.cat([dot(r, g) / (rr * gg).sqrt(), dot(b, g) / (bb * gg).sqrt()], dim=1)


def grid(y: Tensor) -> Tensor:
    """Traces of 8×8 blocks: how far the strongest of eight phases stands out of the steps between neighbours, over 80×80 pixels."""
    out = []
    for axis in (2, 3):
        step = y.diff(dim=axis).abs()
        ends = (0, 0, 1, 1) if axis == 2 else (1, 1, 0, 0)
        beside = avg_pool2d(pad(step, ends, mode="replicate"), (3, 1) if axis == 2 else (1, 3), stride=1)
        excess = pad(step - beside, ends)
        n, m = y.shape[axis], y.shape[5 - axis]
        excess = (excess.narrow(axis, 0, n) + excess.narrow(axis, 1, n)) / 2  # a pixel has half of the steps on both of its sides
        level = avg_pool2d(pad(step, ends).narrow(axis, 0, n) + pad(step, ends).narrow(axis, 1, n), STRIDE)
        lined = excess if axis == 2 else excess.transpose(2, 3)
        phases = lined.reshape(len(y), n // STRIDE, 2, 8, m // STRIDE, STRIDE).mean((2, 5)).transpose(1, 2)  # N×8×n/16×m/16
        phases = phases if axis == 2 else phases.transpose(2, 3)
        around = avg_pool2d(torch.cat([phases, level], dim=1), 5, stride=1, padding=2, count_include_pad=False)
        out.append(around[:, :8].amax(1, keepdim=True) / (around[:, 8:] + 0.5 / 255))
    return (out[0] + out[1]) / 2


def averages(planes: Sequence[Tensor], side: int) -> Tensor:
    """Means over squares, one plane after the other: to put the planes together first costs more than all the rest."""
    return torch.cat([avg_pool2d(p, side) for p in planes], dim=1)


def smooth(x: Tensor) -> Tensor:
    """Gaussian means over 7×7, as NIQE takes them; the border is mirrored."""
    return windowed(pad(x, (3, 3, 3, 3), mode="reflect"), gaussian(7, 7 / 6))


def beside(x: Tensor) -> Tensor:
    """The mean of the four pixels beside each pixel."""
    wide = pad(x, (1, 1, 1, 1), mode="replicate")
    near = wide[:, :, :-2, 1:-1] + wide[:, :, 2:, 1:-1]
    return near.add_(wide[:, :, 1:-1, :-2]).add_(wide[:, :, 1:-1, 2:]).div_(4)


def neighbours(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of the four pixels beside each pixel, and of the four at its corners."""
    wide = pad(x, (1, 1, 1, 1), mode="replicate")
    up, low = wide[:, :, :-2], wide[:, :, 2:]
    return beside(x), (up[..., :-2] + up[..., 2:] + low[..., :-2] + low[..., 2:]) / 4


class Symmetric(nn.Module):
    """A 3×3 convolution whose filters look the same from all eight sides, normalised, added to its input, then ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width, 3) * (1 / (9 * width)) ** 0.5)
        self.norm = nn.BatchNorm2d(width)
        self.register_buffer("ring", torch.tensor([[2, 1, 2], [1, 0, 1], [2, 1, 2]]), persistent=False)
        self.ring: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return relu(x + self.norm(conv2d(pad(x, (1, 1, 1, 1), mode="reflect"), self.weight[:, :, self.ring])))


class AssayQ(nn.Module):
    """Statistics in, N×194×h×w, of at least 4×4 places; out comes Seen."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(STATISTICS))
        self.register_buffer("scale", torch.ones(STATISTICS))
        self.centre: Tensor
        self.scale: Tensor
        self.body = nn.Sequential(
            nn.Conv2d(STATISTICS, width, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout2d(0.1),
            nn.Conv2d(width, width, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            Symmetric(width),
            Symmetric(width),
        )
        self.local = nn.Conv2d(width, 2 + len(KINDS), 1)
        self.whole = nn.Sequential(nn.Linear(2 * width, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 2 + len(KINDS)))

    def forward(self, found: Tensor) -> Seen:
        """Places vote on the score with weights of their own, and what holds for the whole picture is added."""
        z = ((found - self.centre[:, None, None]) / self.scale[:, None, None]).clamp(-5, 5)
        f = self.body(z)
        whole = self.whole(torch.cat([f.mean((2, 3)), (f.var((2, 3), unbiased=False) + 1e-6).sqrt()], dim=1))
        local = self.local(f)
        vote = local[:, 1].flatten(1).softmax(1)
        score_map = local[:, 0] + whole[:, :1, None]
        kinds_map = local[:, 2:] + whole[:, 2:, None, None]
        return Seen(
            (score_map.flatten(1) * vote).sum(1),
            whole[:, 1],
            (kinds_map.flatten(2) * vote[:, None]).sum(2),
            score_map,
            kinds_map,
        )


@cache
def loaded(w: Weights) -> tuple[AssayQ, tuple[float, float]]:
    """A net of this shape from its file, and how many of its standard deviations the interval reaches down and up."""
    tensors = {k: v.float() for k, v in weights.load_safetensors(w).items()}
    down, up = tensors.pop("interval").tolist()
    net = AssayQ()
    net.load_state_dict(tensors)
    return net.eval().requires_grad_(False), (down, up)
