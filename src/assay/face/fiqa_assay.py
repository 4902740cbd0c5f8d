"""A learned judge of how well a face looks, trained on damage alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.nets.assay_q import KINDS, AssayQ, loaded
from assay.ops.localstats import statistics
from assay.ops.views import views
from assay.types import Face, Finding, Scale, ScoreCard, Weights

MODEL = Weights(
    file="fiqa_assay.safetensors",
    sha256="11bf4a8900179b2a5e6c26ce7b8517adc17f2414eef34f5a16ed2822130a1f18",
    license="Apache-2.0; trained on official portraits (MIT repository), begun from assay_q.safetensors (free photographs)",
    recipe="recipes/fiqa.py",
)
SIDE = 256  # pixels a side of the view of a face
MARGIN = 0.4  # of the view around the recognition template: the whole head
SEEN = 0.35  # strength from which a kind of damage is named


@carded(
    ScoreCard(
        name="fiqa-assay",
        version="1",
        takes=("face",),
        scale=Scale(worst=0, best=100, usual=(20, 90)),
        paper="own; trained as Sun et al. 2025 (Efficient-FIQA), arXiv:2507.15709, train; labels are no people's",
        weights=(MODEL,),
    )
)
def fiqa_assay(image: Tensor, faces: Sequence[Face]) -> list[Finding]:
    """How well a face can be seen: sharp, clean and large enough, or blurred, noisy, compressed, enlarged from a few pixels.

    image: C×H×W, sRGB; float in [0, 1] or uint8. faces: the faces in it.
    Every face is seen upright with the whole head around it at 256×256 pixels, whatever its size in the picture: what would
    not show at that size does not count, and a face of 60 pixels is as soft as it looks when enlarged.
    Returns for each a score from 0 to 100 (100 is best; 90 is what a good JPEG reads), the interval that holds the
    full-reference consensus 9 times in 10, the kinds of damage seen, and a map of local quality, one place per 16×16 pixels of
    the view. The labels were the consensus of full-reference metrics on damaged portraits, not people's opinions; light,
    colour, pose and expression are not judged. Damage of known kinds it ranks better than assay-q, niqe and brisque do on the
    same views; kinds it has never met, niqe ranks as well or better: ask both. docs/face-quality.md has the figures.
    .08 billion multiply-adds a face.
    Not differentiable: it answers with findings, whose numbers are plain.
    Raises BadInput, and CannotAssess for a face under 24 pixels or outside the picture.
    """
    image = check.faces(image, faces, keep_uint8=True)
    return [_one(views(image, [face], side=SIDE, margin=MARGIN).float()) for face in faces]


@torch.no_grad()
def _one(view: Tensor) -> Finding:
    net, spread = model()
    seen = net.to(view.device)(statistics(view))
    score = 100 * float(seen.score.sigmoid())
    low, high = (s * float(seen.spread.exp()) for s in spread)
    strengths = dict(zip(KINDS, (round(v, 3) for v in seen.kinds[0].sigmoid().tolist()), strict=True))
    return Finding(
        score=score,
        interval=(max(0.0, score - low), min(100.0, score + high)),
        map=100 * seen.score_map[0].sigmoid(),
        map_says="Local quality of the face and what is around it, 0..100; dark is damaged.",
        data={"sees": {k: v for k, v in sorted(strengths.items(), key=lambda kv: -kv[1]) if v >= SEEN}},
    )


def model() -> tuple[AssayQ, tuple[float, float]]:
    """The net, and how many of its standard deviations the interval reaches down and up."""
    return loaded(MODEL)
