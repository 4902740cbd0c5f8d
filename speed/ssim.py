"""Structural similarity of a pair of 8-bit colour pictures, side by side with other libraries: CPU time, memory, value.

    python speed/ssim.py --peers /path/to/python      # an environment with fast_ssim, torchmetrics and piq

Each library gets the pixels in the layout it likes best, made before the clock starts: planar uint8 here, interleaved uint8
for fast_ssim and scikit-image, float tensors for torchmetrics and piq. One thread; fast_ssim starts threads of its own, whose
CPU time counts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness import Contestant, race, save

PICTURES = """
import numpy as np
rng = np.random.default_rng(0)
y, x = np.mgrid[:{height}, :{width}]
scene = 128 + 60 * np.sin(x / 37)[..., None] * np.cos(y / 53)[..., None] + 20 * np.sin(np.arange(3) + x[..., None] / 5)
ref = np.clip(scene + rng.normal(0, 8, scene.shape), 0, 255).round().astype(np.uint8)
x = np.clip(ref + rng.normal(0, 25, scene.shape), 0, 255).round().astype(np.uint8)
del scene, y
"""
PLANAR = """
import torch
torch.set_num_threads(1)
x, ref = (torch.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1)))[None] for a in (x, ref))
"""
FLOAT = PLANAR + "x, ref = x / 255, ref / 255\n"
SIZES = {"512×512": (512, 512), "3840×2160": (3840, 2160)}


def contestants(width: int, height: int, peers: str) -> list[Contestant]:
    pictures = PICTURES.format(width=width, height=height)
    ours = pictures + PLANAR + "from assay.quality.ssim import ssim\n"
    theirs = pictures + "from skimage.metrics import structural_similarity as ssim\n"
    paper = "ssim(ref, x, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)"
    metrics = pictures + FLOAT + "from torchmetrics.functional import structural_similarity_index_measure as ssim\n"
    return [
        Contestant("assay, gaussian", sys.executable, ours, "ssim(x, ref=ref)", "assay"),
        Contestant("fast_ssim, box", peers, pictures + "import fast_ssim\n", "fast_ssim.ssim(ref, x)", "fast_ssim"),
        Contestant("assay, box", sys.executable, ours, "ssim(x, ref=ref, variant='box')", "assay"),
        Contestant("scikit-image, gaussian", sys.executable, theirs, paper, "scikit-image"),
        Contestant("torchmetrics, gaussian padded", peers, metrics, "ssim(x, ref, data_range=1.0)", "torchmetrics"),
        Contestant("piq, gaussian", peers, pictures + FLOAT + "import piq\n", "piq.ssim(x, ref, data_range=1.0, downsample=False)", "piq"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="the interpreter of the environment that holds the peers")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    cases = {name: race(contestants(*size, given.peers), rounds=given.rounds) for name, size in SIZES.items()}
    save(Path(__file__).with_suffix(".json"), what="structural similarity of an 8-bit colour pair", cases=cases)


if __name__ == "__main__":
    main()
