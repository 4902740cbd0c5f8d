"""A learned judge of quality without a reference, trained on damage alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from assay import check
from assay.catalog import carded
from assay.nets.assay_q import KINDS, AssayQ, Seen, loaded
from assay.ops.localstats import REACH, STRIDE, statistics
from assay.types import BadInput, Finding, Scale, ScoreCard, Weights

MODEL = Weights(
    file="assay_q.safetensors",
    sha256="50187e60cc99d6533bee84b556e675b5ab9f4f30d3c9ef58db84810101a11df4",
    license="Apache-2.0; trained on Kodak (free use), gb82 (CC0) and free camera photographs",
    recipe="recipes/quality_nr.py",
)
SIDE = 64
SCREEN = 2_000_000  # pixels: a larger picture is judged as it is seen on a screen of that size
STRIP = 1 << 19  # pixels at a time, so that memory stays small
SEEN = 0.35  # strength from which a kind of damage is named


@carded(
    ScoreCard(
        name="assay-q",
        version="1",
        takes=("image",),
        scale=Scale(worst=0, best=100, usual=(20, 90)),
        paper="own; after Agnolucci et al. 2024 (QualiCLIP), arXiv:2403.11176, and Zhang et al. 2021 (fidelity loss), arXiv:2005.13983",
        weights=(MODEL,),
        min_side=SIDE,
    )
)
def assay_q(x: Tensor, *, at: str = "screen") -> list[Finding]:
    """How good a picture looks, which damage it shows, how strongly and where: a small net that never saw an opinion.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8; at least 64×64.
    at: "screen" judges pictures over 2 megapixels as seen reduced to that size; "pixels" judges every pixel as it is.
    Not differentiable: it judges, and was not made to be optimised against.
    Returns for each a score from 0 to 100 (100 is best; 90 is what a good JPEG reads), the interval that holds the
    full-reference consensus 9 times in 10, the strength (0..1) of 21 kinds of damage, and a map of local scores, one per
    16×16 pixels. A turned, mirrored or batched picture reads the same.  Raises BadInput.
    Light and colour are named, never scored. Damage of known kinds it ranks far better than niqe, brisque and piqe do; two
    sets rated by people, one of film frames and one of generated pictures, it ranks less well: docs/assay-q.md. Ask both.
    Not differentiable: it answers with findings, whose numbers are plain.
    """
    if at not in ("screen", "pixels"):
        raise BadInput(f'at must be "screen" or "pixels"; got {at!r}.')
    (x,) = check.images(x=x, min_side=SIDE, keep_uint8=True)
    return [_one(picture[None], at) for picture in x]


@torch.no_grad()
def _one(x: Tensor, at: str) -> Finding:
    net, spread = model()
    net = net.to(x.device)
    views = [net(found(view)) for view in opened(x, at)]
    seen = Seen(*(torch.stack(parts).mean(0) for parts in zip(*views, strict=True)))
    score = 100 * float(seen.score.sigmoid())
    low, high = (s * float(seen.spread.exp()) for s in spread)
    strengths = dict(zip(KINDS, (round(v, 3) for v in seen.kinds[0].sigmoid().tolist()), strict=True))
    named = {k: v for k, v in sorted(strengths.items(), key=lambda kv: -kv[1]) if v >= SEEN}
    return Finding(
        score=score,
        interval=(max(0.0, score - low), min(100.0, score + high)),
        map=100 * seen.score_map[0].sigmoid(),
        map_says="Local quality, 0..100; dark is damaged.",
        data={"sees": named, "strengths": strengths},
    )


def opened(x: Tensor, at: str) -> list[Tensor]:
    """1×3×H×W float pixels of the size to be judged at, sides grown by reflection to multiples of 16, evenly on both sides.

    An odd side cannot be grown evenly: there are two views then, each without one of its ends, so that a mirrored picture
    has the same two.
    """
    height, width = x.shape[2:]
    x = x.float() / 255 if x.dtype == torch.uint8 else x.float()
    if at == "screen" and height * width > SCREEN:
        shrink = (SCREEN / (height * width)) ** 0.5
        size = [max(SIDE, 2 * round(n * shrink / 2)) for n in (height, width)]
        x = interpolate(x, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    views = [x.expand(-1, 3, -1, -1)]
    for axis in (2, 3):
        n = x.shape[axis]
        if n % 2:
            views = [view.narrow(axis, start, n - 1) for view in views for start in (0, 1)]
    down, across = (-n % STRIDE // 2 for n in views[0].shape[2:])
    return [pad(view, (across, across, down, down), mode="reflect") for view in views]


def found(x: Tensor) -> Tensor:
    """The statistics of the whole picture, made strip by strip."""
    return torch.cat([statistics(strip)[:, :, skip : skip + rows] for strip, skip, rows in strips(x)], dim=2)


def strips(x: Tensor) -> Iterator[tuple[Tensor, int, int]]:
    """Rows of pixels with what lies within reach of them; of the statistics' rows, how many to skip and how many to keep."""
    height, width = x.shape[2:]
    rows = max(REACH, STRIP // width // STRIDE * STRIDE)
    for top in range(0, height, rows):
        start, stop = max(0, top - REACH), min(height, top + rows + REACH)
        yield x[:, :, start:stop], (top - start) // STRIDE, (min(top + rows, height) - top) // STRIDE


def model() -> tuple[AssayQ, tuple[float, float]]:
    """The net, and how many of its standard deviations the interval reaches down and up."""
    return loaded(MODEL)
