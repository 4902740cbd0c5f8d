"""IL-NIQE of a 512×512 photograph, ours and pyiqa's, side by side on one thread; every size becomes 524×524 first.

    ASSAY_WEIGHTS=… python speed/il_niqe.py --peers PYTHON_WITH_PYIQA

ASSAY_WEIGHTS is a folder with the released parameters, which both use. The values differ: pyiqa does not round 8-bit pixels
after resizing, and stops its Weibull fit early (tests/test_il_niqe.py has what MATLAB printed).
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
from assay.quality.il_niqe import OFFICIAL

OURS = """
import numpy as np, torch
from assay.quality.il_niqe import il_niqe as f
x = torch.from_numpy(np.load({path!r}).transpose(2, 0, 1).copy())[None]
"""
PYIQA = """
import numpy as np, torch
from pyiqa.archs.niqe_arch import ILNIQE
f = ILNIQE(pretrained_model_path={model!r})
x = torch.from_numpy(np.load({path!r}).transpose(2, 0, 1).copy())[None].float() / 255
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="an interpreter that has pyiqa")
    peers = parser.parse_args().peers
    model = str(weights.find(OFFICIAL))
    with tempfile.TemporaryDirectory() as folder:
        path = os.fspath(Path(folder) / "photo.npy")
        np.save(path, astronaut())
        contestants = [
            Contestant("assay", sys.executable, OURS.format(path=path), "float(f(x))", "assay"),
            Contestant("pyiqa", peers, PYIQA.format(model=model, path=path), "float(f(x))", "pyiqa"),
        ]
        cases = {"512×512 RGB": race(contestants, rounds=1)}
    save(Path(__file__).with_suffix(".json"), what="IL-NIQE with the released parameters, one thread", cases=cases)


if __name__ == "__main__":
    main()
