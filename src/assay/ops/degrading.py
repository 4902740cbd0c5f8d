"""Bricks of the damage bank: opening and closing a picture, levels, light, seeded fields, blurs, warps and codecs."""

from __future__ import annotations

import io
from math import ceil, exp, isfinite
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from assay import check
from assay.ops.photo import LUMA
from assay.types import BadInput, CannotAssess

# What Cb and Cr add to R, G and B: BT.601 as in JPEG (JFIF 1.02, page 3); the luma stays as it was.
CHROMA_TO_RGB = ((0.0, 1.402), (-0.344136, -0.714136), (1.772, 0.0))
LONGEST = {"JPEG": 65500, "WEBP": 16383, "AVIF": 65535, "JPEG2000": 65535}  # pixels a side, as the encoders have it
FEATURE = {"JPEG": "jpg", "WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}  # as Pillow calls them


def opened(x: Tensor) -> Tensor:
    """Checked pixels to work on: floats in [0, 1] that are the caller's no more."""
    (pixels,) = check.images(x=x)
    return pixels.clamp(0, 1)


def closed(y: Tensor, *, like: Tensor) -> Tensor:
    """Back to the kind of picture that came: clamped to [0, 1], of the same dtype; bytes are rounded."""
    y = y.clamp(0, 1)
    return (y * 255).round().to(torch.uint8) if like.dtype == torch.uint8 else y.to(like.dtype)


def within(name: str, value: float, low: float, high: float, unit: str = "") -> float:
    """The level, if it makes sense; BadInput otherwise."""
    if not (isfinite(value) and low <= value <= high):
        raise BadInput(f"{name} must lie between {low:g} and {high:g}{' ' + unit if unit else ''}; got {value:g}.")
    return float(value)


def whole(name: str, value: float, low: int, high: int, unit: str = "") -> int:
    """The level as a whole number; BadInput if it is none, or out of range."""
    if within(name, value, low, high, unit) != int(value):
        raise BadInput(f"{name} must be a whole number; got {value:g}.")
    return int(value)


def dice(seed: int) -> torch.Generator:
    """A fresh generator on the CPU: one seed gives one damage on every device, alone or in a batch."""
    return torch.Generator().manual_seed(seed)


def to_linear(x: Tensor) -> Tensor:
    """sRGB values to linear light (IEC 61966-2-1)."""
    return torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def to_srgb(light: Tensor) -> Tensor:
    """Linear light to sRGB values; clips at white. The slope stays finite at black."""
    light = light.clamp(max=1)
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def grey(x: Tensor) -> Tensor:
    """N×1×H×W luma (BT.601); a one-channel picture is its own."""
    if x.shape[1] == 1:
        return x
    r, g, b = LUMA
    return r * x[:, 0:1] + g * x[:, 1:2] + b * x[:, 2:3]


def mirror(size: int, before: int, after: int, device: torch.device) -> Tensor:
    """Indices of a side continued by its mirror image, edge pixel repeated, however far."""
    return reflect(torch.arange(-before, size + after, device=device), size)


def reflect(index: Tensor, size: int) -> Tensor:
    """Any whole position brought back into 0..size-1 by mirrors at both ends."""
    index = index.remainder(2 * size)
    return torch.where(index < size, index, 2 * size - 1 - index)


def mirrored(x: Tensor, *, down: tuple[int, int], across: tuple[int, int]) -> Tensor:
    """The picture continued beyond its edges by mirror images."""
    rows, columns = mirror(x.shape[-2], *down, x.device), mirror(x.shape[-1], *across, x.device)
    return x.index_select(-2, rows).index_select(-1, columns)


def bell(sigma: float) -> Tensor:
    """Taps of a Gaussian of `sigma` px, cut at 4 σ, sum 1."""
    reach = ceil(4 * sigma)
    taps = torch.tensor([exp(-0.5 * (i / sigma) ** 2) for i in range(-reach, reach + 1)], dtype=torch.float64)
    return taps / taps.sum()


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of `sigma` px; the edges are mirrors."""
    taps = bell(sigma)
    return convolved(x, taps[:, None] * taps)  # by Fourier transform: 2 to 6 times faster than two passes of conv2d on a CPU


def convolved(x: Tensor, kernel: Tensor) -> Tensor:
    """The picture spread by a kernel of odd sides; the edges are mirrors."""
    high, wide = kernel.shape[0] // 2, kernel.shape[1] // 2
    return spread(mirrored(x, down=(high, high), across=(wide, wide)), kernel)


def spread(x: Tensor, kernel: Tensor) -> Tensor:
    """…×H×W convolved where the kernel lies wholly inside, so smaller than it came. By Fourier transform, plane by plane."""
    from scipy.fft import next_fast_len

    tall, wide = kernel.shape
    size = [next_fast_len(side, real=True) for side in x.shape[-2:]]
    spectrum = torch.fft.rfft2(kernel.to(x), size)
    planes = x.reshape(-1, *x.shape[-2:])
    whole = (torch.fft.irfft2(torch.fft.rfft2(p, size) * spectrum, size) for p in planes)
    inner = torch.stack([p[tall - 1 : x.shape[-2], wide - 1 : x.shape[-1]] for p in whole])
    return inner.view(*x.shape[:-2], *inner.shape[-2:])


def centred(x: Tensor) -> tuple[Tensor, Tensor]:
    """Pixel positions from the centre: H×1 downwards and 1×W to the right, in px."""
    h, w = x.shape[-2:]
    down = torch.arange(h, dtype=x.dtype, device=x.device) - (h - 1) / 2
    right = torch.arange(w, dtype=x.dtype, device=x.device) - (w - 1) / 2
    return down[:, None], right[None]


def corner(x: Tensor) -> float:
    """Distance from the centre to the middle of a corner pixel, in px."""
    h, w = x.shape[-2:]
    return float((((h - 1) / 2) ** 2 + ((w - 1) / 2) ** 2) ** 0.5)


def warped(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Each pixel read at a place given from the centre in px (both broadcast to H×W); bicubic, edge pixels continued."""
    h, w = x.shape[-2:]
    at = torch.stack(((right * (2 / w)).expand(h, w), (down * (2 / h)).expand(h, w)), dim=-1)
    return grid_sample(x, at.expand(x.shape[0], h, w, 2), mode="bicubic", padding_mode="border", align_corners=False)


def magnified(x: Tensor, times: float) -> Tensor:
    """The picture enlarged about its centre (`times` above 1) within its frame."""
    down, right = centred(x)
    return warped(x, down / times, right / times)


def blotches(count: int, height: int, width: int, *, grain: float, seed: int) -> Tensor:
    """`count` fields of Gaussian noise of deviation 1, blurred by `grain` px without losing strength."""
    taps = bell(grain)
    field = torch.randn(count, height + len(taps) - 1, width + len(taps) - 1, generator=dice(seed))
    return spread(field, taps[:, None] * taps) / taps.square().sum().float()


def shuffled(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Each pixel taken from elsewhere: `rows` and `columns` broadcast to H×W whole positions; beyond the edge, mirrors."""
    h, w = x.shape[-2:]
    at = reflect(rows, h) * w + reflect(columns, w)
    return x.flatten(2)[..., at.to(x.device).flatten()].view_as(x)


def recoded(x: Tensor, *, format: str, **options: Any) -> Tensor:
    """Each picture rounded to 8 bits, written by Pillow in `format` to memory, and read back.

    Raises CannotAssess where this build of Pillow lacks the codec, and BadInput where a side is too long for it.
    """
    import numpy as np
    from PIL import Image, features

    if not features.check(FEATURE[format]):
        raise CannotAssess(f"this build of Pillow cannot write {format}; `pip install --upgrade pillow` brings one that can.")
    pixels = closed(opened(x.detach()), like=torch.empty(0, dtype=torch.uint8)).cpu()
    if max(pixels.shape[2:]) > LONGEST[format]:
        raise BadInput(f"{format} holds at most {LONGEST[format]} pixels a side; got {max(pixels.shape[2:])}. Make it smaller or crop it.")
    done = []
    for item in pixels:
        file = io.BytesIO()
        Image.fromarray(item[0].numpy() if len(item) == 1 else item.permute(1, 2, 0).numpy()).save(file, format, **options)
        with Image.open(file) as back:
            shown = np.array(back.convert("L" if len(item) == 1 else "RGB"))
        done.append(torch.from_numpy(shown).view(*item.shape[1:], len(item)).permute(2, 0, 1))
    return closed(torch.stack(done).to(x.device) / 255, like=x)
