"""The cascade of local binary patterns that comes with scikit-image: a check and a fallback, boxes only."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.ops.detections import boxed, kept
from assay.types import Face, MissingWeights

WINDOW = 24  # pixels the cascade looks at
STEP = 1.2  # from one size to the next
SAME = 0.3


def detect(picture: Tensor, confidence: float, smallest: float) -> list[Face]:
    """The faces of one picture, 3×H×W. Points are the mean places in a box.

    A cascade says yes or no, so its confidence is 1.
    Raises MissingWeights without scikit-image.
    """
    pixels = (picture if picture.dtype == torch.uint8 else (picture * 255).round().to(torch.uint8)).permute(1, 2, 0).cpu().numpy()
    side = min(pixels.shape[:2])
    least = max(WINDOW, round(smallest))
    if side < least:
        return []
    found = _cascade().detect_multi_scale(
        img=pixels, scale_factor=STEP, step_ratio=1, min_size=(least, least), max_size=(side, side), min_neighbor_number=4
    )
    rows = [(f["c"], f["r"], f["c"] + f["width"], f["r"] + f["height"]) for f in found]
    boxes = np.array(rows, dtype=np.float64).reshape(-1, 4)
    score = np.ones(len(boxes))
    return [boxed(boxes[i], score[i]) for i in kept(boxes, score, limit=SAME) if score[i] >= confidence]


@cache
def _cascade() -> Any:
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ImportError as e:
        raise MissingWeights("model lbp is a cascade that comes with scikit-image: pip install assay[demo], or leave model out.") from e
    return Cascade(lbp_frontal_face_cascade_filename())  # type: ignore[no-untyped-call]
