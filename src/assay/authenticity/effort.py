"""Effort: CLIP's image tower, of which a few faint directions learned to tell generated pictures from others."""

from __future__ import annotations

from functools import cache
from math import exp
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assay.catalog import carded
from assay.nets.clip_vit import standardised
from assay.nets.effort import Effort, merged, shape
from assay.ops import photo
from assay.types import BadInput, Evidence, EvidenceCard, Finding, Picture, Weights
from assay.weights import others

# Google Drive holds the three, under whatever name one saves them; nobody has published what they weigh.
GENIMAGE, CHAMELEON, FACES = (
    Weights(
        file=file,
        sha256="unpublished",
        license="CC BY-NC 4.0 by the badge of the authors' readme; the repository holds no licence file",
        url=f"https://drive.google.com/file/d/{drive}/view",
    )
    for file, drive in (
        ("effort_clip_L14_trainOn_sdv14.pth", "1UXf1hC9FC1yV93uKwXSkdtepsgpIAU9d"),
        ("effort_clip_L14_trainOn_chameleon.pth", "1GlJ1y4xmTdqV0FfIcyBwNNU6cQird9DR"),
        ("effort_clip_L14_trainOn_FaceForensic.pth", "1m4fyJecABU-Yk3bJ4b1WhUwQa0xCkMLI"),
    )
)
INSTEAD = "generated-assay"
CAVEAT = (
    "Its zero is not where yours is: on generators that it never met it says near 0 to everything, and the picture is squeezed to a "
    "square of 224 pixels, which removes fine traces. The checkpoint for faces wants an aligned face, never a whole picture."
)


@carded(
    EvidenceCard(
        name="effort",
        version="1",
        takes=("file",),
        paper="Yan et al. 2025 (Effort), arXiv:2411.15633",
        weights=(GENIMAGE, CHAMELEON, FACES),
        caveat=CAVEAT,
    )
)
def effort(picture: Picture, *, file: str = "") -> Finding:
    """How generated a picture looks to CLIP after a little training that left its main directions alone.

    picture: its pixels as stored, squeezed to 224×224 (bilinear, nothing averaged: as the release's demo does).
    file: a checkpoint of the authors, or one that recipes/effort.py made; "" looks for the one trained on GenImage in ASSAY_WEIGHTS.
    data: statistic (the logit of "fake" less that of "real"; larger says "generated"), probability (their softmax; not calibrated).
    Raises MissingWeights, and BadInput for a file that does not fit.
    """
    net = load(others.place(GENIMAGE, file, instead=INSTEAD, more="; recipes/effort.py trains one of your own"))
    stored = picture.stored()
    pixels = stored if len(stored) in (1, 3) else picture.pixels
    with torch.no_grad():
        real, fake = net(standardised(squeezed(pixels, net.shape.side)[None].expand(-1, 3, -1, -1)))[0].tolist()
    logit = fake - real
    chance = 1 / (1 + exp(-logit)) if logit > -700 else 0.0
    says = f"Effort says {chance:.2f} (logit {logit:+.2f}) that the picture is generated; its zero is not calibrated."
    return Finding(
        evidence=(Evidence(says, caveat=CAVEAT),),
        data={"statistic": round(logit, 4), "probability": round(chance, 4)},
    )


def squeezed(pixels: Tensor, side: int) -> Tensor:
    """C×H×W → C×side×side float in [0, 1], as cv2.resize does it to bytes by default (to one step: OpenCV 5.0.0, 13 % of noise differ)."""
    x = interpolate(photo.steps(pixels)[None], (side, side), mode="bilinear", align_corners=False)[0]
    return x.round() / 255


@cache
def load(path: Path) -> Effort:
    """The net of a checkpoint, split layers made whole; CLIP's own file is not needed."""
    kept = others.tensors(path)
    try:
        whole = merged(kept)
        with torch.device("meta"):  # 300 million numbers need no first values
            net = Effort(shape(whole))
    except (RuntimeError, KeyError, IndexError) as e:
        raise BadInput(f"{path} does not hold the parameters of Effort: {str(e).splitlines()[-1].strip()}") from e
    return others.filled(net, {k: v.float() for k, v in whole.items()}, path, "Effort")
