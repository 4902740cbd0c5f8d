"""Faces a second of `fiqa-assay`, where its time goes, and EdgeNeXt-XXS at 352×352 beside it; one thread and two.

    python speed/fiqa.py

One picture (scikit-image's astronaut) with one face, judged again and again. The parts: the view (check, cut, resize), the
statistics, and the net.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from harness import Contestant, race, save, together

SETUP = """
import torch
from skimage.data import astronaut
from assay import check
from assay.face.fiqa_assay import MARGIN, SIDE, fiqa_assay, model
from assay.nets.assay_q import statistics
from assay.nets.edgenext import EdgeNeXtFIQA
from assay.ops.views import views
from assay.types import Face
torch.set_grad_enabled(False)
face = Face((165, 60, 285, 215), ((203.0, 113.0), (245.0, 109.0), (226.0, 140.0), (208.0, 160.0), (247.0, 157.0)), 1.0)
picture = torch.from_numpy(astronaut().copy()).permute(2, 0, 1).contiguous()
view = views(check.faces(picture, [face]), [face], side=SIDE, margin=MARGIN)
found = statistics(view)
net, _ = model()
edge, large = EdgeNeXtFIQA().eval(), torch.rand(1, 3, 352, 352)
"""
WORK = {
    "fiqa-assay, one face": "float(fiqa_assay(picture, [face])[0].score)",
    "its view": "float(views(check.faces(picture, [face]), [face], side=SIDE, margin=MARGIN).mean())",
    "its statistics": "float(statistics(view).mean())",
    "its net": "float(net(found).score)",
    "EdgeNeXt-XXS, 352×352": "float(edge(large))",
}


def main() -> None:
    judged = WORK["fiqa-assay, one face"]
    cases: dict[str, list[dict[str, Any]]] = {}
    rate = {}
    for threads in (1, 2):
        rows = race([Contestant(k, sys.executable, SETUP, v, "assay") for k, v in WORK.items()], threads=threads)
        cases[f"{threads} thread{'s' * (threads > 1)}"] = rows
        rate[str(threads)] = round(1000 / rows[0]["wall_ms"], 1)
    save(
        Path(__file__).with_suffix(".json"),
        what="fiqa-assay of one face in a picture of 512×512",
        cases=cases,
        threads="as named",
        faces_per_second=rate | {"two processes of one thread": together(Contestant("", sys.executable, SETUP, judged, "assay"))},
    )


if __name__ == "__main__":
    main()
