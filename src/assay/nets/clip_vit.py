"""CLIP's image tower, a vision transformer: Radford et al. 2021, arXiv:2103.00020; Dosovitskiy et al. 2021, arXiv:2010.11929.

The names of the parameters are those of transformers' CLIPVisionModelWithProjection. `named` brings OpenAI's own to them, whose
attention keeps query, key and value in one matrix; so the files of either load.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from assay import weights
from assay.types import BadInput, MissingWeights, Weights
from assay.weights import others

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # OpenAI: of its training pixels in [0, 1]
VIT_L_14 = Weights(
    file="ViT-L-14.pt",
    sha256="b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",  # part of its address, which is how OpenAI publishes it
    license="MIT",
    url="https://openaipublic.azureedge.net/clip/models/b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt",
)
OURS = {  # OpenAI's names, after "visual.", and ours
    "class_embedding": "vision_model.embeddings.class_embedding",
    "positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "ln_pre": "vision_model.pre_layrnorm",  # so spelt
    "ln_post": "vision_model.post_layernorm",
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the net is; as given, ViT-L/14."""

    side: int = 224
    patch: int = 14
    width: int = 1024
    depth: int = 24
    heads: int = 16
    embedding: int = 768


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (p(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        found: Tensor = self.out_proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return found


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * (1.702 * x).sigmoid())  # type: ignore[no-any-return]  # OpenAI's QuickGELU


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.layer_norm1, self.self_attn = nn.LayerNorm(width), Attention(width, heads)
        self.layer_norm2, self.mlp = nn.LayerNorm(width), Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))  # type: ignore[no-any-return]


class Embeddings(nn.Module):
    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(s.width) * s.width**-0.5)
        self.patch_embedding = nn.Conv2d(3, s.width, s.patch, s.patch, bias=False)
        self.position_embedding = nn.Embedding((s.side // s.patch) ** 2 + 1, s.width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embedding(x).flatten(2).transpose(1, 2)
        return torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.position_embedding.weight


class Tower(nn.Module):
    """N×3×side×side as `standardised` gives them → N×width: the class token after its last norm, "pooler_output"."""

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.embeddings, self.pre_layrnorm, self.post_layernorm = Embeddings(s), nn.LayerNorm(s.width), nn.LayerNorm(s.width)
        self.encoder = nn.ModuleDict({"layers": nn.Sequential(*(Block(s.width, s.heads) for _ in range(s.depth)))})

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder["layers"](self.pre_layrnorm(self.embeddings(x)))
        return self.post_layernorm(x[:, 0])  # type: ignore[no-any-return]


class CLIPVision(nn.Module):
    """N×3×side×side → N×embedding, where CLIP's pictures and sentences meet ("image_embeds", not normalised)."""

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = s = shape or Shape()
        self.vision_model, self.visual_projection = Tower(s), nn.Linear(s.width, s.embedding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.visual_projection(self.vision_model(x))  # type: ignore[no-any-return]


def standardised(x: Tensor) -> Tensor:
    """Float N×C×H×W in [0, 1] as CLIP was trained with; grey becomes three equal channels."""
    mean, std = (torch.tensor(v, dtype=x.dtype, device=x.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (x - mean) / std


def named(kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The picture half of a state dict of OpenAI's or of transformers', by our names; what belongs to sentences is left out."""
    visual = {k.removeprefix("visual."): v for k, v in kept.items() if k.startswith("visual.")}
    if not visual and "conv1.weight" in kept:
        visual = dict(kept)
    if not visual:
        ours = {k: v for k, v in kept.items() if k.startswith(("vision_model.", "visual_projection."))}
        return {k: v for k, v in ours.items() if not k.endswith("position_ids")}
    out: dict[str, Tensor] = {}
    for name, value in visual.items():
        if name == "proj":
            out["visual_projection.weight"] = value.T.contiguous()
            continue
        new = name.replace("transformer.resblocks.", "vision_model.encoder.layers.")
        for theirs, ours_ in OURS.items():
            new = new.replace(theirs, ours_)
        if "attn.in_proj_" in new:
            at, kind = new.split("attn.in_proj_")
            out |= {f"{at}self_attn.{n}_proj.{kind}": part for n, part in zip("qkv", value.chunk(3), strict=True)}
        else:
            out[new] = value
    return out


def shape_of(kept: Mapping[str, Tensor]) -> Shape:
    """The size that parameters by our names are of; heads are 64 wide, as in every CLIP of OpenAI's."""
    embeddings = "vision_model.embeddings."
    patches, places = kept[f"{embeddings}patch_embedding.weight"], kept[f"{embeddings}position_embedding.weight"]
    width, patch = patches.shape[0], patches.shape[-1]
    return Shape(
        side=round((len(places) - 1) ** 0.5) * patch,
        patch=patch,
        width=width,
        depth=len({k.split(".")[3] for k in kept if k.startswith("vision_model.encoder.layers.")}),
        heads=max(1, width // 64),
        embedding=len(kept["visual_projection.weight"]) if "visual_projection.weight" in kept else width,
    )


def load(file: str, *, instead: str) -> CLIPVision:
    """The tower with the parameters of a file; "" looks for OpenAI's ViT-L-14.pt where weights are looked for.

    file: a state dict of OpenAI's names or transformers', as safetensors or torch.save wrote it. OpenAI's own file holds a program,
    which is run only where its content is the published one.
    Raises MissingWeights, which names `instead`; BadInput for another file.
    """
    path = Path(file) if file else weights.find(VIT_L_14, instead=instead)
    if not path.is_file():
        raise MissingWeights(f"there is no file {file}; give the path of CLIP's ViT-L/14: {VIT_L_14.url} ({VIT_L_14.license}).")
    try:
        kept = named(_kept(path))
        with torch.device("meta"):  # 300 million numbers need no first values
            net = CLIPVision(shape_of(kept))
        net.load_state_dict({k: v.float() for k, v in kept.items()}, assign=True)
    except (RuntimeError, KeyError, IndexError) as e:
        raise BadInput(f"{path} does not hold the parameters of CLIP's image tower: {str(e).splitlines()[-1].strip()}") from e
    return net.eval().requires_grad_(False)


def _kept(path: Path) -> dict[str, Tensor]:
    """What a file of ours, OpenAI's or transformers' holds; a program in it is run only where its content is known.  Raises BadInput."""
    if path.suffix != ".safetensors" and path.stat().st_size > 1 << 20 and weights.digest(path) == VIT_L_14.sha256:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch would rather export, but OpenAI's file is what it is
            return dict(torch.jit.load(path, map_location="cpu").state_dict())  # type: ignore[no-untyped-call]
    return others.tensors(path)
