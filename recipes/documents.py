"""Drawn pages with words that were tampered with, and what `text_traces` makes of them.

    python recipes/documents.py --show sheet.png                      # a look at some
    python recipes/documents.py --pages 40 --photographs DATA --out docs/text-traces.json

Pages are lines of words in the fonts of this machine, on clean, shaded or grainy paper, as a program drew them or as if scanned, saved
as JPEG or not. One to three words are then copied within the page, taken from another page, typed anew, painted over and typed anew,
or covered, and the page is saved again. The thresholds were set on pages of other seeds.
Nothing here is a real document: figures say what the traces are worth where they are left.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from assay.ops.words import TRACES, deviations, is_page, words
from forgeries import compressed, photographs

Pixels = np.ndarray[Any, Any]
KINDS = ("copied", "spliced", "typed", "painted over and typed", "covered")
WAYS = ("raw", "q90", "q75", "resized")
FONTS = ("DejaVuSans", "DejaVuSerif", "LiberationSans-Regular", "LiberationSerif-Regular", "NotoSans-Regular", "LiberationMono-Regular")
LETTERS = "etaoinshrdlucmfwypvbgkqjxz"
SIZE = (640, 480)  # width, height


@dataclass(frozen=True)
class Page:
    pixels: Pixels  # H×W×3 uint8
    boxes: list[tuple[int, int, int, int]]  # left, top, right, bottom of each word
    font: str
    size: int
    ink: int
    paper: int
    scanned: bool


@cache
def fonts() -> list[str]:
    found = {p.stem: str(p) for p in sorted(Path("/usr/share/fonts").rglob("*.ttf"))}
    kept = [found[n] for n in FONTS if n in found]
    if not kept:
        raise SystemExit("none of the fonts is on this machine: " + ", ".join(FONTS))
    return kept


def word(rng: np.random.Generator) -> str:
    odds = 1 / np.arange(2, len(LETTERS) + 2)
    text = "".join(rng.choice(list(LETTERS), int(rng.integers(2, 10)), p=odds / odds.sum()))
    return str(rng.integers(10, 99999)) if rng.random() < 0.2 else text.capitalize() if rng.random() < 0.15 else text


def page(rng: np.random.Generator) -> Page:
    """One page as it was first saved."""
    font, size = str(rng.choice(fonts())), int(rng.integers(13, 22))
    paper, ink, scanned = int(rng.integers(225, 256)), int(rng.integers(0, 60)), bool(rng.random() < 0.6)
    sheet = Image.new("L", SIZE, paper)
    draw, face = ImageDraw.Draw(sheet), ImageFont.truetype(font, size)
    boxes, top, margin = [], 24, 28
    while top + 2 * size < SIZE[1]:
        left = float(margin)
        while True:
            text = word(rng)
            right = left + draw.textlength(text, font=face)
            if right > SIZE[0] - margin or rng.random() < 0.02:
                break
            draw.text((left, top), text, ink, face)
            boxes.append(tuple(int(v) for v in draw.textbbox((left, top), text, font=face)))
            left = right + draw.textlength(" ", font=face)
        top += round(1.5 * size)
    x = np.repeat(np.asarray(sheet, np.float32)[..., None], 3, 2)
    if scanned:
        y, across = np.mgrid[: SIZE[1], : SIZE[0]] / max(SIZE)
        shade = 1 - 0.08 * rng.random() * y - 0.08 * rng.random() * across
        x = (
            gaussian_filter(x, (s := rng.uniform(0.4, 0.9), s, 0)) * shade[..., None]
            + rng.normal(0, rng.uniform(1, 4), x.shape[:2])[..., None]
        )
    pixels = x.round().clip(0, 255).astype(np.uint8)
    return Page(compressed(pixels, int(rng.choice([70, 80, 90])) if rng.random() < 0.7 else None), boxes, font, size, ink, paper, scanned)


def tampered(p: Page, other: Page, kind: str, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The page with one to three words changed, and where: H×W bool."""
    x, mask = p.pixels.copy(), np.zeros(p.pixels.shape[:2], bool)
    for _ in range(int(rng.integers(1, 4))):
        left, top, right, bottom = box = p.boxes[int(rng.integers(len(p.boxes)))]
        if kind in ("copied", "spliced"):
            source = p if kind == "copied" else other
            box, part = moved(source, box, rng)
            here = around(box)
            x[here] = part
        else:
            here = around(box)
            edge = np.concatenate([x[top - 3, left:right], x[bottom + 2, left:right]])
            blank = np.median(edge, axis=0)
            x[here] = np.where(x[here] < blank - 12, blank, x[here]) if kind == "typed" else blank
            if kind != "covered":
                x[here] = np.minimum(x[here], typed(p, blank, bottom - top + 4, right - left + 2, rng))
        mask[here] = True
    return x, mask


def around(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """Rows and columns of a word and the paper close to it."""
    left, top, right, bottom = box
    return slice(top - 2, bottom + 2), slice(left - 1, right + 1)


def moved(source: Page, box: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[tuple[int, int, int, int], Pixels]:
    """A word of the page most like the box in size, of twelve, where the box is; and its pixels."""
    left, top, right, bottom = box
    drawn = (source.boxes[int(i)] for i in rng.integers(len(source.boxes), size=12))
    wide, tall = right - left, bottom - top
    others = (d for d in drawn if d != box)
    start, up, end, down = min(others, key=lambda d: abs(d[2] - d[0] - wide) + 3 * abs(d[3] - d[1] - tall))
    part = source.pixels[around((start, up, end, down))]
    left, top = min(left, SIZE[0] - 2 - (end - start)), min(top, SIZE[1] - 3 - (down - up))
    return (left, top, left + end - start, top + down - up), part


def typed(p: Page, blank: Pixels, tall: int, wide: int, rng: np.random.Generator) -> Pixels:
    """A new word, as another program draws it: sharp, of nearly the same ink."""
    sheet = Image.new("L", (wide, tall), int(blank.mean()))
    face = ImageFont.truetype(p.font, max(8, p.size + int(rng.integers(-1, 2))))
    text = next((t for t in (word(rng) for _ in range(40)) if face.getlength(t) < wide - 1), "a")
    left, top, _, _ = face.getbbox(text)
    ImageDraw.Draw(sheet).text((1 - left, 2 - top), text, max(0, p.ink + int(rng.integers(-10, 11))), face)
    return np.repeat(np.asarray(sheet)[..., None], 3, 2)


def travelled(x: Pixels, mask: Pixels, way: str) -> tuple[Pixels, Pixels]:
    if way.startswith("q"):
        return compressed(x, int(way[1:])), mask
    if way == "resized":
        size = (x.shape[1] * 3 // 4, x.shape[0] * 3 // 4)
        small = np.array(Image.fromarray(x).resize(size, Image.Resampling.LANCZOS))
        return small, np.array(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    return x, mask


def measured(pages: int, told: float, seed: int = 3) -> list[dict[str, Any]]:
    """Every page as it is and tampered with, in every way: the oddest word, pixel F1 at the threshold, and the share marked falsely."""
    rng = np.random.default_rng(seed)
    drawn, rows = [page(rng) for _ in range(pages)], []
    for i, p in enumerate(drawn):
        kind = KINDS[i % len(KINDS)]
        x, mask = tampered(p, drawn[i - 1], kind, rng)
        for name, pixels, where in (("", p.pixels, np.zeros_like(mask)), (kind, x, mask)):
            for way in WAYS:
                seen, truth = travelled(pixels, where, way)
                found = words(np.asarray(Image.fromarray(seen).convert("L"), np.float32))
                if not is_page(found):
                    rows.append({"kind": name, "way": way, "statistic": None})
                    continue
                all_z = deviations(found)
                z = all_z.max(1)
                marked = np.zeros(truth.shape, bool)
                for box in (b for b, v in zip(found.boxes, z, strict=True) if v > told):
                    marked[box] = True
                both = int((marked & truth).sum())
                f1 = 2 * both / (int(marked.sum()) + int(truth.sum())) if truth.any() else None
                false = float((marked & ~truth).mean())
                rows.append(
                    {
                        "kind": name,
                        "way": way,
                        "statistic": round(float(z.max()), 2),
                        "trace": TRACES[int(all_z.max(0).argmax())],
                        "f1": f1,
                        "false_area": false,
                    }
                )
        print(f"{i + 1} of {pages}", flush=True)
    return rows


def summary(rows: list[dict[str, Any]], told: float) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for way in WAYS:
        clean = [r for r in rows if r["way"] == way and not r["kind"] and r["statistic"] is not None]
        drawn = sum(r["way"] == way and not r["kind"] for r in rows)
        out[way] = {"drawn pages": drawn, "clean pages": len(clean), "alarms": sum(r["statistic"] > told for r in clean)}
        out[way]["largest"] = max(r["statistic"] for r in clean)
        out[way]["false area"] = round(float(np.mean([r["false_area"] for r in clean])), 6)
        for kind in KINDS:
            mine = [r for r in rows if r["way"] == way and r["kind"] == kind and r["statistic"] is not None]
            if not mine:
                continue
            wins = [(a["statistic"] > b["statistic"]) + 0.5 * (a["statistic"] == b["statistic"]) for a in mine for b in clean]
            found = sum(r["statistic"] > told for r in mine)
            f1 = round(float(np.mean([r["f1"] for r in mine])), 3)
            out[way][kind] = {"pages": len(mine), "auc": round(float(np.mean(wins)), 3), "told": found, "pixel f1": f1}
    return out


def photographs_told(data: Path, told: float) -> dict[str, dict[str, int]]:
    """Every fifth photograph and crop, in every way: how many are taken for a page, and how many of those are told to be tampered with."""
    photos = photographs(data, "", ("pristine/kodak", "pristine/gb82", "pristine/camera", "camera/native_crop", "camera/original"))[::5]
    out = {way: {"photographs": len(photos), "taken for a page": 0, "alarms": 0} for way in WAYS}
    for path in photos:
        x = np.array(Image.open(path).convert("RGB"))
        for way, row in out.items():
            found = words(np.asarray(Image.fromarray(travelled(x, np.zeros(x.shape[:2], bool), way)[0]).convert("L"), np.float32))
            if is_page(found):
                row["taken for a page"] += 1
                row["alarms"] += int(deviations(found).max() > told)
    return out


def show(out: Path) -> None:
    rng = np.random.default_rng(1)
    drawn = [page(rng) for _ in range(6)]
    sheet = Image.new("RGB", (3 * SIZE[0], 2 * SIZE[1]))
    for i, p in enumerate(drawn):
        x, mask = tampered(p, drawn[i - 1], KINDS[i % len(KINDS)], rng)
        x[mask] = x[mask] * np.array([1, 0.8, 0.8])
        sheet.paste(Image.fromarray(x), (i % 3 * SIZE[0], i // 3 * SIZE[1]))
    sheet.save(out)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--pages", type=int, default=40)
    cli.add_argument("--photographs", type=Path, help="a folder that holds pristine and camera")
    cli.add_argument("--show", type=Path)
    cli.add_argument("--out", type=Path)
    args = cli.parse_args()
    if args.show:
        show(args.show)
    if args.out:
        from assay.authenticity.text_traces import TOLD

        command = f"python recipes/documents.py --pages {args.pages} --photographs DATA --out {args.out}"
        figures: dict[str, Any] = {"command": command, **summary(measured(args.pages, TOLD), TOLD)}
        if args.photographs:
            figures["photographs"] = photographs_told(args.photographs, TOLD)
        args.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
