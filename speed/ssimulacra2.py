"""SSIMULACRA 2 of a 512×512 and a 4K pair, ours and PyPI's ssimulacra2, side by side on one thread.

    python speed/ssimulacra2.py --peers PYTHON_WITH_SSIMULACRA2

The pair is scikit-image's astronaut (mirrored and tiled to 3840×2160) and its JPEG of quality 30. The peer takes files, so
its time includes reading two PNGs, a tenth of it or less. Its Gaussian and border are not the program's, so its value differs
(tests/reference/ssimulacra2.json).
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import Contestant, race, save
from PIL import Image
from skimage.data import astronaut

OURS = """
import numpy as np, torch
from PIL import Image
from assay.quality.ssimulacra2 import ssimulacra2
x, ref = (torch.from_numpy(np.asarray(Image.open(p)).transpose(2, 0, 1).copy())[None] for p in ({x!r}, {ref!r}))
"""
PEER = "from ssimulacra2 import compute_ssimulacra2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="an interpreter that has ssimulacra2")
    peers = parser.parse_args().peers
    photo = astronaut()
    tile = np.concatenate([photo, photo[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]], axis=0)
    pictures = {"512×512 RGB": photo, "3840×2160 RGB": np.tile(tile, (3, 4, 1))[:2160, :3840]}
    with tempfile.TemporaryDirectory() as folder:
        cases = {}
        for i, (case, pixels) in enumerate(pictures.items()):
            paths = {"x": str(Path(folder) / f"x{i}.png"), "ref": str(Path(folder) / f"ref{i}.png")}
            packed = io.BytesIO()
            Image.fromarray(pixels).save(packed, "JPEG", quality=30)
            Image.open(packed).save(paths["x"])
            Image.fromarray(pixels).save(paths["ref"])
            contestants = [
                Contestant("assay", sys.executable, OURS.format(**paths), "float(ssimulacra2(x, ref=ref))", "assay"),
                Contestant("ssimulacra2", peers, PEER, f"compute_ssimulacra2({paths['ref']!r}, {paths['x']!r})", "ssimulacra2"),
            ]
            cases[case] = race(contestants, rounds=5 if i == 0 else 1)
    save(Path(__file__).with_suffix(".json"), what="SSIMULACRA 2, one thread", cases=cases)


if __name__ == "__main__":
    main()
