"""Forged photographs and their untouched twins, as the statistics that the localiser looks at; called by recipes/splices.py.

Host and donor are photographs with a making of their own: size, sensor rhythm, grain, sharpening, JPEG quality and grid. The host,
and the host with one area changed, then travel alike: half of all pictures are authentic, and nothing but the forgery tells them apart.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageFilter
from scipy.ndimage import (
    affine_transform,
    binary_dilation,
    binary_opening,
    convolve,
    gaussian_filter,
    label,
    median_filter,
    uniform_filter,
)
from torch.nn.functional import avg_pool2d, interpolate

from assay.ops import jpegfile
from assay.ops.localtraces import CELL, traces
from forgeries import Pixels, blob

HEIGHT, WIDTH = 256, 320  # of the finished picture; as often the other way round
KINDS = ("", "splice", "copy-move", "removal", "blur", "noise", "recolour", "sharpen", "resave")
ODDS = np.array([0, 0.44, 0.3, 0.07, 0.05, 0.05, 0.03, 0.03, 0.03])
RESAMPLING = tuple(Image.Resampling(r) for r in (1, 2, 3, 4))
Rng = np.random.Generator


class Forged(NamedTuple):
    """One picture. `mask`: where it was changed; `source`: where a copy came from, which counts neither way."""

    pixels: Pixels
    mask: Pixels
    source: Pixels


def encoded(x: Pixels, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(x).save(out, kind, **options)
    return out.getvalue()


def decoded(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as im:
        return np.array(im.convert("RGB"))


def saved(x: Pixels, rng: Rng, low: int = 60) -> bytes:
    return encoded(x, "JPEG", quality=int(rng.integers(low, 99)), subsampling=int(rng.choice([0, 2])))


def clipped(x: Pixels) -> Pixels:
    return np.clip(np.round(x), 0, 255).astype(np.uint8)


def shot(path: Path, h: int, w: int, rng: Rng) -> Pixels:
    """h×w of a photograph with a making of its own."""
    with Image.open(path) as im:
        im = im.convert("RGB")
        need = max((h + 8) / im.height, (w + 8) / im.width)
        by = max(need, float(rng.uniform(0.5, 1.0)) if rng.random() < 0.6 else float(rng.choice([1.0, 1.0, 1.2, 1.5])))
        if by != 1:
            im = im.resize((round(im.width * by + 0.5), round(im.height * by + 0.5)), RESAMPLING[rng.integers(4)])
        top, left = int(rng.integers(0, im.height - h - 7)), int(rng.integers(0, im.width - w - 7))
        x = np.array(im.crop((left, top, left + w + 8, top + h + 8)))
    x = developed(x, rng)
    if rng.random() < 0.8:
        x = decoded(saved(x, rng, 50))
    dy, dx = (0, 0) if rng.random() < 0.4 else rng.integers(0, 8, 2)
    return np.ascontiguousarray(x[dy : dy + h, dx : dx + w])


def developed(x: Pixels, rng: Rng) -> Pixels:
    """What cameras and their owners do."""
    if rng.random() < 0.2:
        x = mosaicked(x)
    if rng.random() < 0.4:
        x = grainy(x, rng, rng.uniform(0.5, 5))
    if rng.random() < 0.15:
        x = median_filter(x, (3, 3, 1))
    if rng.random() < 0.25:
        x = np.array(Image.fromarray(x).filter(ImageFilter.UnsharpMask(rng.uniform(0.6, 2), int(rng.integers(40, 180)), 0)))
    if rng.random() < 0.15:
        x = clipped(gaussian_filter(x.astype(np.float32), (s := rng.uniform(0.3, 0.9), s, 0)))
    if rng.random() < 0.3:
        x = clipped(255 * (x / 255.0) ** rng.uniform(0.75, 1.3) * rng.uniform(0.9, 1.1, 3))
    return x


def mosaicked(x: Pixels) -> Pixels:
    """Seen through a Bayer pattern, and filled in bilinearly."""
    y, c = np.mgrid[: x.shape[0], : x.shape[1]] % 2
    here = np.stack([(y == 0) & (c == 0), y != c, (y == 1) & (c == 1)], -1).astype(np.float32)
    kernel = np.array([1, 2, 1], np.float32) / 4

    def spread(p: Pixels) -> Pixels:
        p = np.pad(p, ((1, 1), (1, 1), (0, 0)), mode="reflect")
        p = sum(k * p[i : i + x.shape[0]] for i, k in enumerate(kernel))
        return np.asarray(sum(k * p[:, i : i + x.shape[1]] for i, k in enumerate(kernel)))

    return clipped(np.where(here > 0, x, spread(x * here) / spread(here)))


def grainy(x: Pixels, rng: Rng, sigma: float) -> Pixels:
    grain = rng.normal(0, sigma, x.shape).astype(np.float32)
    if rng.random() < 0.5:
        grain = grain * np.sqrt(0.2 + x / 128.0)
    if rng.random() < 0.3:
        grain = gaussian_filter(grain, (0.6, 0.6, 0)) * 1.5
    return clipped(x + grain)


def outline(guide: Pixels, rng: Rng) -> Pixels:
    """A shape like an object: a wavy blob, a polygon, a box, or a stain that follows what is seen; 1 to 30 % of the picture."""
    h, w = guide.shape[:2]
    for _ in range(20):
        kind = rng.random()
        if kind < 0.35:
            mask = blob(h, w, rng)
        elif kind < 0.5:
            bh, bw = int(h * rng.uniform(0.1, 0.55)), int(w * rng.uniform(0.1, 0.55))
            top, left = int(rng.integers(0, h - bh)), int(rng.integers(0, w - bw))
            mask = np.zeros((h, w), bool)
            mask[top : top + bh, left : left + bw] = True
        else:
            field = gaussian_filter(rng.normal(size=(h, w)), s := rng.uniform(12, 40)) * s * 3.5
            light = gaussian_filter(guide.mean(-1), 2)
            field += rng.uniform(0, 1.5) * (light - light.mean()) / (light.std() + 5)
            near = label(field > np.quantile(field, 1 - rng.uniform(0.04, 0.35)))[0]
            at = np.argwhere(near)[int(rng.integers((near > 0).sum()))]
            mask = near == near[tuple(at)]
        if 0.01 < mask.mean() < 0.3:
            break
    return np.asarray(mask)


def warped(x: Pixels, rng: Rng, at: tuple[float, float], to: tuple[float, float], scale: float, angle: float) -> Pixels:
    """The picture turned and scaled so that `at` comes to lie at `to`; by whole pixels where that is all."""
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    turn = np.array([[c, -s], [s, c]])
    start = np.array(at) - turn @ np.array(to)
    if scale == 1 and angle == 0:
        dy, dx = (round(float(-v)) for v in start)
        return np.roll(x, (dy, dx), (0, 1))
    order = int(rng.choice([1, 3]))
    planes = [affine_transform(p.astype(np.float32), turn, start, order=order, mode="reflect") for p in np.moveaxis(x, -1, 0)]
    return np.asarray(np.stack(planes, -1))


def forged(host: Pixels, donor: Pixels, kind: str, rng: Rng) -> Forged:
    """The host with one area changed."""
    h, w = host.shape[:2]
    source = np.zeros((h, w), bool)
    turned = rng.random() < 0.5
    scale, angle = (float(rng.uniform(0.6, 1.6)), float(rng.uniform(-0.8, 0.8))) if turned else (1.0, 0.0)
    if kind == "splice":
        mask = outline(donor, rng)
        centre = tuple(np.argwhere(mask).mean(0))
        at = centre if not turned and rng.random() < 0.2 else (rng.uniform(0.3, 0.7) * h, rng.uniform(0.3, 0.7) * w)
        new = warped(donor, rng, at, centre, scale, angle).astype(np.float32)
        if rng.random() < 0.3:
            new = new + rng.uniform(0.3, 1) * (host[mask].mean(0) - new[mask].mean(0))
        if rng.random() < 0.2:
            new = gaussian_filter(new, (s := rng.uniform(0.4, 1.2), s, 0))
    elif kind == "copy-move":
        mask, source, new = moved(host, rng, scale if turned else 1.0, angle, flip=rng.random() < 0.15)
    else:
        mask = outline(host, rng)
        new = touched(host, mask, kind, rng)
    soft = gaussian_filter(mask.astype(np.float32), float(rng.choice([0.01, 0.01, 0.7, 1.2, 2.5])))[..., None]
    out = host * (1 - soft) + new * soft
    if kind in ("splice", "copy-move") and rng.random() < 0.15:  # the seam smoothed over
        seam = gaussian_filter((binary_dilation(mask, iterations=2) ^ mask).astype(np.float32), 1.5)[..., None].clip(0, 1)
        out = out * (1 - seam) + gaussian_filter(out, (1.2, 1.2, 0)) * seam
    return Forged(clipped(out), mask, source & ~mask)


def moved(host: Pixels, rng: Rng, scale: float, angle: float, *, flip: bool) -> tuple[Pixels, Pixels, Pixels]:
    """An area copied within its picture: where it lands, where it came from, and the picture moved so that it lies there."""
    h, w = host.shape[:2]
    landing = outline(host, rng)
    cy, cx = np.argwhere(landing).mean(0)
    reach = 0.5 * np.sqrt(landing.sum()) + 20
    for _ in range(30):
        ay, ax = rng.uniform(0.1, 0.9) * h, rng.uniform(0.1, 0.9) * w
        if np.hypot(ay - cy, ax - cx) > reach:
            break
    both = np.dstack([host, np.mgrid[:h, :w].transpose(1, 2, 0)])
    if flip:
        both = both[:, ::-1]
        ax = w - 1 - ax
    if scale == 1 and angle == 0:
        ay, ax, cy, cx = round(ay), round(ax), round(cy), round(cx)
    new = warped(both, rng, (ay, ax), (cy, cx), scale, angle)
    rows, columns = (new[..., 3 + i].round().astype(int).clip(0, n - 1) for i, n in enumerate((h, w)))
    source = np.zeros((h, w), bool)
    source[rows[landing], columns[landing]] = True
    return landing, binary_dilation(source, iterations=2), new[..., :3]


def touched(host: Pixels, mask: Pixels, kind: str, rng: Rng) -> Pixels:
    x = host.astype(np.float32)
    if kind == "removal":
        new = filled(host, mask)
        return new + rng.normal(0, rng.uniform(0.5, 4), x.shape) if rng.random() < 0.5 else new
    if kind == "blur":
        return gaussian_filter(x, (s := rng.uniform(0.8, 3), s, 0))
    if kind == "noise":
        return x + rng.normal(0, rng.uniform(3, 10), x.shape)
    if kind == "sharpen":
        return x + rng.uniform(0.8, 2.5) * (x - gaussian_filter(x, (s := rng.uniform(0.7, 2), s, 0)))
    if kind == "resave":
        return decoded(saved(host, rng, 40)).astype(np.float32)
    return x * rng.uniform(0.6, 1.4, 3) + rng.uniform(-20, 20)


def filled(x: Pixels, mask: Pixels) -> Pixels:
    """Painted over from its surroundings: from coarse to fine, averages of what is known."""
    known = torch.from_numpy(~mask).float()[None, None]
    levels = [(torch.from_numpy(x).permute(2, 0, 1)[None].float() * known, known)]
    while min(levels[-1][1].shape[2:]) > 3:
        levels.append(tuple(avg_pool2d(t, 2, ceil_mode=True) for t in levels[-1]))
    colour, weight = levels[-1]
    smooth = colour / weight.clamp_min(1e-6)
    for colour, weight in reversed(levels[:-1]):
        smooth = interpolate(smooth, colour.shape[2:], mode="bilinear", align_corners=False)
        here = (weight * 4).clamp_max(1)
        smooth = here * colour / weight.clamp_min(1e-6) + (1 - here) * smooth
    return np.asarray(smooth[0].permute(1, 2, 0).numpy())


class Way(NamedTuple):
    """How a picture travels after the forgery; drawn once for a picture and its twin."""

    seed: int
    size: float

    def file(self, x: Pixels) -> bytes:
        rng = np.random.default_rng(self.seed)
        if rng.random() < 0.2:
            x = clipped(gaussian_filter(x.astype(np.float32), (s := rng.uniform(0.3, 0.6), s, 0)))
        if rng.random() < 0.15:
            x = grainy(x, rng, rng.uniform(0.5, 2.5))
        if rng.random() < 0.15:
            x = np.array(Image.fromarray(x).filter(ImageFilter.UnsharpMask(1, int(rng.integers(40, 120)), 0)))
        if self.size != 1 and rng.random() < 0.5:  # saved before it was resized
            x = decoded(saved(x, rng, 75))
        size = (WIDTH, HEIGHT) if x.shape[1] > x.shape[0] else (HEIGHT, WIDTH)
        if self.size != 1:
            x = np.array(Image.fromarray(x).resize(size, RESAMPLING[rng.integers(4)]))
        kind = rng.random()
        if kind < 0.22:
            return encoded(x, "PNG", compress_level=1)
        if kind < 0.3:
            return encoded(x, "WEBP", quality=int(rng.integers(60, 97)), method=1)
        if kind < 0.45:
            x = decoded(saved(x, rng, 75))
        return saved(x, rng)


def steps(data: bytes) -> tuple[int, ...] | None:
    """The luma steps of a JPEG file."""
    if data[:2] != b"\xff\xd8":
        return None
    file = jpegfile.parse(data)
    return file.tables[file.components[0].table]


def seen(data: bytes) -> tuple[Pixels, int]:
    """The statistics of a file as the net sees them, and the side of the squares."""
    found, side = traces(torch.from_numpy(decoded(data)).permute(2, 0, 1).contiguous(), steps(data))
    return found.numpy(), side


def share(mask: Pixels, height: int, width: int, side: int = CELL) -> Pixels:
    """How much of every square is masked; the mask is first brought to the picture's size."""
    if mask.shape != (height, width):
        mask = np.array(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
    h, w = height // side, width // side
    return np.asarray(mask[: h * side, : w * side].reshape(h, side, w, side).mean((1, 3), dtype=np.float32))


def twins(photos: list[Path], rng: Rng) -> list[tuple[Pixels, Pixels, Pixels, int]]:
    """A photograph and a forgery of it that travelled alike: statistics, share of every square forged, share that is a source, kind."""
    size = 1.0 if rng.random() < 0.65 else float(rng.uniform(0.7, 0.95) if rng.random() < 0.75 else rng.uniform(1.05, 1.3))
    h, w = (HEIGHT, WIDTH) if rng.random() < 0.5 else (WIDTH, HEIGHT)
    if size != 1:
        h, w = round(h / size), round(w / size)
    i, j = rng.choice(len(photos), 2, replace=False)
    host, donor = shot(photos[i], h, w, rng), shot(photos[j], h, w, rng)
    way = Way(int(rng.integers(2**32)), size)
    kind = int(rng.choice(len(KINDS), p=ODDS / ODDS.sum()))
    changed = forged(host, donor, KINDS[kind], rng)
    out = []
    for pixels, mask, source, k in ((host, np.zeros((h, w), bool), np.zeros((h, w), bool), 0), (*changed, kind)):
        found, _ = seen(way.file(pixels))
        full = [share(m, found.shape[1] * CELL, found.shape[2] * CELL) for m in (mask, source)]
        if found.shape[1] > found.shape[2]:  # all lie on their side: a turned picture has the same statistics
            found, full = found.transpose(0, 2, 1), [m.T for m in full]
        out.append((found.astype(np.float16), full[0].astype(np.float16), full[1].astype(np.float16), k))
    return out


def ghosts(x: Pixels) -> Pixels:
    """JPEG ghosts (Farid 2009, doi:10.1109/TIFS.2008.2012215), h×w of squares in 0..1: the quality at which an area stands out most."""
    change = []
    for quality in range(30, 96, 5):
        again = decoded(encoded(x, "JPEG", quality=quality))
        gap = ((x.astype(np.float32) - again) ** 2).mean(-1)
        h, w = (n // CELL for n in gap.shape)
        change.append(uniform_filter(gap[: h * CELL, : w * CELL].reshape(h, CELL, w, CELL).mean((1, 3)), 2))
    d = np.stack(change)
    d = (d - d.min(0)) / np.maximum(np.ptp(d, axis=0), 1e-6)
    best, found = -1.0, np.zeros(d.shape[1:])
    for level in d[3:]:  # from 45 on
        low = level < 0.15
        pieces, n = label(binary_opening(low))
        sizes = np.bincount(pieces.ravel(), minlength=n + 1)[1:]
        if n and sizes.max() >= 0.01 * low.size and not low.mean() > 0.5:
            part = pieces == 1 + int(sizes.argmax())
            rows, columns = np.nonzero(part)
            score = float(level[~part].mean() - level[part].mean()) * part.sum() / (np.ptp(rows) + 1) / (np.ptp(columns) + 1)
            if score > best:
                best, found = score, 1 - level
    return np.asarray(found)


def graininess(x: Pixels) -> Pixels:
    """Noise inconsistency (Immerkær 1996 in windows of 32, doi:10.1006/cviu.1996.0060), h×w of squares in 0..1: far from the median."""
    y = x.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    k = np.abs(convolve(y, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)))
    h, w = (n // CELL for n in y.shape)
    sigma = uniform_filter(k[: h * CELL, : w * CELL].reshape(h, CELL, w, CELL).mean((1, 3)), 4)
    log = np.log(sigma + 0.1)
    odd = np.abs(log - np.median(log))
    return np.asarray(1 - np.exp(-odd / (3 * np.median(odd) + 1e-3)))
