"""The 36 statistics of local contrast that BRISQUE judges a picture by."""

from __future__ import annotations

import ctypes
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import kernels
from assay.ops import aggd
from assay.ops.colour import LUMA
from assay.ops.filters import windowed
from assay.ops.imresize import imresize
from assay.ops.mscn import FLAT, REACH, window
from assay.ops.niqe import as_bytes, grey
from assay.types import CannotAssess

BAND = 8  # rows that share one set of sums in the kernel
TEXTURED = 0.01  # a picture with a smaller share of non-zero contrast is flat: its statistics are those of nothing


def features(x: Tensor) -> Tensor:
    """The statistics of one C×H×W picture, uint8 or float in [0, 1]: 36, float64; 18 at full and 18 at half size.

    Each size: shape and variance of the contrast, then shape, mean, left and right variance of its four products.
    Raises CannotAssess where the picture is flat.
    """
    x = as_bytes(x)
    fused = kernels.can(x, dtypes=(torch.uint8, torch.float32))
    s = (fused_sums if fused else sums)(x)
    h, w = x.shape[1:]
    count = torch.tensor([h * w, ((h + 1) // 2) * ((w + 1) // 2)], dtype=s.dtype, device=s.device)
    f = torch.cat([_own(s[:, 0], count), _products(s[:, 1:], count)], dim=-1).flatten()
    share = float((s[:, 0, 3:].sum(-1) / count).min())
    if share < TEXTURED or not bool(f.isfinite().all()):
        raise CannotAssess(f"only {share:.1%} of the image has any texture; its statistics would be those of nothing.")
    return f


def sums(x: Tensor) -> Tensor:
    """The moments of `aggd.moments` at both sizes, 2×5×5; neighbours are found around the picture's edge. The definition."""
    y = grey(x)[None, None]
    full = aggd.moments(contrast(y))
    half = aggd.moments(contrast(imresize(y, (y.shape[2] + 1) // 2, (y.shape[3] + 1) // 2, kernel="bicubic", scale=0.5)))
    return torch.cat([full, half])[:, 0]


def contrast(y: Tensor) -> Tensor:
    """(x-μ)/(σ+1) of N×1×H×W grey on 0..255, float64, as `ops.mscn` but with zeros beyond the border."""
    mu, square = (windowed(F.pad(v, (REACH,) * 4), window()) for v in (y, y * y))
    d = y - mu
    return torch.where(d.abs() < FLAT, 0, d / ((square - mu * mu).abs().sqrt() + 1))


def fused_sums(x: Tensor) -> Tensor:
    """The same by the C kernel: CPU, uint8 or float32."""
    c, h, w = x.shape
    x, library, luma = x.contiguous(), _library(), torch.tensor(LUMA, dtype=torch.float64)
    full, half = torch.empty(h, w), torch.empty((h + 1) // 2, (w + 1) // 2)
    run = library.brisque_grey_u8 if x.dtype == torch.uint8 else library.brisque_grey_f32

    def to_grey(start: int, stop: int) -> None:
        run(kernels.pointer(x), c, h * w, kernels.pointer(luma), start, stop, kernels.pointer(full))

    def halve(start: int, stop: int) -> None:
        row = torch.empty(w + 8, dtype=torch.float64)
        library.brisque_halve(kernels.pointer(full), h, w, start, stop, kernels.pointer(row), kernels.pointer(half))

    kernels.split(to_grey, h * w, grain=1 << 17)
    kernels.split(halve, len(half), grain=max(1, (1 << 17) // w))
    return torch.stack([_plane_sums(full), _plane_sums(half)])


def _plane_sums(y: Tensor) -> Tensor:
    h, w = y.shape
    constants = torch.tensor([*window()[REACH:].tolist(), FLAT], dtype=torch.float64)
    out = torch.empty(-(-h // BAND), 25, dtype=torch.float64)

    def work(start: int, stop: int) -> None:
        rows, line = torch.empty(16 * w + 12, dtype=torch.float64), torch.zeros(3 * (w + 128))
        given = (kernels.pointer(t) for t in (rows, line, out))
        _library().brisque_sums(kernels.pointer(y), h, w, kernels.pointer(constants), start, stop, *given)

    kernels.split(work, len(out), grain=8)
    return out.sum(0).view(5, 5)


def _own(moments: Tensor, count: Tensor) -> Tensor:
    """Shape and variance of a symmetric generalised Gaussian; the shape nearest in E p² / (E|p|)², as estimateggdparam.m."""
    variance = (moments[:, 1] + moments[:, 2]) / count
    wanted = variance / (moments[:, 0] / count).square()
    i = (wanted[:, None] - 1 / aggd.ratios().to(wanted)).abs().argmin(-1)
    return torch.stack([aggd.grid().to(wanted)[i], variance], dim=-1)


def _products(moments: Tensor, count: Tensor) -> Tensor:
    alpha, _, _, mean = aggd.fit(moments, count[:, None])
    left, right = (moments[..., 1] / moments[..., 3]), (moments[..., 2] / moments[..., 4])
    return torch.stack([alpha, mean, left, right], dim=-1).flatten(-2)


@cache
def _library() -> ctypes.CDLL:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    for fn in (library.brisque_grey_u8, library.brisque_grey_f32):
        fn.argtypes, fn.restype = [address, ctypes.c_int, size, address, size, size, address], None
    library.brisque_halve.argtypes, library.brisque_halve.restype = [address, size, size, size, size, address, address], None
    library.brisque_sums.argtypes = [address, size, size, address, size, size, address, address, address]
    library.brisque_sums.restype = None
    return library
