"""Gradient-, phase- and wavelet-based metrics of a pair of RGB pictures beside piq, piqa and OpenCV's quality module.

    python speed/gradient_metrics.py --peers PYTHON [--out speed/gradient_metrics.json] [--only NAME …]

PYTHON is an interpreter that has the peers. Everyone starts from the same 8-bit pixels; the peers' conversion to floats is
not timed. The pictures: scikit-image's astronaut against its JPEG at quality 10, at 512×512, and tiled to 3840×2160.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from harness import Contestant, race, save
from PIL import Image
from skimage import data

PIXELS = """
import numpy as np, torch
torch.set_num_threads(1)
x, ref = np.load({file!r})
a, b = (torch.from_numpy(np.ascontiguousarray(t.transpose(2, 0, 1)))[None] for t in (x, ref))
"""
FLOATS = "a, b = a / 255, b / 255\n"
SIZES = {"512x512": ((1, 1, 1), 512, 512), "3840x2160": ((5, 8, 1), 2160, 3840)}

PIQ = {
    "gmsd": "piq.gmsd(a, b)",
    "ms_gmsd": "piq.multi_scale_gmsd(a, b)",
    "mdsi": "piq.mdsi(a, b)",
    "haarpsi": "piq.haarpsi(a, b)",
    "vsi": "piq.vsi(a, b)",
    "fsim": "piq.fsim(a, b, chromatic=False)",
    "fsimc": "piq.fsim(a, b)",
    "sr_sim": "piq.srsim(a, b)",
    "dss": "piq.dss(a, b)",
}
PIQA = {"gmsd": "GMSD", "ms_gmsd": "MS_GMSD", "mdsi": "MDSI", "haarpsi": "HaarPSI", "vsi": "VSI", "fsimc": "FSIM"}
SQUARE_ONLY = {"vsi", "fsimc"}  # piqa's fail, or are wrong, on pictures that are not square


def pictures(size: str, folder: str) -> str:
    """Write the damaged picture and its reference, and say where."""
    tiles, height, width = SIZES[size]
    ref = data.astronaut()
    out = io.BytesIO()
    Image.fromarray(ref).save(out, "JPEG", quality=10)
    pair = (np.asarray(Image.open(out)), ref)
    file = str(Path(folder) / f"{size}.npy")
    np.save(file, np.stack([np.tile(a, tiles)[:height, :width] for a in pair]))
    return file


def contestants(name: str, size: str, peers: str, file: str) -> list[Contestant]:
    pixels = PIXELS.format(file=file)
    call = f"from assay.catalog import get\nf = get({name!r})\n"
    them = [
        Contestant("assay", sys.executable, pixels + call, "f(a, ref=b)", "assay"),
        Contestant("piq", peers, pixels + FLOATS + "import piq\n", PIQ[name], "piq"),
    ]
    if name in PIQA and (size == "512x512" or name not in SQUARE_ONLY):
        setup = pixels + FLOATS + f"import piqa\nf = piqa.{PIQA[name]}()\n"
        them.append(Contestant("piqa", peers, setup, "f(a, b)", "piqa"))
    if name == "gmsd":
        opencv = pixels + "import cv2\ncv2.setNumThreads(1)\n"
        bgr = "cv2.quality.QualityGMSD_compute(ref[..., ::-1].copy(), x[..., ::-1].copy())[0][:3]"
        them.append(Contestant("OpenCV quality, mean over B, G, R", peers, opencv, f"sum({bgr}) / 3", "opencv-contrib-python-headless"))
    return them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--only", nargs="*", default=list(PIQ))
    parser.add_argument("--sizes", nargs="*", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cases = {}
    with TemporaryDirectory() as folder:
        for size in options.sizes:
            file = pictures(size, folder)
            for name in options.only:
                cases[f"{name} {size}"] = race(contestants(name, size, options.peers, file), rounds=options.rounds)
    save(options.out, what="CPU time of full-reference metrics of a pair of RGB pictures, one thread", cases=cases)


if __name__ == "__main__":
    main()
