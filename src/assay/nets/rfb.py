"""RFB-320, the ultra-light face detector of Linzaer (github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB), by its official file.

It looks at the whole picture at 320×240, so it finds no face much smaller than a thirtieth of the width, and gives boxes only.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assay import weights
from assay.ops.detections import boxed, kept
from assay.types import Face, MissingWeights, Weights

MODEL = Weights(
    "version-RFB-320.onnx",
    "34cd7e60aeff28744c657de7a3dc64e872d506741de66987f3426f2b79f88017",
    "MIT (Linzaer)",
    url="https://raw.githubusercontent.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB/master/models/onnx/version-RFB-320.onnx",
)
WIDTH, HEIGHT = 320, 240
SAME = 0.3  # of the release


def detect(picture: Tensor, confidence: float, smallest: float) -> list[Face]:
    """The faces of one picture, 3×H×W; those lower than `smallest` are left out. Points are the mean places in a box.

    Raises MissingWeights without the file, or without onnxruntime.
    """
    x = picture[None].float() * (1 if picture.dtype == torch.uint8 else 255)
    x = interpolate(x, (HEIGHT, WIDTH), mode="bilinear", align_corners=False)
    scores, corners = _session().run(None, {"input": ((x - 127) / 128).cpu().numpy()})
    score = scores[0, :, 1].astype(np.float64)
    sure = score >= confidence
    score, boxes = score[sure], corners[0][sure].astype(np.float64) * np.tile([picture.shape[2], picture.shape[1]], 2)
    tall = boxes[:, 3] - boxes[:, 1] >= smallest
    score, boxes = score[tall], boxes[tall]
    return [boxed(boxes[i], score[i]) for i in kept(boxes, score, limit=SAME)]


@cache
def _session() -> Any:
    try:
        import onnxruntime  # type: ignore[import-not-found, unused-ignore]
    except ImportError as e:
        raise MissingWeights("model rfb-320 is an ONNX file and needs onnxruntime: pip install assay[onnx], or leave model out.") from e
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(weights.find(MODEL, instead="assay")), options, providers=["CPUExecutionProvider"])
