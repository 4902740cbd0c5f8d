"""The head of `attribution-assay`: from what the body of `generated-assay` sees, and plain statistics, to a place among decoders.

Two layers and 32 numbers a crop; then, for each known family, where its crops lie, and how far those kept aside lie from there. What is
farther from every family than all but a few of its own crops is of none of them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from assay import weights
from assay.nets.generated import Generated, statistics
from assay.ops.leftovers import COUNT, leftovers
from assay.ops.openworld import Classes, distances, p_values
from assay.types import Weights

MODEL = Weights(
    file="attribution_assay.safetensors",
    sha256="48e7ff67eb0ee247431295273c0c7dbf6c19cfbf41a33d56b329546a18fb6a46",
    license="Apache-2.0; trained on Kodak (free use), gb82 (CC0), free camera photographs and official portraits (MIT)",
    recipe="recipes/attribution.py",
)
KNOWN = ("photograph", "deconv", "linear", "vae")  # families whose names were taught; the first is no decoder
SIZE, WIDTH = 128 + COUNT, 32  # features of a crop, and of its place


class Net(nn.Module):
    """Standardised features in; a place, and logits of the known families and as many groups as were looked for beside."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(SIZE, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, WIDTH), nn.BatchNorm1d(WIDTH))
        self.head = nn.Linear(WIDTH, classes, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.body(x)
        return seen, self.head(seen)


class Families(NamedTuple):
    """A net, what standardises its features, and where families lie.  held: distances of crops kept aside, M×C, padded by −inf."""

    net: Net
    mean: Tensor
    scale: Tensor
    classes: Classes
    held: Tensor


def usual(families: Families, body: Generated, crops: Tensor) -> Tensor:
    """How usual each crop, N×3×96×96 uint8, would be in each known family: p-values, N×C."""
    whole, _ = statistics(body, crops.float() / 255)
    plain = np.stack([leftovers(c) for c in crops.permute(0, 2, 3, 1).numpy()])
    features = torch.cat([whole, torch.from_numpy(plain)], dim=1)
    seen, _ = families.net((features - families.mean) / families.scale)
    return p_values(distances(seen, families.classes), families.held)


@cache
def loaded() -> Families:
    """The head from its file."""
    t = {k: v.float() for k, v in weights.load_safetensors(MODEL).items()}
    net = Net(t["head.weight"].shape[0])
    net.load_state_dict({k: v.long() if k.endswith("tracked") else v for k, v in t.items() if k.startswith(("body.", "head."))})
    return Families(net.eval().requires_grad_(False), t["mean"], t["scale"], Classes(t["means"], t["precision"]), t["held"])
