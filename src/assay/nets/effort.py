"""Effort's linear layers: the strong singular directions stay as they were learned, only the faint rest may change.

Yan et al. 2025, arXiv:2411.15633. The names of the parameters are those of the released checkpoints; these also hold the factors of
the frozen part, which are not needed, since the frozen part is there as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from assay.nets.clip_vit import CLIPVision, Shape, Tower, named, shape_of

TINY = 1e-12  # below, a norm has no slope


class SVDResidualLinear(nn.Module):
    """A linear layer split by its singular values: all but the last `free` triples are frozen, and so is the bias.

    The start equals the layer that was split. A square weight is taken for granted, as attention has them.
    """

    weight_main: Tensor
    bias: Tensor | None
    U_0: Tensor
    V_0: Tensor
    strength: Tensor

    def __init__(self, layer: nn.Linear, free: int) -> None:
        super().__init__()
        with torch.no_grad():
            u, s, v = torch.linalg.svd(layer.weight, full_matrices=False)
            keep = len(s) - free
            self.register_buffer("weight_main", u[:, :keep] * s[:keep] @ v[:keep])
            self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
            self.U_residual, self.S_residual, self.V_residual = (nn.Parameter(t.clone()) for t in (u[:, keep:], s[keep:], v[keep:]))
            self.register_buffer("U_0", u[:, keep:].clone())  # what the frozen directions leave: orthogonality is held against it
            self.register_buffer("V_0", v[keep:].clone())
            self.register_buffer("strength", layer.weight.square().sum())

    def weight(self) -> Tensor:
        return self.weight_main + (self.U_residual * self.S_residual) @ self.V_residual

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight(), self.bias)

    def orthogonality(self) -> Tensor:
        """How far all directions, frozen and free, are from being orthonormal: ½‖UUᵀ − 1‖ + ½‖VᵀV − 1‖, 0 at the start.

        As compute_orthogonal_loss of the release, without its products of whole matrices: of a square U the frozen columns are
        orthonormal, so only how the free ones lie among themselves and towards the frozen ones can differ.
        """
        return 0.5 * (_apart(self.U_residual, self.U_0) + _apart(self.V_residual.T, self.V_0.T))

    def spectrum(self) -> Tensor:
        """How much the sum of the squared singular values has changed: compute_keepsv_loss of the release."""
        return (self.weight().square().sum() - self.strength).abs()


def _apart(free: Tensor, first: Tensor) -> Tensor:
    """‖[F U][F U]ᵀ − 1‖ where F, frozen, spans what `first` does not."""
    leaned = free - first @ (first.T @ free)  # the part that lies in F
    among = free.T @ free - torch.eye(free.shape[1], dtype=free.dtype, device=free.device)
    return (2 * leaned.square().sum() + among.square().sum()).clamp_min(TINY).sqrt()


class Effort(nn.Module):
    """N×3×side×side as `clip_vit.standardised` gives them → N×2 logits: authentic, fake."""

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = shape or Shape()
        self.backbone, self.head = Tower(self.shape), nn.Linear(self.shape.width, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))  # type: ignore[no-any-return]


def split(clip: CLIPVision, *, free: int = 1) -> Effort:
    """A detector to train: CLIP's tower, of whose attention only `free` directions a layer may change, and a new head."""
    net = Effort(clip.shape)
    net.backbone.load_state_dict(clip.vision_model.state_dict())
    net.backbone.requires_grad_(False)
    for name, module in list(net.backbone.named_modules()):
        if name.endswith("self_attn"):
            for part, layer in list(module.named_children()):
                if isinstance(layer, nn.Linear):
                    setattr(module, part, SVDResidualLinear(layer, free))
    return net


def layers(net: nn.Module) -> Iterator[SVDResidualLinear]:
    return (m for m in net.modules() if isinstance(m, SVDResidualLinear))


def merged(kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a split net, the authors' or ours, as that of an `Effort`: every split layer is one matrix again."""
    out = {k: v for k, v in kept.items() if k.startswith("head.")}
    for name, value in kept.items():
        at, _, kind = name.rpartition(".")
        if not name.startswith("backbone.") or kind in ("position_ids", *_FACTORS):
            continue
        if kind == "weight_main":
            rest = (kept[f"{at}.U_residual"] * kept[f"{at}.S_residual"]) @ kept[f"{at}.V_residual"] if f"{at}.S_residual" in kept else 0
            out[f"{at}.weight"] = value + rest
        else:
            out[name] = value
    return out


_FACTORS = ("U_residual", "S_residual", "V_residual", "U_r", "S_r", "V_r", "U_0", "V_0", "strength")


def shape(kept: Mapping[str, Tensor]) -> Shape:
    """The size of a merged net."""
    return shape_of(named({k.replace("backbone.", "vision_model.", 1): v for k, v in kept.items()}))
