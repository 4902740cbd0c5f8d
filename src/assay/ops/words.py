"""Printed words in a picture of a page or a screen: where they are, and how each was drawn and saved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects, label, zoom

from assay.ops.regions import EIGHT

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
TILE = 32  # pixels: a part of the page whose paper is of one lightness
PAPER, CONTRAST, HALF = 0.75, 48.0, 0.5  # quantile that is paper; grey levels of ink below it; share of that which is ink
EVEN = 16.0  # grey levels that paper may be off, for grain and ringing
LOW, TALL, WIDE = 5, 90, 4.0  # pixels: heights of glyphs, and how much wider than tall one may be
GAP = 0.15  # of the height of a glyph: letters nearer than twice that belong to one word
NEAR, FAR = 2, 6  # pixels from ink within which a save as JPEG rings; nearer is the glyph's own edge


@dataclass(frozen=True, slots=True)
class Words:
    """boxes: rows and columns of each; mask: H×W, its number at the ink of each, from 1; traces: one row a word, of TRACES."""

    boxes: list[tuple[slice, slice]]
    heights: NDArray[np.float64]
    traces: NDArray[np.float64]
    page: float  # share of the picture that is even paper


TRACES = ("ink", "softness", "ringing", "paper")
LEAST = 30  # words to compare
PAGE = 0.6  # of the picture that must be even paper
LINED = 0.7  # of the words that must stand in a line with another; drawn pages had 0.81 and more, photographs with even places 0.6 at most
ACROSS, LEVEL, LEVEL_LEAST = 6.0, 0.12, 1.5  # heights between words of a line; heights, and pixels, that their feet or tops may be off
SOME = 1000  # words that are looked at for lines
LIKE = (0.75, 1.33)  # heights of words that are compared with each other
FEW = 12  # of those
SPREAD = (8.0, 0.06, 0.3, 2.0)  # of each of TRACES, at least: what honest words of one page differ by


def words(light: Array) -> Words:
    """The words of a page, H×W in grey levels, dark on light or light on dark."""
    y = 255 - light if float(np.median(light)) < 110 else light
    paper = _paper(y)
    depth = paper - y
    ink = depth > HALF * _strength(depth)
    glyphs, boxes = _glyphs(ink)
    if not boxes:
        return Words([], np.zeros(0), np.zeros((0, len(TRACES))), 0.0)
    height = float(np.median([b[0].stop - b[0].start for b in boxes]))
    reach = max(1, round(GAP * height))
    joined, _ = label(binary_dilation(glyphs, np.ones((1, 2 * reach + 1), bool)), EIGHT)
    found = find_objects(joined)
    near, far = (binary_dilation(ink, np.ones((2 * n + 1, 2 * n + 1), bool)) for n in (NEAR, FAR))
    ring = far & ~near
    fine = _fine(y)
    page = float((np.abs(depth) < EVEN).mean())
    kept, tall, rows = [], [], []
    for number, box in enumerate(found, start=1):
        mine = (joined[box] == number) & glyphs[box]
        lines = np.flatnonzero(mine.any(1))
        top, bottom = box[0].start + int(lines[0]), box[0].start + int(lines[-1]) + 1
        left, right = box[1].start + reach, max(box[1].stop - reach, box[1].start + reach + 1)
        if right - left < 0.6 * (bottom - top):
            continue
        traces = _traces((slice(top, bottom), slice(left, right)), y, paper, ink, ring, fine)
        if traces is not None:
            kept.append((slice(top, bottom), slice(left, right)))
            tall.append(float(bottom - top))
            rows.append(traces)
    return Words(kept, np.array(tall), np.array(rows).reshape(-1, len(TRACES)), page)


def is_page(found: Words) -> bool:
    """Whether this is printed text: enough words, even paper, and lines."""
    return len(found.boxes) >= LEAST and found.page >= PAGE and lined(found) >= LINED


def lined(found: Words) -> float:
    """The share of words that have another of like height beside them, at one level by their feet or by their tops."""
    boxes = found.boxes[:SOME]
    top, foot, left, right = np.array([(b[0].start, b[0].stop, b[1].start, b[1].stop) for b in boxes], float).reshape(-1, 4).T
    height = foot - top
    taller, lower = np.maximum.outer(height, height), np.minimum.outer(height, height)
    between = np.maximum(np.subtract.outer(left, right), np.subtract.outer(left, right).T)
    off = np.minimum(np.abs(np.subtract.outer(foot, foot)), np.abs(np.subtract.outer(top, top)))
    beside = (between > 0) & (between < ACROSS * taller) & (taller < 1.6 * lower) & (off <= np.maximum(LEVEL * taller, LEVEL_LEAST))
    return float(beside.any(1).mean()) if boxes else 0.0


def deviations(found: Words) -> NDArray[np.float64]:
    """Words × TRACES: how far each lies from the words of like height, in robust standard deviations; 0 where there are few or none."""
    out = np.zeros_like(found.traces)
    for i, height in enumerate(found.heights):
        like = (found.heights >= LIKE[0] * height) & (found.heights <= LIKE[1] * height)
        like[i] = False
        if like.sum() < FEW:
            continue
        others = found.traces[like]
        middle = np.median(others, axis=0)
        spread = np.maximum(1.4826 * np.median(np.abs(others - middle), axis=0), SPREAD)
        out[i] = np.abs(found.traces[i] - middle) / spread
    return out


def _paper(y: Array) -> Array:
    """The lightness of the paper behind every pixel."""
    h, w = y.shape
    rows, columns = -(-h // TILE), -(-w // TILE)
    full = np.pad(y, ((0, rows * TILE - h), (0, columns * TILE - w)), mode="edge")
    tiles = full.reshape(rows, TILE, columns, TILE).swapaxes(1, 2).reshape(rows, columns, -1)
    level = np.quantile(tiles[..., ::7], PAPER, axis=-1).astype(np.float32)
    return np.asarray(zoom(level, TILE, order=0)[:h, :w])


def _strength(depth: Array) -> float:
    """How much darker ink is than paper."""
    deep = depth[depth > CONTRAST]
    return float(np.median(deep)) if deep.size else 255.0


def _glyphs(ink: Mask) -> tuple[Mask, list[tuple[slice, slice]]]:
    """Parts of the ink that have the size of letters."""
    parts, _ = label(ink, EIGHT)
    keep = np.zeros(parts.max() + 1, bool)
    boxes = []
    for number, box in enumerate(find_objects(parts), start=1):
        tall, wide = (s.stop - s.start for s in box)
        if LOW <= tall <= TALL and wide <= WIDE * tall:
            keep[number] = True
            boxes.append(box)
    return keep[parts], boxes


def _fine(y: Array) -> Array:
    """|[1 -2 1]⊗[1 -2 1]|/4: what noise and ringing leave and slow shading does not."""
    e = np.zeros_like(y)
    d = y[:, 2:] - 2 * y[:, 1:-1] + y[:, :-2]
    e[1:-1, 1:-1] = np.abs(d[2:] - 2 * d[1:-1] + d[:-2]) / 4
    return e


def _traces(box: tuple[slice, slice], y: Array, paper: Array, ink: Mask, ring: Mask, fine: Array) -> list[float] | None:
    """What TRACES names, of one word and the paper close to it; None where there is too little of either."""
    rows, columns = box
    around = (slice(max(0, rows.start - FAR), rows.stop + FAR), slice(max(0, columns.start - FAR), columns.stop + FAR))
    here, inside = y[around], ink[around]
    close = ring[around]
    if inside.sum() < 12 or close.sum() < 20:
        return None
    level = float(np.median(here[close]))
    dark = float(np.quantile(here[inside], 0.1))
    depth = (level - here[:-1, :-1]) / max(level - dark, 1)
    edges = np.abs(np.diff(here, axis=1))[:-1] + np.abs(np.diff(here, axis=0))[:, :-1]
    between = (depth > 0.15) & (depth < 0.85)
    softness = float(between.sum() * max(level - dark, 1) / max(float(edges.sum()), 1))
    ringing = float(np.log(fine[around][close].mean() + 0.05))
    return [dark, softness, ringing, level - float(np.median(paper[around]))]
