"""Learned perceptual image patch similarity, version 0.1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.nets import alexnet, squeezenet, vgg16
from assay.nets.imagenet import Parameters, lpips_scaled, parameters
from assay.ops.gradients import root
from assay.types import BadInput, Scale, ScoreCard, Weights

Net = Literal["alex", "vgg", "squeeze"]
Body = Callable[[Tensor, Parameters], Iterator[Tensor]]

LICENSE = "BSD-2-Clause (Zhang 2018)"
RELEASE = "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1/"
HEADS: dict[Net, Weights] = {
    "alex": Weights(
        "lpips_alex.pth", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0", LICENSE, url=RELEASE + "alex.pth"
    ),
    "vgg": Weights("lpips_vgg.pth", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868", LICENSE, url=RELEASE + "vgg.pth"),
    "squeeze": Weights(
        "lpips_squeeze.pth", "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76", LICENSE, url=RELEASE + "squeeze.pth"
    ),
}
BODIES: dict[Net, tuple[Body, Weights]] = {
    "alex": (alexnet.features, alexnet.IMAGENET),
    "vgg": (vgg16.features, vgg16.IMAGENET),
    "squeeze": (squeezenet.features, squeezenet.IMAGENET),
}
INSTEAD = "haarpsi"
SIDE = alexnet.SIDE  # the largest of the three
TINY = 1e-10  # normalize_tensor of the release


@carded(
    ScoreCard(
        name="lpips",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=inf, best=0, usual=(0.7, 0)),
        paper="Zhang, Isola, Efros, Shechtman & Wang 2018, arXiv:1801.03924",
        weights=(*(w for _, w in BODIES.values()), *HEADS.values()),
        min_side=SIDE,
        map="lpips_map",
    )
)
def lpips(x: Tensor, *, ref: Tensor, net: Net = "alex") -> Tensor:
    """LPIPS: how differently a network trained on ImageNet sees the two pictures, weighted as people judged patches.

    x, ref: N×C×H×W, sRGB, at least 31×31; float in [0, 1], or uint8. They are brought to [-1, 1] here: do not do it yourself.
    net: "alex" (the authors' choice for judging), "vgg" (for training; about 1 kB of memory a pixel) or "squeeze" (smallest).
    Version 0.1 of the released weights. Each net has a scale of its own.
    Returns N distances, 0 when equal.  Raises BadInput, and MissingWeights without the files of that net and its head.
    """
    return sum(layer.mean((1, 2, 3)) for layer in _layers(x, ref, net))  # type: ignore[return-value]


def lpips_map(x: Tensor, *, ref: Tensor, net: Net = "alex") -> Tensor:
    """How differently the network sees every place, N×H×W: higher is more different. Its mean is close to the score."""
    size = x.shape[-2:]
    parts = (F.interpolate(layer, size, mode="bilinear", align_corners=False) for layer in _layers(x, ref, net))
    return sum(part[:, 0] for part in parts)  # type: ignore[return-value]


def _layers(x: Tensor, ref: Tensor, net: Net) -> Iterator[Tensor]:
    """Per layer the weighted squared differences, N×1×h×w. One layer of each picture is held at a time."""
    if net not in BODIES:
        raise BadInput(f"net must be alex, vgg or squeeze; got {net!r}.")
    x, ref = check.images(x=x, ref=ref, min_side=SIDE)
    body, file = BODIES[net]
    p, heads = parameters(file, x.device, x.dtype, INSTEAD), weights.load_pth(HEADS[net], instead=INSTEAD)
    a, b = (_unit(body(lpips_scaled(t), p)) for t in (x, ref))
    for i, (one, other) in enumerate(zip(a, b, strict=True)):
        yield F.conv2d((one - other).square(), heads[f"lin{i}.model.1.weight"].to(one))


def _unit(layers: Iterator[Tensor]) -> Iterator[Tensor]:
    for t in layers:
        yield t / (root(t.square().sum(1, keepdim=True)) + TINY)
