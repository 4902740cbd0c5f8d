"""Small nets that tell forged faces from real ones: one body, which keeps the full resolution at first, and four ways to train it.

They see an aligned face of 96 pixels, its pixels beside what a 3×3 mean leaves of them. recipes/forged_faces.py trains them on
what recipes/face_forgeries.py makes of portraits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, normalize

from assay import weights
from assay.nets.face_traces import GAIN, MARGIN, Step, views
from assay.ops import labelgraph
from assay.ops.align import SIDE as TEMPLATE_SIDE
from assay.ops.align import TEMPLATE, similarity
from assay.ops.disentangle import adain
from assay.ops.facemask import OUTLINE, POINTS, polygon
from assay.types import Face, Weights

WIDE, SIDE = 112, 96  # pixels of a stored view, and of the part of it that the nets see: 25 between the eyes
KINDS = ("self-blend", "swap", "warp", "reconstruction", "enlarged")
LEFT_OUT = "enlarged"  # made for measuring, never trained on
TAUGHT = tuple(k for k in KINDS if k != LEFT_OUT)
LOCALS = ("eyes", "brows", "nose", "mouth", "skin")
TOUCHES = {"identity": LOCALS, "shape": ("eyes", "nose", "mouth"), "blending": LOCALS, "synthesis": LOCALS}
CHANGES = {  # what each kind of forgery changes of the whole face; a swap is blended in as well
    "self-blend": ("blending",),
    "swap": ("identity", "blending"),
    "warp": ("shape",),
    "reconstruction": ("synthesis",),
}
TEXTS = (  # of each label, in the order of the graph
    "a forged face",
    "a face of another person",
    "a face of another shape",
    "a face blended into the picture",
    "a face drawn by a decoder",
    *(f"a face with altered {name}" for name in LOCALS),
)
CHANNELS, CODE, SHARED = (16, 24, 48, 64), 32, 48  # of the body; of UCF's codes; of the space of pictures and texts
BACKGROUND, TOP = 0.2, 0.05  # attention outside the face; share of the map's pixels that the locator's answer rests on
CAVEAT = (  # of all cards but the locator's: docs/forged-faces.md
    "A small net, trained for minutes on four home-made kinds of forgery: little better than chance on blends and swaps, at chance on "
    "warps and on faces of real generators, and strange to other cameras and retouching (docs/forged-faces.md). It clears "
    "and accuses nobody: by name only, do not rely on it."
)
Net = TypeVar("Net", bound=nn.Module)
QUANTILES = 101  # of what real faces that were not trained on score, stored with the weights


def seen(image: Tensor, faces: Sequence[Face]) -> Tensor:
    """Faces as the nets have met them: 3×H×W → N×3×96×96 in [0, 1].  Raises CannotAssess for small and cut-off faces."""
    return middle(views(image, faces, WIDE))


def middle(x: Tensor) -> Tensor:
    edge = (WIDE - SIDE) // 2
    return x[..., edge : edge + SIDE, edge : edge + SIDE]


class Body(nn.Module):
    """N×3×H×W in [0, 1] → features at the full, half, quarter and eighth resolution: 16, 24, 48 and 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = CHANNELS
        halves = (nn.Sequential(Step(i, o, 2), Step(o, o)) for i, o in ((a, b), (b, c), (c, d)))
        self.levels = nn.ModuleList([Step(6, a), *halves])

    def forward(self, x: Tensor) -> list[Tensor]:
        fine = GAIN * (x - avg_pool2d(x, 3, 1, 1, count_include_pad=False))
        at = torch.cat([2 * x - 1, fine], 1).contiguous(memory_format=torch.channels_last)
        out = []
        for level in self.levels:
            at = level(at)
            out.append(at)
        return out


class Plain(nn.Module):
    """The body with two layers on top: logits of real and of each kind of forgery.  What the others start from and are held against."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()
        self.judge = nn.Linear(CHANNELS[-1], 1 + len(TAUGHT))

    def forward(self, x: Tensor) -> Tensor:
        told: Tensor = self.judge(self.body(x)[-1].mean((2, 3)))
        return told

    def score(self, x: Tensor) -> Tensor:
        """Logit that a face is forged, of whatever kind."""
        return forged(self(x))


def forged(logits: Tensor) -> Tensor:
    """Of N×(1 + kinds) logits, real first: the logit that it is any of the kinds."""
    return logits[:, 1:].logsumexp(1) - logits[:, 0]


class Codes(NamedTuple):
    common: Tensor  # N×32×12×12
    specific: Tensor


class Ucf(nn.Module):
    """What UCF keeps after training: the forgery encoder, its two codes and their heads."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()
        self.common, self.specific = self._code(), self._code()
        self.judge, self.name = self._head(2), self._head(1 + len(TAUGHT))

    @staticmethod
    def _code() -> nn.Sequential:
        width = (CHANNELS[-1], CODE, CODE, CODE)
        convs = [nn.Conv2d(i, o, 1) for i, o in pairwise(width)]
        return nn.Sequential(convs[0], nn.LeakyReLU(), convs[1], nn.LeakyReLU(), convs[2])

    @staticmethod
    def _head(classes: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(CODE, 2 * CODE), nn.LeakyReLU(), nn.Linear(2 * CODE, classes))

    def codes(self, x: Tensor) -> Codes:
        f = self.body(x)[-1]
        return Codes(self.common(f), self.specific(f))

    def answers(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logit that each face is forged: N; the share of each kind, were it forged: N×kinds."""
        codes = self.codes(x)
        return forged(self.judge(codes.common.mean((2, 3)))), self.name(codes.specific.mean((2, 3)))[:, 1:].softmax(1)

    def score(self, x: Tensor) -> Tensor:
        return self.answers(x)[0]


class Decoder(nn.Module):
    """Content and forgery codes, N×64×12×12 each → pictures of 48×48, −1 to 1; the statistics of the forgery's run along."""

    def __init__(self) -> None:
        super().__init__()
        widths = (2 * CODE, 32, 24)
        self.steps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU()) for i, o in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], 3, 1)

    def forward(self, content: Tensor, forgery: Tensor) -> Tensor:
        x, c = content, forgery
        for step in self.steps:
            x, c = (interpolate(t, scale_factor=2, mode="bilinear", align_corners=False) for t in (adain(x, c), c))
            x, c = step(x), step(c)
        drawn: Tensor = self.last(adain(x, c))
        return drawn.tanh()


class Student(nn.Module):
    """What LSDA keeps after training: a body, the latent that was held to its teacher's, and two layers that judge it."""

    def __init__(self) -> None:
        super().__init__()
        w = CHANNELS[-1]
        self.body, self.latent = Body(), nn.Conv2d(w, w, 1)
        self.judge = nn.Sequential(nn.Linear(w, w), nn.LeakyReLU(), nn.Linear(w, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of real and forged: N×2; latents: N×64×h×w."""
        z = self.latent(self.body(x)[-1])
        return self.judge(z.mean((2, 3))), z

    def score(self, x: Tensor) -> Tensor:
        return forged(self(x)[0])


class Fusion(nn.Module):
    """Two augmented latents of one forgery → the latent that the student is to have of it: their mean, moved by at most one."""

    def __init__(self) -> None:
        super().__init__()
        w = CHANNELS[-1]
        self.first = nn.Conv2d(2 * w, w, 1)
        self.rest = nn.ModuleList(nn.Conv2d(w, w, 3, padding=1) for _ in range(2))
        for last in self.rest[-1].parameters():
            nn.init.zeros_(last)

    def forward(self, within: Tensor, across: Tensor) -> Tensor:
        x = leaky_relu(self.first(torch.cat([within, across], 1)))
        for conv in self.rest:
            x = conv(leaky_relu(x))
        return (within + across) / 2 + x.tanh()


class Located(NamedTuple):
    logit: Tensor  # N: forged
    map: Tensor  # N×H×W, 0 to 1: how much each pixel was altered


class Locator(nn.Module):
    """FakeLocator's map at full resolution: bilinear enlargement, so that it draws no grid of its own, and attention to the face."""

    attention: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()
        a, b, c, d = CHANNELS
        self.rise = nn.ModuleList([Step(d + c, 32), Step(32 + b, 16), Step(16 + a, 8)])
        self.draw = nn.Conv2d(8, 1, 1)
        self.judge = nn.Linear(d + 1, 1)
        self.register_buffer("attention", attention(), persistent=False)

    def forward(self, x: Tensor) -> Located:
        *fine, last = self.body(x)
        h = last
        for rise, beside in zip(self.rise, reversed(fine), strict=True):
            up = interpolate(h, beside.shape[-2:], mode="bilinear", align_corners=False)
            h = rise(torch.cat([up, beside], 1))
            if beside.shape[-1] * 2 >= x.shape[-1]:  # at half and full resolution
                h = h * (1 + interpolate(self.attention, beside.shape[-2:], mode="bilinear", align_corners=False))
        drawn = self.draw(h)[:, 0].sigmoid()
        most = drawn.flatten(1).topk(max(1, round(TOP * drawn[0].numel())), 1).values.mean(1, keepdim=True)
        return Located(self.judge(torch.cat([last.mean((2, 3)), most], 1))[:, 0], drawn)

    def score(self, x: Tensor) -> Tensor:
        told: Tensor = self(x).logit
        return told


def attention() -> Tensor:
    """1 inside the mean face, .2 around it: 1×1×96×96."""
    times = WIDE / (TEMPLATE_SIDE * (1 + MARGIN))
    spots = (torch.tensor(TEMPLATE, dtype=torch.float64) + TEMPLATE_SIDE * MARGIN / 2) * times - (WIDE - SIDE) / 2
    turn = similarity(torch.tensor(POINTS, dtype=torch.float64), spots)
    inside = polygon(torch.tensor(OUTLINE, dtype=torch.float64) @ turn[:, :2].T + turn[:, 2], SIDE, SIDE)
    return torch.where(inside, 1.0, BACKGROUND)[None, None]


class Joint(nn.Module):
    """Pictures and texts in one space, as CLIP has them, small: the logit of a label is the cosine of the face and the label's text.

    A text is the mean of its words; the words are learned along.
    """

    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        known = sorted({w for t in TEXTS for w in t.split()})
        self.body = Body()
        self.look = nn.Linear(CHANNELS[-1], SHARED)
        self.words = nn.Parameter(torch.randn(len(known), SHARED) / SHARED**0.5)
        self.read = nn.Linear(SHARED, SHARED)
        self.scale = nn.Parameter(torch.tensor(2.0))  # of the cosines, as a logarithm
        bags = torch.tensor([[float(w in t.split()) for w in known] for t in TEXTS])
        self.register_buffer("tokens", bags / bags.sum(1, keepdim=True), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits: N×labels."""
        face = normalize(self.look(self.body(x)[-1].mean((2, 3))), dim=1)
        text = normalize(self.read(self.tokens @ self.words), dim=1)
        return self.scale.exp() * face @ text.T

    def answers(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logit that each face is forged: N; probabilities of all labels, which respect the graph: N×labels."""
        logits = self(x)
        return labelgraph.forged(logits, graph()), labelgraph.marginals(logits, graph())

    def score(self, x: Tensor) -> Tensor:
        return self.answers(x)[0]


def graph() -> Tensor:
    return labelgraph.states(TOUCHES, LOCALS)


@cache
def _loaded(kind: type[nn.Module], model: Weights) -> tuple[Any, Tensor]:
    tensors = {k: v.float() for k, v in weights.load_safetensors(model).items()}
    real = tensors.pop("real")
    net = kind()
    net.load_state_dict(tensors, strict=False)  # batch norm's counters are not stored
    return net.eval().requires_grad_(False), real


def loaded(kind: type[Net], model: Weights) -> tuple[Net, Tensor]:
    """A net from its file, and 101 quantiles of what real portraits score."""
    return _loaded(kind, model)  # type: ignore[arg-type]


def rarity(real: Tensor, score: float) -> float:
    """The share of real portraits that score less."""
    return float((real < score).float().mean())
