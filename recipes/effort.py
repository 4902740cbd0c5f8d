"""Trains Effort: CLIP's image tower learns to tell fakes from photographs by a few faint directions of its attention.

    python recipes/effort.py CLIP.pt FOLDER --out effort.pth --minutes 60 [--free 1] [--orthogonality 1] [--spectrum 1]

CLIP.pt: ViT-L/14 of OpenAI or transformers. FOLDER: pictures below real/ and fake/, any depth; one in five, by the hash of its name,
is held out, and the AUC on those is printed. `file=effort.pth` gives the result to the card `effort`, which reads it as it reads the
authors' own. A run goes on from --out where that exists.

As released: 224×224, Adam 2e-4, batches of 32; flips, turns up to 10°, blur, brightness and contrast ±.1, JPEG 40 to 100. The paper
adds two terms that the release has switched off; here they are on, as in the paper, and averaged over the layers. Weight decay, 5e-4
as released, spares the singular values: with one free direction a layer it would take that direction away.
Both classes get the very same draws; they must not differ by file format, size or crop before.
The share of directions that hold 95 % of the features' variance is printed: naive fine-tuning lets it fall to a few.
No such training was run to the end here: it needs CLIP's file and a GPU. The test runs it on a small random tower.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.functional import cross_entropy

from assay.authenticity.effort import squeezed
from assay.nets.clip_vit import load, standardised
from assay.nets.effort import Effort, layers, split

BATCH, RATE, DECAY = 32, 2e-4, 5e-4
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def pictures(folder: Path, *, held: bool) -> list[tuple[Path, int]]:
    """Paths and 0 (real) or 1 (fake)."""
    every = ((p, y) for y, name in enumerate(("real", "fake")) for p in sorted((folder / name).rglob("*")))
    return [(p, y) for p, y in every if p.suffix.lower() in SUFFIXES and (hashlib.sha256(p.name.encode()).digest()[0] % 5 == 0) == held]


def disturbed(im: Image.Image, dice: random.Random) -> Image.Image:
    if dice.random() < 0.5:
        im = im.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if dice.random() < 0.5:
        im = im.rotate(dice.uniform(-10, 10), Image.Resampling.BILINEAR)
    if dice.random() < 0.5:
        im = im.filter(ImageFilter.GaussianBlur(dice.uniform(0.5, 1.4)))  # about the standard deviations of kernels 3 to 7
    if dice.random() < 0.5:
        im = ImageEnhance.Contrast(ImageEnhance.Brightness(im).enhance(dice.uniform(0.9, 1.1))).enhance(dice.uniform(0.9, 1.1))
    out = io.BytesIO()
    im.save(out, "JPEG", quality=dice.randint(40, 100))
    with Image.open(out) as saved:
        return saved.convert("RGB")


def pixels(path: Path, side: int, dice: random.Random | None) -> Tensor:
    with Image.open(path) as im:
        im = im.convert("RGB")
    if dice is not None:
        im = disturbed(im, dice)
    return squeezed(torch.from_numpy(np.asarray(im).copy()).permute(2, 0, 1), side)


def loss(net: Effort, x: Tensor, y: Tensor, *, orthogonality: float = 1.0, spectrum: float = 1.0) -> Tensor:
    """Cross-entropy, and how far the split layers have left what holds them."""
    every = list(layers(net))
    held = sum(orthogonality * m.orthogonality() + spectrum * m.spectrum() for m in every) / len(every)
    return cross_entropy(net(standardised(x)), y) + held


def wheel(net: Effort) -> torch.optim.Adam:
    loose = {id(m.S_residual) for m in layers(net)}
    wanted = [p for p in net.parameters() if p.requires_grad]
    groups = [{"params": [p for p in wanted if id(p) not in loose]}, {"params": [p for p in wanted if id(p) in loose], "weight_decay": 0}]
    return torch.optim.Adam(groups, lr=RATE, weight_decay=DECAY)


def train(net: Effort, folder: Path, out: Path, *, minutes: float, steps: int = 1 << 30, seed: int = 1024, **terms: float) -> int:
    """Train until the time is up or the steps are done; how many were done comes back."""
    shown, start, step = [pictures(folder, held=False), pictures(folder, held=True)], time.monotonic(), 0
    by_class = [[p for p, y in shown[0] if y == wanted] for wanted in (0, 1)]
    if not all(by_class):
        raise SystemExit(f"{folder} must hold pictures in real/ and in fake/.")
    turning = wheel(net)
    if out.exists():
        kept = torch.load(out, weights_only=True)
        net.load_state_dict(kept["state_dict"])
        turning.load_state_dict(kept["wheel"])
        step = kept["step"]
    saved = start
    while step < steps and time.monotonic() - start < 60 * minutes:
        dice, rows = random.Random(f"{seed} {step}"), []
        for _ in range(BATCH // 2):
            draws = dice.randrange(1 << 30)  # the same for both classes
            rows += [pixels(dice.choice(of), net.shape.side, random.Random(draws)) for of in by_class]
        lost = loss(net, torch.stack(rows), torch.tensor([0, 1] * (BATCH // 2)), **terms)
        turning.zero_grad()
        lost.backward()
        turning.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step}: loss {float(lost.detach()):.4f}", flush=True)
        if time.monotonic() - saved > 180:
            keep(net, turning, step, out)
            saved = time.monotonic()
    keep(net, turning, step, out)
    if shown[1]:
        area, share = judged(net, shown[1])
        print(f"{step} steps; held out: AUC {area:.3f}, {share:.0%} of the directions hold 95 % of the features' variance", flush=True)
    return step


def keep(net: Effort, turning: torch.optim.Adam, step: int, out: Path) -> None:
    torch.save({"state_dict": net.state_dict(), "wheel": turning.state_dict(), "step": step}, out.with_suffix(".part"))
    out.with_suffix(".part").replace(out)


@torch.no_grad()
def judged(net: Effort, some: list[tuple[Path, int]]) -> tuple[float, float]:
    """AUC (NaN where a class is missing), and the effective rank of the features as a share of their number."""
    features = torch.cat([net.backbone(standardised(pixels(p, net.shape.side, None)[None])) for p, _ in some])
    y = np.array([y for _, y in some])
    logits = net.head(features)
    n, m = (y == 1).sum(), (y == 0).sum()
    area = float((rankdata((logits[:, 1] - logits[:, 0]).numpy())[y == 1].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")
    return area, components(features) / features.shape[1]


def components(features: Tensor, share: float = 0.95) -> int:
    """How many principal components hold that share of the variance."""
    spread = torch.linalg.svdvals(features - features.mean(0)).square()
    return int((spread.cumsum(0) / spread.sum() < share).sum()) + 1


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("clip")
    ask.add_argument("folder", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--minutes", type=float, default=60)
    ask.add_argument("--free", type=int, default=1, help="directions a layer that may change")
    ask.add_argument("--orthogonality", type=float, default=1.0)
    ask.add_argument("--spectrum", type=float, default=1.0)
    given = ask.parse_args()
    torch.manual_seed(1024)
    net = split(load(given.clip, instead=""), free=given.free)
    train(net, given.folder, given.out, minutes=given.minutes, orthogonality=given.orthogonality, spectrum=given.spectrum)


if __name__ == "__main__":
    main()
