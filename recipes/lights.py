"""Whether the light that `light_direction` sees agrees more within a picture than between pictures.

    python recipes/lights.py DATA --out docs/light-direction.json

DATA holds faces/dlib, faces/deepface and pristine/camera, of which every third is looked at: press and family
photographs, none of them known to be edited.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from assay.authenticity.light_direction import CONFIDENT, LEAST
from assay.nets.face_finder import find
from assay.ops.lighting import Light, between, lights


def seen(path: Path) -> list[Light]:
    with Image.open(path) as im:
        pixels = torch.from_numpy(np.array(im.convert("RGB"))).permute(2, 0, 1)
    faces = [f for f in find(pixels[None])[0] if f.size >= LEAST and f.confidence >= CONFIDENT]
    return lights(pixels, faces)


def measured(data: Path) -> dict[str, Any]:
    folders = (("faces/dlib", 1), ("faces/deepface", 1), ("pristine/camera", 3))
    paths = [p for f, every in folders for p in sorted((data / f).glob("*.jpg"))[::every]]
    told = [found for p in paths if (found := seen(p))]
    groups = [t for t in told if len(t) > 1]
    same = [between(a.angle, b.angle) for t in groups for a, b in combinations(t, 2)]
    other = [between(a.angle, b.angle) for s, t in combinations(told, 2) for a, b in product(s, t)]
    auc = float(np.mean([(b > a) + 0.5 * (b == a) for a in same for b in other]))
    quantiles = {n: [round(float(q)) for q in np.quantile(v, [0.1, 0.5, 0.9])] for n, v in (("same", same), ("other", other))}
    counts = {"pictures with faces": len(told), "with several": len(groups), "pairs": len(same)}
    return counts | {"degrees, 10 %, median, 90 %": quantiles, "auc": round(auc, 3)}


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("--out", type=Path, required=True)
    args = cli.parse_args()
    torch.set_num_threads(1)
    figures = {"command": f"python recipes/lights.py DATA --out {args.out}", **measured(args.data)}
    args.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
