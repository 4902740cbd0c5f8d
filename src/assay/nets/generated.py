"""The body of `generated-assay`: a small net that looks at what is left of a picture when its content is smoothed away.

It keeps full resolution for its first layers, because the traces of decoders live between neighbouring pixels. What it sees of
the picture is only the difference to a 3×3 mean, once squashed (small differences count most) and once as it is: no colours, no shapes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, pad, relu

from assay import weights
from assay.ops import finedetail, photo
from assay.types import BadInput, Weights

MODEL = Weights(
    file="generated_assay.safetensors",
    sha256="bc6a3747e7bec2346951426c3dafd167361d0d6cceb203ff1cc88a5007309d70",
    license="Apache-2.0; trained on Kodak (free use), gb82 (CC0), free camera photographs and official portraits (MIT)",
    recipe="recipes/generated.py",
)
SIDE = 96  # pixels of a crop
WIDTHS = (16, 16, 32, 64)  # channels at full, half, quarter and eighth resolution
CUT = 5.0  # standard deviations at which numbers of fine detail are cut
KNEE, FULL = 3.0, 32.0  # 8-bit steps: where squashing sets in, and where the plain residual is cut


class Seen(NamedTuple):
    """What the net says of each crop: logits, larger speaks for "generated"."""

    logit: Tensor  # N
    places: Tensor  # N×h×w: the logit is their mean


def residuals(x: Tensor) -> Tensor:
    """N×3×H×W in [0, 1] → N×6×H×W: the difference to the binomial 3×3 mean, squashed and plain."""
    wide = pad(x * 255, (1, 1, 1, 1), mode="replicate")
    rows = wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]
    mean = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16
    left = x * 255 - mean
    return torch.cat([left / (KNEE + left.abs()), (left / FULL).clamp(-1, 1)], dim=1)


class Block(nn.Module):
    """Two 3×3 convolutions added to their input; the first may halve the size. `norm` is for training and folded away after."""

    def __init__(self, inside: int, outside: int, stride: int, norm: bool) -> None:
        super().__init__()
        self.enter = nn.Sequential(*_conv(inside, outside, stride, norm), nn.ReLU())
        self.first = nn.Sequential(*_conv(outside, outside, 1, norm), nn.ReLU())
        self.second = nn.Sequential(*_conv(outside, outside, 1, norm))

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        return relu(x + self.second(self.first(x)))


def _conv(inside: int, outside: int, stride: int, norm: bool) -> list[nn.Module]:
    conv = nn.Conv2d(inside, outside, 3, stride, 1, bias=not norm)
    return [conv, nn.BatchNorm2d(outside)] if norm else [conv]


class Generated(nn.Module):
    """Crops in, N×3×96×96 in [0, 1]; out comes Seen."""

    def __init__(self, *, norm: bool = False) -> None:
        super().__init__()
        pairs = zip((6, *WIDTHS[:-1]), WIDTHS, strict=True)
        self.body = nn.Sequential(*(Block(i, o, 1 if i == 6 else 2, norm) for i, o in pairs))
        self.head = nn.Conv2d(WIDTHS[-1], 1, 1)

    def seen(self, x: Tensor) -> Tensor:
        """What the last layer judges: N×64×12×12."""
        features: Tensor = self.body(residuals(x).contiguous(memory_format=torch.channels_last))
        return features

    def forward(self, x: Tensor) -> Seen:
        places = self.head(self.seen(x))[:, 0]
        return Seen(places.mean((1, 2)), places)


def statistics(net: Generated, x: Tensor) -> tuple[Tensor, Tensor]:
    """What the body sees, whatever the last layer makes of it: mean and deviation over places, N×128, and means of 3×3 tiles, N×9×64."""
    seen = net.seen(x)
    whole = torch.cat([seen.mean((2, 3)), seen.flatten(2).std(2)], dim=1)
    return whole, adaptive_avg_pool2d(seen, 3).flatten(2).transpose(1, 2)


@cache
def loaded() -> Generated:
    """The net from its file."""
    net = Generated()
    net.load_state_dict({k: v.float() for k, v in weights.load_safetensors(MODEL).items()})
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


class Detail(NamedTuple):
    """What a file of `assay train authenticity` makes of a picture's fine detail (ops/finedetail)."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    limit: Tensor  # of the whole logit: 1 in 100 authentic pictures of the training, judged without it, lies above

    def logit(self, pixels: Tensor) -> float:
        """What it adds to the logit of the net.  pixels: C×H×W, C 3 or 1."""
        z = (torch.from_numpy(numbers(pixels)) - self.mean) / self.scale
        return float(z.clamp(-CUT, CUT) @ self.weight)


def numbers(pixels: Tensor) -> NDArray[np.float64]:
    """What ops/finedetail says of a C×H×W picture."""
    return finedetail.statistics(photo.steps(pixels).round().to(torch.uint8).expand(3, -1, -1).permute(1, 2, 0).numpy())


class Own(NamedTuple):
    """A detector: the net, and what it knows beside it; None as shipped."""

    net: Generated
    detail: Detail | None


@cache
def adapted(head: str) -> Own:
    """The detector of a file that `assay train authenticity` made; as shipped for "".  Raises BadInput."""
    if not head:
        return Own(loaded(), None)
    try:
        with safe_open(Path(head), "pt") as file:
            body = (file.metadata() or {}).get("body")
            names = list(file.keys())
            own = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{head} is no layer that `assay train authenticity` made: {error}.") from error
    fields = [f"detail.{name}" for name in Detail._fields]
    if body != MODEL.sha256 or own.keys() != {"head.weight", "head.bias", *fields}:
        raise BadInput(f"{head} was made for another version of the net; run `assay train authenticity` again.")
    net = Generated()
    net.load_state_dict(loaded().state_dict() | {k: v.float() for k, v in own.items() if k not in fields})
    net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Own(net, Detail(*(own[f].double() for f in fields)))
