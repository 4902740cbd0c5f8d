"""The gallery as one self-contained page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from assay import __version__
from assay.catalog import index, plain
from assay.demo import photographs
from assay.gallery.measure import Damaged, degradations, drop, measured, metrics, order
from assay.io.decode import read
from assay.report import images
from assay.report.html import MARK, embedded, template
from assay.types import AlterCard, ScoreCard

HERE = Path(__file__).parent
REPORT = HERE.parent / "report"
SIDE = 288  # pixels of the longer side: enough for every metric, and the whole bank in a minute or two
PHOTOS = 2  # of the demonstration's


def write(
    path: Path,
    photos: Sequence[Path] = (),
    *,
    side: int = SIDE,
    bank: Sequence[str] = (),
    scores: Sequence[str] = (),
    begin: Callable[[int], object] = int,
    tick: Callable[[], object] = int,
) -> None:
    """Damage the photographs, score them and write the page.

    photos: image files; those of the demonstration by default. side: pixels of the longer side. bank, scores: names; all by default.
    begin: told how many times `tick` will be called.
    """
    named = opened(photos, side)
    cards = {n: c for n, c in degradations().items() if not bank or n in bank}
    judges = {n: c for n, c in metrics().items() if not scores or n in scores}
    begin(len(judges) * (len(cards) + 1) * len(named))
    found = measured(list(named.values()), list(cards), list(judges), tick=tick)
    data = gathered(named, cards, judges, found)
    page = template(HERE / "gallery.html", css=[REPORT / "report.css", HERE / "gallery.css"], js=[REPORT / "dom.js", HERE / "gallery.js"])
    told = f'<script type="application/json" id="data">{embedded(data)}</script>'
    path.write_text(page.replace(MARK, told), "utf-8")


def opened(photos: Sequence[Path], side: int) -> dict[str, Tensor]:
    """Name → C×H×W uint8, made small."""
    if photos:
        return {p.stem: _small(images.photo(read(p).pixels, side), side) for p in photos}
    return {name: _small(picture, side) for (name, picture), _ in zip(photographs(), range(PHOTOS), strict=False)}


def _small(picture: Image.Image, side: int) -> Tensor:
    picture = picture.convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return (
        torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        .view(picture.height, picture.width, 3)
        .permute(2, 0, 1)
        .contiguous()
    )


def gathered(
    photos: Mapping[str, Tensor], bank: Mapping[str, AlterCard], judges: Mapping[str, ScoreCard], found: Iterable[Damaged]
) -> dict[str, Any]:
    """All that the page shows, as plain data."""
    told: dict[str, Any] = {n: _told(n, card, len(photos)) for n, card in bank.items()}
    for d in found:
        entry = told[d.name]
        entry["pictures"][d.photo] = [images.webp(images.photo(x)) for x in d.pictures]
        for name, values in d.scores.items():
            good = [None if v is None else round(judges[name].scale.good(v), 4) for v in values]
            entry["scores"].setdefault(name, [None] * len(photos))[d.photo] = {
                "values": [None if v is None else float(f"{v:.4g}") for v in values],
                "good": good,
                "drop": drop(judges[name], values),
                "order": order(judges[name], values),
            }
    return {
        "assay": __version__,
        "photos": [{"name": n, "fresh": images.webp(images.photo(x)), "size": list(x.shape[:0:-1])} for n, x in photos.items()],
        "metrics": [_metric(n, card) for n, card in judges.items()],
        "bank": plain(list(told.values())),
    }


def _told(name: str, card: AlterCard, photos: int) -> dict[str, Any]:
    return {
        "name": name,
        "says": index()[name]["says"],
        "knob": card.knob,
        "unit": card.unit,
        "levels": list(card.levels),
        "pictures": [[] for _ in range(photos)],
        "scores": {},
    }


def _metric(name: str, card: ScoreCard) -> dict[str, Any]:
    s = card.scale
    usual = s.usual or (s.worst, s.best)
    told = {"name": name, "says": index()[name]["says"], "pair": "reference" in card.takes, "unit": s.unit}
    return {**told, "worst": plain(float(s.worst)), "best": plain(float(s.best)), "usual": list(usual)}
