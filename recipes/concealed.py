"""A robustness test: how much the maps of what was changed lose when somebody takes pains to hide the change.

    python recipes/concealed.py DATA --out docs/concealed.json

Splices of recipes/forgeries.py (photographs of the test part, 512×512, as PNG) are changed further, in the mask alone or all over, and the
maps are asked again. "concealed" is the adversary of Zhuo et al. (SEAR, arXiv:2310.10036) made small: instead of a net that is
trained to hide, a change of at most 4 grey levels in the mask is optimised for each picture, against a supervisor that sees what a noise
residual shows (the energy of three high-pass filters, place by place), until the mask looks like its surroundings. It sees no map.
The others need no skill: blur, noise, a median filter, a new save. AUC is of pixels, over the pictures where a map was drawn before.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter, median_filter
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from assay.io.decode import read
from assay.runner import assess
from assay.types import CannotAssess
from forgeries import Pixels, cases_of, photographs
from origin import pixel_auc

MAPS = ("supervisor", "jpeg_ghosts", "jpeg_grid", "noise_level", "resampling")
SIDE, MOST, STEPS, WINDOW = 512, 4.0, 40, 16
FILTERS = (  # three of the rich model's high-pass filters (Fridrich & Kodovský 2012), each sums to 0
    [[0, 0, 0], [1, -2, 1], [0, 0, 0]],
    [[0, 1, 0], [0, -2, 0], [0, 1, 0]],
    [[-1, 2, -1], [2, -4, 2], [-1, 2, -1]],
)


def supervisor(x: Tensor) -> Tensor:
    """What a localiser of odd noise sees: 3×H×W grey levels → 3×h×w, the log energy of each filter in windows of 16×16."""
    grey = x.mean(0)[None, None]
    kernels = torch.tensor(FILTERS, dtype=torch.float32)[:, None]
    kernels = kernels / kernels.abs().sum((1, 2, 3), keepdim=True)
    return (avg_pool2d(conv2d(pad(grey, (1, 1, 1, 1), mode="reflect"), kernels).square(), WINDOW, WINDOW // 2) + 0.05).log()[0]


def concealed(x: Pixels, mask: Pixels) -> Pixels:
    """The mask changed by at most MOST grey levels, so that the supervisor sees there what it sees around it."""
    start, inside = torch.from_numpy(x).permute(2, 0, 1).float(), torch.from_numpy(mask).float()
    seen = avg_pool2d(inside[None], WINDOW, WINDOW // 2)[0]
    wanted = supervisor(start)[:, seen == 0].median(dim=1).values[:, None, None]
    # the same start of the search each time: without a little noise flat places have no slope to follow
    free = (0.1 * torch.randn(start.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()
    search = torch.optim.Adam([free], lr=0.1)
    for _ in range(STEPS):
        off = (supervisor(start + MOST * free.tanh() * inside) - wanted).square()
        loss = (off * seen).sum() / seen.sum() + 0.01 * (free.tanh().square() * inside).mean()
        search.zero_grad()
        loss.backward()
        search.step()
    return (start + MOST * free.detach().tanh() * inside).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()


def recompressed(x: Pixels, quality: int) -> Pixels:
    out = io.BytesIO()
    Image.fromarray(x).save(out, "JPEG", quality=quality)
    with Image.open(out) as im:
        return np.array(im)


def attacks(x: Pixels, mask: Pixels) -> dict[str, Pixels]:
    noisy = (x + np.random.default_rng(0).normal(0, 2, x.shape)).round().clip(0, 255).astype(np.uint8)
    return {
        "none": x,
        "concealed, in the mask": concealed(x, mask),
        "noise 2, in the mask": np.where(mask[..., None], noisy, x),
        "noise 2": noisy,
        "blur 0.7": gaussian_filter(x, (0.7, 0.7, 0)),
        "median 3×3": median_filter(x, (3, 3, 1)),
        "JPEG 90": recompressed(x, 90),
        "JPEG 75": recompressed(x, 75),
    }


def drawn(x: Pixels, mask: Pixels) -> dict[str, float]:
    """The pixel AUC of every map, and of what the supervisor sees; 0.5 where an algorithm draws none or has no answer."""
    out = io.BytesIO()
    Image.fromarray(x).save(out, "PNG", compress_level=1)
    seen = supervisor(torch.from_numpy(x).permute(2, 0, 1).float())
    off = (seen - seen.flatten(1).median(dim=1).values[:, None, None]).abs().mean(0)
    picture, told = read(out.getvalue()), {"supervisor": pixel_auc(off, mask)}
    for name in MAPS[1:]:
        try:
            found = assess(name, picture).map
        except CannotAssess:
            found = None
        told[name] = 0.5 if found is None else pixel_auc(found, mask)
    return told


def measured(data: Path, most: int) -> dict[str, Any]:
    photos, rows = photographs(data, "test", ("pristine/kodak", "pristine/gb82", "pristine/camera")), []
    for i in range(len(photos)):
        _, case = cases_of(photos, i, kinds=("splice",), per_photo=1)
        x, mask = case.pixels[:SIDE, :SIDE], case.mask[:SIDE, :SIDE]
        if len(rows) == most:
            break
        if min(x.shape[:2]) < 256 or not 0.01 < mask.mean() < 0.5:
            continue
        changed = attacks(x, mask)
        error = {n: float(np.square(y.astype(float) - x).mean()) for n, y in changed.items()}
        rows.append({n: drawn(y, mask) | {"mse": error[n]} for n, y in changed.items()})
        print(len(rows), flush=True)
    return {"pictures": len(rows), "attacks": {n: _mean(rows, n) for n in rows[0]}}


def _mean(rows: list[Any], attack: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in MAPS:
        kept = [r[attack][name] for r in rows if r["none"][name] != 0.5]
        out[name] = {"pictures": len(kept), "auc": round(float(np.mean(kept)), 3) if kept else None}
    mse = float(np.mean([r[attack]["mse"] for r in rows]))
    return out | {"psnr": round(10 * float(np.log10(255**2 / mse)), 1) if mse else None}


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("--pictures", type=int, default=10)
    cli.add_argument("--out", type=Path, required=True)
    args = cli.parse_args()
    torch.set_num_threads(1)
    command = f"python recipes/concealed.py DATA --pictures {args.pictures} --out {args.out}"
    args.out.write_text(json.dumps({"command": command, **measured(args.data, args.pictures)}, indent=1) + "\n", "utf-8")
