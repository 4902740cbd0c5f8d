"""What `assay verify` takes for a JPEG file of 12 megapixels: processor time, time by the clock and memory, once everything is loaded.

    python speed/verify.py

The picture: scikit-image's photographs beside each other, enlarged to 4000×3000, with grain, at quality 92. Each algorithm is timed alone
as well; what they share is then computed for each.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness import Contestant, race, save

SETUP = """
import io
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the command does: algorithms run beside each other
import numpy as np
import torch
from PIL import Image
from skimage.data import astronaut, coffee
import assay
from assay.io.decode import read
from assay.runner import run
from assay.tasks import evidence
from assay.types import CannotAssess
torch.set_num_threads(1)
row = np.concatenate([coffee()[:400, :512], astronaut()[:400]], axis=1)
image = Image.fromarray(row).resize((4000, 3000), Image.Resampling.LANCZOS)
grain = np.random.default_rng(0).normal(0, 3, (3000, 4000, 1))
out = io.BytesIO()
Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=92)
data = out.getvalue()
picture = read(data)
def asked(name):
    try:
        return bool(assay.assess(name, picture))
    except CannotAssess:
        return False  # a look was taken all the same
def verified():
    return len(next(run(evidence(), [read(data)], maps=True, verdicts=True, threads=THREADS)).results)
"""


def main() -> None:
    from assay.tasks import evidence

    whole = {
        f"{n} threads": race(
            [Contestant("verify", sys.executable, f"THREADS = {n}\n{SETUP}", "float(verified())", "assay")], rounds=3, threads=n
        )
        for n in (1, 2)
    }
    parts = [
        Contestant(name, sys.executable, f"THREADS = 1\n{SETUP}", f"float(asked({name!r}))", "assay")
        for name in evidence()
        if name != "thumbnail"
    ]
    cases = {**whole, "each alone, 1 thread": race(parts, rounds=2)}
    save(Path(__file__).with_suffix(".json"), what="a JPEG file of 4000×3000, verified", cases=cases, threads="as named")


if __name__ == "__main__":
    main()
