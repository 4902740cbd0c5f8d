"""Fits the headline quality model: what each measured attribute costs a picture, on a scale from 0 to 100.

    python recipes/headline.py PHOTOS… --table table.csv [--rated NAME=table.csv:image_column:score_column…] --out headline.json

PHOTOS are folders of clean photographs. Of each, the middle 512×512 pixels are damaged by the degradation bank, one kind at a
time and in chains of two; every version is measured (attributes) and compared with the clean one (MS-SSIM, GMSD, HaarPSI,
MDSI). Target: each full-reference distance d becomes 100·exp(−a·d^b), with a and b such that the median photograph saved as
JPEG quality 90 reads 88 and quality 10 reads 28; the target is the mean of the four. Nobody sees a change of tone without
the original beside it, so where exposure or contrast changed, the original first gets the tone of the damaged one (a
straight line fitted where nothing clips); what then differs was lost. A dull tone costs by itself: the target is multiplied
by min(1, r/0.8)^0.6, where r is the spread of luma over that of the original. Two fifths of the photographs are held
out: half of them set the interval (split conformal), half give the figures. `--table` keeps the measurements: if the file
exists, nothing is measured again. Costs are non-negative and rise along the attribute, so every one is a reason.
`--rated` pictures are brought to one height first (1024 pixels, if heights differ), as viewers saw them on one screen.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.optimize import least_squares
from scipy.stats import pearsonr, spearmanr
from torch import Tensor

from assay.catalog import get
from assay.ops.headline import cost
from assay.ops.photo import luma
from assay.types import CannotAssess

SIDE = 512
SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif"}
TERMS: dict[str, tuple[bool, tuple[float, ...]]] = {  # attribute: logarithmic?, knots from harmless to as bad as it gets
    "sharpness": (True, (0.75, 1.1, 1.8, 3, 6)),
    "noise": (True, (2, 5, 10, 20, 40)),
    "blockiness": (True, (0.4, 1, 2, 4, 6)),
    "resolution": (False, (90, 70, 50, 35, 20)),
    "overexposure": (False, (1, 15, 50)),
    "underexposure": (False, (3, 25, 70)),
    "contrast": (False, (110, 60, 20)),
    "banding": (False, (2, 30, 100)),
    "niqe-assay": (True, (5, 7, 10, 16, 30)),
}
LEVELS: dict[str, tuple[float, ...]] = {
    "jpeg": (95, 80, 70, 50, 30, 20, 5),
    "webp": (80, 50, 25),
    "gaussian_blur": (0.5, 0.8, 1.2, 2, 3, 5),
    "defocus": (1, 2, 4, 7),
    "motion_blur": (3, 7, 15),
    "gaussian_noise": (2, 5, 10, 20, 40),
    "poisson_noise": (1000, 250, 60, 15),
    "downscale": (1.5, 2, 3, 4),
    "overexpose": (0.5, 1, 2, 3),
    "underexpose": (0.75, 1.5, 2.5, 4),
    "posterize": (4, 3),
    "low_contrast": (25, 50, 70),
}
ANCHORS = {"jpeg:90": 88.0, "jpeg:10": 28.0}
DISTANCES = ("ms_ssim", "gmsd", "haarpsi", "mdsi")
TONE = ("overexpose", "underexpose", "low_contrast")
UNCLIPPED = (8, 247)  # 8-bit steps
SINGLES, CHAINS = 12, 5  # per photograph, drawn at random
Row = dict[str, Any]


def read(path: Path, side: int = 0) -> Tensor:
    with Image.open(path) as im:
        rgb = im.convert("RGB")
        if side:
            rgb = rgb.resize((side * rgb.width // rgb.height, side), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1)))[None]


def middle(x: Tensor) -> Tensor:
    top, left = (max(0, (n - SIDE) // 2) for n in x.shape[2:])
    return x[:, :, top : top + SIDE, left : left + SIDE].contiguous()


def measured(x: Tensor) -> dict[str, float]:
    """Every attribute that has an answer."""
    out = {}
    for name in TERMS:
        try:
            out[name] = float(get(name)(x)[0])
        except CannotAssess:
            continue
    return out


def in_tone(ref: Tensor, x: Tensor) -> tuple[Tensor, float]:
    """ref with the brightness and contrast of x, and how much less than ref x spreads."""
    a, b = luma(ref[0]), luma(x[0])
    fair = (b > UNCLIPPED[0]) & (b < UNCLIPPED[1])
    if fair.sum() < 1000:
        fair = torch.ones_like(fair)
    both = torch.stack([a[fair], b[fair]]).double()
    (var, cov), _ = both.cov().tolist()
    slope = cov / max(var, 1e-6)
    low = float(both[1].mean() - slope * both[0].mean())
    toned = (ref.float() * slope + low).clamp(0, 255).round().to(torch.uint8)
    return toned, float(b.std() / a.std())


def damage(x: Tensor, name: str, seed: int) -> Tensor:
    """`kind:level`, or several joined by +, one after another."""
    for i, step in enumerate(n for n in name.split("+") if n != "clean"):
        kind, level = step.split(":")
        fn: Any = get(kind)
        knobs = {fn.card.knob: float(level)} | ({"seed": seed + i} if "noise" in kind else {})
        x = fn(x, **knobs)
    return x


def versions(seed: int) -> list[str]:
    dice = random.Random(seed)
    single = [f"{kind}:{level}" for kind, levels in LEVELS.items() for level in levels]
    first = [s for s in single if not s.startswith(("jpeg", "webp"))]
    last = [s for s in single if s.startswith(("jpeg", "webp", "gaussian_noise", "low_contrast"))]
    chains = [f"{dice.choice(first)}+{dice.choice(last)}" for _ in range(CHAINS)]
    return ["clean", *ANCHORS, *dice.sample(single, SINGLES), *chains]


def rows_of(job: tuple[int, Path]) -> list[Row]:
    """All versions of one photograph."""
    torch.set_num_threads(1)
    seed, path = job
    ref = middle(read(path))
    rows = []
    for name in versions(seed):
        x = damage(ref, name, seed)
        like, spread = in_tone(ref, x) if any(t in name for t in TONE) else (ref, 1.0)
        far = {d: abs(get(d).card.scale.best - float(get(d)(x, ref=like)[0])) for d in DISTANCES}
        rows.append({"image": f"{path.parent.name}/{path.name}", "damage": name, "spread": spread, **far, **measured(x)})
    return rows


def collect(folders: list[Path], every: dict[str, int]) -> Iterator[Row]:
    photos = [
        p
        for folder in folders
        for p in sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)[:: every.get(folder.name, 1)]
        if min(Image.open(p).size) >= 384
    ]
    with ProcessPoolExecutor(2) as pool:
        for i, rows in enumerate(pool.map(rows_of, enumerate(photos))):
            print(f"{i + 1}/{len(photos)} {rows[0]['image']}", flush=True)
            yield from rows


def scales(rows: list[Row]) -> dict[str, tuple[float, float]]:
    """a and b of each distance's 100·exp(−a·d^b), from the anchors."""
    out = {}
    (mild, high), (severe, low) = ANCHORS.items()
    for d in DISTANCES:
        at = [float(np.median([r[d] for r in rows if r["damage"] == name])) for name in (mild, severe)]
        need = [-np.log(high / 100), -np.log(low / 100)]
        b = np.log(need[1] / need[0]) / np.log(at[1] / at[0])
        out[d] = (float(need[1] / at[1] ** b), float(b))
    return out


def targets(rows: list[Row], scale: dict[str, tuple[float, float]]) -> np.ndarray:
    each = [[100 * np.exp(-a * max(r[d], 0) ** b) for d, (a, b) in scale.items()] for r in rows]
    dull = [min(1.0, r["spread"] / 0.8) ** 0.6 for r in rows]
    return np.array(each).mean(axis=1) * dull


def ramps(rows: list[Row]) -> np.ndarray:
    """How far each row has climbed every stretch between two knots, 0..1; a missing attribute has not climbed."""
    columns = []
    for name, (logarithmic, knots) in TERMS.items():
        for i in range(len(knots) - 1):
            one = {"log": logarithmic, "knots": rising(knots), "costs": stairs(knots, i)}
            columns.append([cost(one, r[name]) if name in r else 0.0 for r in rows])
    return np.array(columns).T


def rising(knots: tuple[float, ...]) -> list[float]:
    return sorted(knots)


def stairs(knots: tuple[float, ...], i: int) -> list[float]:
    """Costs at the knots in rising order: 0 before stretch i and 1 after it, seen from the harmless end."""
    at = [0.0] * (i + 1) + [1.0] * (len(knots) - i - 1)
    return at if knots[0] < knots[-1] else at[::-1]


def fit(rows: list[Row], want: np.ndarray) -> np.ndarray:
    """Non-negative costs of all stretches that bring 100·exp(−sum) nearest to the targets."""
    x = ramps(rows)

    def off(w: np.ndarray) -> np.ndarray:
        return np.concatenate([100 * np.exp(-x @ w) - want, 2.0 * w])  # the second part keeps costs small where data says little

    return least_squares(off, np.full(x.shape[1], 0.1), bounds=(0, 1.2), loss="soft_l1", f_scale=10).x


def terms(w: np.ndarray) -> dict[str, Row]:
    out, at = {}, 0
    for name, (logarithmic, knots) in TERMS.items():
        parts = [np.array(stairs(knots, i)) * w[at + i] for i in range(len(knots) - 1)]
        at += len(knots) - 1
        if sum(parts).max() > 0.005:
            out[name] = {"log": logarithmic, "knots": rising(knots), "costs": np.round(sum(parts), 4).tolist()}
    return out


def predict(fitted: dict[str, Row], rows: list[Row], *, without: str = "") -> np.ndarray:
    return np.array([100 * np.exp(-sum(cost(t, r[n]) for n, t in fitted.items() if n in r and n != without)) for r in rows])


def conformal(errors: np.ndarray, level: float) -> float:
    """The bound that a new error stays under with probability `level`, from exchangeable ones."""
    n = len(errors)
    return float(np.sort(errors)[min(n - 1, int(np.ceil((n + 1) * level)) - 1)])


def intervals(got: np.ndarray, want: np.ndarray) -> list[Row]:
    """90 % bounds below and above the score, in four parts of the scale."""
    out = []
    for low, high in ((0, 40), (40, 70), (70, 90), (90, 100)):
        some = (got > low) & (got <= high)
        over, under = (got - want)[some], (want - got)[some]
        splits = [(conformal(over, 0.9 + t), conformal(under, 1 - t)) for t in np.linspace(0.01, 0.09, 9)]
        below, above = min(splits, key=sum)  # the shortest of those that miss 10 %
        out.append({"up_to": high, "below": round(max(below, 0), 1), "above": round(max(above, 0), 1)})
    return out


def figures(got: np.ndarray, want: np.ndarray) -> dict[str, float]:
    return {
        "srcc": round(float(spearmanr(got, want)[0]), 3),
        "plcc": round(float(pearsonr(got, want)[0]), 3),
        "mae": round(float(np.abs(got - want).mean()), 1),
        "n": len(got),
    }


def rated(spec: str, table: Path) -> list[Row]:
    """Rows of a rated set: NAME=table.csv:image_column:score_column, pictures beside the table."""
    name, _, rest = spec.partition("=")
    file, image, score = rest.split(":")
    kept = table.with_name(f"{table.stem}_{name}.csv")
    if kept.exists():
        return load(kept)
    rows = []
    with Path(file).open(newline="") as f:
        known = list(csv.DictReader(f))
    for r in known:
        path = Path(file).parent / r[image]
        if path.is_file() or (path := next(path.parent.glob(f"{path.name}.*"), path)).is_file():
            rows.append((path, float(r[score])))
    side = 1024 if len({Image.open(p).height for p, _ in rows}) > 1 else 0
    out = [{"image": p.name, "damage": "", "mos": m, **measured(read(p, side))} for p, m in rows]
    save(kept, out)
    return out


def save(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as f:
        out = csv.DictWriter(f, list(dict.fromkeys(k for r in rows for k in r)))
        out.writeheader()
        out.writerows(rows)


def load(path: Path) -> list[Row]:
    with path.open(newline="") as f:
        return [{k: v if k in ("image", "damage") else float(v) for k, v in r.items() if v != ""} for r in csv.DictReader(f)]


def split(images: list[str]) -> dict[str, str]:
    """What each photograph is for: a fifth for the figures, a fifth for the interval, the rest for the fit."""
    random.Random(0).shuffle(images)
    fifth = len(images) // 5
    return {name: "figures" if i < fifth else "interval" if i < 2 * fifth else "fit" for i, name in enumerate(images)}


def model(rows: list[Row], opinions: dict[str, list[Row]]) -> Row:
    """The fitted model with its figures, as it is shipped."""
    scale = scales(rows)
    want = targets(rows, scale)
    images = sorted({r["image"] for r in rows})
    part = split(images)
    of = defaultdict(list)
    for i, r in enumerate(rows):
        of[part[r["image"]]].append(i)
    pick = {k: ([rows[i] for i in v], want[v]) for k, v in of.items()}
    fitted = terms(fit(*pick["fit"]))
    held, wanted = pick["interval"]
    got = predict(fitted, held)
    bounds = intervals(got, wanted)
    for name, term in fitted.items():
        worse = conformal(np.abs(predict(fitted, held, without=name) - wanted), 0.9)
        term["missing"] = round(max(0.0, worse - conformal(np.abs(got - wanted), 0.9)), 1)
    folders = sorted({i.split("/")[0] for i in images})
    return {
        "recipe": "recipes/headline.py",
        "photographs": {folder: len([i for i in images if i.startswith(folder + "/")]) for folder in folders},
        "versions": len(rows),
        "target": {d: {"a": round(a, 4), "b": round(b, 4)} for d, (a, b) in scale.items()},
        "figures": told(fitted, bounds, *pick["figures"]) | {k: opinion(fitted, r) for k, r in opinions.items()},
        "terms": fitted,
        "interval": bounds,
    }


def told(fitted: dict[str, Row], bounds: list[Row], rows: list[Row], want: np.ndarray) -> Row:
    """How well unseen photographs are predicted."""
    got = predict(fitted, rows)
    bins = [next(b for b in bounds if s <= b["up_to"]) for s in got]
    inside = [s - b["below"] <= t <= s + b["above"] for s, t, b in zip(got, want, bins, strict=True)]
    return {"held out": figures(got, want) | {"inside the 90 % interval": round(float(np.mean(inside)), 3)}}


def opinion(fitted: dict[str, Row], rows: list[Row]) -> Row:
    """How well people's ratings are ranked; opinions have a scale of their own, so no distance."""
    against: Row = dict(figures(predict(fitted, rows), np.array([r["mos"] for r in rows])))
    del against["mae"]
    return against | {"against": "mean opinion scores"}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("photos", nargs="*", type=Path)
    ask.add_argument("--table", type=Path, required=True)
    ask.add_argument("--every", nargs="*", default=[], help="FOLDER=N: only every Nth photograph of a folder")
    ask.add_argument("--rated", nargs="*", default=[])
    ask.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    if not given.table.exists():
        every = {name: int(n) for name, n in (e.split("=") for e in given.every)}
        save(given.table, list(collect(given.photos, every)))
    rows = load(given.table)
    told = model(rows, {spec.partition("=")[0]: rated(spec, given.table) for spec in given.rated})
    text = json.dumps(told, indent=1, ensure_ascii=False)
    given.out.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
