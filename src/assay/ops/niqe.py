"""How far a picture's local statistics lie from those of good photographs: the maths of NIQE, without a model."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from assay import kernels
from assay.ops import aggd
from assay.ops.colour import LUMA
from assay.ops.mscn import FLAT, REACH, mscn, window
from assay.ops.resize import halve
from assay.types import CannotAssess

SIDE = 96  # pixels of a block; Mittal 2013, section IV
STRIP = 32  # rows looked at together; small enough for a processor's cache
TEXTURED = 0.01  # a block with a smaller share of non-zero contrast is flat: its statistics are those of nothing


class HasUsable(Protocol):
    """Blocks, of which some have texture."""

    @property
    def usable(self) -> Tensor: ...


B = TypeVar("B", bound=HasUsable)


@dataclass(frozen=True, slots=True)
class Blocks:
    """One picture's blocks, h×w of them."""

    features: Tensor  # h×w×36, float64
    usable: Tensor  # h×w, bool: textured, so that all its features exist
    sharpness: Tensor  # h×w: mean local deviation, on 0..255


def blocks(x: Tensor) -> Blocks:
    """The statistics of every whole block of one C×H×W picture, uint8 or float in [0, 1]; the rest is cropped."""
    x = as_bytes(x)
    h, w = x.shape[1] // SIDE, x.shape[2] // SIDE
    fused = kernels.can(x, dtypes=(torch.uint8, torch.float32))
    s = (fused_sums if fused else sums)(x).reshape(h, w, 2, 26)
    count = torch.tensor([SIDE**2, (SIDE // 2) ** 2], dtype=s.dtype, device=s.device)
    features = _features(s[..., :25].reshape(h, w, 2, 5, 5), count[:, None]).flatten(-2)
    textured = (s[..., 3:5].sum(-1) >= TEXTURED * count).all(-1)
    return Blocks(features, textured & features.isfinite().all(-1), s[:, :, 0, 25] / SIDE**2)


def scores(x: Tensor, mu: Tensor, cov: Tensor) -> Tensor:
    """The distance of each of N×C×H×W pictures from a model's mean and covariance.

    Raises CannotAssess where fewer than two blocks have texture.
    """
    return torch.stack([distance(textured(blocks(p), SIDE, i, len(x)), mu, cov) for i, p in enumerate(x)]).to(_out(x))


def distance(b: Blocks, mu: Tensor, cov: Tensor) -> Tensor:
    """√((μ₁-μ₂)ᵀ ((Σ₁+Σ₂)/2)⁺ (μ₁-μ₂)), the second from all usable blocks of the picture; Mittal 2013, eq. 10."""
    return _mahalanobis(b.features[b.usable].mean(0) - mu.to(b.features.device), _inverse(b, cov))


def maps(x: Tensor, mu: Tensor, cov: Tensor) -> Tensor:
    """The distance of every block, N×h×w; 0 where a block is flat and was left out.  Raises as `scores` does."""
    out = []
    for i, picture in enumerate(x):
        b = textured(blocks(picture), SIDE, i, len(x))
        far = _mahalanobis(b.features.nan_to_num() - mu.to(b.features.device), _inverse(b, cov))
        out.append(torch.where(b.usable, far, 0))
    return torch.stack(out).to(_out(x))


def as_bytes(x: Tensor) -> Tensor:
    """Float pixels that are 8-bit values divided by 255 become uint8 again; all others stay as they are."""
    if x.dtype == torch.uint8:
        return x
    out = torch.empty(x.shape, dtype=torch.uint8, device=x.device)
    for y in range(0, x.shape[1], STRIP):  # in strips, because most other pictures already differ in their first rows
        v = x.detach()[:, y : y + STRIP] * 255
        whole = v.round()
        if float(v.sub_(whole).abs_().max()) >= 1e-3:
            return x
        out[:, y : y + STRIP] = whole
    return out


def grey(x: Tensor) -> Tensor:
    """MATLAB's rgb2gray of C×H×W as H×W on 0..255, float64: rounded for uint8, where MATLAB's result is uint8 too."""
    y = x.double() if x.dtype == torch.uint8 else x.double() * 255
    if len(y) == 1:
        return y[0]
    y = LUMA[0] * y[0] + LUMA[1] * y[1] + LUMA[2] * y[2]
    return (y + 0.5).floor() if x.dtype == torch.uint8 else y


def sums(x: Tensor) -> Tensor:
    """Per block and size the 25 moments of `aggd.moments` and Σσ: blocks×2×26, row by row. The definition."""
    h, w = x.shape[1] // SIDE, x.shape[2] // SIDE
    y = grey(x[:, : h * SIDE, : w * SIDE])[None, None]
    sizes = []
    for i in (0, 1):
        contrast, sigma = (t.reshape(h, SIDE >> i, w, SIDE >> i).transpose(1, 2) for t in mscn(y))
        sizes.append(torch.cat([aggd.moments(contrast).flatten(-2), sigma.sum((-2, -1))[..., None]], dim=-1))
        y = halve(y)
    return torch.stack(sizes, dim=2).reshape(h * w, 2, 26)


def fused_sums(x: Tensor) -> Tensor:
    """The same by the C kernel: CPU, uint8 or float32."""
    x = x.contiguous()
    c, h, w = x.shape
    run, constants = _kernel(x.dtype), _constants()
    out = torch.empty((h // SIDE) * (w // SIDE), 2, 26, dtype=torch.float64)

    def work(start: int, stop: int) -> None:
        run(kernels.pointer(x), c, h, w, kernels.pointer(constants), start, stop, kernels.pointer(out))

    kernels.split(work, len(out), grain=8)
    return out


def _kernel(dtype: torch.dtype) -> ctypes._NamedFuncPointer:
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    return kernels.typed("niqe_blocks", dtype, (address, ctypes.c_int, size, size, address, size, size, address))


@cache
def _constants() -> Tensor:
    """What the kernel's `Constants` holds, in its order."""
    return torch.tensor([*LUMA, *window()[REACH:].tolist(), FLAT], dtype=torch.float64)


def _features(moments: Tensor, count: Tensor) -> Tensor:
    """…×5×5 moments → …×18: shape and mean width of the contrast; shape, mean, left and right width of its four products."""
    alpha, left, right, mean = aggd.fit(moments, count)
    own = torch.stack([alpha[..., 0], (left + right)[..., 0] / 2], dim=-1)
    products = torch.stack([alpha, mean, left, right], dim=-1)[..., 1:, :]
    return torch.cat([own, products.flatten(-2)], dim=-1)


def textured(found: B, side: int, i: int, n: int) -> B:
    """The blocks of picture i of n as they are.  Raises CannotAssess where fewer than two of them have texture."""
    usable = found.usable
    if int(usable.sum()) < 2:
        which = f"image {i} of the batch" if n > 1 else "the image"
        raise CannotAssess(
            f"{which} has {int(usable.sum())} of {usable.numel()} blocks of {side}×{side} pixels with texture; "
            "its statistics need at least two. Flat areas and margins cannot be judged."
        )
    return found


def _inverse(b: Blocks, cov: Tensor) -> Tensor:
    own = b.features[b.usable].T.cov()
    inverse: Tensor = torch.linalg.pinv((cov.to(own.device) + own) / 2, hermitian=True)
    return inverse


def _mahalanobis(d: Tensor, inverse: Tensor) -> Tensor:
    return ((d @ inverse) * d).sum(-1).sqrt()


def _out(x: Tensor) -> torch.dtype:
    return x.dtype if x.is_floating_point() else torch.float32
