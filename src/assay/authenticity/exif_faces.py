"""How usual a face is, to an encoder that learned to read cameras."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from assay import check, weights
from assay.catalog import carded
from assay.nets.face_traces import Body, Head, views
from assay.ops.mixture import Mixture
from assay.types import BadInput, Evidence, EvidenceCard, Face, Finding, Weights

MODEL = Weights(
    file="exif_faces.safetensors",
    sha256="ba2caa2a3b6667a53183c8bf0cc3efea349938a11e777ad04fd24955d17115da",
    license="Apache-2.0; trained on free camera photographs, Kodak (free use), gb82 (CC0) and official portraits (MIT)",
    recipe="recipes/exif_faces.py",
)
SIDE = 160  # pixels of the view
WAYS = ("likelihood", "head")
CAVEAT = (
    "It knows official portraits only: snapshots, archive pictures, film and strong filters are as unusual to it as generated faces "
    "are. A number to look at beside others, never a verdict; docs/face-authenticity.md tells how often it errs."
)


@carded(
    EvidenceCard(
        name="exif_faces-assay",
        version="1",
        takes=("face",),
        paper="after BLADES, arXiv:2507.22824, and Zou et al. 2025 (EXIF ranks), arXiv:2501.02207; net, tasks and data are our own",
        weights=(MODEL,),
        caveat=CAVEAT,
    )
)
@torch.no_grad()
def exif_faces(image: Tensor, faces: Sequence[Face], *, by: str = "likelihood") -> list[Finding]:
    """How unusual a face is among real portraits, to an encoder that learned to rank ISO, aperture, noise, JPEG and resampling.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it; each is looked at upright, at 160×160 pixels.
    by: "likelihood", of a Gaussian mixture over real portraits; or "head", two layers that tell them from blends and enlarged faces.
    Returns for each a sentence that speaks for nothing; data: statistic, larger is more unusual (minus a log density, or a logit);
    rarer_than, the share of real portraits that are less so.
    Not differentiable: it answers with findings.
    Raises BadInput, and CannotAssess for faces with less than 16 pixels between the eyes and for faces cut off by the border.
    """
    if by not in WAYS:
        raise BadInput(f"by must be one of {', '.join(WAYS)}; got {by!r}.")
    image = check.faces(image, faces)
    if not faces:
        return []
    known = model()
    scores = known.judged(views(image, faces, SIDE).cpu(), by)
    return [_finding(float(s), known.real[by]) for s in scores]


def _finding(score: float, real: Tensor) -> Finding:
    below = float((real < score).float().mean())
    says = f"Its traces are more unusual than those of {round(100 * below)} of 100 real portraits."
    return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data={"statistic": round(score, 3), "rarer_than": round(below, 2)})


class Known(NamedTuple):
    """Encoder, the space of its features, and what real portraits look like in it."""

    body: Body
    centre: Tensor
    axes: Tensor
    mixture: Mixture
    head: Head
    real: dict[str, Tensor]  # 101 quantiles of either statistic

    def judged(self, x: Tensor, by: str) -> Tensor:
        """Views N×3×H×W in [0, 1] → N statistics."""
        z = (self.body(x)[1] - self.centre) @ self.axes
        return -self.mixture.log_density(z) if by == "likelihood" else self.head(z)


@cache
def model() -> Known:
    tensors = {k: v.float() for k, v in weights.load_safetensors(MODEL).items()}
    body, head = Body(), Head()
    for net, name in ((body, "body."), (head, "judge.")):
        net.load_state_dict({k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)}, strict=False)
        net.eval().requires_grad_(False)
    mixture = Mixture(*(tensors[k] for k in ("shares", "means", "roots")))
    return Known(body, tensors["centre"], tensors["axes"], mixture, head, {k: tensors[k] for k in WAYS})
