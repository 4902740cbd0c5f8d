"""Adapts the detector of generated pictures to a user's own generator: the last layer anew, and an honest estimate of its worth.

The body of `generated-assay` stays; a ridge logistic regression on the means of what it sees, and on 410 numbers of the pictures' fine
detail (ops/finedetail), tells the user's pictures apart. Where half of a generator's pictures were known, and nothing else, these
numbers brought the mean AUC over eight real generators from .66 to .83 (docs/generated.md).
Both classes travel alike (as they are, JPEG 90 and 75, reduced), so that neither format nor size can be learned from the journey.
What was there before it can: a control that knows nothing but the files themselves (format, size, bytes, JPEG quality) is told beside.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file
from scipy.optimize import minimize
from torch import Tensor

from assay.bench.detection import rates
from assay.bench.resample import Figure, figures
from assay.io.decode import read
from assay.nets.generated import CUT, MODEL, SIDE, WIDTHS, Generated, loaded, numbers
from assay.ops import jpegfile, jpegtables, photo
from assay.types import AssayError, BadInput, CannotAssess, Failure, Picture

Floats = NDArray[np.float64]
WAYS = ("as it is", "JPEG 90", "JPEG 75", "reduced to 75 %")
CROPS = 12  # of each picture and way
RIDGE = 0.03  # on standardised features
LEAST = 20  # pictures of either class: fewer cannot be cross-validated
REDUCED = 0.75
ALARMS = 0.01  # share of authentic pictures above the limit


@dataclass(frozen=True, eq=False)
class Seen:
    """What the body says of many pictures."""

    features: Floats  # pictures × ways × what the net's body sees, then the numbers of fine detail
    fake: NDArray[np.bool_]
    groups: NDArray[np.int64]  # pictures of one name (a photograph and what was made of it) stay together
    facts: Floats  # pictures × what the files alone tell
    lost: tuple[Failure, ...]


class Layer(NamedTuple):
    """Weights of a regression on standardised features; those of fine detail are cut at CUT deviations."""

    mean: Floats
    scale: Floats
    weight: Floats
    bias: float

    def __call__(self, x: Floats) -> Floats:
        """Logits of … × features."""
        logits: Floats = cut((x - self.mean) / self.scale) @ self.weight + self.bias
        return logits


def cut(z: Floats) -> Floats:
    """Standardised features, what follows those of the net within CUT deviations."""
    return np.concatenate([z[..., : WIDTHS[-1]], z[..., WIDTHS[-1] :].clip(-CUT, CUT)], axis=-1)


@dataclass(frozen=True, eq=False)
class Adapted:
    """A last layer, and figures by judge and way: AUC, EER, TPR at 5 % FPR of pictures that the judge did not learn from.

    limit: what 1 in 100 authentic pictures exceeds after any way, judged by what was learned without it.
    """

    layer: Layer
    limit: float
    figures: dict[str, dict[str, dict[str, Figure]]]
    real: int
    fake: int
    lost: tuple[Failure, ...]


def look(real: Sequence[Path], fake: Sequence[Path], tick: Callable[[], object] = int) -> Seen:
    """Features of all pictures; those that cannot be read or are too small are told.  Raises BadInput where too few are left."""
    rows, facts, labels, names, lost = [], [], [], [], []
    for path, label in [*((p, False) for p in real), *((p, True) for p in fake)]:
        try:
            picture = read(path)
            rows.append(np.stack([_feature(x) for x in _ways(picture)]))
            facts.append(_facts(picture))
            labels.append(label)
            names.append(path.stem)
        except AssayError as error:
            lost.append(Failure(str(path), str(error), type(error).__name__))
        tick()
    y = np.array(labels, dtype=bool)
    if min(y.sum(), (~y).sum()) < LEAST:
        raise BadInput(
            f"at least {LEAST} pictures of either class are needed; {int((~y).sum())} real and {int(y.sum())} fake could be used"
            + (f" (the first that could not: {lost[0].says})" if lost else "")
            + "."
        )
    return Seen(np.stack(rows), y, np.unique(names, return_inverse=True)[1], np.stack(facts), tuple(lost))


def _ways(picture: Picture) -> list[Tensor]:
    """The picture as it is and after three journeys, C×H×W uint8."""
    stored = picture.stored()
    pixels = photo.steps(stored if len(stored) in (1, 3) else picture.pixels).round().clamp(0, 255).to(torch.uint8)
    small = [max(1, round(n * REDUCED)) for n in pixels.shape[:0:-1]]
    if min(small) < SIDE:
        raise CannotAssess(f"pictures need {round(SIDE / REDUCED)} pixels a side; this has {pixels.shape[2]}×{pixels.shape[1]}.")
    image = Image.fromarray(pixels.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy())
    reduced = image.resize((small[0], small[1]), Image.Resampling.LANCZOS)
    return [torch.from_numpy(np.array(x)).permute(2, 0, 1) for x in (image, _saved(image, 90), _saved(image, 75), reduced)]


def _saved(image: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(out)


@torch.no_grad()
def _feature(pixels: Tensor) -> Floats:
    """The mean of what the body sees, over places and crops; then the numbers of the picture's fine detail."""
    net: Generated = loaded()
    crops = photo.patches(pixels, side=SIDE, most=CROPS * SIDE**2)
    seen = [net.seen(part.float() / 255).mean((2, 3)) for part in torch.split(crops, 6)]
    return np.concatenate([torch.cat(seen).mean(0).double().numpy(), numbers(pixels)])


def _facts(picture: Picture) -> Floats:
    """What a judge learns that never looks at the pixels."""
    media, quality = picture.media, 0.0
    if media.format in ("JPEG", "MPO"):
        tables = jpegfile.parse(picture.data).tables
        quality = float(jpegtables.nearest(tables[min(tables)])[0]) if tables else 0.0
    shape = (media.width, media.height, media.width / media.height, len(picture.data) / (media.width * media.height))
    return np.array([media.format == "JPEG", media.format == "PNG", quality, *shape], dtype=np.float64)


def adapt(seen: Seen, *, folds: int = 5, draws: int = 300, seed: int = 0) -> Adapted:
    """The last layer from all pictures, and figures from folds in which none of a group was learned from.  Raises BadInput."""
    many = len(np.unique(seen.groups))
    if not 2 <= folds <= many // 2:
        raise BadInput(f"folds must lie between 2 and {many // 2} (half the number of different names); got {folds}.")
    fold = (np.random.default_rng(seed).permutation(many) % folds)[seen.groups]
    ways = seen.features.shape[1]
    judged = {"adapted": np.zeros((len(fold), ways)), "the files alone": np.zeros((len(fold), ways))}
    for k in range(folds):
        train, test = fold != k, fold == k
        judged["adapted"][test] = _fit(*_all_ways(seen, train))(seen.features[test])
        judged["the files alone"][test] = _fit(seen.facts[train], seen.fake[train])(seen.facts[test])[:, None]
    head = {k: v.double().numpy().ravel() for k, v in loaded().head.state_dict().items()}
    judged["as shipped"] = seen.features[..., : WIDTHS[-1]] @ head["weight"] + head["bias"]
    told = {
        name: {way: _figures(scores[:, i], seen, draws, seed) for i, way in enumerate(WAYS) if name != "the files alone" or i == 0}
        for name, scores in judged.items()
    }
    layer = _fit(*_all_ways(seen, np.ones(len(fold), dtype=bool)))
    limit = float(np.quantile(judged["adapted"][~seen.fake], 1 - ALARMS))
    return Adapted(layer, limit, told, int((~seen.fake).sum()), int(seen.fake.sum()), seen.lost)


def _all_ways(seen: Seen, chosen: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """One row for each way of the chosen pictures, and whether it is a fake."""
    x = seen.features[chosen]
    return x.reshape(-1, x.shape[2]), np.repeat(seen.fake[chosen], x.shape[1])


def _figures(score: Floats, seen: Seen, draws: int, seed: int) -> dict[str, Figure]:
    def measure(weights: Floats) -> dict[str, float]:
        at = np.repeat(np.arange(len(score)), weights.astype(int))
        found = rates(score[at], seen.fake[at])
        return {k: found[k] for k in ("auc", "eer", "tpr@0.05") if k in found}

    return figures(measure, len(score), subjects=[seen.groups], times=draws, seed=seed)


def _fit(x: Floats, fake: NDArray[np.bool_]) -> Layer:
    """The regression, both classes counting alike."""
    mean, scale = x.mean(0), x.std(0) + 1e-9
    z, share = cut((x - mean) / scale), np.where(fake, 0.5 / fake.sum(), 0.5 / (~fake).sum())

    def loss(b: Floats) -> tuple[float, Floats]:
        margin = b[0] + z @ b[1:]
        wrong = np.logaddexp(0, np.where(fake, -margin, margin))
        slope = share * (1 / (1 + np.exp(-margin)) - fake)
        return float(share @ wrong + RIDGE * b[1:] @ b[1:]), np.concatenate([[slope.sum()], z.T @ slope + 2 * RIDGE * b[1:]])

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return Layer(mean, scale, found[1:], float(found[0]))


def save(made: Adapted, path: Path) -> None:
    """The layer as safetensors, for `generated-assay:head=FILE`; its figures as text beside the numbers."""
    told = {n: {w: {k: f.value for k, f in of.items()} for w, of in ways.items()} for n, ways in made.figures.items()}
    n, layer = WIDTHS[-1], made.layer
    weight = layer.weight[:n] / layer.scale[:n]  # the net's part is not cut, so it needs no standardised input
    tensors: dict[str, NDArray[np.floating]] = {
        "head.weight": weight.astype(np.float32).reshape(1, -1, 1, 1),
        "head.bias": np.array([layer.bias - layer.mean[:n] @ weight], np.float32),
        "detail.mean": layer.mean[n:],
        "detail.scale": layer.scale[n:],
        "detail.weight": layer.weight[n:],
        "detail.limit": np.array(made.limit),
    }
    save_file(tensors, path, {"body": MODEL.sha256, "figures": json.dumps(told), "real": str(made.real), "fake": str(made.fake)})
