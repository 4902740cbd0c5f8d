"""Two small nets that look at how a face was made rather than whose it is: one finds blends, one learned to read a camera's settings.

Both see the pixels beside what a 3×3 mean leaves of them, amplified: traces of sensors, resizing, compression and brushes are faint.
Trained by recipes/self_blended.py and recipes/exif_faces.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, relu

from assay.ops.align import chips
from assay.types import CannotAssess, Face

CHIP, MARGIN = 192, 0.4  # pixels of an aligned face and what surrounds it: 43 between the eyes
EYES = 16.0  # pixels between the eyes of the smallest face that shows anything
INSIDE = 0.8  # share of a face's box that must lie in the picture: what is cut off looks like an edge
WIDTHS = (16, 32, 64)
FEATURES = 128
AXES = 24  # of the features in which faces are held against one another
STRIDE = 8  # pixels under one place of a mask
GAIN = 8.0  # of the residual
REGIONS = ("whole face", "eyes", "nose", "mouth")
ORDINALS = ("iso", "f_number", "exposure_time", "focal_length", "JPEG quality", "resampling", "noise")
PHASES = 4  # places where the mosaic of a Bayer sensor may begin


def views(image: Tensor, faces: Sequence[Face], side: int) -> Tensor:
    """Faces as the nets have met them: 3×H×W → N×3×side×side in [0, 1].  Raises CannotAssess for small and cut-off faces."""
    for face in faces:
        if face.eye_distance < EYES:
            raise CannotAssess(f"The eyes of this face are {face.eye_distance:.0f} pixels apart; at least {EYES:.0f} are needed.")
        shown = _inside(face, *image.shape[-2:])
        if shown < INSIDE:
            raise CannotAssess(f"Only {100 * shown:.0f} % of this face lies in the picture; at least {100 * INSIDE:.0f} % are needed.")
    straight = torch.eye(2, 3).expand(len(faces), -1, -1)
    return warped(chips(image, faces, side=CHIP, margin=MARGIN).float(), straight, side).clamp(0, 1)


def _inside(face: Face, height: int, width: int) -> float:
    left, top, right, bottom = face.box
    across, down = min(right, width) - max(left, 0), min(bottom, height) - max(top, 0)
    return max(0.0, across) * max(0.0, down) / max(1e-6, (right - left) * (bottom - top))


def warped(x: Tensor, theta: Tensor, side: int) -> Tensor:
    """Square views of N×C×H×W, one affine map N×2×3 each: from −1…1 of the view to −1…1 of the picture."""
    if not len(x):
        return x.new_zeros(0, x.shape[1], side, side)
    grid = affine_grid(theta.to(x), [len(x), x.shape[1], side, side], align_corners=False)
    return grid_sample(x, grid, padding_mode="border", align_corners=False)


class Step(nn.Module):
    """A 3×3 convolution, normalised, ReLU; added to its input where the shapes allow it."""

    def __init__(self, c: int, d: int, stride: int = 1, k: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c, d, k, stride, k // 2, bias=False)
        self.norm = nn.BatchNorm2d(d)
        self.adds = stride == 1 and c == d

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x))
        return relu(x + y if self.adds else y)


class Body(nn.Module):
    """N×3×H×W in [0, 1] → N×64×H/8×W/8, and the mean over all places of what 128 filters see there: N×128."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.near = nn.Sequential(Step(6, a, 2, 5), Step(a, a), Step(a, b, 2), Step(b, b), Step(b, c, 2), Step(c, c), Step(c, c))
        self.far = nn.Sequential(Step(c, FEATURES, 2), Step(FEATURES, FEATURES))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = GAIN * (x - avg_pool2d(x, 3, 1, 1, count_include_pad=False))
        near = self.near(torch.cat([2 * x - 1, fine], 1).contiguous(memory_format=torch.channels_last))
        return near, self.far(near).mean((2, 3))


class Blended(nn.Module):
    """Faces → logit that each was blended: N; logits of where: N×1×H/8×W/8."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()
        self.where = nn.Conv2d(WIDTHS[2], 1, 1)
        self.judge = nn.Sequential(nn.Linear(FEATURES + 2, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        near, seen = self.body(x)
        where = self.where(near)
        most = torch.cat([where.amax((2, 3)), where.mean((2, 3))], 1)
        return self.judge(torch.cat([seen, most], 1))[:, 0], where


class Read(NamedTuple):
    """What an encoder with its training heads says."""

    ordinals: Tensor  # N×7: larger means more of it, in no unit
    phase: Tensor  # N×4 logits
    face: Tensor  # N: logit that a face was manipulated
    region: Tensor  # N×4 logits: where


class Encoder(nn.Module):
    """The encoder, whose heads only its training needs: pictures → N×128, and what the heads read from it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()
        self.ordinals = nn.Linear(FEATURES, len(ORDINALS))
        self.phase = nn.Linear(FEATURES, PHASES)
        self.face = nn.Linear(FEATURES, 1)
        self.region = nn.Linear(FEATURES, len(REGIONS))

    def forward(self, x: Tensor) -> Read:
        f = self.body(x)[1]
        return Read(self.ordinals(f), self.phase(f), self.face(f)[:, 0], self.region(f))


class Head(nn.Sequential):
    """What 24 numbers of a face say: N×24 → logit that it is no plain photograph."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(AXES, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
