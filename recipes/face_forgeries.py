"""Portraits beside five forgeries of each: where they differ, which features that touches, and how it was made.

    python recipes/face_forgeries.py DATA --labels points.json --out BANK      # 840 groups, 0.25 GB; goes on where it stopped

The faces are those of DATA/faces/portraits; points.json: faces by path, as face_views has them. BANK is what forged_faces.py reads.
Beside the groups it holds pieces of photographs of other things, as they are: what a map must leave alone.
A group is one real face and its forgeries, which then travel alike (colours, noise, size, JPEG: the same draws for all):
  self-blend      the face with a changed copy of itself (face_blends)
  swap            another person's face from brows to chin, aligned by the five points, brought to this one's colours
  warp            eyes, nose or mouth stretched, shrunk or moved
  reconstruction  what a low-rate autoencoder leaves of the face, or of all of the picture
  enlarged        the face or a feature reduced and enlarged again: never trained on, for measuring alone
The autoencoder is the best linear one, which is found without training (Bourlard & Kamp 1988, doi:10.1007/BF00332918).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import fold, grid_sample, interpolate, unfold

from assay.nets.face_traces import CHIP, warped
from assay.nets.forged_faces import KINDS, WIDE
from assay.ops.align import TEMPLATE
from assay.ops.fakeness import target
from face_blends import EYES, HALF, at, bank, blend, moved, outline, polygon, shape, softened, straight, travelled
from face_views import faces
from forgeries import photographs, read

PATCH, ATOMS, CODES = 16, 64, (8, 14, 24, 40)  # of the autoencoder: its windows, and how many numbers it keeps of 768
ALTERED, TOUCHED = 0.1, 0.35  # a pixel is altered above this; a feature is touched where more of its pixels are
COUNTS, CHUNK = {"train": 560, "validation": 120, "test": 160}, 40  # groups of each part, and in each file
PIECES = 5  # of each photograph


class Group(NamedTuple):
    """chips: the real face, then one of each kind, K+1×3×192×192 in [0, 1]; maps: how much each differs, K×112×112."""

    chips: Tensor
    maps: Tensor


def full(mask: np.ndarray) -> Tensor:
    return interpolate(torch.from_numpy(mask)[None, None], (CHIP, CHIP), mode="bilinear", align_corners=False)[0]


def area(dice: np.random.Generator, region: int, most: float = 1.0) -> Tensor:
    """A soft mask of a region, 1×192×192, whose maximum is `most`."""
    mask = softened(shape(dice, region), dice)
    return full(mask * (most / max(1e-6, float(mask.max()))))


def swap(real: Tensor, donor: Tensor, dice: np.random.Generator) -> Tensor:
    mask = area(dice, 0, float(dice.choice([0.75, 1.0, 1.0])))
    other = moved(donor, dice)
    inside = mask[0] > 0.5
    (m, s), (n, t) = ((x[:, inside].mean(1)[:, None, None], x[:, inside].std(1)[:, None, None]) for x in (real, other))
    matched = ((other - n) * (s / t.clamp_min(1e-3)).clamp(0.5, 2) + m).clamp(0, 1)
    return mask * matched + (1 - mask) * real


def warp(real: Tensor, dice: np.random.Generator) -> Tensor:
    region = int(dice.integers(1, 4))
    spots = {1: TEMPLATE[:2], 2: TEMPLATE[2:3], 3: (tuple(np.add(TEMPLATE[3], TEMPLATE[4]) / 2),)}[region]
    line = (torch.arange(CHIP) + 0.5) * 2 / CHIP - 1
    v, u = torch.meshgrid(line, line, indexing="ij")
    centres = torch.tensor([[2 * c / HALF - 1 for c in at(*p)] for p in spots]).float()
    near = ((u[..., None] - centres[:, 0]).square() + (v[..., None] - centres[:, 1]).square()).argmin(-1)
    stretch = dice.choice([-1, 1], 2) * dice.uniform(0.1, 0.3, 2)
    shift = dice.normal(0, 0.04, 2) * 2 * EYES / HALF
    weight = area(dice, region)[0]
    x = u + weight * ((u - centres[near][..., 0]) * float(stretch[0]) + float(shift[0]))
    y = v + weight * ((v - centres[near][..., 1]) * float(stretch[1]) + float(shift[1]))
    return grid_sample(real[None], torch.stack([x, y], -1)[None], mode="bicubic", padding_mode="border", align_corners=False)[0].clamp(0, 1)


def atoms(chips: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The mean window, and the 64 directions in which windows vary most: 768, 64×768."""
    dice = np.random.default_rng(seed)
    cut = []
    for x in chips:
        for top, left in dice.integers(0, CHIP - PATCH, (48, 2)):
            cut.append(x[:, top : top + PATCH, left : left + PATCH].float().flatten() / 255)
    windows = torch.stack(cut).double()
    _, basis = torch.linalg.eigh(torch.cov(windows.T))
    return windows.mean(0).float(), basis[:, -ATOMS:].flip(1).T.float().contiguous()


def decoded(x: Tensor, code: tuple[Tensor, Tensor], keep: int) -> Tensor:
    """3×192×192 from `keep` numbers for each window of 16×16, half a window apart; what overlaps is faded over."""
    mean, basis = code[0][:, None], code[1][:keep]
    fade = torch.hann_window(PATCH + 2)[1:-1]
    fade = (fade[:, None] * fade).flatten().repeat(3)[:, None]
    windows = unfold(x[None], PATCH, stride=PATCH // 2)
    again = (basis.T @ (basis @ (windows - mean)) + mean) * fade
    total = fold(fade.expand_as(windows), (CHIP, CHIP), PATCH, stride=PATCH // 2)
    return (fold(again, (CHIP, CHIP), PATCH, stride=PATCH // 2) / total)[0].clamp(0, 1)


def reconstruction(real: Tensor, code: tuple[Tensor, Tensor], dice: np.random.Generator) -> Tensor:
    mask = torch.ones(1, 1, 1) if dice.random() < 1 / 3 else area(dice, 0)
    return mask * decoded(real, code, int(dice.choice(CODES))) + (1 - mask) * real


def enlarged(real: Tensor, dice: np.random.Generator) -> Tensor:
    mask, side = area(dice, int(dice.integers(4))), int(CHIP / dice.uniform(2, 3.5))
    small = interpolate(real[None], (side, side), mode="bilinear", antialias=True, align_corners=False)
    mode = str(dice.choice(["bilinear", "bicubic"]))
    return mask * interpolate(small, (CHIP, CHIP), mode=mode, align_corners=False)[0].clamp(0, 1) + (1 - mask) * real


def group(chip: Tensor, donor: Tensor, code: tuple[Tensor, Tensor], dice: np.random.Generator) -> Group:
    """A face as bytes and one forgery of each kind, before they travel."""
    b = blend(chip, dice)
    real = b.real
    fakes = [b.fake, swap(real, donor.float() / 255, dice), warp(real, dice), reconstruction(real, code, dice), enlarged(real, dice)]
    chips = torch.stack([real, *fakes])
    seen = small(chips)
    return Group(chips, torch.stack([target(x, seen[0]) for x in seen[1:]]))


def small(x: Tensor) -> Tensor:
    return warped(x, straight(1.0).expand(len(x), -1, -1), WIDE).clamp(0, 1)


def features() -> Tensor:
    """Where eyes, brows, nose, mouth and skin of an aligned face lie: 5×112×112."""
    y, x = np.mgrid[:HALF, :HALF] + 0.5

    def oval(px: float, py: float, rx: float, ry: float, lift: float = 0.0) -> np.ndarray:
        cx, cy = at(px, py)
        found: np.ndarray = ((x - cx) / (rx * EYES)) ** 2 + ((y - cy - lift * EYES) / (ry * EYES)) ** 2 < 1
        return found

    left, right, nose, *corners = TEMPLATE
    mouth = np.add(*corners) / 2
    eyes = oval(*left, 0.3, 0.14) | oval(*right, 0.3, 0.14)
    brows = oval(*left, 0.38, 0.11, -0.3) | oval(*right, 0.38, 0.11, -0.3)
    parts = [eyes, brows, oval(*nose, 0.25, 0.35, -0.15), oval(float(mouth[0]), float(mouth[1]), 0.5, 0.2)]
    skin = polygon(outline(), HALF, HALF).numpy() & ~np.any(parts, axis=0)
    both = torch.from_numpy(np.stack([*parts, skin])).float()
    return interpolate(both[None], (WIDE, WIDE), mode="bilinear", align_corners=False)[0] > 0.5


def touched(maps: Tensor, where: Tensor) -> Tensor:
    """Which features each forgery alters, at least the one that it alters most: K×112×112, 5×112×112 → K×5 booleans."""
    share = torch.einsum("khw,rhw->kr", (maps > ALTERED).float(), where.float()) / where.sum((1, 2))
    return (share > TOUCHED) | (share == share.amax(1, keepdim=True)) & (share > 0)


def make(chips: Tensor, code: tuple[Tensor, Tensor], wanted: str, start: int) -> dict[str, Tensor]:
    """Groups of one part, from the `start`th; each depends on its number alone.  The training part lacks the kind left out."""
    kinds = len(KINDS) - (wanted == "train")
    who, where = torch.arange(start, start + CHUNK) % len(chips), features()
    rows, maps, marks = [], [], []
    for i, person in enumerate(who.tolist(), start):
        dice = np.random.default_rng([i, len(wanted), 5])
        other = (person + 1 + int(dice.integers(len(chips) - 1))) % len(chips)
        g = group(chips[person], chips[other], code, dice)
        way = int(dice.integers(1 << 31))
        seen = small(torch.stack([travelled(x, way) for x in g.chips[: kinds + 1]]))
        rows.append((255 * seen).round().byte()), maps.append((255 * g.maps[:kinds]).round().byte())
        marks.append(touched(g.maps[:kinds], where))
    return {"chips": torch.stack(rows), "maps": torch.stack(maps), "locals": torch.stack(marks), "who": who}


def pieces(paths: list[Path]) -> Tensor:
    """Of every photograph a few squares, reduced as faces are, and travelled as faces do: N×3×112×112 bytes."""
    out = []
    for path in paths:
        dice = np.random.default_rng([len(out), 6])
        x = torch.from_numpy(read(path, dice)).permute(2, 0, 1).float() / 255
        for _ in range(PIECES):
            side = int(dice.integers(CHIP, min(x.shape[1:]) + 1))  # the photographs are all larger
            top, left = (int(dice.integers(n - side + 1)) for n in x.shape[1:])
            square = x[None, :, top : top + side, left : left + side]
            chip = interpolate(square, (CHIP, CHIP), mode="bilinear", antialias=True, align_corners=False)[0]
            out.append(small(travelled(chip, int(dice.integers(1 << 31)))[None])[0])
    return (255 * torch.stack(out)).round().byte()


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--labels", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    labels = faces(given.labels)
    for wanted, count in COUNTS.items():
        missing = [i for i in range(0, count, CHUNK) if not (given.out / f"{wanted}-{i:04}.pt").exists()]
        chips = bank(given.data, labels, wanted)[1] if missing else torch.empty(0)
        if wanted == "train" and not (given.out / "autoencoder.pt").exists():
            torch.save(atoms(chips), given.out / "autoencoder.pt")
        code = torch.load(given.out / "autoencoder.pt", weights_only=True)
        for i in missing:
            torch.save(make(chips, code, wanted, i), given.out / "part")
            (given.out / "part").replace(given.out / f"{wanted}-{i:04}.pt")
            print(f"{wanted}: {i + CHUNK} of {count}", flush=True)
        others = given.out / f"photographs-{wanted}.pt"
        if not others.exists():
            torch.save(pieces(photographs(given.data, {"validation": "interval"}.get(wanted, wanted))), others)


if __name__ == "__main__":
    main()
