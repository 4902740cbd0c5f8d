"""A robustness test: how much the maps of what was changed lose when somebody takes pains to hide the change.

    python recipes/concealed.py train DATA --out CONCEALER.pt                             # goes on where it stopped
    python recipes/concealed.py measure DATA CONCEALER.pt --pictures 12 --out docs/concealed.json
    python recipes/concealed.py page docs/concealed.json --out docs/cues.md               # one section of it

The adversary of Zhuo et al. (SEAR, arXiv:2310.10036) made small: a net draws a change of at most 4 grey levels, trained against our own
`splices` until its map says "untouched" everywhere. It is told how `splices` reckons as far as that has slopes: all but the histograms,
the votes for JPEG grids and the copies, which stay those of the picture before. It never sees the mask; "in the mask" keeps its change
there alone. Its weights do not ship. Differences to the paper: 16-32-64 channels and 192 pixels; the bound; the loss asks for an empty
map instead of a wrong one; the content of the mask is redrawn by outputs of their own, since a change of 4 levels cannot hold it.

Measured on splices of recipes/forgeries.py (photographs of the test part, 512×512, as PNG), beside what needs no training: "pressed" and
"searched" are changes of as many levels, found for each picture. The first walks down the slope of the map of `splices`; after the
second a noise residual (the energy of three high-pass filters) looks in the mask as around it. The rest needs no skill. F1 of
`splices` is at .5, that of other maps with each picture's best threshold.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import median_filter
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, conv2d, interpolate, pad

from assay.authenticity.splices import MODEL
from assay.bench.localisation import fit
from assay.io.decode import read
from assay.nets.face_traces import Step
from assay.nets.splices import Splices, loaded
from assay.ops.localtraces import SLOPED, sloped, traces
from assay.runner import assess
from assay.types import CannotAssess
from forgeries import Case, Pixels, cases_of, compressed, photographs

FOLDERS = ("pristine/kodak", "pristine/gb82", "pristine/camera")
MAPS = ("supervisor", "splices", "jpeg_grid", "jpeg_ghosts", "noise_level")
SIDE, CROP, MOST, SEARCHED, PRESSED, WINDOW = 512, 192, 4.0, 40, 7, 16
FORGERIES, CUTS = 90, 4  # to learn from; crops of each
STEPS, BATCH, RATE, GRAIN = 500, 2, 3e-3, 4.0
EMPTY, SIZE, PRETEXT = 10.0, 0.1, 0.1  # weights of the loss; the bound limits the size already
FILTERS = (  # three of the rich model's high-pass filters (Fridrich & Kodovský 2012), each sums to 0
    [[0, 0, 0], [1, -2, 1], [0, 0, 0]],
    [[0, 1, 0], [0, -2, 0], [0, 1, 0]],
    [[-1, 2, -1], [2, -4, 2], [-1, 2, -1]],
)


class Concealer(nn.Module):
    """N×3×H×W grey levels, sides multiples of 4 → a change of at most MOST levels, and the picture drawn again in −1 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.level1, self.level2, self.level3 = (nn.Sequential(Step(i, o), Step(o, o)) for i, o in ((6, 16), (16, 32), (32, 64)))
        self.up, self.top = nn.Sequential(Step(96, 32), Step(32, 32)), nn.Sequential(Step(48, 16), Step(16, 16))
        self.draw = nn.Conv2d(16, 6, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        grain = (x - avg_pool2d(x, 3, 1, 1, count_include_pad=False)) / GRAIN  # as it is it would be lost beside the light
        a = self.level1(torch.cat([x / 127.5 - 1, grain], 1))
        b = self.level2(avg_pool2d(a, 2))
        c = self.up(torch.cat([_twice(self.level3(avg_pool2d(b, 2))), b], 1))
        change, again = self.draw(self.top(torch.cat([_twice(c), a], 1))).chunk(2, 1)
        return MOST * change.tanh(), again


def _twice(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def changed(x: Tensor, change: Tensor) -> Tensor:
    """In whole grey levels, as a file keeps them; slopes pass the rounding."""
    y = (x + change).clamp(0, 255)
    return y + (y.round() - y).detach()


def loss(concealer: Concealer, judge: Splices, x: Tensor, mask: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """What training makes smaller, and the mean of the map.  x: N×3×H×W; mask: N×H×W; rest: N×…: the traces without slopes."""
    change, again = concealer(x)
    found = torch.stack([torch.cat([sloped(y), r]) for y, r in zip(changed(x, change), rest, strict=True)])
    told = judge(found).map
    untouched = binary_cross_entropy_with_logits(told, torch.zeros_like(told))
    size = (change / 255).square().sum((1, 2, 3)).add(1e-8).sqrt().mean()
    inside = mask[:, None].expand_as(x)
    pretext = ((again - (x / 127.5 - 1)).abs() * inside).sum() / inside.sum().clamp_min(1)
    return EMPTY * untouched + SIZE * size + PRETEXT * pretext, told.sigmoid().mean()


def crops(data: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Pieces of splices with a part of the mask in them, and their traces without slopes."""
    photos, out = photographs(data, "train", FOLDERS), []
    for i in range(0, len(photos), max(1, len(photos) // FORGERIES)):
        _, case = cases_of(photos, i, kinds=("splice", "scaled splice"), per_photo=1)
        dice, kept = np.random.default_rng(i), 0
        for _ in range(8 * CUTS):
            top, left = (int(dice.integers(0, (n - CROP) // 8 + 1)) * 8 for n in case.mask.shape)
            place = slice(top, top + CROP), slice(left, left + CROP)
            if kept < CUTS and 0.08 < case.mask[place].mean() < 0.6:
                x = torch.from_numpy(case.pixels[place]).permute(2, 0, 1).contiguous()
                out.append((x, torch.from_numpy(case.mask[place]), traces(x)[0][SLOPED:]))
                kept += 1
    return tuple(torch.stack(part) for part in zip(*out, strict=True))  # type: ignore[return-value]


def train(data: Path, out: Path, steps: int) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, mask, rest = crops(data)
    concealer, judge = Concealer(), loaded(MODEL)[0]
    wheel = torch.optim.Adam(concealer.parameters(), lr=RATE)
    step, spent, seen = 0, 0.0, []
    if out.exists():
        kept = torch.load(out, weights_only=True)
        concealer.load_state_dict(kept["net"]), wheel.load_state_dict(kept["wheel"])
        step, spent = kept["step"], kept["spent"]
    begun = time.process_time()
    while step < steps:
        for g in wheel.param_groups:
            g["lr"] = RATE * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        rows = torch.from_numpy(np.random.default_rng([7, step]).choice(len(x), BATCH, replace=False))
        lost, area = loss(concealer, judge, x[rows].float(), mask[rows].float(), rest[rows])
        wheel.zero_grad()
        lost.backward()
        nn.utils.clip_grad_norm_(concealer.parameters(), 5.0)
        wheel.step()
        step, seen = step + 1, [*seen, (float(lost.detach()), float(area.detach()))]
        if step % 50 == 0 or step == steps:
            took = spent + time.process_time() - begun
            told = dict(zip(("loss", "map"), np.mean(seen, 0).round(4).tolist(), strict=True))
            print(json.dumps({"step": step, "crops": len(x), "cpu minutes": round(took / 60, 2)} | told), flush=True)
            state = {"net": concealer.state_dict(), "wheel": wheel.state_dict(), "step": step, "spent": took}
            torch.save(state | {"crops": len(x)}, out.with_suffix(".part"))
            out.with_suffix(".part").replace(out)
            seen = []


def supervisor(x: Tensor) -> Tensor:
    """What a localiser of odd noise sees: 3×H×W grey levels → 3×h×w, the log energy of each filter in windows of 16×16."""
    grey = x.mean(0)[None, None]
    kernels = torch.tensor(FILTERS, dtype=torch.float32)[:, None]
    kernels = kernels / kernels.abs().sum((1, 2, 3), keepdim=True)
    return (avg_pool2d(conv2d(pad(grey, (1, 1, 1, 1), mode="reflect"), kernels).square(), WINDOW, WINDOW // 2) + 0.05).log()[0]


def searched(x: Pixels, mask: Pixels) -> Pixels:
    """The mask changed by at most MOST grey levels, so that the supervisor sees there what it sees around it."""
    start, inside = torch.from_numpy(x).permute(2, 0, 1).float(), torch.from_numpy(mask).float()
    seen = avg_pool2d(inside[None], WINDOW, WINDOW // 2)[0]
    wanted = supervisor(start)[:, seen == 0].median(dim=1).values[:, None, None]
    # the same start of the search each time: without a little noise flat places have no slope to follow
    free = (0.1 * torch.randn(start.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()
    search = torch.optim.Adam([free], lr=0.1)
    for _ in range(SEARCHED):
        off = (supervisor(start + MOST * free.tanh() * inside) - wanted).square()
        lost = (off * seen).sum() / seen.sum() + 0.01 * (free.tanh().square() * inside).mean()
        search.zero_grad()
        lost.backward()
        search.step()
    return _pixels(start + MOST * free.detach().tanh() * inside)


def pressed(x: Pixels, judge: Splices) -> Pixels:
    """The picture changed by at most MOST grey levels down the slope of the map itself, with the same reckoning as the net's training."""
    h, w = (n // 8 * 8 for n in x.shape[:2])
    start = torch.from_numpy(x[:h, :w]).permute(2, 0, 1).contiguous()
    rest = traces(start)[0][SLOPED:]
    free = (0.1 * torch.randn(start.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()
    search = torch.optim.Adam([free], lr=0.15)
    for _ in range(PRESSED):
        told = judge(torch.cat([sloped(changed(start.float(), MOST * free.tanh())), rest])[None]).map
        search.zero_grad()
        binary_cross_entropy_with_logits(told, torch.zeros_like(told)).backward()
        search.step()
    out = x.copy()
    out[:h, :w] = _pixels(changed(start.float(), MOST * free.detach().tanh()))
    return out


def _pixels(x: Tensor) -> Pixels:
    return x.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()


@torch.no_grad()
def concealed(x: Pixels, concealer: Concealer) -> Pixels:
    """What the net makes of a whole picture; a rest of less than 4 pixels stays as it is."""
    h, w = (n // 4 * 4 for n in x.shape[:2])
    start = torch.from_numpy(x[:h, :w]).permute(2, 0, 1).float()
    out = x.copy()
    out[:h, :w] = _pixels(changed(start, concealer.eval()(start[None])[0][0]))
    return out


def resized(x: Pixels, width: int, height: int) -> Pixels:
    return np.array(Image.fromarray(x).resize((width, height), Image.Resampling.BICUBIC))


def attacks(x: Pixels, mask: Pixels, concealer: Concealer) -> dict[str, Pixels]:
    """The picture, and after each way to hide; all of its size but "resize 0.9"."""
    hidden, (h, w) = concealed(x, concealer), mask.shape
    down = pressed(x, loaded(MODEL)[0])
    noisy = (x + np.random.default_rng(0).normal(0, 2, x.shape)).round().clip(0, 255).astype(np.uint8)
    small = resized(x, round(0.9 * w), round(0.9 * h))
    return {
        "none": x,
        "concealed": hidden,
        "concealed, in the mask": np.where(mask[..., None], hidden, x),
        "pressed": down,
        "pressed, in the mask": np.where(mask[..., None], down, x),
        "searched, in the mask": searched(x, mask),
        "noise 2": noisy,
        "noise 2, in the mask": np.where(mask[..., None], noisy, x),
        "median 3×3": median_filter(x, (3, 3, 1)),
        "JPEG 90": compressed(x, 90),
        "JPEG 75": compressed(x, 75),
        "resize 0.9": small,
        "resize 0.9 and back": resized(small, w, h),
    }


def drawn(x: Pixels, mask: Pixels) -> dict[str, dict[str, float]]:
    """AUC and F1 of every map, and of what the supervisor sees; where none is drawn, those of an even one."""
    out = io.BytesIO()
    Image.fromarray(x).save(out, "PNG", compress_level=1)
    seen = supervisor(torch.from_numpy(x).permute(2, 0, 1).float())
    off = (seen - seen.flatten(1).median(dim=1).values[:, None, None]).abs().mean(0)
    picture, told = read(out.getvalue()), {"supervisor": held(off, mask, "supervisor")}
    for name in MAPS[1:]:
        try:
            found = assess(name, picture).map
        except CannotAssess:
            found = None
        told[name] = held(torch.zeros(1, 1) if found is None else found, mask, name) | {"map": float(found is not None)}
    return told


def held(map_: Tensor, mask: Pixels, name: str) -> dict[str, float]:
    """AUC and F1 of a map; but for `splices` its unit is its own, so it is brought to 0 … 1."""
    full = interpolate(map_[None, None].float(), mask.shape, mode="bilinear", align_corners=False)[0, 0]
    if name != "splices":
        full = (full - full.min()) / (full.max() - full.min()).clamp_min(1e-9)
    f = fit(full.clamp(0, 1).numpy(), mask)
    return {"auc": f.auc or 0.0, "f1": (f.f1 if name == "splices" else f.f1_best) or 0.0, "map": 1.0}


def spliced(data: Path, most: int) -> list[Case]:
    """The first splices of photographs of the test part whose mask is neither tiny nor most of the picture."""
    photos, kept = photographs(data, "test", FOLDERS), []
    for i in range(len(photos)):
        _, case = cases_of(photos, i, kinds=("splice",), per_photo=1)
        x, mask = case.pixels[:SIDE, :SIDE], case.mask[:SIDE, :SIDE]
        if len(kept) < most and min(x.shape[:2]) >= SIDE // 2 and 0.01 < mask.mean() < 0.5:
            kept.append(case.__class__(case.name, case.kind, case.history, x, mask))
    return kept


def measured(data: Path, weights: Path, most: int) -> dict[str, Any]:
    concealer, kept = Concealer(), torch.load(weights, weights_only=True)
    concealer.load_state_dict(kept["net"])
    rows = []
    for case in spliced(data, most):
        row = {}
        for name, y in attacks(case.pixels, case.mask, concealer).items():
            same = y.shape == case.pixels.shape
            mask = case.mask if same else resized(case.mask, y.shape[1], y.shape[0])
            row[name] = {"maps": drawn(y, mask), "mse": float(np.square(y.astype(float) - case.pixels).mean()) if same else None}
        rows.append(row)
        print(len(rows), flush=True)
    training = {"steps": kept["step"], "crops": kept["crops"], "cpu minutes": round(kept["spent"] / 60, 1)}
    return {"pictures": len(rows), "training": training, "attacks": {n: _mean(rows, n) for n in rows[0]}}


def _mean(rows: list[Any], attack: str) -> dict[str, Any]:
    """Of each map, over the pictures where one was drawn before."""
    out: dict[str, Any] = {}
    for name in MAPS:
        kept = [r[attack]["maps"][name] for r in rows if r["none"]["maps"][name]["map"]]
        out[name] = {"pictures": len(kept)} | {k: round(float(np.mean([r[k] for r in kept])), 3) if kept else None for k in ("auc", "f1")}
    errors = [r[attack]["mse"] for r in rows]
    return out | {"psnr": None if None in errors or not any(errors) else round(10 * math.log10(255**2 / float(np.mean(errors))), 1)}


HEAD = "## Hidden on purpose"
INTRO = """
`{command}`: splices, as PNG;
pixel AUC / F1 of maps, before and after more was done to the picture. "Concealed": a small net, trained for {steps} steps on
{crops} pieces of other splices ({minutes} CPU minutes) to empty the map of `splices` with a change of at most 4 grey levels, all over or in
the mask alone (after SEAR, arXiv:2310.10036; it does not ship).
"Pressed" and "searched": changes of as many levels, found for each picture; the one walks down the slope of the map of `splices`, the
other hides from a supervisor which sees the energy of three high-pass filters. In brackets: pictures where a map was drawn before; no
map afterwards counts as an even one. F1 of `splices` is at .5, of the others with each picture's best threshold. "Resize 0.9 and
back" is what resizing alone does.
"""


def page(source: Path, out: Path) -> None:
    """The section of the page, anew; what stands in it after the table stays."""
    told = json.loads(source.read_text("utf-8"))
    training = told["training"]
    intro = INTRO.format(command=told["command"], steps=training["steps"], crops=training["crops"], minutes=training["cpu minutes"])
    first = next(iter(told["attacks"].values()))
    columns = [f"{name if name == 'supervisor' else f'`{name}`'} ({first[name]['pictures']})" for name in MAPS]
    rows = ["| done | PSNR, dB | " + " | ".join(columns) + " |", "|---|" + "--:|" * (1 + len(MAPS))]
    for name, row in told["attacks"].items():
        cells = ["–" if row[m]["auc"] is None else f"{row[m]['auc']:.2f} / {row[m]['f1']:.2f}" for m in MAPS]
        rows.append(f"| {name} | {row['psnr'] or '–'} | " + " | ".join(cells) + " |")
    text = out.read_text("utf-8")
    before, rest = text.split(HEAD + "\n")
    section, *after = rest.split("\n## ", 1)
    words = section.rsplit("|\n", 1)[1]
    out.write_text("\n## ".join([before + HEAD + "\n" + intro + "\n" + "\n".join(rows) + "\n" + words, *after]), "utf-8")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    acts = ask.add_subparsers(dest="act", required=True)
    first, second, third = (acts.add_parser(name) for name in ("train", "measure", "page"))
    for one in (first, second):
        one.add_argument("data", type=Path)
    first.add_argument("--steps", type=int, default=STEPS)
    second.add_argument("weights", type=Path)
    second.add_argument("--pictures", type=int, default=12)
    third.add_argument("source", type=Path)
    for one in (first, second, third):
        one.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    torch.set_num_threads(1)
    if given.act == "train":
        train(given.data, given.out, given.steps)
    elif given.act == "page":
        page(given.source, given.out)
    else:
        command = f"python recipes/concealed.py measure DATA CONCEALER.pt --pictures {given.pictures} --out {given.out}"
        told = measured(given.data, given.weights, given.pictures)
        given.out.write_text(json.dumps({"command": command, **told}, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
