"""Views of portraits: the training data of the face recogniser and of what is judged with it.

One picture of each person must do, so every other view is made: turned, bent, lit, covered and damaged. More "people" are made by
joining the upper half of one face and the lower half of another, which teaches the net to look at all of a face.
The faces' points come from a JSON file, {path under DATA: [{"box", "points", "confidence"}, …]}, made by assay's own finder.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, interpolate, pad

from assay.ops.align import SIDE as TEMPLATE_SIDE
from assay.ops.align import TEMPLATE, chips
from assay.types import Face

WIDE = 128  # pixels of a cached chip, which shows half a template more than the net sees
MARGIN = 0.5
SIDE = 64


def part(name: str) -> str:
    """The split that every recipe on these portraits keeps, by the hash of the file's name."""
    return {0: "test", 1: "validation"}.get(hashlib.sha256(name.encode()).digest()[0] % 5, "train")


def picture(path: Path) -> Tensor:
    """3×H×W in [0, 1]."""
    with Image.open(path) as im:
        return torch.from_numpy(np.asarray(im.convert("RGB")).copy()).permute(2, 0, 1).float() / 255


def faces(labels: Path) -> dict[str, list[Face]]:
    rows = json.loads(labels.read_text("utf-8"))
    return {
        name: [Face(tuple(f["box"]), tuple(map(tuple, f["points"])), min(1.0, max(0.0, f["confidence"]))) for f in found]
        for name, found in rows.items()
    }


def main_face(found: list[Face]) -> Face | None:
    return max(found, key=lambda f: f.size, default=None)


def portraits(data: Path, labels: dict[str, list[Face]], wanted: str) -> tuple[list[str], Tensor]:
    """Names, and wide chips N×3×128×128 as bytes, of one part of the portraits."""
    names, out = [], []
    for path in sorted((data / "faces/portraits").glob("*.jpg")):
        face = main_face(labels.get(f"faces/portraits/{path.name}", []))
        if part(path.name) == wanted and face:
            names.append(path.name)
            out.append(chips(picture(path), [face], side=WIDE, margin=MARGIN)[0])
    return names, (torch.stack(out) * 255).round().byte()


def composites(wide: Tensor, count: int, seed: int = 0) -> Tensor:
    """New people: the upper part of one and the lower part of another, brought to one tone, and bent a little, always the same way."""
    dice = np.random.default_rng(seed)
    pairs = np.stack([dice.choice(len(wide), 2, replace=False) for _ in range(count)])
    a, b = wide[pairs[:, 0]].float() / 255, wide[pairs[:, 1]].float() / 255
    middle = slice(WIDE // 4, 3 * WIDE // 4)
    for t in (b,):
        mean, spread = t[:, :, middle, middle].mean((2, 3), keepdim=True), t[:, :, middle, middle].std((2, 3), keepdim=True)
        want = a[:, :, middle, middle].mean((2, 3), keepdim=True), a[:, :, middle, middle].std((2, 3), keepdim=True)
        b = ((t - mean) / spread * want[1] + want[0]).clamp(0, 1)
    rows = (torch.arange(WIDE) + 0.5) / WIDE
    turn = torch.tensor(dice.uniform(0.5, 0.62, count)).float()  # between the tip of the nose and the mouth
    mask = ((rows[None] - turn[:, None]) * 30).sigmoid()[:, None, :, None]
    joined = a * (1 - mask) + b * mask
    generator = torch.Generator().manual_seed(seed)
    return (bend(joined, WIDE, identity(count), 0.03, generator).clamp(0, 1) * 255).round().byte()


def identity(n: int) -> Tensor:
    return torch.eye(2, 3).expand(n, 2, 3)


def bend(x: Tensor, side: int, theta: Tensor, force: float | Tensor, generator: torch.Generator, yaw: Tensor | None = None) -> Tensor:
    """Pictures read along an affine map, a smooth random field (4×4 knots, `force` of half a side) and a turn of the head."""
    n = len(x)
    line = (torch.arange(side) + 0.5) * 2 / side - 1
    v, u = torch.meshgrid(line, line, indexing="ij")
    base = torch.stack([u, v, torch.ones_like(u)], -1)
    at = torch.einsum("nij,hwj->nhwi", theta, base)
    knots = torch.randn(n, 2, 4, 4, generator=generator) * force
    at = at + interpolate(knots, [side, side], mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    if yaw is not None:  # a cylinder of radius 1.2 seen turned: what is turned away is drawn together
        x0 = at[..., 0].clamp(-1.15, 1.15)
        depth = (1.2**2 - x0.square()).clamp_min(0.05).sqrt()
        swing = yaw[:, None, None]
        turned = x0 * swing.cos() + (depth - 0.9) * swing.sin()
        at = torch.stack([turned, at[..., 1]], -1)
    return grid_sample(x, at, mode="bilinear", padding_mode="border", align_corners=False)


def views(wide: Tensor, generator: torch.Generator, *, hard: float | Tensor = 1.0) -> Tensor:
    """One random view of each wide chip: N×3×128×128 bytes → N×3×64×64 in [0, 1].  hard: 0 spares the damage, 1 is training."""
    n = len(wide)
    strength = torch.as_tensor(hard).float().expand(n)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator)

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return torch.rand(*size, generator=generator) * (high - low) + low

    turn, scale = normal(n) * 0.07, (normal(n) * 0.06).exp() / (1 + MARGIN)
    flip = (uniform(0, 1, n) < 0.5).float() * -2 + 1
    c, s = turn.cos() * scale, turn.sin() * scale
    shift = normal(n, 2) * 0.025
    theta = torch.stack([torch.stack([c * flip, -s, shift[:, 0]], 1), torch.stack([s * flip, c, shift[:, 1]], 1)], 1)
    theta = theta + torch.cat([normal(n, 2, 2) * 0.02, torch.zeros(n, 2, 1)], 2)
    x = bend(wide.float() / 255, SIDE, theta, 0.015, generator, yaw=normal(n) * 0.2)
    x = lit(x, normal, uniform)
    x = covered(x, strength, uniform)
    return damaged(x, strength, normal, uniform)


def lit(x: Tensor, normal, uniform) -> Tensor:  # type: ignore[no-untyped-def]
    """Light from a side, shadows, exposure, contrast, tint; a third lose their colour."""
    n = len(x)
    line = (torch.arange(SIDE) + 0.5) * 2 / SIDE - 1
    v, u = torch.meshgrid(line, line, indexing="ij")
    way = normal(n, 2, 1, 1) * 0.45
    slope = way[:, 0] * u + way[:, 1] * v
    blob = interpolate(normal(n, 1, 3, 3) * 0.3, [SIDE, SIDE], mode="bicubic", align_corners=True)[:, 0]
    edge = uniform(-1, 1, n, 1, 1)
    angle = uniform(0, 2 * math.pi, n, 1, 1)
    shadow = (
        1
        - (uniform(0, 1, n, 1, 1) < 0.25).float()
        * uniform(0.2, 0.75, n, 1, 1)
        * ((angle.cos() * u + angle.sin() * v - edge) * uniform(3, 15, n, 1, 1)).sigmoid()
    )
    x = x.clamp(0.001, 1) ** (normal(n, 1, 1, 1) * 0.25).exp()
    x = x * ((slope + blob).exp() * shadow)[:, None] * (normal(n, 3, 1, 1) * 0.08 + normal(n, 1, 1, 1) * 0.2).exp()
    mean = x.mean((1, 2, 3), keepdim=True)
    x = ((x - mean) * (normal(n, 1, 1, 1) * 0.25).exp() + mean).clamp(0, 1)
    mix = uniform(0, 1, n, 3, 1, 1)
    grey = (x * mix / mix.sum(1, keepdim=True)).sum(1, keepdim=True)
    return torch.where(uniform(0, 1, n, 1, 1, 1) < 0.35, grey.expand_as(x), x)


def covered(x: Tensor, strength: Tensor, uniform) -> Tensor:  # type: ignore[no-untyped-def]
    """A quarter have a rectangle of one colour or of noise before the face."""
    n = len(x)
    pixel = torch.arange(SIDE)
    high, wide = uniform(8, 36, n), uniform(8, 36, n)
    top, left = uniform(0, SIDE, n) - high / 2, uniform(0, SIDE, n) - wide / 2
    rows = (pixel >= top[:, None]) & (pixel < (top + high)[:, None])
    columns = (pixel >= left[:, None]) & (pixel < (left + wide)[:, None])
    hidden = rows[:, :, None] & columns[:, None] & (uniform(0, 1, n) < 0.25 * strength)[:, None, None]
    filling = torch.where(uniform(0, 1, n, 1, 1, 1) < 0.5, uniform(0, 1, n, 3, 1, 1).expand_as(x), uniform(0, 1, *x.shape))
    return torch.where(hidden[:, None], filling, x)


def damaged(x: Tensor, strength: Tensor, normal, uniform) -> Tensor:  # type: ignore[no-untyped-def]
    """Blur, lost resolution, noise and JPEG, each on some of the pictures."""
    n = len(x)
    blur = uniform(0, 1, n) < 0.35 * strength
    if blur.any():
        x = x.clone()
        x[blur] = blurred(x[blur], 0.3 + uniform(0, 1, int(blur.sum())) ** 1.5 * 2.7 * strength[blur])
    small = (uniform(0, 1, n) < 0.3 * strength).nonzero()[:, 0]
    for share in small.chunk(3) if len(small) else ():  # one size for a third of them
        side = int(SIDE / (1.2 + float(uniform(0, 1, 1)) ** 1.5 * 4.3 * float(strength[share].mean())))
        low = interpolate(x[share], [side, side], mode="bilinear", antialias=True, align_corners=False)
        x[share] = interpolate(low, [SIDE, SIDE], mode="bicubic", align_corners=False).clamp(0, 1)
    sigma = uniform(0, 1, n) ** 2 * 0.15 * strength * (uniform(0, 1, n) < 0.4).float()
    x = (x + sigma[:, None, None, None] * normal(*x.shape)).clamp(0, 1)
    for i in (uniform(0, 1, n) < 0.25 * strength).nonzero()[:, 0].tolist():
        x[i] = jpeg(x[i], int(uniform(8, 80, 1)))
    return x


def blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """Each picture with its own Gaussian."""
    n, c, h, w = x.shape
    reach = 8
    i = torch.arange(-reach, reach + 1.0)
    taps = torch.exp(-(i**2) / (2 * sigma[:, None] ** 2))
    taps = (taps / taps.sum(1, keepdim=True)).repeat_interleave(c, 0)
    flat = pad(x.reshape(1, n * c, h, w), (reach,) * 4, mode="reflect")
    flat = conv2d(flat, taps[:, None, :, None], groups=n * c)
    return conv2d(flat, taps[:, None, None, :], groups=n * c).view(n, c, h, w)


def jpeg(x: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    Image.fromarray((x * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.asarray(Image.open(file)).copy()).permute(2, 0, 1).float() / 255


def shaded(x: Tensor, face: Face, azimuth: float, elevation: float, ambient: float = 0.15) -> Tensor:
    """A portrait lit by one lamp: the head is half an ellipsoid with matte skin, what faces away keeps the ambient light.

    3×H×W → the same.  Angles in degrees from the camera; this light is not among those of training.
    """
    h, w = x.shape[1:]
    points = torch.tensor(face.points)
    centre = (points[:2].mean(0) + points[3:].mean(0)) / 2
    unit = face.eye_distance
    v, u = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    a, b = (u - centre[0]) / (1.35 * unit), (v - centre[1]) / (1.9 * unit)
    z = (1 - a.square() - b.square()).clamp_min(0.02).sqrt()
    normal = torch.stack([a / 1.35, b / 1.9, z / 1.35])
    normal = normal / normal.norm(dim=0)
    az, el = math.radians(azimuth), math.radians(elevation)
    lamp = torch.tensor([math.sin(az) * math.cos(el), -math.sin(el), math.cos(az) * math.cos(el)])
    light = ambient + (1 - ambient) * (normal * lamp[:, None, None]).sum(0).clamp_min(0)
    linear = x.clamp(0, 1) ** 2.2 * light * 1.2
    return linear.clamp(0, 1) ** (1 / 2.2)


def jittered(face: Face, share: float, dice: np.random.Generator) -> Face:
    """The points as a finder that errs by that share of the eye distance would give them."""
    off = dice.normal(0, share * face.eye_distance, (5, 2))
    moved = tuple((float(x + dx), float(y + dy)) for (x, y), (dx, dy) in zip(face.points, off, strict=True))
    return Face(face.box, moved, face.confidence)


def template(margin: float, side: int) -> Tensor:
    return (torch.tensor(TEMPLATE) + TEMPLATE_SIDE * margin / 2) * side / (TEMPLATE_SIDE * (1 + margin))
