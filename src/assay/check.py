"""The one place where wrong tensors become sentences."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from assay.types import BadInput, Face

SLACK = 1e-4  # how far outside [0, 1] rounding may carry a float image


def images(*, min_side: int = 1, keep_uint8: bool = False, **named: Tensor) -> tuple[Tensor, ...]:
    """Check that every tensor is an N×C×H×W image (C is 1 or 3) and that all shapes agree.

    Float images lie in [0, 1]; uint8 ones are 8-bit pixels. Returns the tensors in the order given:
    float32 (float64 stays; half precision is widened, because scores of halves are silently wrong);
    uint8 is divided by 255 unless `keep_uint8` and all are uint8.
    Raises BadInput: what came, what was wanted, what to do.
    """
    given = tuple(named.values())
    if keep_uint8 and _plain_bytes(given, min_side):
        return given
    first: Tensor | None = None
    for name, t in named.items():
        if not isinstance(t, Tensor):
            raise BadInput(f"{name} must be a torch.Tensor; got {type(t).__name__}. Use assay.read(path).pixels or torch.from_numpy.")
        if t.ndim != 4 or t.shape[1] not in (1, 3):
            raise BadInput(f"{name} must be N×C×H×W with C 1 or 3; got {_shape(t)}.{_advice(t)}")
        if t.dtype != torch.uint8 and not t.is_floating_point():
            raise BadInput(f"{name} must be float in [0, 1] or uint8; got {t.dtype}. Divide by its maximum, as floats.")
        if min(t.shape) < 1 or min(t.shape[2:]) < min_side:
            raise BadInput(f"{name} must be at least {min_side}×{min_side} pixels; got {t.shape[3]}×{t.shape[2]} (width×height).")
        if first is not None and t.shape != first.shape:
            shapes = " and ".join(_shape(v) for v in named.values())
            raise BadInput(f"{' and '.join(named)} must have one shape; got {shapes}. Resize one first.")
        if t.is_floating_point():
            _range(name, t)
        first = t if first is None else first
    wide = torch.float64 if any(t.dtype == torch.float64 for t in given) else torch.float32
    return tuple(t.to(wide) / 255 if t.dtype == torch.uint8 else t.to(wide) for t in given)


def _plain_bytes(given: tuple[Tensor, ...], min_side: int) -> bool:
    """Whether nothing can be said against them and all are uint8: by far the commonest case, in a few microseconds."""
    shape = given[0].shape if isinstance(given[0], Tensor) else ()
    for t in given:
        if not isinstance(t, Tensor) or t.dtype is not torch.uint8 or t.shape != shape:
            return False
    return len(shape) == 4 and shape[1] in (1, 3) and shape[0] > 0 and min(shape[2], shape[3]) >= max(1, min_side)


def _range(name: str, t: Tensor) -> None:
    low, high = (float(v) for v in t.detach().aminmax())
    if low != low or high != high:
        raise BadInput(f"{name} contains NaN. Replace or mask those pixels first.")
    if low < -SLACK or high > 1 + SLACK:
        advice = "Divide 8-bit data by 255." if 1.5 < high <= 255 and low >= 0 else "Scale or clamp it first."
        raise BadInput(f"{name} must lie in [0, 1]; got [{low:.3g}, {high:.3g}]. {advice}")


def _shape(t: Tensor) -> str:
    return "×".join(map(str, t.shape)) or "a scalar"


def _advice(t: Tensor) -> str:
    if t.ndim == 3 and t.shape[-1] in (1, 3):
        return " It looks like H×W×C: use x.permute(2, 0, 1)[None]."
    if t.ndim == 3:
        return " Add the batch: x[None]."
    if t.ndim == 2:
        return " Add batch and channel: x[None, None]."
    if t.ndim == 4 and t.shape[-1] in (1, 3):
        return " It looks like N×H×W×C: use x.permute(0, 3, 1, 2)."
    return " Drop the alpha channel." if t.ndim == 4 and t.shape[1] == 4 else ""


def faces(image: Tensor, found: Sequence[Face], *, keep_uint8: bool = False) -> Tensor:
    """Check one picture and the faces in it: C×H×W, uint8 or float in [0, 1], C 1 or 3 → 3×H×W float32 (float64 stays).

    keep_uint8: leave 8-bit pixels as they are.
    Raises BadInput: what came, what was wanted, what to do.
    """
    if isinstance(image, Tensor) and image.ndim == 4 and len(image) == 1:
        image = image[0]
    if not isinstance(image, Tensor) or image.ndim != 3:
        raise BadInput("a face is judged in one picture: a C×H×W torch.Tensor, with the list of its faces (assay.find_faces gives it).")
    for face in found:
        if not isinstance(face, Face) or len(face.points) != 5:
            raise BadInput("faces must be a list of assay.Face, each with five points; assay.find_faces(image) gives it.")
    return images(image=image[None], keep_uint8=keep_uint8)[0][0].expand(3, -1, -1)
