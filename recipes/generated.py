"""Trains `generated-assay`, the detector of generated pictures that ships with the package.

    python recipes/reconstructions.py train DATA --out BANK && python recipes/reconstructions.py bank DATA --out BANK
    python recipes/generated.py train BANK --steps 3000 --out RUN
    python recipes/generated.py positive BANK --steps 200 --out RUN      # optional: Stay-Positive, see below
    python recipes/generated.py export RUN --out src/assay/weights/generated_assay.safetensors

Aligned pairs (Rajan et al. 2024, arXiv:2410.11835): a batch is crops of photographs and one reconstruction of each, cut, mirrored,
resized, blurred, made noisy, brightened and compressed by the very same draws (`Draw`), so that nothing but the decoder's trace
tells them apart. With a reconstruction that changes nothing both halves are equal, byte for byte (tested).
`positive` trains the last layer alone once more with weights that cannot fall below 0 (Stay-Positive, Rajan & Lee 2025,
arXiv:2502.07778), so that evidence can only add to "generated".
A run goes on where it stopped: the last checkpoint (every --watch steps) holds everything, and draws depend on the step alone.
Decoders whose reconstructions arrive in BANK while it runs join it at the next checkpoint.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from safetensors.torch import save_file
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.fusion import fuse_conv_bn_eval

from assay.nets.generated import SIDE, Generated

Bytes = NDArray[np.uint8]
PAIRS, RATE, DECAY, AVERAGE = 20, 1.5e-3, 2e-3, 0.995
LEARNED = 64  # pixels a side of what the net learns from: twice as fast as what it will judge
FILTERS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.HAMMING)


@dataclass(frozen=True)
class Draw:
    """What happens to a crop, all of it decided before."""

    turn: int  # quarter turns; 4 and more are mirrored
    scale: float
    filter: int
    place: tuple[float, float]
    blur: float
    sharpen: float
    noise: float
    seed: int
    light: tuple[float, float]  # gamma, gain
    grey: bool
    codec: str  # "", "JPEG", "WEBP"
    quality: int
    subsampling: int
    again: int  # quality of a second JPEG save; 0 means none
    cut: tuple[int, int]


def draw(dice: random.Random) -> Draw:
    odds = dice.random
    return Draw(
        turn=dice.randrange(8),
        scale=dice.uniform(0.5, 1.3) if odds() < 0.45 else 1.0,
        filter=dice.randrange(len(FILTERS)),
        place=(odds(), odds()),
        blur=dice.uniform(0.3, 1.3) if odds() < 0.2 else 0.0,
        sharpen=dice.uniform(30, 120) if odds() < 0.12 else 0.0,
        noise=dice.uniform(0.4, 6) if odds() < 0.2 else 0.0,
        seed=dice.randrange(1 << 30),
        light=(dice.uniform(0.7, 1.4), dice.uniform(0.8, 1.15)) if odds() < 0.3 else (1.0, 1.0),
        grey=odds() < 0.06,
        codec=dice.choices(("", "JPEG", "WEBP"), (0.35, 0.5, 0.15))[0],
        quality=dice.randint(45, 98),
        subsampling=dice.choice((0, 2, 2)),
        again=dice.randint(60, 95) if odds() < 0.1 else 0,
        cut=(dice.randrange(17), dice.randrange(17)),
    )


def apply(d: Draw, a: Bytes, side: int = SIDE) -> Bytes:
    """H×W×3 bytes through a draw → side×side×3."""
    room = side + 16  # what is compressed, so that a crop may begin anywhere on the compression's grid
    a = np.rot90(a[:, ::-1] if d.turn > 3 else a, d.turn % 4)
    im = Image.fromarray(np.ascontiguousarray(a))
    if d.scale != 1:
        im = im.resize(tuple(max(room, round(n * d.scale)) for n in im.size), FILTERS[d.filter])
    left, top = (int(p * (n - room + 1)) for p, n in zip(d.place, im.size, strict=True))
    im = im.crop((left, top, left + room, top + room))
    if d.grey:
        im = im.convert("L").convert("RGB")
    if d.blur:
        im = im.filter(ImageFilter.GaussianBlur(d.blur))
    if d.sharpen:
        im = im.filter(ImageFilter.UnsharpMask(1.0, int(d.sharpen), 0))
    if d.light != (1.0, 1.0) or d.noise:
        x = 255 * (np.asarray(im) / 255.0) ** d.light[0] * d.light[1]
        x += np.random.default_rng(d.seed).normal(0, d.noise, x.shape) if d.noise else 0
        im = Image.fromarray(np.clip(np.round(x), 0, 255).astype(np.uint8))
    if d.codec:
        im = saved(im, d.codec, d.quality, d.subsampling)
    if d.again:
        im = saved(im, "JPEG", d.again, 2)
    left, top = d.cut
    return np.asarray(im.crop((left, top, left + side, top + side)))


def saved(im: Image.Image, codec: str, quality: int, subsampling: int) -> Image.Image:
    out = io.BytesIO()
    im.save(out, codec, quality=quality, **({"subsampling": subsampling} if codec == "JPEG" else {"method": 2}))
    return Image.open(out).convert("RGB")


def opened(folder: Path) -> list[Bytes]:
    """The photographs of a part of the bank, then what each decoder made of them."""
    files = sorted(folder.glob("*.npy"), key=lambda p: (p.stem != "photograph", p.stem))
    return [np.load(p, mmap_mode="r") for p in files]


def pairs(bank: list[Bytes], rows: list[tuple[int, int]], draws: list[Draw], side: int = SIDE) -> Tensor:
    """Photographs first, then a reconstruction of each: 2N×3×side×side in [0, 1]. A row is a crop's number and a decoder's."""
    real = [apply(d, bank[0][i].transpose(1, 2, 0), side) for (i, _), d in zip(rows, draws, strict=True)]
    fake = [apply(d, bank[k][i].transpose(1, 2, 0), side) for (i, k), d in zip(rows, draws, strict=True)]
    return torch.from_numpy(np.stack(real + fake)).permute(0, 3, 1, 2).float() / 255


def pick(bank: list[Bytes], dice: random.Random) -> tuple[int, int]:
    """A crop's number and a decoder's; some decoders met fewer crops."""
    k = dice.randrange(1, len(bank))
    return dice.randrange(len(bank[k])), k


def auc(fake: NDArray[Any], real: NDArray[Any]) -> float:
    ranks = rankdata(np.concatenate([fake, real]))[: len(fake)]
    return float((ranks.sum() - len(fake) * (len(fake) + 1) / 2) / (len(fake) * len(real)))


@torch.no_grad()
def check(net: nn.Module, bank: list[Bytes], count: int = 120) -> dict[str, float]:
    """On photographs kept for this: pairs as they are stored, and pairs with draws as in training."""
    net.eval()
    dice = random.Random("check")
    rows = [pick(bank, dice) for _ in range(count)]
    plain = Draw(0, 1.0, 0, (0.5, 0.5), 0, 0, 0, 0, (1.0, 1.0), False, "", 0, 0, 0, (8, 8))
    told: dict[str, float] = {}
    for name, draws in {"plain": [plain] * count, "drawn": [draw(dice) for _ in range(count)]}.items():
        s = torch.cat([net(x).logit for x in pairs(bank, rows, draws).split(40)]).numpy()
        real, fake = s[:count], s[count:]
        told |= {name: round(auc(fake, real), 4), f"{name} pair": round(float((fake > real).mean()), 3)}
        told |= {f"{name} at 5 %": round(float((fake > np.quantile(real, 0.95)).mean()), 3)}
    return told


def train(folder: Path, out: Path, steps: int, watch: int, *, positive: bool = False) -> None:
    bank = opened(folder / "train")
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    net: Any = Generated(norm=True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    wheel = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    mean, file = deepcopy(net), out / ("positive.pt" if positive else "net.pt")
    step = 0
    if positive and not file.exists():
        net.load_state_dict(torch.load(out / "net.pt", weights_only=True)["mean"])
        mean.load_state_dict(net.state_dict())
    elif file.exists():
        kept = torch.load(file, weights_only=True)
        net.load_state_dict(kept["net"]), mean.load_state_dict(kept["mean"]), wheel.load_state_dict(kept["wheel"])
        step = kept["step"]
    start, total = time.monotonic(), 0.0
    print(f"{len(bank[0])} crops, {len(bank) - 1} decoders, from step {step}", flush=True)
    while step < steps:
        for g in wheel.param_groups:
            g["lr"] = RATE * min(1, (step + 1) / 40) * (0.505 + 0.495 * float(np.cos(np.pi * step / steps)))
        dice = random.Random(f"step {step}")
        rows = [pick(bank, dice) for _ in range(PAIRS)]
        x = pairs(bank, rows, [draw(dice) for _ in rows], LEARNED)
        net.train(not positive)
        if positive:
            net.body.requires_grad_(False)
        label = torch.arange(2 * PAIRS) >= PAIRS
        lost = binary_cross_entropy_with_logits(net(x).logit, label.float())
        wheel.zero_grad()
        lost.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        wheel.step()
        step += 1
        total += max(0.02, 1 / step) * (float(lost.detach()) - total)
        keep = min(AVERAGE, step / (step + 10))
        with torch.no_grad():
            if positive:
                net.head.weight.clamp_(min=0)
            for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
        if step % watch == 0 or step == steps:
            state = {"net": net.state_dict(), "mean": mean.state_dict(), "wheel": wheel.state_dict(), "step": step}
            torch.save(state, file.with_suffix(".part"))
            file.with_suffix(".part").rename(file)
            bank, held = opened(folder / "train"), opened(folder / "validate")
            found = check(mean, held) if len(held) > 1 else {}
            print(
                json.dumps({"minute": round((time.monotonic() - start) / 60, 1), "step": step, "loss": round(total, 4)} | found), flush=True
            )


def folded(net: Generated) -> Generated:
    """The same net without normalisation: it becomes part of the convolutions."""
    plain, net = Generated(), deepcopy(net).eval()
    for a, b in zip(plain.body, net.body, strict=True):
        for name in ("enter", "first", "second"):
            conv, norm = getattr(b, name)[:2]
            getattr(a, name)[0].load_state_dict(fuse_conv_bn_eval(conv, norm).state_dict())
    plain.head.load_state_dict(net.head.state_dict())
    return plain.eval()


def export(run: Path, out: Path, *, positive: bool) -> None:
    net = Generated(norm=True)
    net.load_state_dict(torch.load(run / ("positive.pt" if positive else "net.pt"), weights_only=True)["mean"])
    save_file({k: v.half().contiguous() for k, v in folded(net).state_dict().items()}, out)
    print(f"{out}: {out.stat().st_size} bytes, {sum(p.numel() for p in Generated().parameters())} parameters")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("act", choices=("train", "positive", "export"))
    ask.add_argument("source", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--steps", type=int, default=3000)
    ask.add_argument("--watch", type=int, default=200, help="steps between checkpoints")
    ask.add_argument("--positive", action="store_true", help="export what `positive` made")
    given = ask.parse_args()
    torch.set_num_threads(1)
    if given.act == "export":
        export(given.source, given.out, positive=given.positive)
    else:
        train(given.source, given.out, given.steps, given.watch, positive=given.act == "positive")


if __name__ == "__main__":
    main()
