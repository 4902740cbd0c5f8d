"""Self-blended faces: a real face, and the same face blended with a changed copy of itself.

After Shiohara & Yamasaki 2022 (arXiv:2204.08376), written anew. Five points are enough here: chips are aligned, so the outline of a
mean face fits all of them. Half of the blends change the whole face, the others eyes, nose or mouth only (as the local edits of
BLADES do, arXiv:2507.22824). Real and blended travel alike: same colours, same size, same JPEG.

    python recipes/face_blends.py DATA --labels points.json --out BANK [--pairs 4000]      # 4 minutes on a quiet core, 1.2 GB

DATA/faces/portraits alone is used; points.json: faces by path, as face_views has them. BANK is what exif_faces and self_blended read.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates, zoom
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate

from assay.nets.face_traces import CHIP as WIDE
from assay.nets.face_traces import MARGIN, REGIONS, warped
from assay.ops.align import SIDE as TEMPLATE_SIDE
from assay.ops.align import TEMPLATE, chips, similarity
from assay.ops.facemask import OUTLINE, POINTS, polygon
from assay.types import Face
from face_views import faces, main_face, part, picture

HALF = WIDE // 2  # masks are drawn at half size
CHANCES = (0.55, 0.15, 0.15, 0.15)
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)  # the authors' blending ratios
ARRAY = np.ndarray


class Blend(NamedTuple):
    """3×192×192 in [0, 1] each; mask: 96×96, how much of the copy shows where."""

    fake: Tensor
    real: Tensor
    mask: Tensor
    region: int


def bank(data: Path, labels: dict[str, list[Face]], wanted: str) -> tuple[list[str], Tensor]:
    """Names, and chips N×3×192×192 as bytes, of one part of the portraits."""
    names, out = [], []
    for path in sorted((data / "faces/portraits").glob("*.jpg")):
        face = main_face(labels.get(f"faces/portraits/{path.name}", []))
        if part(path.name) == wanted and face:
            names.append(path.name)
            out.append((chips(picture(path), [face], side=WIDE, margin=MARGIN)[0] * 255).round().byte())
    return names, torch.stack(out)


def at(x: float, y: float) -> tuple[float, float]:
    """A place on the recognition template, on a mask."""
    times = HALF / (TEMPLATE_SIDE * (1 + MARGIN))
    return (x + TEMPLATE_SIDE * MARGIN / 2) * times, (y + TEMPLATE_SIDE * MARGIN / 2) * times


def outline() -> Tensor:
    """Jaw and brows of a mean face, on a mask."""
    turn = similarity(torch.tensor(POINTS, dtype=torch.float64), torch.tensor([at(*p) for p in TEMPLATE], dtype=torch.float64))
    return torch.tensor(OUTLINE, dtype=torch.float64) @ turn[:, :2].T + turn[:, 2]


EYES = HALF * 35.2 / (TEMPLATE_SIDE * (1 + MARGIN))  # pixels between the eyes, on a mask


def shape(dice: np.random.Generator, region: int) -> ARRAY:
    """A hard mask of a part of the face, 96×96, a little larger, smaller or aside each time."""
    y, x = np.mgrid[:HALF, :HALF] + 0.5
    if region == 0:
        corners = outline()
        middle = corners.mean(0)
        grown = torch.tensor(dice.uniform(0.85, 1.12, 2)) * (corners - middle) + middle + torch.tensor(dice.normal(0, 0.05 * EYES, 2))
        mask = polygon(grown, HALF, HALF).numpy()
        if dice.random() < 0.35:  # without forehead, without chin, or one side of it
            turn = dice.choice([0.5, -0.5, 0.0, 1.0]) * np.pi + dice.normal(0, 0.15)
            far = (x - float(middle[0])) * np.cos(turn) + (y - float(middle[1])) * np.sin(turn)
            mask = mask & (far < dice.uniform(0.1, 0.6) * EYES)
        return mask.astype(np.float32)
    spots = {1: (TEMPLATE[0], TEMPLATE[1]), 2: (TEMPLATE[2],), 3: (tuple(np.add(TEMPLATE[3], TEMPLATE[4]) / 2),)}[region]
    wide, high = {1: (0.42, 0.26), 2: (0.32, 0.45), 3: (0.6, 0.32)}[region]
    mask = np.zeros((HALF, HALF), bool)
    grow, lift = dice.uniform(0.85, 1.3, 2), (-0.2 if region == 2 else 0.0)
    for px, py in spots:
        cx, cy = at(px, py)
        away = ((x - cx) / (wide * EYES * grow[0])) ** 2 + ((y - cy - lift * EYES) / (high * EYES * grow[1])) ** 2
        mask |= away < 1
    return mask.astype(np.float32)


def softened(mask: ARRAY, dice: np.random.Generator) -> ARRAY:
    """Bent, smoothed, eaten away from outside and smoothed again, as the authors do; its maximum is one of RATIOS."""
    bend = [zoom(dice.normal(0, 1, (7, 7)), HALF / 7, order=3)[:HALF, :HALF] * dice.uniform(0, 0.07) * EYES for _ in range(2)]
    y, x = np.mgrid[:HALF, :HALF].astype(np.float32)
    mask = map_coordinates(mask, [y + bend[0], x + bend[1]], order=1, mode="constant")
    first = gaussian_filter(mask, dice.uniform(0.5, 3))
    eaten = np.where(first > 0.9 * first.max(), first, 0) if first.max() > 0.5 else mask
    soft = gaussian_filter(eaten, dice.uniform(0.5, 4))
    edge = np.minimum.outer(*(np.minimum(np.arange(HALF), np.arange(HALF)[::-1]) for _ in range(2))).clip(0, 3) / 3  # none at the border
    soft = soft * edge
    return (soft / max(1e-6, soft.max()) * dice.choice(RATIOS)).astype(np.float32)


def coloured(x: Tensor, dice: np.random.Generator, much: float) -> Tensor:
    """Shifted channels, saturation, contrast, brightness, gamma."""
    if dice.random() < 0.5:
        x = x + much * torch.tensor(dice.uniform(-0.08, 0.08, (3, 1, 1))).float()
    grey = x.mean(0, keepdim=True)
    x = grey + (x - grey) * float(1 + much * dice.uniform(-0.4, 0.4))
    x = (x - 0.5) * float(1 + much * dice.uniform(-0.15, 0.15)) + 0.5 + float(much * dice.uniform(-0.1, 0.1))
    return x.clamp(1e-4, 1) ** float(1 + much * dice.uniform(-0.2, 0.2))


def detailed(x: Tensor, dice: np.random.Generator) -> Tensor:
    """Softer, sharper, noisier or more compressed."""
    way = int(dice.integers(6))
    n = x.shape[-1]
    if way == 0:
        small = interpolate(x[None], scale_factor=float(dice.choice([0.5, 0.5, 0.25])), mode="nearest")
        return interpolate(small, (n, n), mode="bilinear", align_corners=False)[0]
    if way in (1, 2):
        blurred = torch.from_numpy(gaussian_filter(x.numpy(), (0, *(float(dice.uniform(0.5, 1.5)),) * 2)))
        return blurred if way == 1 else (x + float(dice.uniform(0.3, 1.2)) * (x - blurred)).clamp(0, 1)
    if way == 3:
        return jpeg(x, int(dice.integers(40, 95)))
    if way == 4:
        return (x + torch.from_numpy(dice.normal(0, dice.uniform(0.004, 0.02), x.shape)).float()).clamp(0, 1)
    return x


def jpeg(x: Tensor, quality: int) -> Tensor:
    """As it comes back from a JPEG file."""
    out = io.BytesIO()
    Image.fromarray((x.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()).save(out, "JPEG", quality=quality)
    with Image.open(out) as im:
        return torch.from_numpy(np.asarray(im).copy()).permute(2, 0, 1).float() / 255


def moved(x: Tensor, dice: np.random.Generator) -> Tensor:
    """A little larger or smaller, aside and turned."""
    turn, times = dice.normal(0, 0.015), dice.uniform(0.95, 1.053)
    c, s = np.cos(turn) / times, np.sin(turn) / times
    theta = torch.tensor([[c, -s, dice.uniform(-0.06, 0.06)], [s, c, dice.uniform(-0.03, 0.03)]]).float()
    return sampled(x, theta, x.shape[-1])


def sampled(x: Tensor, theta: Tensor, side: int) -> Tensor:
    grid = affine_grid(theta[None], [1, x.shape[0], side, side], align_corners=False)
    return grid_sample(x[None], grid, padding_mode="border", align_corners=False)[0]


def blend(chip: Tensor, dice: np.random.Generator, *, ratio: float | None = None) -> Blend:
    """One chip, bytes or in [0, 1], blended with a changed copy of itself.  ratio: of the copy where it shows most; drawn if None."""
    x = chip.float() / 255 if chip.dtype == torch.uint8 else chip
    if dice.random() < 0.5:
        x = x.flip(2)
    region = int(dice.choice(len(REGIONS), p=CHANCES))
    changed = detailed(coloured(x, dice, 1.0), dice)
    source, target = (changed, x) if dice.random() < 0.5 else (x, changed)
    source = moved(source, dice)
    mask = torch.from_numpy(softened(shape(dice, region), dice))
    if ratio is not None:
        mask = mask * (ratio / max(1e-6, float(mask.max())))
    m = interpolate(mask[None, None], (WIDE, WIDE), mode="bilinear", align_corners=False)[0]
    return Blend((m * source + (1 - m) * target).clamp(0, 1), target, mask, region)


def travelled(x: Tensor, seed: int) -> Tensor:
    """What happens to a picture on its way; the same for the same seed."""
    dice = np.random.default_rng(seed)
    if dice.random() < 0.5:
        x = coloured(x, dice, 0.6)
    if dice.random() < 0.3:
        x = (x + torch.from_numpy(dice.normal(0, dice.uniform(0.002, 0.02), x.shape)).float()).clamp(0, 1)
    n = x.shape[-1]
    if dice.random() < 0.4:
        size = int(n * dice.uniform(0.5, 1))
        x = interpolate(x[None], (size, size), mode="bicubic", antialias=True, align_corners=False)[0].clamp(0, 1)
    if dice.random() < 0.6:
        x = jpeg(x, int(dice.integers(50, 100)))
    return x if x.shape[-1] == n else interpolate(x[None], (n, n), mode="bilinear", align_corners=False)[0]


class Bank:
    """Pairs made before: real and fake as bytes, which of the portraits, mask and region."""

    def __init__(self, folder: Path, wanted: str) -> None:
        with np.load(folder / f"{wanted}.npz") as z:
            self.names, self.who, self.regions = z["names"].tolist(), z["who"], torch.from_numpy(z["regions"])
        self.both = np.load(folder / f"{wanted}_chips.npy", mmap_mode="r")  # N×2×3×192×192
        self.masks = np.load(folder / f"{wanted}_masks.npy", mmap_mode="r")  # N×96×96

    def __len__(self) -> int:
        return len(self.who)

    def views(self, rows: ARRAY, dice: np.random.Generator | None, side: int, share: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """Real, fake: n×3×side×side each; what of the mask is seen at one place in eight: n×1×side/8×side/8.

        dice: draws how each pair is turned, shifted and flipped; None looks straight.
        """
        both = torch.from_numpy(self.both[rows]).flatten(1, 2).float() / 255
        masks = torch.from_numpy(self.masks[rows])[:, None].float() / 255
        theta = torch.stack([straight(share) if dice is None else crooked(dice, share) for _ in rows])
        seen = warped(both, theta, side).clamp(0, 1)
        return seen[:, :3], seen[:, 3:], avg_pool2d(warped(masks, theta, side), 8)


def straight(share: float) -> Tensor:
    return torch.tensor([[share, 0, 0], [0, share, 0]])


def crooked(dice: np.random.Generator, share: float) -> Tensor:
    """A square of a chip, turned, shifted and flipped; `share` of its width."""
    turn, times, flip = dice.normal(0, 0.05), share * dice.uniform(0.92, 1.08), dice.choice([-1, 1])
    c, s = float(np.cos(turn) * times), float(np.sin(turn) * times)
    return torch.tensor([[c * flip, -s, dice.uniform(-0.05, 0.05)], [s * flip, c, dice.uniform(-0.05, 0.05)]])


def make(chips_: Tensor, names: list[str], out: Path, wanted: str, count: int) -> None:
    """So many pairs of one part, saved as three files; each pair depends on its number alone."""
    both = np.lib.format.open_memmap(out / f"{wanted}_chips.npy", "w+", np.uint8, (count, 2, 3, WIDE, WIDE))
    masks = np.lib.format.open_memmap(out / f"{wanted}_masks.npy", "w+", np.uint8, (count, HALF, HALF))
    who, regions = np.arange(count) % len(chips_), np.zeros(count, np.int64)
    for i in range(count):
        dice = np.random.default_rng([i, len(wanted)])
        b = blend(chips_[who[i]], dice)
        way = int(dice.integers(1 << 31))
        both[i] = (255 * torch.stack([travelled(b.real, way), travelled(b.fake, way)])).round().byte().numpy()
        masks[i], regions[i] = (255 * b.mask).round().byte().numpy(), b.region
        if i % 200 == 199:
            print(f"{wanted}: {i + 1} of {count}", flush=True)
    both.flush(), masks.flush()
    np.savez(out / f"{wanted}.npz", names=np.array(names), who=who, regions=regions)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--labels", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--pairs", type=int, default=4000)
    given = ask.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    labels = faces(given.labels)
    for wanted, share in (("train", 1.0), ("validation", 0.15), ("test", 0.15)):
        if not (given.out / f"{wanted}.npz").exists():
            names, chips_ = bank(given.data, labels, wanted)
            torch.save(chips_, given.out / f"{wanted}_plain.pt")
            make(chips_, names, given.out, wanted, max(1, int(given.pairs * share)))


if __name__ == "__main__":
    main()
