"""BRISQUE, PIQE, CPBD, entropy and total variation of a 512×512 and a 4K photograph, beside their peers on one thread.

    ASSAY_WEIGHTS=… python speed/no_reference.py --peers PYTHON [name …]   writes speed/no_reference.json

PYTHON has pyiqa, piq and OpenCV's quality module. ASSAY_WEIGHTS is a folder with the released model of BRISQUE. OpenCV's own
model file of it is not in its package: here it is given one of the same size, 774 support vectors of 36 features, with
other numbers in it, so its value says nothing and its time is the real one. CPBD has no peer there.
The 4K picture is scikit-image's astronaut, mirrored and tiled to 3840×2160.
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

READ = """
import numpy as np, torch
torch.set_num_threads(1)
pixels = np.load({path!r})
x = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
"""
OPENCV = """
import cv2, os, tempfile
cv2.setNumThreads(1)
rng = np.random.default_rng(0)
svm = cv2.ml.SVM_create()
svm.setType(cv2.ml.SVM_EPS_SVR), svm.setKernel(cv2.ml.SVM_RBF), svm.setGamma(0.05), svm.setC(1024), svm.setP(0)
svm.train(rng.uniform(-1, 1, (774, 36)).astype(np.float32), cv2.ml.ROW_SAMPLE, rng.uniform(0, 100, 774).astype(np.float32))
model, ranges = (os.path.join(tempfile.mkdtemp(), n) for n in ("model.yml", "range.yml"))
svm.save(model)
out = cv2.FileStorage(ranges, cv2.FILE_STORAGE_WRITE)
out.write("range", np.stack([np.zeros(36), np.ones(36)]).astype(np.float32))
out.release()
judge, bgr = cv2.quality.QualityBRISQUE_create(model, ranges), pixels[..., ::-1].copy()
"""
PEERS = {
    "brisque": ("opencv", OPENCV, "judge.compute(bgr)[0]", "opencv-contrib-python-headless"),
    "piqe": ("pyiqa", "from pyiqa.archs.piqe_arch import piqe\ny = x / 255\n", "piqe(y)[0]", "pyiqa"),
    "cpbd": None,
    "entropy": ("pyiqa", "from pyiqa.archs.entropy_arch import entropy\ny = x / 255\n", "entropy(y)", "pyiqa"),
    "total_variation": ("piq", "import piq\ny = x / 255\n", "piq.total_variation(y, norm_type='l1')", "piq"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="an interpreter that has the peers")
    parser.add_argument("names", nargs="*", default=list(PEERS))
    given = parser.parse_args()
    photo = astronaut()
    tile = np.concatenate([photo, photo[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]], axis=0)
    pictures = {"512×512 RGB": photo, "3840×2160 RGB": np.tile(tile, (3, 4, 1))[:2160, :3840]}
    cases = {}
    with tempfile.TemporaryDirectory() as folder:
        for i, (case, pixels) in enumerate(pictures.items()):
            path = os.fspath(Path(folder) / f"{i}.npy")
            np.save(path, pixels)
            for name in given.names:
                read, ours = READ.format(path=path), f"from assay.quality.{name} import {name} as f\n"
                contestants = [Contestant("assay", sys.executable, read + ours, "float(f(x))", "assay")]
                peer = PEERS[name]
                if peer:
                    contestants.append(Contestant(peer[0], given.peers, read + peer[1], f"float({peer[2]})", peer[3]))
                cases[f"{name} {case}"] = race(contestants, rounds=5 if i == 0 else 3)
    save(Path(__file__).with_suffix(".json"), what="no-reference metrics of one RGB picture, 8 bits, one thread", cases=cases)


if __name__ == "__main__":
    main()
