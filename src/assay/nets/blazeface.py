"""BlazeFace (Bazarevsky et al. 2019, arXiv:1907.05047), the front-camera model, with the parameters of hollance's conversion.

It was made for selfies: it looks at the picture as a square of 128 pixels and finds large faces only.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, max_pool2d, pad, relu

from assay import weights
from assay.ops.detections import face, kept
from assay.types import Face, Weights

MODEL = Weights(
    "blazeface.pth",
    "54ecff653feaaaf1f7d44b6aff28fd2fc50e483a4e847563b6dd261369c43ba4",
    "MIT (conversion); Apache-2.0 (MediaPipe)",
    url="https://raw.githubusercontent.com/hollance/BlazeFace-PyTorch/master/blazeface.pth",
)
SIDE = 128
HALVED = {("backbone1", 4), ("backbone1", 7), ("backbone2", 0)}  # blocks of stride 2
SAME = 0.3


@torch.inference_mode()
def detect(picture: Tensor, confidence: float, smallest: float) -> list[Face]:
    """The faces of one picture, 3×H×W; those lower than `smallest` are left out.

    It knows one point of the mouth: its corners are put nine twentieths of the eye distance to each side, along the line of the eyes.
    Raises MissingWeights without the file.
    """
    p = weights.load_pth(MODEL, instead="assay")
    h, w = picture.shape[1:]
    x = picture[None].float() * (1 if picture.dtype == torch.uint8 else 255)
    side = max(h, w)
    left, top = (side - w) // 2, (side - h) // 2
    x = interpolate(pad(x, (left, side - w - left, top, side - h - top)), (SIDE, SIDE), mode="area") / 127.5 - 1
    raw, logit = _answers(x, p)
    score = logit.clamp(-100, 100).sigmoid().double().numpy()
    sure = score >= confidence
    values = raw.double().numpy()[sure].reshape(-1, 8, 2) / SIDE
    values[:, [0, 2, 3, 4, 5, 6, 7]] += anchors()[sure][:, None]
    values[:, [0, 2, 3, 4, 5, 6, 7]] = values[:, [0, 2, 3, 4, 5, 6, 7]] * side - (left, top)
    centre, size = values[:, 0], values[:, 1] * side
    boxes, score = np.concatenate([centre - size / 2, centre + size / 2], axis=1), score[sure]
    along = 0.45 * (values[:, 3] - values[:, 2])
    points = np.stack([values[:, 2], values[:, 3], values[:, 4], values[:, 5] - along, values[:, 5] + along], axis=1)
    stay = kept(boxes, score, limit=SAME)
    return [face(boxes[i], points[i], score[i]) for i in stay if size[i].min() >= smallest]


def _answers(x: Tensor, p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """896×16 numbers and 896 logits, of places on a grid of 16×16 (two each) and of 8×8 (six each)."""
    y = relu(conv2d(pad(x, (1, 2, 1, 2)), p["backbone1.0.weight"], p["backbone1.0.bias"], stride=2))
    for i in range(2, 13):
        y = _block(y, p, "backbone1", i)
    z = y
    for i in range(5):
        z = _block(z, p, "backbone2", i)
    parts = {}
    for kind, n in (("regressor", 16), ("classifier", 1)):
        rows = [conv2d(t, p[f"{kind}_{k}.weight"], p[f"{kind}_{k}.bias"]) for k, t in ((8, y), (16, z))]
        parts[kind] = torch.cat([t[0].permute(1, 2, 0).reshape(-1, n) for t in rows])
    return parts["regressor"], parts["classifier"][:, 0]


def _block(x: Tensor, p: dict[str, Tensor], name: str, i: int) -> Tensor:
    key = f"{name}.{i}.convs"
    half = (name, i) in HALVED
    deep = p[f"{key}.0.weight"]
    y = conv2d(pad(x, (0, 2, 0, 2)) if half else x, deep, p[f"{key}.0.bias"], stride=1 + half, padding=0 if half else 1, groups=len(deep))
    y = conv2d(y, p[f"{key}.1.weight"], p[f"{key}.1.bias"])
    x = max_pool2d(x, 2) if half else x
    return relu(y + pad(x, (0, 0, 0, 0, 0, y.shape[1] - x.shape[1])))


def anchors() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Where the 896 places lie, x and y as parts of the side."""
    found = []
    for n, times in ((16, 2), (8, 6)):
        middle = (np.arange(n) + 0.5) / n
        grid = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
        found.append(grid.repeat(times, axis=0))
    return np.concatenate(found)
