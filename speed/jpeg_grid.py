"""What the JPEG grid costs: the votes by the C kernel and by their torch definition, and the whole finding, on one thread.

    python speed/jpeg_grid.py [ZERO]

ZERO is the compiled program of the paper's authors (github.com/tinankh/ZERO, AGPL-3, `make`), timed on the smaller picture as well; it
reads a PNG, votes, looks for areas with another grid and writes its votes, all of which counts, and returns its exit status.

The pictures are scikit-image's astronaut, mirrored and tiled, saved at quality 85 and decoded. The number each
contestant returns is the share of the pixels that vote for the main grid, so that equal work is seen to be equal.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import Contestant, race, save
from PIL import Image
from skimage.data import astronaut

LOAD = """
import numpy as np, torch
from assay.ops import dct
from assay.authenticity.jpeg_grid import jpeg_grid
from assay.types import Media, Picture
x = torch.from_numpy(np.load({path!r}).transpose(2, 0, 1).copy())
luma = dct.luma8(x)
picture = Picture(x, b"", "", "", Media("array", x.shape[2], x.shape[1], "RGB"), lambda: x)
def whole():
    data = jpeg_grid(picture).data
    return data["votes"] / data["pixels"]
"""
AUTHORS = """
import subprocess, tempfile
folder = tempfile.mkdtemp()
def theirs():
    return subprocess.run([{zero!r}, {png!r}], cwd=folder, stdout=subprocess.DEVNULL).returncode
"""
KERNEL = "float((dct.grid_votes(luma) == 0).double().mean())"
TORCH = "float((dct.grid_votes_torch(luma) == 0).double().mean())"


def main() -> None:
    photo = astronaut()
    tile = np.concatenate([photo, photo[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]], axis=0)
    with tempfile.TemporaryDirectory() as folder:
        cases = {}
        for i, (width, height) in enumerate([(768, 512), (4000, 3000)]):
            out = io.BytesIO()
            Image.fromarray(np.tile(tile, (3, 4, 1))[:height, :width]).save(out, "JPEG", quality=85)
            path = os.fspath(Path(folder) / f"{i}.npy")
            pixels = np.asarray(Image.open(out))
            np.save(path, pixels)
            setup = LOAD.format(path=path)
            contestants = [
                Contestant("votes, C", sys.executable, setup, KERNEL, "assay"),
                Contestant("jpeg_grid, all of it", sys.executable, setup, "whole()", "assay"),
            ]
            if i == 0:  # a minute a turn on the large one
                contestants.append(Contestant("votes, torch definition", sys.executable, setup, TORCH, "torch"))
            if i == 0 and len(sys.argv) > 1:
                png = os.fspath(Path(folder) / "photo.png")
                Image.fromarray(pixels).save(png, compress_level=1)
                theirs = AUTHORS.format(zero=os.fspath(Path(sys.argv[1]).resolve()), png=png)
                contestants.append(Contestant("the authors' program, C", sys.executable, theirs, "theirs()"))
            cases[f"{width}×{height}, {width * height / 1e6:.2f} MP"] = race(contestants, rounds=5)
    save(Path(__file__).with_suffix(".json"), what="JPEG grid votes and finding, one thread", cases=cases)


if __name__ == "__main__":
    main()
