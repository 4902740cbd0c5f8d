"""Colour as light and as people see it: linear sRGB, CIE XYZ, Lab, and differences of colours."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from math import pi

import torch
from torch import Tensor

from assay import kernels

# Linear sRGB to XYZ, solved in whole numbers from the primaries and the white point (.3127, .3290) of IEC 61966-2-1.
XYZ = (
    (10135552 / 24577794, 8788810 / 24577794, 4435075 / 24577794),
    (2613072 / 12288897, 8788810 / 12288897, 887015 / 12288897),
    (1425312 / 73733382, 8788810 / 73733382, 70074185 / 73733382),
)
WHITE = tuple(sum(row) for row in XYZ)
DARK = 6 / 29  # CIE 15: below its cube the root gives way to a line
HUES = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))  # Sharma 2005, equation 15: factor, multiple, degrees
TINY = 1e-12  # roots of less than this have slopes too steep to be of use


def strips(x: Tensor, ref: Tensor, *, halo: int = 0, rows: int = 256) -> Iterator[tuple[Tensor, Tensor]]:
    """Both pictures in bands of `rows` rows, each with `halo` rows and columns around it; beyond the border the edge repeats."""
    height, width = x.shape[2:]
    across = torch.arange(-halo, width + halo, device=x.device).clamp_(0, width - 1)
    for top in range(0, height, rows):
        down = torch.arange(top - halo, min(top + rows, height) + halo, device=x.device).clamp_(0, height - 1)
        a, b = x[:, :, down], ref[:, :, down]
        yield (a[..., across], b[..., across]) if halo else (a, b)


def in_colour(x: Tensor) -> Tensor:
    """Three channels, also of grey."""
    return x if x.shape[1] == 3 else x.expand(-1, 3, -1, -1)


def linear(x: Tensor) -> Tensor:
    """Light from sRGB pixels, uint8 or float in [0, 1] (IEC 61966-2-1); uint8 gives float32."""
    if x.dtype == torch.uint8:
        return _light().to(x.device)[x.int()]
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


@cache
def _light() -> Tensor:
    return linear(torch.arange(256, dtype=torch.float64) / 255).float()


def mixed(x: Tensor, rows: tuple[tuple[float, ...], ...]) -> Tensor:
    """Every pixel times a 3×3 matrix."""
    r, g, b = x.unbind(1)
    return torch.stack([m[0] * r + m[1] * g + m[2] * b for m in rows], dim=1)


def lab(light: Tensor) -> Tensor:
    """CIE L*a*b* under D65 from linear sRGB, N×3×H×W; L in [0, 100]."""
    white = torch.tensor(WHITE, dtype=light.dtype, device=light.device).view(3, 1, 1)
    t = mixed(light, XYZ) / white
    root = t.clamp_min(DARK**3) ** (1 / 3)
    fx, fy, fz = torch.where(t > DARK**3, root, t / (3 * DARK**2) + 4 / 29).unbind(1)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], dim=1)


def power(v: Tensor, exponent: float | Tensor) -> Tensor:
    """v to a power below 1 for v ≥ 0; the infinite slope at 0 is taken as 0."""
    there = v > TINY
    return torch.where(there, torch.where(there, v, 1) ** exponent, 0)


def length(a: Tensor, b: Tensor) -> Tensor:
    """√(a² + b²), with slope 0 at 0."""
    return power(a * a + b * b, 0.5)


def differences(x: Tensor, ref: Tensor) -> Tensor:
    """CIEDE2000 of every pixel of two sRGB pictures, N×H×W."""
    if not fused(x, ref):
        return delta_e00(*(lab(linear(in_colour(t))) for t in (x, ref)))
    x, ref = x.contiguous(), ref.contiguous()
    n, c, height, width = x.shape
    size, out = height * width, torch.empty(n, height, width)
    run = library().ciede2000_u8 if x.dtype == torch.uint8 else library().ciede2000_f32
    tables = [kernels.pointer(t) for t in (_light(), shares())]
    for a, b, to in zip(x, ref, out, strict=True):
        ends = [kernels.pointer(t) for t in (a, b, to)]

        def work(start: int, stop: int, ends: list[ctypes.c_void_p] = ends) -> None:
            run(*ends[:2], c, size, *tables, start, stop, ends[2])

        kernels.split(work, size, grain=1 << 14)
    return out


def fused(x: Tensor, ref: Tensor) -> bool:
    """Whether the kernels may take these pictures."""
    return kernels.can(x, ref, dtypes=(torch.uint8, torch.float32))


def opponents(x: Tensor) -> Tensor:
    """With the kernels: YCxCz of one sRGB picture C×H×W, 3×H×W."""
    x, out = x.contiguous(), torch.empty(3, *x.shape[1:])
    size = out[0].numel()
    run = library().opponent_u8 if x.dtype == torch.uint8 else library().opponent_f32
    ends = [kernels.pointer(t) for t in (x, _light(), shares(), out)]
    kernels.split(lambda start, stop: run(ends[0], len(x), size, *ends[1:3], start, stop, ends[3]), size, grain=1 << 15)
    return out


def flipped(seen: Tensor, features: Tensor, inverse: Tensor, knee: float, largest: float, share: float) -> Tensor:
    """With the kernels: FLIP's differences, H×W, from 8×H×W planes as seen and 8×H×W of features."""
    out = torch.empty(seen.shape[1:])
    size, run = out.numel(), library().flip_pixels
    a, b, c, d, to = (kernels.pointer(t) for t in (seen, features, shares(), inverse, out))
    kernels.split(lambda start, stop: run(a, b, size, c, d, knee, largest, share, start, stop, to), size, grain=1 << 14)
    return out


@cache
def shares() -> Tensor:
    """For the kernels: red's and blue's shares of X, Y and Z over white; green's is the rest."""
    return torch.tensor([[row[0] / w, row[2] / w] for row, w in zip(XYZ, WHITE, strict=True)], dtype=torch.float32)


@cache
def library() -> ctypes.CDLL:
    """The kernels of colour.c."""
    found = kernels.library()
    if found is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address = ctypes.c_ssize_t, ctypes.c_void_p
    for fn in (found.ciede2000_u8, found.ciede2000_f32):
        fn.argtypes, fn.restype = [address, address, size, size, address, address, size, size, address], None
    for fn in (found.opponent_u8, found.opponent_f32):
        fn.argtypes, fn.restype = [address, size, size, address, address, size, size, address], None
    real = ctypes.c_float
    found.flip_pixels.argtypes = [address, address, size, address, address, real, real, real, size, size, address]
    found.flip_pixels.restype = None
    return found


def delta_e00(one: Tensor, two: Tensor) -> Tensor:
    """CIEDE2000 of two N×3×H×W pictures in Lab, N×H×W: Sharma, Wu & Dalal 2005, equations 2 to 22."""
    (l1, a1, b1), (l2, a2, b2) = one.unbind(1), two.unbind(1)
    g = 1.5 - 0.5 * _saturation((length(a1, b1) + length(a2, b2)) / 2)
    a1, a2 = g * a1, g * a2
    c1, c2 = length(a1, b1), length(a2, b2)
    h1, h2 = _hue(a1, b1), _hue(a2, b2)
    coloured = (c1 > 0) & (c2 > 0)
    turn = torch.where(coloured, h2 - h1, 0)
    turn = turn - 360 * (turn > 180) + 360 * (turn < -180)
    # The middle of the shorter arc. Taken below 360 or not, it enters cosines and one square around 275 only.
    middle = torch.where(coloured, h1 + turn / 2, h1 + h2) % 360
    dl, dc, dh = l2 - l1, c2 - c1, 2 * power(c1 * c2, 0.5) * torch.sin(torch.deg2rad(turn) / 2)
    light, c = (l1 + l2) / 2 - 50, (c1 + c2) / 2
    t = sum((k * torch.cos(torch.deg2rad(n * middle + at)) for k, n, at in HUES), torch.ones_like(middle))
    sh = 1 + 0.015 * c * t
    # Where one of the two is grey, the product is 0; it is its slope that counts: from there every hue is as near as any.
    dh2 = torch.where(coloured, dh * dh, -2 * (a1 * a2 + b1 * b2)) / (sh * sh)
    dl, dc, dh = dl / (1 + 0.015 * light**2 / (20 + light**2).sqrt()), dc / (1 + 0.045 * c), dh / sh
    twist = -2 * _saturation(c) * torch.sin(pi / 3 * torch.exp(-(((middle - 275) / 25) ** 2)))
    return power((dl * dl + dc * dc + dh2 + twist * dc * dh).clamp_min(0), 0.5)


def _saturation(c: Tensor) -> Tensor:
    seven = (c / 25) ** 7  # as a ratio, so that float32 holds it
    return power(seven / (seven + 1), 0.5)


def _hue(a: Tensor, b: Tensor) -> Tensor:
    grey = (a == 0) & (b == 0)
    return torch.where(grey, 0, torch.rad2deg(torch.atan2(b, torch.where(grey, 1, a)))) % 360
