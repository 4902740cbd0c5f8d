"""What `inspect` takes for a portrait of 512×512 once everything is loaded, and the parts of it that judge the face.

    python speed/portrait.py

The picture: scikit-image's astronaut, decoded already.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness import Contestant, race, save, together

SETUP = """
import torch
from skimage.data import astronaut
import assay
from assay import people
from assay.io.decode import from_array
from assay.ops.shared import remembering
from assay.tasks import offline, task
picture = from_array(astronaut())
all_of_face = [t for t in map(task, offline()) if t.fn.card.takes == ("face",)]
def judged():
    with remembering():
        return len(people.judge(picture, all_of_face))
"""
WORK = {
    "inspect": "float(assay.inspect(picture, maps=False).quality.score)",
    "finding the face": "float(len(people.faces(picture)))",
    "finding and judging it": "float(judged())",
}


def main() -> None:
    cases = {}
    for threads in (1, 2):
        contestants = [Contestant(k, sys.executable, SETUP, v, "assay") for k, v in WORK.items()]
        cases[f"{threads} thread{'s' * (threads > 1)}"] = race(contestants, rounds=3, threads=threads)
    both = together(Contestant("", sys.executable, SETUP, WORK["inspect"], "assay"))
    what = "a portrait of 512×512, inspected"
    save(Path(__file__).with_suffix(".json"), what=what, cases=cases, threads="as named", per_second={"two processes of one thread": both})


if __name__ == "__main__":
    main()
