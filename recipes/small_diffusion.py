"""Trains a small diffusion model of photographs, with which the card `dire` can be tried where OpenAI's is not at hand.

    python recipes/small_diffusion.py DATA --out small_diffusion.safetensors --minutes 60

DATA holds photographs, at any depth; one in five, by the hash of its name, is never seen. The net is ADM's U-Net, small (nets/adm.py,
SMALL: 64×64, under 2 M parameters), told the noise in crops by Ho et al. 2020 (arXiv:2006.11239): mean squared error at a step drawn
evenly, linear betas. What is kept is the running mean of the parameters (0.995). A run goes on from --out's neighbour .pt.
No weights are shipped: minutes on one core do not make a model whose errors tell photographs from pictures, and DIRE knows only
pictures of its own model's kind well. The longest run so far was that of the test, a few steps.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from assay.nets.adm import ADM, SMALL
from assay.ops.ddim import TRAINED, alphas

BATCH, RATE, AVERAGE = 16, 3e-4, 0.995
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def crop(path: Path, side: int, dice: random.Random) -> Tensor:
    """A square of a photograph, seen from some distance: 3×side×side in [-1, 1]."""
    with Image.open(path) as im:
        im = im.convert("RGB")
    wide = round(min(im.size) * dice.uniform(0.4, 1))
    left, top = (dice.randrange(n - wide + 1) for n in im.size)
    im = im.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + wide, top + wide), reducing_gap=2)
    x = torch.from_numpy(np.asarray(im).copy()).permute(2, 0, 1).float() / 127.5 - 1
    return x.flip(2) if dice.random() < 0.5 else x


def train(photos: list[Path], out: Path, *, minutes: float, steps: int = 1 << 30) -> int:
    torch.manual_seed(0)
    net, kept = ADM(SMALL), alphas().float()
    mean, wheel, step = deepcopy(net).requires_grad_(False), torch.optim.Adam(net.parameters(), lr=RATE), 0
    state = out.with_suffix(".pt")
    if state.exists():
        was = torch.load(state, weights_only=True)
        step = was["step"]
        for part, name in ((net, "net"), (mean, "mean"), (wheel, "wheel")):
            part.load_state_dict(was[name])
    start = saved = time.monotonic()
    while step < steps and time.monotonic() - start < 60 * minutes:
        dice, told = random.Random(step), torch.Generator().manual_seed(step)
        x = torch.stack([crop(dice.choice(photos), SMALL.side, dice) for _ in range(BATCH)])
        at, noise = torch.randint(TRAINED, (BATCH,), generator=told), torch.randn(x.shape, generator=told)
        left = kept[at][:, None, None, None]
        lost = (net(left.sqrt() * x + (1 - left).sqrt() * noise, at) - noise).square().mean()
        wheel.zero_grad()
        lost.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        wheel.step()
        step += 1
        with torch.no_grad():
            for slow, fast in zip(mean.parameters(), net.parameters(), strict=True):
                slow.lerp_(fast, max(1 - AVERAGE, 1 / step))
        if step % 50 == 0:
            print(f"step {step}: {float(lost.detach()):.4f}", flush=True)
        if time.monotonic() - saved > 180:
            torch.save({"net": net.state_dict(), "mean": mean.state_dict(), "wheel": wheel.state_dict(), "step": step}, state)
            saved = time.monotonic()
    torch.save({"net": net.state_dict(), "mean": mean.state_dict(), "wheel": wheel.state_dict(), "step": step}, state)
    save_file(mean.state_dict(), out, metadata={"shape": json.dumps(asdict(SMALL)), "steps": str(step)})
    return step


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--minutes", type=float, default=60)
    given = ask.parse_args()
    every = [p for p in sorted(given.data.rglob("*")) if p.suffix.lower() in SUFFIXES]
    photos = [p for p in every if hashlib.sha256(p.name.encode()).digest()[0] % 5]
    if not photos:
        raise SystemExit(f"{given.data} holds no photographs.")
    print(f"{len(photos)} photographs, {train(photos, given.out, minutes=given.minutes)} steps", flush=True)


if __name__ == "__main__":
    main()
