"""What `attribution-assay` says of pictures that have nothing to do with its decoders: docs/attribution.md.

    python recipes/attribution_report.py DATA [--most 12] [--out docs/attribution.json]

DATA holds pristine/, camera/, faces/, mos/avt_ai. Photographs are of the test part; pictures of real generators are for measuring only.
Each is asked as its middle 512×512, as it is and saved as JPEG 80.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import torch
from PIL import Image

from assay.authenticity.attribution import attribution_assay
from assay.bench.journeys import saved
from assay.io.decode import read
from assay.types import CannotAssess
from reconstructions import part

REAL = ("pristine/kodak", "pristine/gb82", "camera/native_crop", "camera/original", "faces/portraits")
MADE = {
    "PGGAN": ("faces/gan_real", "ai_pggan*"), "StyleGAN": ("faces/gan_real", "ai_stylegan*"), "StyleGAN 3": ("faces/sg3", "ai*"),
    "craiyon": ("mos/avt_ai/craiyon", "*"), "dall-e": ("mos/avt_ai/dall-e", "*"), "glide": ("mos/avt_ai/glide", "*"),
    "midjourney": ("mos/avt_ai/midjourney", "*"), "stable_diffusion": ("mos/avt_ai/stable_diffusion", "*"),
}  # fmt: skip


def sets(data: Path, most: int) -> dict[str, list[Path]]:
    photographs = [p for f in REAL for p in sorted((data / f).iterdir()) if part(p.name) == "test"]
    found = {"photographs": [photographs[i * len(photographs) // (2 * most)] for i in range(2 * most)]}
    for name, (folder, like) in MADE.items():
        files = sorted((data / folder).glob(like))
        found[name] = [files[i * len(files) // most] for i in range(most)] if len(files) > most else files
    return found


def asked(path: Path, quality: int) -> str:
    with Image.open(path) as im:
        x = im.convert("RGB")
    left, top = (max(0, (n - 512) // 2) for n in x.size)
    x = x.crop((left, top, min(x.width, left + 512), min(x.height, top + 512)))
    try:
        return str(attribution_assay(read(saved(x, "JPEG", quality=quality) if quality else saved(x, "PNG"))).data["said"])
    except CannotAssess:
        return "not answered"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--most", type=int, default=12)
    ask.add_argument("--out", type=Path, default=Path("docs/attribution.json"))
    given = ask.parse_args()
    torch.set_num_threads(1)
    found = {}
    for name, files in sets(given.data, given.most).items():
        found[name] = {w: dict(Counter(asked(p, q) for p in files).most_common()) for w, q in (("as it is", 0), ("JPEG 80", 80))}
        print(name, found[name], flush=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
