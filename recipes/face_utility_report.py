"""How much discarding the worst faces helps a matcher, for every face score of the catalogue: docs/face-utility.md, .json and .png.

    python recipes/face_utility_report.py DATA --labels points.json --out docs/face-utility.json [--scores a,b,…]

Error versus discard as in assay.bench.edc: mated pairs, quality the lower of the two, threshold fixed once. ORL, held-out portraits
under made lights and press photographs, three quarters of all pictures damaged by the damage bank at a random level, so that there is
something to discard. Faces' points are those of the undamaged picture, so that a finder's failures do not mix in. Two matchers: the
face recogniser that ships, which also taught some of the scores, and local binary patterns, which taught none.
Picture scores stand beside, asked about the aligned chip; the size of the face, too. Discarding at random keeps the error as it is.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assay.bench.edc import Curve, compare, edc, pair_quality
from assay.catalog import get, index
from assay.ops.align import chips
from assay.types import BadInput, CannotAssess, Finding
from face_recogniser_report import chips_of, matchers, training, unit
from face_sets import Pairs, Sample, all_pairs, deepface, lights, orl
from face_views import faces

MADE = "python recipes/face_utility_report.py DATA --labels points.json --out docs/face-utility.json"
PLAIN = ("brightness", "contrast", "sharpness", "noise", "niqe-assay", "brisque", "assay-q")
DAMAGE = {  # knob values that leave anything from all to hardly a face; px are of pictures about a hundred pixels wide
    "gaussian_blur": (0.8, 1.5, 2.5, 4),
    "motion_blur": (3, 6, 10, 16),
    "downscale": (2, 3, 5, 8),
    "jpeg": (40, 20, 10, 5),
    "gaussian_noise": (5, 15, 30, 50),
    "underexpose": (1, 2, 3, 4),
    "overexpose": (0.5, 1, 1.5, 2),
    "low_contrast": (20, 40, 60, 80),
}
WHOLE = 0.25  # share left as they are
DISCARD = 0.2
LIMITS = (0.05, 0.1, 0.2)


def damaged(samples: list[Sample], seed: int) -> list[Sample]:
    """Every picture with a damage of its own."""
    dice = np.random.default_rng(seed)
    out = []
    for s in samples:
        name = str(dice.choice(list(DAMAGE)))
        level = DAMAGE[name][dice.integers(4)]
        image = s.image
        if dice.random() >= WHOLE:
            fn: Any = get(name)
            image = fn(image[None], **{fn.card.knob: level})[0]
        out.append(Sample(s.name, s.person, image, s.face))
    return out


def oriented(name: str, value: Any) -> float:
    """Higher is better."""
    card: Any = get(name).card
    number = float(value.score if isinstance(value, Finding) else value)
    return number if card.scale.best > card.scale.worst else -number


def judged(name: str, samples: list[Sample]) -> list[float]:
    """A score for every picture; −inf where there is none."""
    fn: Any = get(name)
    out = []
    for s in samples:
        try:
            got = fn(s.image, [s.face]) if fn.card.takes == ("face",) else fn(chips(s.image.float() / 255, [s.face]).clamp(0, 1))
            value = oriented(name, got[0])
        except (BadInput, CannotAssess):
            value = -math.inf
        out.append(value if math.isfinite(value) else -math.inf)
    return out


def wanted(given: str) -> list[str]:
    if given:
        return given.split(",")
    rows = index()
    ours = [n for n, r in rows.items() if r["takes"] == ["face"] and r["answers"] == "score" and not any(w["url"] for w in r["weights"])]
    return ours + [n for n in PLAIN if n in rows]


def at(curve: Curve, fraction: float) -> float:
    """The error when that share is gone."""
    return float(curve.error[np.searchsorted(curve.discarded, fraction + 1e-9, side="right") - 1])


def measured(samples: list[Sample], pairs: Pairs, qualities: dict[str, list[float]], likeness: np.ndarray, start: float, times: int):  # type: ignore[no-untyped-def]
    first, second = (column[pairs[2]] for column in pairs[:2])
    who = np.array([s.person for s in samples])
    able = {n: v for n, v in qualities.items() if np.isfinite(v).any()}
    paired = {n: pair_quality(np.array(v)[first], np.array(v)[second]) for n, v in able.items()}
    s = likeness[pairs[2]]
    table = compare(s, paired, starting_error=start, limits=LIMITS, subjects=(who[first],), times=times)
    out, curves = {}, {}
    for n, q in paired.items():
        curves[n] = edc(s, q, starting_error=start)
        figures = {"factor": at(curves[n], DISCARD) / curves[n].error[0]}
        row: dict[str, Any] = {k: round(float(v), 4) for k, v in figures.items()}
        row["not judged"] = int(np.isneginf(able[n]).sum())
        for k, f in table[n].items():
            row[k] = [round(f.value, 5), *(round(e, 5) for e in f.interval or ())]
        out[n] = row
    return out, curves


def drawn(panels: list[tuple[str, dict[str, Curve]]], shown: list[str], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), 4.2))
    for axis, (title, curves) in zip(np.atleast_1d(axes), panels, strict=True):
        for n in (n for n in shown if n in curves):
            c = curves[n]
            axis.step(100 * c.discarded, c.error / c.error[0], where="post", label=n, linewidth=1.3)
        axis.axhline(1, color="black", linewidth=0.8, linestyle=":")
        axis.set(title=title, xlim=(0, 50), ylim=(0, 1.4), xlabel="pairs discarded, %", ylabel="false non-matches by those at the start")
    np.atleast_1d(axes)[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


def page(report: dict[str, Any]) -> str:
    lines = ["# How much a face score helps a matcher", "", f"Written by `{MADE}`.", "", *__doc__.split("\n\n")[2].splitlines(), ""]
    lines += [
        "factor: false non-matches left when the worst 20 % of the pairs are discarded, by those at the start; 1 is what discarding at"
    ]
    lines += [
        "random gives, 0 is best. relative: the area under the curve up to 20 %, 0 where only errors went, 1 at random; in brackets the"
    ]
    lines += [
        "95 % interval over people. A score that stands in some tables only was not asked about the other sets.",
        "",
        "![Error versus discard](face-utility.png)",
    ]
    for title, rows in report.items():
        lines += ["", f"## {title}", "", "| score | factor at 20 % | pAUC 5 % | pAUC 10 % | pAUC 20 % | relative 20 % | not judged |"]
        lines += ["|---|--:|--:|--:|--:|--:|--:|"]
        for n, r in sorted(rows.items(), key=lambda kv: kv[1]["relative@0.2"][0]):
            rel = r["relative@0.2"]
            span = f" ({rel[1]:.2f} to {rel[2]:.2f})" if len(rel) == 3 else ""
            areas = " | ".join(f"{r[f'pauc@{limit:g}'][0]:.4f}" for limit in LIMITS)
            lines.append(f"| {n} | {r['factor']:.2f} | {areas} | {rel[0]:.2f}{span} | {r['not judged']} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--labels", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--scores", default="")
    ask.add_argument("--keep", type=Path, help="a JSON file of scores already taken, read and written")
    ask.add_argument("--times", type=int, default=200)
    a = ask.parse_args()
    torch.set_num_threads(1)
    labels = faces(a.labels)
    ways = matchers(training(a.data, labels))
    o, y = damaged(orl(a.data, labels), 1), damaged(lights(a.data, labels), 2)
    d, pairs = deepface(a.data, labels)
    sets = {"ORL": (o, all_pairs(o)), "made lights": (y, all_pairs(y)), "press photographs": (damaged(d, 3), pairs)}
    kept: dict[str, dict[str, list[float]]] = json.loads(a.keep.read_text()) if a.keep and a.keep.exists() else {}
    report: dict[str, Any] = {}
    panels = []
    for title, (samples, of) in sets.items():
        have = kept.setdefault(title, {"face size": [s.face.size for s in samples]})
        for n in wanted(a.scores):
            if n not in have:
                have[n] = judged(n, samples)
                print(title, n, flush=True)
        if a.keep:
            a.keep.write_text(json.dumps(kept))
        x = chips_of(samples)
        for matcher in ("face recogniser", "local binary patterns"):
            v = unit(ways[matcher](x))
            likeness = (v @ v.T)[of[0], of[1]]
            for start in (0.1, 0.01) if int(of[2].sum()) > 1000 else (0.1,):
                rows, curves = measured(samples, of, have, likeness, start, a.times)
                report[f"{title}, {matcher}, {start:.0%} false non-matches at the start"] = rows
                if start == 0.1 and matcher == "face recogniser":
                    panels.append((title, curves))
        print(title, flush=True)
    a.out.write_text(json.dumps({"made": MADE, "sets": report}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    a.out.with_suffix(".md").write_text(page(report), "utf-8")
    first = next(iter(report.values()))
    best = sorted(first, key=lambda n: first[n]["relative@0.2"][0])
    shown = list(
        dict.fromkeys([n for n in ("vit-fiqa-assay", "embedding_robustness", "landmark_forest", "fiqa-assay") if n in first] + best[:5])
    )
    drawn(panels, shown, a.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
