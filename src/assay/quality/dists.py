"""Deep image structure and texture similarity."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.nets import vgg16
from assay.nets.imagenet import Parameters, parameters, standardised
from assay.types import Scale, ScoreCard, Weights

RELEASE = Weights(
    file="dists_weights.pt",
    sha256="f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
    license="MIT (Ding 2020)",
    url="https://raw.githubusercontent.com/dingkeyan93/DISTS/master/DISTS_pytorch/weights.pt",
)
INSTEAD = "haarpsi"
CHANNELS = (3, *vgg16.CHANNELS)  # the picture itself is the first layer
C1 = C2 = 1e-6  # of the release
TINY = 1e-12  # of the release: keeps the root's slope finite
HANN = (0.5, 1.0, 0.5)  # the release: a Hanning window of 5 without its zeros


@carded(
    ScoreCard(
        name="dists",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=1, best=0, usual=(0.5, 0)),
        paper="Ding, Ma, Wang & Simoncelli 2020, doi:10.1109/TPAMI.2020.3045810",
        weights=(vgg16.IMAGENET, RELEASE),
        min_side=vgg16.SIDE,
    )
)
def dists(x: Tensor, *, ref: Tensor) -> Tensor:
    """DISTS: how alike texture and structure are to a network; another sample of the same texture counts as alike.

    x, ref: N×C×H×W, sRGB, at least 16×16; float in [0, 1], or uint8. Not shrunk first: the authors' script brings the
    shorter side to 256, so do that for figures to compare with theirs. About 1 kB of memory a pixel.
    Returns N distances, 0 when equal.  Raises BadInput, and MissingWeights without the official files.
    """
    x, ref = check.images(x=x, ref=ref, min_side=vgg16.SIDE)
    p = parameters(vgg16.IMAGENET, x.device, x.dtype, INSTEAD)
    alpha, beta = (torch.split(t.flatten().to(x), list(CHANNELS)) for t in _mix())
    far = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for a, b, texture, structure in zip(_layers(x, p), _layers(ref, p), alpha, beta, strict=True):
        means, shapes = _unlike(a, b)
        far = far + means @ texture + shapes @ structure
    return far


def _mix() -> tuple[Tensor, Tensor]:
    """How much the texture and the structure of every channel count; together 1."""
    found = weights.load_pth(RELEASE, instead=INSTEAD)
    total = found["alpha"].sum() + found["beta"].sum()
    return found["alpha"] / total, found["beta"] / total


def _layers(x: Tensor, p: Parameters) -> Iterator[Tensor]:
    three = x.expand(-1, 3, -1, -1)
    yield three
    yield from vgg16.features(standardised(three), p, pool=halved)


def halved(x: Tensor) -> Tensor:
    """The root of the Hanning-weighted mean square of 3×3, every second one: keeps shifts from changing it much."""
    w = torch.tensor(HANN, dtype=x.dtype, device=x.device)
    w = (w[:, None] * w / w.sum() ** 2).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x.square(), w, stride=2, padding=1, groups=x.shape[1]) + TINY).sqrt()


def _unlike(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """One minus the similarities of Ding 2020, eq. 5 and 6, of every channel, N×C each: written so that equal gives 0 exactly."""
    ma, mb = a.mean((2, 3)), b.mean((2, 3))
    da, db = a - ma[..., None, None], b - mb[..., None, None]
    va, vb, vd = (t.square().mean((2, 3)) for t in (da, db, da - db))
    return (ma - mb).square() / (ma.square() + mb.square() + C1), vd / (va + vb + C2)
