"""What the detector of generated pictures is worth, on pictures it never met: docs/generated.md.

    python recipes/generated_report.py DATA BANK [--out docs/generated.json] [--tables]
    python recipes/generated_report.py DATA BANK --quantiles     # statistics of clean photographs of the validation part

DATA holds pristine/, camera/, faces/, mos/avt_ai; BANK comes from recipes/reconstructions.py. Both classes of a set are brought to one
size, from one kind of file, and then go one of WAYS together. Nothing here was trained on: test photographs are chosen by their name,
gan_real, sg3 and avt_ai are for measuring only. Baselines: the step statistic of `npr`; spectral peaks (how far the strongest of the
frequencies n/8 stands out of its surroundings); the radial spectrum with a logistic regression fitted on the same pairs and draws as
the net. Intervals, of the net's figures: 95 %, 200 resamples of the pictures of either class.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.ndimage import median_filter
from scipy.optimize import minimize

from assay.authenticity.generated import LARGE, generated_assay
from assay.authenticity.npr import CELLS, between, periodic
from assay.bench.detection import rates
from assay.nets.generated import MODEL
from assay.ops import photo
from assay.types import CannotAssess, Media, Picture
from generated import draw, opened, pairs, pick
from reconstructions import HELD_OUT, KINDS, part
from reconstructions import SIDE as STORED

Bytes = NDArray[np.uint8]
WAYS = ("clean", "q90", "q75", "webp80", "x.75", "blur 1", "noise 3", "screenshot")
DETECTORS = ("generated-assay", "npr", "spectral peaks", "radial spectrum")
RINGS, TILE, MIDDLE = 32, 96, 576  # of spectra: over the middle of a picture
MOST = (50, 36)  # photographs and generated pictures of a set
GENERATORS = ("craiyon", "dall-e", "glide", "midjourney", "stable_diffusion")


def travelled(a: Bytes, way: str) -> Bytes:
    """What a picture looks like after a way; `seed` of the noise is the same for all."""
    im = Image.fromarray(a)
    if way == "blur 1":
        return np.asarray(im.filter(ImageFilter.GaussianBlur(1)))
    if way == "noise 3":
        return np.clip(np.round(a + np.random.default_rng(0).normal(0, 3, a.shape)), 0, 255).astype(np.uint8)
    if way == "x.75":
        return np.asarray(resized(im, 0.75))
    if way == "screenshot":  # shown smaller, cut off the grid, saved by a messenger
        return saved(resized(im, 0.8).crop((3, 5, round(0.8 * im.width), round(0.8 * im.height))), "JPEG", quality=80)
    kinds = {"q90": ("JPEG", 90), "q75": ("JPEG", 75), "webp80": ("WEBP", 80)}
    return saved(im, kinds[way][0], quality=kinds[way][1]) if way in kinds else a


def resized(im: Image.Image, by: float) -> Image.Image:
    return im.resize((round(im.width * by), round(im.height * by)), Image.Resampling.BICUBIC)


def saved(im: Image.Image, codec: str, **options: Any) -> Bytes:
    out = io.BytesIO()
    im.save(out, codec, **options)
    return np.asarray(Image.open(out).convert("RGB"))


def read(path: Path, square: int = 0) -> Bytes:
    """RGB; `square`: its shorter side is reduced to that first, then the middle is cut out."""
    with Image.open(path) as im:
        x = im.convert("RGB")
    if square and min(x.size) > square:
        x = x.resize(tuple(max(square, round(n * square / min(x.size))) for n in x.size), Image.Resampling.LANCZOS)
    if square:
        left, top = ((n - square) // 2 for n in x.size)
        x = x.crop((left, top, left + square, top + square))
    return np.asarray(x)


Set = tuple[list[Callable[[], Bytes]], list[Callable[[], Bytes]]]  # photographs, generated


def sets(data: Path, bank: Path) -> Iterator[tuple[str, Set]]:
    """The sets by name, their pictures yet to be read."""

    def files(folder: str, like: str) -> list[Path]:
        found = sorted((data / folder).glob(like))
        return random.Random(0).sample(found, min(MOST["ai" in like], len(found)))

    def load(paths: list[Path], square: int = 0, webp: int = 0) -> list[Callable[[], Bytes]]:
        def one(p: Path) -> Bytes:
            a = read(p, square)
            return saved(Image.fromarray(a), "WEBP", quality=webp) if webp else a

        return [lambda p=p: one(p) for p in paths]  # type: ignore[misc]

    yield from reconstructed(bank)
    yield "PGGAN / CelebA-HQ, 256", (load(files("faces/gan_real", "real_celebahq*")), load(files("faces/gan_real", "ai_pggan*")))
    yield "StyleGAN / photographs, 256", (load(files("faces/gan_real", "real_crop-hi*")), load(files("faces/gan_real", "ai_stylegan*")))
    yield "StyleGAN 3 / FFHQ, 256", (load(files("faces/sg3", "real*")), load(files("faces/sg3", "ai*")))
    own = load(sorted((data / "mos/avt_ai/own").iterdir()))
    folders = ("pristine/kodak", "pristine/gb82", "camera/original")
    cameras = [p for f in folders for p in sorted((data / f).iterdir()) if part(p.name) == "test" and large(p)]
    real = own + load(cameras, 512, 90)
    for name in GENERATORS:
        yield f"{name} / photographs, 512", (real, load(sorted((data / "mos/avt_ai" / name).iterdir())))


def large(path: Path, side: int = 512) -> bool:
    try:
        with Image.open(path) as im:
            return min(im.size) >= side
    except OSError:
        return False


def reconstructed(bank: Path) -> Iterator[tuple[str, Set]]:
    families = {k.name: k.family for k in KINDS}
    real, made = np.load(bank / "test/photograph.npy").transpose(0, 2, 3, 1), {}
    for file in sorted((bank / "test").glob("*.npy")):
        if file.stem != "photograph":
            made.setdefault(families.get(file.stem, file.stem.split()[0]), []).extend(np.load(file).transpose(0, 2, 3, 1))
    for family in sorted(made, key=lambda f: f in HELD_OUT):
        new = "unseen " if family in HELD_OUT else ""
        fake = random.Random(0).sample(made[family], MOST[1])
        yield f"{new}decoder {family}, {STORED}", ([lambda a=a: a for a in real], [lambda a=a: a for a in fake])  # type: ignore[misc]


def clean(data: Path, wanted: str) -> dict[str, list[Callable[[], Bytes]]]:
    """Photographs of a part, by folder, for false alarms."""
    folders = ("pristine/kodak", "pristine/gb82", "pristine/camera", "camera/native_crop", "camera/original", "faces/portraits")
    found = {f: [p for p in sorted((data / f).iterdir()) if part(p.name) == wanted and large(p, 128)][:24] for f in folders}
    return {f: [lambda p=p: read(p) for p in paths] for f, paths in found.items()}  # type: ignore[misc]


# --- detectors -------------------------------------------------------------------------------------------------------------------------


def scores(a: Bytes, radial: Path, asked: tuple[str, ...]) -> list[float]:
    """The detectors' statistics; NaN where one cannot say."""
    x = torch.from_numpy(np.array(a)).permute(2, 0, 1)
    luma = photo.luma(x)
    log = spectrum(luma.numpy()) if "spectral peaks" in asked else np.zeros((TILE, TILE))
    made = Picture(x, b"", "", "", Media("array", a.shape[1], a.shape[0], "RGB"), lambda: x)
    ways: dict[str, Callable[[], float]] = {
        "generated-assay": lambda: float(generated_assay(made).data["statistic"]),  # type: ignore[arg-type]
        "npr": lambda: max(periodic(between(luma, axis), cell) for cell in CELLS for axis in (0, 1)),
        "spectral peaks": lambda: peaks(log),
        "radial spectrum": lambda: float(fitted(radial)[:-1] @ rings(log) + fitted(radial)[-1]),
    }
    told = []
    for name in asked:
        try:
            told.append(ways[name]())
        except CannotAssess:
            told.append(float("nan"))
    return told


def spectrum(luma: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean logarithmic power of the residual to a 3×3 median, over windowed tiles."""
    top, beside = (max(0, (n - MIDDLE) // 2) for n in luma.shape)
    luma = luma[top : top + MIDDLE, beside : beside + MIDDLE]
    left = luma - median_filter(luma, 3)
    h, w = (n // TILE for n in luma.shape)
    tiles = left[: h * TILE, : w * TILE].reshape(h, TILE, w, TILE).swapaxes(1, 2).reshape(-1, TILE, TILE)
    window = np.hanning(TILE)
    power = np.abs(np.fft.fft2(tiles * window[:, None] * window)) ** 2
    found: NDArray[np.float64] = np.log(power + 1).mean(0)
    return found


def rings(log: NDArray[np.float64]) -> NDArray[np.float64]:
    """The spectrum averaged over rings, less its mean."""
    f = np.fft.fftfreq(TILE)
    ring = np.minimum(RINGS - 1, np.hypot(f[:, None], f) * 2 * RINGS / np.sqrt(2)).astype(int).ravel()
    mean = np.bincount(ring, log.ravel(), RINGS) / np.maximum(1, np.bincount(ring, minlength=RINGS))
    return mean - mean.mean()


def peaks(log: NDArray[np.float64]) -> float:
    """How far the strongest frequency that is a multiple of an eighth stands out of the 7×7 median around."""
    out = log - median_filter(log, 7, mode="wrap")
    at = np.arange(0, TILE, TILE // 8)
    return float(np.delete(out[np.ix_(at, at)].ravel(), 0).max())


@cache
def fitted(file: Path) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.load(file)
    return found


def fit(bank: Path, file: Path, count: int = 600) -> None:
    """The radial spectrum's logistic regression, on pairs as the net is trained on."""
    rows, dice = opened(bank / "train"), random.Random("radial")
    picks = [pick(rows, dice) for _ in range(count)]
    x = pairs(rows, picks, [draw(dice) for _ in picks])
    z = np.stack([rings(spectrum(photo.luma((p * 255).round().byte()).numpy())) for p in x])
    y = np.repeat([-1.0, 1.0], count)
    mean, spread = z.mean(0), z.std(0) + 1e-9
    q = np.c_[(z - mean) / spread, np.ones(len(z))]
    found = minimize(lambda w: np.logaddexp(0, -y * (q @ w)).mean() + 1e-3 * (w[:-1] ** 2).sum(), np.zeros(RINGS + 1), method="L-BFGS-B").x
    np.save(file, np.r_[found[:-1] / spread, found[-1] - (found[:-1] * mean / spread).sum()])


# --- figures ---------------------------------------------------------------------------------------------------------------------------


def figures(real: NDArray[Any], fake: NDArray[Any], times: int = 200) -> dict[str, Any]:
    """AUC, AP, EER and the share found at 1 and 5 % false alarms (where there are photographs enough), each with its interval."""
    real, fake = real[~np.isnan(real)], fake[~np.isnan(fake)]
    label = np.r_[np.zeros(len(real)), np.ones(len(fake))] > 0
    rng = np.random.default_rng(0)
    again = [rates(np.r_[rng.choice(real, len(real)), rng.choice(fake, len(fake))], label) for _ in range(times)]
    found = {k: [v, *np.quantile([a[k] for a in again], (0.025, 0.975))] for k, v in rates(np.r_[real, fake], label).items()}
    return {k: [round(float(x), 3) for x in v] for k, v in found.items()} | {"photographs": len(real), "generated": len(fake)}


def job(given: tuple[Bytes, Path, tuple[str, ...]]) -> list[list[float]]:
    torch.set_num_threads(1)
    return [scores(travelled(given[0], way), *given[1:]) for way in WAYS]


Told = dict[str, dict[str, NDArray[Any]]]  # statistics by way and detector


class Bench:
    """Asks detectors, and keeps what they said in BANK/seen: of the net, under the hash of its file."""

    def __init__(self, bank: Path, workers: int, *, alone: bool) -> None:
        self.pool, self.radial, self.seen = ProcessPoolExecutor(workers), bank / "radial.npy", bank / "seen"
        self.alone = alone  # the baselines without the net
        self.seen.mkdir(exist_ok=True)
        if not self.radial.exists():
            fit(bank, self.radial)

    def __call__(self, name: str, pictures: list[Callable[[], Bytes]], *, net_only: bool = False) -> Told:
        told = {way: {d: np.zeros(len(pictures)) for d in DETECTORS} for way in WAYS}
        for asked, tag in ((DETECTORS[1:], "base"), (DETECTORS[:1], MODEL.sha256[:12])):
            if net_only if tag == "base" else self.alone:
                continue
            file = self._file(name, tag)
            if not file.exists():
                np.save(file, np.array(list(self.pool.map(job, ((p(), self.radial, asked) for p in pictures), chunksize=2))))
            for i, way in enumerate(WAYS):
                told[way] |= dict(zip(asked, np.load(file)[:, i].T, strict=True))
        return told

    def has(self, name: str, *, net_only: bool = False) -> bool:
        return all(self._file(name, tag).exists() for tag in (MODEL.sha256[:12], *(() if net_only else ("base",))))

    def _file(self, name: str, tag: str) -> Path:
        return self.seen / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.{tag}.npy"


def alarms(told: Told) -> dict[str, Any]:
    """Of clean photographs: how many a hint would be given for, and high quantiles."""
    found = {}
    for way in WAYS:
        s = told[way]["generated-assay"]
        asked = s[~np.isnan(s)]
        top = np.quantile(asked, (0.5, 0.95, 0.99, 1), method="higher").round(3).tolist()
        found[way] = {"photographs": len(asked), "hints": int((asked > LARGE).sum()), "median, 95 %, 99 %, most": top}
    return found


def report(data: Path, bank: Path, bench: Bench, out: Path, only: str, *, kept: bool) -> None:
    found: dict[str, Any] = {"hint above": LARGE, "sets": {}, "clean photographs": {}}
    for name, (real, fake) in sets(data, bank):
        if not re.search(only, name):
            continue
        who = "crops" if "decoder" in name else "photographs 512" if name.endswith("512") else f"photographs for {name}"
        half = bool(only) and not bench.alone  # the net alone: baselines are kept by another run
        if kept and not (bench.has(who) and bench.has(name)):
            continue
        known, made = bench(who, real, net_only=half), bench(name, fake, net_only=half)
        print(name, flush=True)
        if bench.alone or only:
            continue
        rows = {w: {d: figures(known[w][d], made[w][d], 200 if d == DETECTORS[0] else 1) for d in DETECTORS} for w in WAYS}
        found["sets"][name] = rows | {"hints": {w: round(float((made[w][DETECTORS[0]] > LARGE).mean()), 3) for w in WAYS}}
        print({w: rows[w][DETECTORS[0]]["auc"][0] for w in WAYS}, {d: rows["clean"][d]["auc"][0] for d in DETECTORS}, flush=True)
    for folder, pictures in clean(data, "test").items():
        if re.search(only, folder) and not bench.alone and (not kept or bench.has(f"clean {folder}", net_only=True)):
            found["clean photographs"][folder] = alarms(bench(f"clean {folder}", pictures, net_only=True))
            print(folder, {w: v["hints"] for w, v in found["clean photographs"][folder].items()}, flush=True)
    if not bench.alone and not only:
        out.write_text(json.dumps(found, indent=1), "utf-8")


def tables(found: dict[str, Any]) -> str:
    """The figures as they stand in docs/generated.md."""
    name = DETECTORS[0]
    told = ["| set (photographs + generated) | " + " | ".join(WAYS) + " |", "|---" * (len(WAYS) + 1) + "|"]
    for key, rows in found["sets"].items():
        n = rows["clean"][name]
        cells = [f"{rows[w][name]['auc'][0]:.2f} ({rows[w][name]['auc'][1]:.2f}-{rows[w][name]['auc'][2]:.2f})" for w in WAYS]
        told.append(f"| {key} ({n['photographs']} + {n['generated']}) | " + " | ".join(cells) + " |")
    names = {"ap": "AP", "eer": "EER", "tpr@0.01": "found at 1 %", "tpr@0.05": "found at 5 %"}
    for way in ("clean", "q90", "q75", "x.75", "screenshot"):
        told += ["", f"After `{way}`:", "", "| set | " + " | ".join(names.values()) + " | hints |", "|---" * 6 + "|"]
        for key, rows in found["sets"].items():
            f = rows[way][name]
            cells = [f"{f[k][0]:.2f} ({f[k][1]:.2f}-{f[k][2]:.2f})" if k in f else "" for k in names]
            told.append(f"| {key} | " + " | ".join(cells) + f" | {rows['hints'][way]:.2f} |")
    told += [
        "",
        "AUC of all detectors, clean / q75 / x.75:",
        "",
        "| set | " + " | ".join(DETECTORS) + " |",
        "|---" * (len(DETECTORS) + 1) + "|",
    ]
    for key, rows in found["sets"].items():
        cells = [" / ".join(f"{rows[w][d]['auc'][0]:.2f}" for w in ("clean", "q75", "x.75")) for d in DETECTORS]
        told.append(f"| {key} | " + " | ".join(cells) + " |")
    told += ["", "Hints for clean photographs:", "", "| photographs | " + " | ".join(WAYS) + " |", "|---" * (len(WAYS) + 1) + "|"]
    for folder, rows in found["clean photographs"].items():
        told.append(f"| {folder} | " + " | ".join(f"{rows[w]['hints']} of {rows[w]['photographs']}" for w in WAYS) + " |")
    return "\n".join(told)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("bank", type=Path)
    ask.add_argument("--out", type=Path, default=Path("docs/generated.json"))
    ask.add_argument("--quantiles", action="store_true", help="only what clean photographs of the validation part read")
    ask.add_argument("--baselines", action="store_true", help="only what does not need the net, to be kept")
    ask.add_argument("--only", default="", help="sets whose names match, to be kept; nothing is written")
    ask.add_argument("--kept", action="store_true", help="only sets that are kept already: no detector is asked")
    ask.add_argument("--tables", action="store_true", help="only print what --out holds")
    ask.add_argument("--workers", type=int, default=2)
    given = ask.parse_args()
    if given.tables:
        print(tables(json.loads(given.out.read_text("utf-8"))))
        return
    bench = Bench(given.bank, given.workers, alone=given.baselines)
    if given.quantiles:
        for folder, pictures in clean(given.data, "validate").items():
            print(folder, json.dumps(alarms(bench(f"validation {folder}", pictures, net_only=True))), flush=True)
    else:
        report(given.data, given.bank, bench, given.out, given.only, kept=given.kept)


if __name__ == "__main__":
    main()
