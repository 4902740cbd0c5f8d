"""NIQE of a 512×512 and a 4K photograph, ours and pyiqa's, side by side on one thread.

    ASSAY_WEIGHTS=… python speed/niqe.py --peers PYTHON_WITH_PYIQA

ASSAY_WEIGHTS is a folder with the released parameters, which both use. The 4K picture
is scikit-image's astronaut, mirrored and tiled to 3840×2160. The two values differ in the third digit: pyiqa's grey is
another, and it counts the signs of float32 noise in flat areas (tests/reference/niqe.json has the figures).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import Contestant, race, save
from skimage.data import astronaut

from assay import weights
from assay.quality.niqe import OFFICIAL

OURS = """
import numpy as np, torch
from assay.quality.{module} import {name} as f
x = torch.from_numpy(np.load({path!r}).transpose(2, 0, 1).copy())[None]{scale}
"""
PYIQA = """
import numpy as np, torch
from pyiqa.archs.niqe_arch import NIQE
f = NIQE(pretrained_model_path={model!r})
x = torch.from_numpy(np.load({path!r}).transpose(2, 0, 1).copy())[None].float() / 255
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="an interpreter that has pyiqa")
    peers = parser.parse_args().peers
    model = str(weights.find(OFFICIAL))
    photo = astronaut()
    tile = np.concatenate([photo, photo[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]], axis=0)
    pictures = {"512×512 RGB": photo, "3840×2160 RGB": np.tile(tile, (3, 4, 1))[:2160, :3840]}
    with tempfile.TemporaryDirectory() as folder:
        cases = {}
        for i, (case, pixels) in enumerate(pictures.items()):
            path = os.fspath(Path(folder) / f"{i}.npy")
            np.save(path, pixels)
            ours = {"path": path, "module": "niqe", "name": "niqe", "scale": ""}
            contestants = [
                Contestant("assay", sys.executable, OURS.format(**ours), "float(f(x))", "assay"),
                Contestant("assay, float pixels", sys.executable, OURS.format(**{**ours, "scale": " / 255"}), "float(f(x))", "assay"),
                Contestant("pyiqa", peers, PYIQA.format(model=model, path=path), "float(f(x))", "pyiqa"),
            ]
            cases[case] = race(contestants, rounds=5 if i == 0 else 3)
    save(Path(__file__).with_suffix(".json"), what="NIQE with the released parameters, one thread", cases=cases)


if __name__ == "__main__":
    main()
