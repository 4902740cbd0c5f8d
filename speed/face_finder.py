"""Faces of a 640×480 photograph: the shipped finder, RFB-320 under ONNX Runtime, MTCNN in torch and scikit-image's cascade.

    ASSAY_WEIGHTS=… python speed/face_finder.py [--peers PYTHON]

ASSAY_WEIGHTS is a folder with the official files; the interpreter needs onnxruntime besides what assay needs. The photograph is
scikit-image's astronaut, cut and enlarged. All look for faces from 20 pixels on, except RFB-320, which always looks at 320×240
(from about 20 pixels here). The value is the number of faces found. One and two threads,
and two processes at once, as `assay faces` runs over a folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness import Contestant, race, save, together

SETUP = """
import numpy as np, torch
from PIL import Image
from skimage.data import astronaut
from assay.nets.face_finder import find
torch.set_num_threads({threads})
photo = Image.fromarray(astronaut()).resize((640, 480), box=(0, 0, 512, 384))
x = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].contiguous()
def f(model, confidence):
    return float(len(find(x, model=model, confidence=confidence, turned=False)[0]))
"""
MODELS = {"assay": 0.5, "rfb-320": 0.7, "mtcnn": 0.7, "lbp": 0.5}
PACKAGES = {"assay": "assay", "rfb-320": "onnxruntime", "mtcnn": "torch", "lbp": "scikit-image"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=sys.executable, help="an interpreter that has onnxruntime")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    cases = {}
    for threads in (1, 2):
        contestants = [
            Contestant(name, args.peers, SETUP.format(threads=threads), f"f({name!r}, {least})", PACKAGES[name])
            for name, least in MODELS.items()
        ]
        cases[f"640×480 RGB, {threads} thread{'s' * (threads - 1)}"] = race(contestants, rounds=args.rounds, threads=threads)
    both = {}
    for name in ("assay", "rfb-320"):
        who = Contestant(name, args.peers, SETUP.format(threads=1), f"f({name!r}, {MODELS[name]})", PACKAGES[name])
        both[name] = together(who, rounds=args.rounds)
    rate = {case: {r["name"]: round(1000 / r["wall_ms"], 1) for r in rows} for case, rows in cases.items()}
    rate["two processes of one thread"] = both
    what = "Faces of a 640×480 photograph, from 20 pixels on"
    save(Path(__file__).with_suffix(".json"), what=what, cases=cases, threads="1 and 2", images_per_second=rate)


if __name__ == "__main__":
    main()
