"""Trains the small judge of recolouring.

    python recipes/recolouring.py make DATA CACHE                        # statistics of recoloured photographs and of their twins
    python recipes/recolouring.py train DATA CACHE --out recolouring.safetensors
    python recipes/ship.py recolouring.safetensors
    python recipes/recolouring.py left-out DATA CACHE --out docs/recolouring-tools.json    # each tool judged by what never met it

DATA holds pristine/* and camera/*; photographs of the parts "test" and "interval" are not trained on (recipes/forgeries.py). Those of
"interval" set the limit. `make` can be stopped and started again; it takes 9 minutes of one core, `train` two, `left-out` three.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from assay.bench.localisation import pixel_auc
from assay.nets.recolouring import Recolouring
from assay.ops.colourties import beside_the_rest, ties
from forgeries import FOLDERS, photographs
from recolouring_data import TOOLS, seen, twins

ALL = (*FOLDERS, "camera/original")
ROUNDS = {"train": 4, "interval": 2}  # of every photograph
BATCH = 24  # pictures
EPOCHS, FEWER = 8, 3  # of the net that ships, and of those that leave a tool out
RATE = 3e-3
CHANGED = 2.0  # weight of recoloured squares
RARE = 0.01  # share of photographs not recoloured that reach the limit
Example = tuple[Tensor, Tensor, str, str]  # NAMES×h×w statistics, share of every square recoloured, tool, way


def make(data: Path, cache: Path, which: str) -> None:
    photos = photographs(data, which, ALL)
    cache.mkdir(parents=True, exist_ok=True)
    for n in range(ROUNDS[which]):
        for i, path in enumerate(photos):
            out = cache / f"{which}-{n}-{i:04d}.npz"
            if out.exists():
                continue
            rng = np.random.default_rng([n, i, len(which)])
            kept: dict[str, Any] = {"photograph": path.name}
            for k, twin in enumerate(twins(photos, i, tuple(TOOLS), rng)):
                told, _ = ties(seen(twin.file))
                kept |= {f"told{k}": told.numpy().astype(np.float16), f"mask{k}": shared(twin.mask, told.shape[1:])}
                kept |= {f"tool{k}": twin.tool, f"way{k}": twin.way}
            part_ = out.with_suffix(".part")
            with part_.open("wb") as file:
                np.savez(file, **kept)
            part_.rename(out)
        print(which, n, flush=True)


def shared(mask: np.ndarray[Any, Any], size: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """How much of every square is masked."""
    return np.asarray(Image.fromarray(mask.astype(np.float32)).resize(size[::-1], Image.Resampling.BOX))


def examples(cache: Path, which: str) -> list[list[Example]]:
    """Twins together."""
    out = []
    for path in sorted(cache.glob(f"{which}-*.npz")):
        with np.load(path) as z:
            rows = [(z[f"told{k}"], z[f"mask{k}"], str(z[f"tool{k}"]), str(z[f"way{k}"])) for k in range(3)]
        out.append([(beside_the_rest(torch.from_numpy(t).float()).half(), torch.from_numpy(m), tool, way) for t, m, tool, way in rows])
    return out


def fitted(groups: list[list[Example]], epochs: int = EPOCHS) -> Recolouring:
    torch.manual_seed(0)
    rng, net = np.random.default_rng(0), Recolouring()
    sample = torch.cat([x.flatten(1)[:, ::29].float() for g in groups[::3] for x, *_ in g], 1)
    net.centre.copy_(sample.mean(1))
    net.scale.copy_(sample.std(1) + 1e-3)
    best = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.01)
    size, steps = BATCH // 3, epochs * (len(groups) // (BATCH // 3))
    turns = torch.optim.lr_scheduler.OneCycleLR(best, RATE, total_steps=steps + 1)
    for epoch in range(epochs):
        order, costs = rng.permutation(len(groups)), []
        for i in range(0, len(order) - size + 1, size):
            cost = loss(net, [e for j in order[i : i + size] for e in groups[int(j)]])
            best.zero_grad()
            cost.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            best.step()
            turns.step()
            costs.append(float(cost.detach()))
        print(f"epoch {epoch + 1}, loss {np.mean(costs):.4f}", flush=True)
    return net.eval()


def loss(net: Recolouring, batch: list[Example]) -> Tensor:
    """Of squares and of pictures."""
    each = net.opinion(torch.cat([x.flatten(1).float() for x, *_ in batch], 1).T).split([m.numel() for _, m, *_ in batch])
    found = [net.judged(e.reshape(m.shape)) for e, (_, m, *_) in zip(each, batch, strict=True)]
    weight = torch.tensor(CHANGED)
    logits, shares = torch.cat([f.map.flatten() for f in found]), torch.cat([m.flatten() for _, m, *_ in batch])
    changed = torch.tensor([float(m.any()) for _, m, *_ in batch])
    whole = binary_cross_entropy_with_logits(torch.stack([f.whole for f in found]), changed, pos_weight=weight)
    return binary_cross_entropy_with_logits(logits, shares, pos_weight=weight) + 0.5 * whole


def auc(high: list[float], low: list[float]) -> float:
    return float(pixel_auc(np.array([*high, *low]), np.arange(len(high) + len(low)) < len(high)))


@torch.no_grad()
def told(net: Recolouring, groups: list[list[Example]]) -> dict[str, Any]:
    """By tool and by way: area under the curve of the picture, of its squares, and against tone edits."""
    rows: dict[str, list[tuple[float, float, float, float]]] = {}
    for g in groups:
        found = [net(x.float()) for x, *_ in g]
        mask = g[2][1] > 0.5
        if not mask.any() or mask.all():
            continue
        map_ = found[2].map
        pixel = float(pixel_auc(map_.flatten().double().numpy(), mask.flatten().numpy()))
        for name in ("all", f"tool {g[2][2]}", f"way {g[2][3]}"):
            rows.setdefault(name, []).append((*(float(f.whole) for f in found), pixel))
    out = {}
    for name, values in sorted(rows.items()):
        plain, tone, edited, pixel = (list(v) for v in zip(*values, strict=True))
        out[name] = {"pictures": len(plain), "image": auc(edited, plain), "tone": auc(tone, plain), "pixel": float(np.mean(pixel))}
    return {k: {n: round(v, 3) for n, v in row.items()} for k, row in out.items()}


def train(cache: Path, out: Path) -> None:
    """The limit: what RARE of the photographs of "interval" reach that are untouched, or have another tone."""
    net, held = fitted(examples(cache, "train")), examples(cache, "interval")
    print(json.dumps(told(net, held), indent=1))
    with torch.no_grad():
        calm = float(np.quantile([float(net(x.float()).whole) for g in held for x, *_ in g[:2]], 1 - RARE))
    tensors = {k: v.half().contiguous() for k, v in net.state_dict().items()}
    save_file(tensors | {"limit": torch.tensor(calm)}, out)


def left_out(cache: Path, out: Path) -> None:
    """Every tool as judged by a net that met the other five alone, on photographs of the part "interval"."""
    groups, held, found = examples(cache, "train"), examples(cache, "interval"), {}
    for tool in TOOLS:
        net = fitted([g for g in groups if g[2][2] != tool], FEWER)
        found[tool] = told(net, [g for g in held if g[2][2] == tool])["all"]
        print(tool, found[tool], flush=True)
    out.write_text(
        json.dumps({"command": f"python recipes/recolouring.py left-out DATA CACHE --out {out}", **found}, indent=1) + "\n", "utf-8"
    )


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("what", choices=["make", "train", "left-out"])
    cli.add_argument("data", type=Path)
    cli.add_argument("cache", type=Path)
    cli.add_argument("--part", choices=list(ROUNDS), help="of make: this part alone")
    cli.add_argument("--out", type=Path)
    args = cli.parse_args()
    torch.set_num_threads(1)
    if args.what == "make":
        for which in [args.part] if args.part else ROUNDS:
            make(args.data, args.cache, which)
    else:
        {"train": train, "left-out": left_out}[args.what](args.cache, args.out)
