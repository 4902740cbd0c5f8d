"""Does a small picture show the same as a large one? Turned, with bars, cut to another shape, or a part of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, shift
from scipy.signal import fftconvolve

Array = NDArray[np.float32]

SAME_SHAPE = 0.01  # relative difference of two aspect ratios that rounding to a few pixels explains
SHIFTS = (-2, -1, 0, 1, 2)  # pixels: cameras cut their thumbnails from slightly different rows
PART_SIZES = np.geomspace(0.98, 0.3, 30)  # side of the large picture inside the small one, when it is a crop
SOFT = 1.5  # pixels of the small picture
PERFECT = 0.98  # correlation that no crop can better; 30 camera thumbnails all reach it
LIKE = 0.95  # correlation from which a part is believed; parts of other pictures stay below
TURNS = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
BAR_LEVEL = 12.0  # standard deviation, 8-bit levels, under which an edge of the small picture is a plain bar


@dataclass(frozen=True, slots=True)
class Match:
    """The best way to lay the large picture over the small one."""

    correlation: float  # Pearson, of luma
    turns: int  # quarter turns, counter-clockwise, that were given to the large picture
    fit: str  # "whole", "bars" (inside bars), "cut" (cut to the other shape), "part" (it is a part of what the small one shows)
    box: tuple[int, int, int, int]  # where in the small picture they overlap: left, top, right, bottom
    laid: Array  # the large picture at that place, h×w×3, 8-bit levels


def luma(a: Array) -> Array:
    """ITU-R BT.601, as JPEG uses it."""
    return a @ np.array([0.299, 0.587, 0.114], np.float32)


def soft(a: Array) -> Array:
    """Luma without its finest detail, which cameras lose or alias when they make a thumbnail by dropping pixels."""
    return np.asarray(gaussian_filter(luma(a), SOFT), np.float32)


def correlation(a: Array, b: Array) -> float:
    """Pearson's, 0 where either is flat."""
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / power if power > a.size * 0.25 else 0.0  # under half a level of contrast there is nothing to compare


def match(small: Array, large: NDArray[np.uint8]) -> Match:
    """The best whole-picture match of any turn; where none is perfect, a better place for the large picture as a part."""
    height, width = small.shape[:2]
    image = Image.fromarray(large)
    image.thumbnail((4 * max(height, width),) * 2, Image.Resampling.BOX)  # enough detail, whatever the size
    found = Match(0.0, 0, "whole", (0, 0, width, height), small)
    for way, enough in ((_whole, PERFECT), (_part, LIKE)):  # most pictures end at the first; the rest is for the others
        for turns, turn in enumerate(TURNS):
            best = max(way(small, image.transpose(turn) if turn is not None else image, turns), key=lambda m: m.correlation)
            if best.correlation > max(found.correlation, LIKE if way is _part else 0):
                found = best
            if found.correlation >= enough:
                return found
    return found


def _sized(image: Image.Image, width: int, height: int, box: tuple[float, float, float, float] | None = None) -> Array:
    return np.asarray(image.resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC, box=box), np.float32)


def _whole(small: Array, image: Image.Image, turns: int) -> list[Match]:
    height, width = small.shape[:2]
    w, h = image.size
    aspect, want = w / h, width / height
    if abs(aspect / want - 1) <= SAME_SHAPE:
        return [_moved(small, _sized(image, width, height), (0, 0, width, height), turns, "whole")]
    fits = []
    inner_w, inner_h = (width, round(width / aspect)) if aspect > want else (round(height * aspect), height)
    left, top = (width - inner_w) // 2, (height - inner_h) // 2
    box = (left, top, left + inner_w, top + inner_h)
    bars = np.concatenate([luma(small[:top]).ravel(), luma(small[top + inner_h :]).ravel(), luma(small[:, :left]).ravel()])
    if min(inner_w, inner_h) >= 8 and (bars.size == 0 or bars.std() < BAR_LEVEL):
        fits.append(_moved(small, _sized(image, inner_w, inner_h), box, turns, "bars"))
    cut_w, cut_h = (h * want, h) if aspect > want else (w, w / want)
    spare = max(w * height / h - width, h * width / w - height)
    steps = 1 + min(24, round(spare / 4))  # a place every 4 pixels; _moved finds the rest
    for place in np.linspace(0, 1, steps + 1):
        left_cut, top_cut = (w - cut_w) * place, (h - cut_h) * place
        box_cut = (left_cut, top_cut, min(w, left_cut + cut_w), min(h, top_cut + cut_h))
        fits.append(_moved(small, _sized(image, width, height, box_cut), (0, 0, width, height), turns, "cut"))
    fits.append(_moved(small, _sized(image, width, height), (0, 0, width, height), turns, "whole"))
    return fits


def _moved(small: Array, laid: Array, box: tuple[int, int, int, int], turns: int, fit: str) -> Match:
    """The best of a few pixels' displacement; borders that a shift would need are left out of the comparison."""
    left, top, right, bottom = box
    seen, inner, edge = soft(small[top:bottom, left:right]), soft(laid), max(SHIFTS)
    if min(inner.shape) < 8 + 2 * edge:
        return Match(correlation(seen, inner), turns, fit, box, laid)
    core = seen[edge:-edge, edge:-edge]
    rows, columns = core.shape
    scores = {
        (dy, dx): correlation(core, inner[edge + dy : edge + dy + rows, edge + dx : edge + dx + columns]) for dy in SHIFTS for dx in SHIFTS
    }
    dy, dx = max(scores, key=lambda s: scores[s])
    moved = shift(laid, (-dy, -dx, 0), order=0, mode="nearest")
    return Match(scores[dy, dx], turns, fit, box, moved)


def _part(small: Array, image: Image.Image, turns: int) -> list[Match]:
    """Normalised cross-correlation of the large picture, at many sizes, over the small one."""
    height, width = small.shape[:2]
    field = soft(small)
    field = field - field.mean()
    best = Match(0.0, turns, "part", (0, 0, width, height), np.zeros_like(small))
    for side in PART_SIZES:
        scale = side * min(width / image.width, height / image.height)
        w, h = round(image.width * scale), round(image.height * scale)
        if min(w, h) < 16:
            break
        laid = _sized(image, w, h)
        template = soft(laid)
        template = template - template.mean()
        sums, squares = _sums(field, w, h), _sums(field * field, w, h)
        power = np.sqrt(np.maximum(squares - sums * sums / template.size, 0) * (template * template).sum())
        scores = np.where(power > template.size, fftconvolve(field, template[::-1, ::-1], "valid") / np.maximum(power, 1e-9), 0)
        top, left = (int(i) for i in np.unravel_index(int(scores.argmax()), scores.shape))
        if scores[top, left] > best.correlation:
            best = Match(float(scores[top, left]), turns, "part", (left, top, left + w, top + h), laid)
    return [best]


def _sums(field: Array, w: int, h: int) -> NDArray[np.float64]:
    """The sum over every w×h window."""
    table = np.pad(field.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return np.asarray(table[h:, w:] - table[:-h, w:] - table[h:, :-w] + table[:-h, :-w])


def difference(small: Array, found: Match) -> Array:
    """How far they differ at each place, in 8-bit levels, h×w over the overlap.

    Brightness and colour are adjusted first (a gain and an offset per channel, fitted without the worst tenth), and
    the difference that a shift of one pixel at an edge would make is taken off.
    """
    left, top, right, bottom = found.box
    seen = small[top:bottom, left:right]
    total = np.zeros(seen.shape[:2], np.float32)
    for c in range(3):
        x, y = found.laid[..., c].ravel(), seen[..., c].ravel()
        keep = np.ones(x.size, bool)
        for _ in range(3):
            spread = float(x[keep].var())
            gain = float(((x[keep] - x[keep].mean()) * (y[keep] - y[keep].mean())).mean()) / spread if spread > 1 else 0.0
            miss = np.abs(y - y[keep].mean() - gain * (x - x[keep].mean()))
            keep = miss <= np.quantile(miss, 0.9)
        total += miss.reshape(total.shape) / 3
    dy, dx = np.gradient(luma(np.asarray(seen, np.float32)))
    return np.asarray(np.maximum(gaussian_filter(total, 1.5) - gaussian_filter(np.hypot(dy, dx), 1.5), 0), np.float32)
