"""UniversalFakeDetect: what CLIP sees in the middle of a picture, and one line drawn through it."""

from __future__ import annotations

from functools import cache
from math import exp
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import linear, pad

from assay import weights
from assay.catalog import carded
from assay.nets.clip_vit import VIT_L_14, CLIPVision, load, standardised
from assay.ops import photo
from assay.types import BadInput, Evidence, EvidenceCard, Finding, MissingWeights, Picture, Weights
from assay.weights import others

HEAD = Weights(
    file="fc_weights.pth",
    sha256="477100745713bcc957beb2b40859536859b6483fd6301b3b9293151b194c7847",
    license="MIT",
    url="https://github.com/WisconsinAIVision/UniversalFakeDetect/raw/main/pretrained_weights/fc_weights.pth",
)
INSTEAD = "generated-assay"
SIDE = 224  # validate.py of the release: the middle of the picture as it is, never resized
CAVEAT = (
    "It learned from the GAN pictures of 2019, looks only at the middle of a picture, and its zero is not where yours is: saving as "
    "JPEG, blurring and other generators move it. Compare pictures with one history."
)


@carded(
    EvidenceCard(
        name="universal_fake_detect",
        version="1",
        takes=("file",),
        paper="Ojha, Li & Lee 2023, arXiv:2302.10174",
        weights=(HEAD, VIT_L_14),
        caveat=CAVEAT,
    )
)
def universal_fake_detect(picture: Picture, *, file: str = "", head: str = "") -> Finding:
    """How much the middle of a picture looks to CLIP like a generated one: a linear layer over a frozen vision transformer.

    picture: its pixels as stored; 224×224 in the middle are judged, smaller pictures with black around, as released.
    file: the parameters of CLIP's ViT-L/14, OpenAI's or transformers'; head: fc_weights.pth of the authors, or another layer of that
    shape. "" looks for both in ASSAY_WEIGHTS.
    data: statistic (the logit; larger says "generated"), probability (its sigmoid, which the release cuts at .5; not calibrated).
    Raises MissingWeights, and BadInput for files that do not fit.
    """
    net, weight, bias = clip(file), *layer(head)
    if weight.shape[1] != net.shape.embedding:
        raise BadInput(f"the layer takes {weight.shape[1]} numbers and this CLIP gives {net.shape.embedding}; the release is ViT-L/14's.")
    stored = picture.stored()
    pixels = stored if len(stored) in (1, 3) else picture.pixels
    with torch.no_grad():
        seen = net(standardised(middle(pixels, net.shape.side)[None].expand(-1, 3, -1, -1)))
        logit = float(linear(seen, weight, bias))
    chance = 1 / (1 + exp(-logit))
    height, width = pixels.shape[1:]
    part = min(1.0, net.shape.side / height) * min(1.0, net.shape.side / width)
    says = f"UniversalFakeDetect says {chance:.2f} (logit {logit:+.2f}; its authors cut at 0.5) to the middle {part:.0%} of the picture."
    return Finding(
        evidence=(Evidence(says, caveat=CAVEAT),),
        data={"statistic": round(logit, 4), "probability": round(chance, 4), "seen": round(part, 4)},
    )


def middle(pixels: Tensor, side: int = SIDE) -> Tensor:
    """C×H×W → C×side×side float in [0, 1]: the middle, and black around what is smaller, as torchvision's CenterCrop."""
    x = photo.steps(pixels) / 255
    down, across = (max(0, side - n) for n in x.shape[1:])
    x = pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
    top, left = (round((n - side) / 2) for n in x.shape[1:])  # to even, as there
    return x[:, top : top + side, left : left + side]


@cache
def clip(file: str) -> CLIPVision:
    return load(file, instead=INSTEAD)


@cache
def layer(file: str) -> tuple[Tensor, Tensor]:
    """1×D and 1 numbers: the linear layer."""
    path = Path(file) if file else weights.find(HEAD, instead=INSTEAD)
    if not path.is_file():
        raise MissingWeights(f"there is no file {file}; give the path of fc_weights.pth from {HEAD.url} ({HEAD.license}).")
    kept = {k.removeprefix("fc."): v for k, v in others.tensors(path).items()}
    weight, bias = (kept.get(k, torch.zeros(0)).float() for k in ("weight", "bias"))
    if weight.ndim != 2 or weight.shape[0] != 1 or bias.shape != (1,):
        raise BadInput(f"{path} is no linear layer with one output: it holds {', '.join(kept)}.")
    return weight, bias
