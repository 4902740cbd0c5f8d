"""Local statistics of a picture: what its nets look at instead of pixels.

Orientation is taken out by construction: every statistic is the same for a turned or mirrored picture. Means over squares of
what is asked of every pixel are nearly all of the work, and kernels take them; what is made of the means is torch everywhere.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from assay import kernels
from assay.ops.dct import filters, matrix
from assay.ops.filters import gaussian, windowed

STRIDE = 16  # pixels of the picture under one place of the map
REACH = 64  # pixels from which a place's statistics may come: a multiple of the stride that holds them all
SCALES = 3  # the picture as it is, halved, and halved again
LUMA = (0.299, 0.587, 0.114)  # BT.601
CALM = 3 / 255  # the floor of local normalisation
TINY = 1e-6  # energy of 8-bit rounding: below this there is nothing to measure
STATISTICS = SCALES * (35 + 10 + 7 + 6) + 20


def statistics(x: Tensor) -> Tensor:
    """What a net looks at, for every 16×16 pixels: N×3×H×W in [0, 1], H and W multiples of 16 → N×194×H/16×W/16."""
    r, g, b = (x[:, i : i + 1] for i in range(3))
    y = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b
    opponent = torch.cat([y, 0.564 * (b - y), 0.713 * (r - y)], dim=1)
    sizes = [opponent, *(means(opponent, 2**scale) for scale in range(1, SCALES))]
    seen = plain(x, y)
    found = [*colours(seen[:, :12]), *details(sizes), together(seen[:, 12:]), grid(y)]
    for scale, planes in enumerate(sizes):
        cell, small = STRIDE >> scale, planes[:, :1].contiguous()
        found += [bands(small, cell), texture(small, cell)]
    return torch.cat(found, dim=1)


def bands(y: Tensor, cell: int) -> Tensor:
    """Energies of 8×8 DCTs at every fourth pixel: 35 bands, how unevenly 10 rings spread theirs, and 7 differences of direction."""
    pairs, rings = (t.to(y) for t in dct_bank())
    power, logs_of_rungs = torch.split(spectra(y, cell), [64, 10], dim=1)
    power = power[:, 1:]  # the constant one is unused
    energy = conv2d(power, pairs[:, 1:])
    sparse = (conv2d(energy, rings) + TINY).log() - logs_of_rungs
    logs = (power + TINY).log()
    across, down = logs[:, 0:7], logs[:, 7::8]  # (0, v) and (u, 0), u and v from 1 to 7
    return torch.cat([(energy + TINY).log(), sparse, (across - down).abs()], dim=1)


def spectra(y: Tensor, cell: int) -> Tensor:
    """Means over squares of the energies of 64 frequencies, and of the logarithms of those of 10 rings: N×74×h×w."""
    if _can(y):
        return _measured("local_spectra", [y], 74, cell, cell, *_basis(), TINY)
    power = conv2d(pad(y, (4, 4, 4, 4), mode="reflect"), filters(8).to(y), stride=4).square()
    pairs, rings = (t.to(y) for t in dct_bank())
    rungs = (conv2d(conv2d(power, pairs), rings) + TINY).log()
    return torch.cat([avg_pool2d(t, cell // 4 + 1, stride=cell // 4) for t in (power, rungs)], dim=1)


@cache
def dct_bank() -> tuple[Tensor, Tensor]:
    """Which of 64 filters make one of 35 bands (u, v and v, u); which bands make one of 10 rings."""
    names = [(u, v) for u in range(8) for v in range(u, 8) if v]
    pairs = torch.zeros(35, 64)
    rings = torch.zeros(10, 35)
    for i, (u, v) in enumerate(names):
        pairs[i, 8 * u + v] += 0.5
        pairs[i, 8 * v + u] += 0.5
        rings[min(9, round((u * u + v * v) ** 0.5) - 1), i] = 1
    rings /= rings.sum(1, keepdim=True)
    return pairs[:, :, None, None], rings[:, :, None, None]


@cache
def _basis() -> tuple[Tensor, Tensor, Tensor]:
    """What the kernel goes by: the transform of one axis, to which ring each frequency counts, and how much."""
    pairs, rings = dct_bank()
    share, ring = (rings[:, :, 0, 0] @ pairs[:, :, 0, 0]).max(0)
    return matrix(8).float().contiguous(), ring.int(), share


def texture(y: Tensor, cell: int) -> Tensor:
    """The locally normalised picture (MSCN): its moments and how neighbours go together; and the local deviation."""
    mean = smooth(y)
    a, s, f, p, q, d = textures(y, mean, smooth(y.square()) - mean.square(), cell).unbind(1)
    return torch.stack([a, (s + TINY).log(), (f + TINY).log() - 2 * (s + TINY).log(), p, q, d], dim=1)


def textures(y: Tensor, mean: Tensor, variance: Tensor, cell: int) -> Tensor:
    """Means over squares of six numbers a pixel: N×6×h×w."""
    if _can(y):
        return _measured("local_textures", [y, mean, variance], 6, cell, CALM, cell)
    sigma = variance.clamp_min(0).add(1e-8).sqrt()
    m = (y - mean) / (sigma + CALM)
    square = m.square()
    return averages([m.abs(), square, square.square(), m * beside(m), m * cornered(m), (sigma + 1e-3).log()], cell)


def plain(rgb: Tensor, y: Tensor) -> Tensor:
    """Means over squares of twelve numbers a pixel, and of five products of gradients, rr, gg, bb, rg and bg: N×17×h×w."""
    if _can(rgb):
        return _measured("local_colours", [rgb, y], 17, STRIDE)
    r, _, b = (rgb[:, i : i + 1] for i in range(3))
    cb, cr = 0.564 * (b - y), 0.713 * (r - y)
    top, low = rgb.amax(1, keepdim=True), rgb.amin(1, keepdim=True)
    both = cb.square() + cr.square()
    planes = [y, y.square(), cb, cr, (both + 1e-8).sqrt(), both, top > 0.995, low < 0.005, y > 0.97, y < 0.03]
    planes += [(y - beside(y)).abs() < 0.4 / 255, top - low]
    wide = pad(rgb, (1, 1, 1, 1), mode="replicate")
    across, down = wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2], wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (2, 1)]
    planes += [across[:, i : i + 1] * across[:, j : j + 1] + down[:, i : i + 1] * down[:, j : j + 1] for i, j in pairs]
    return averages([p.to(y) for p in planes], STRIDE)


def colours(v: Tensor) -> list[Tensor]:
    """Light, colour, clipping and flatness, from the first twelve."""
    spread = (v[:, 1:2] - v[:, :1].square()).clamp_min(0).add(1e-5).log()
    tint = (v[:, 5:6] - v[:, 2:3].square() - v[:, 3:4].square()).clamp_min(0).add(TINY).log()
    return [v[:, :1], spread, v[:, 2:5], tint, v[:, 6:]]


def together(dots: Tensor) -> Tensor:
    """How well the edges of red, and of blue, lie on those of green: 1 is perfectly."""
    rr, gg, bb = (dots[:, i : i + 1] + 1e-5 for i in range(3))
    return torch.cat([dots[:, 3:4] / (rr * gg).sqrt(), dots[:, 4:5] / (bb * gg).sqrt()], dim=1)


def details(sizes: list[Tensor]) -> list[Tensor]:
    """Fine detail of colour beside that of luma in every size, and how unevenly it lies: planes of luma and two colours."""
    out = []
    for scale, planes in enumerate(sizes):
        e = fine(planes, STRIDE >> scale)
        luma, tone = e[:, :1] + TINY, e[:, 1:2] + e[:, 2:3] + TINY
        out.append((tone / luma).log())
        if not scale:
            out += [e[:, 3:4].add(TINY**2).log() - 2 * luma.log(), (e[:, 4:5] + e[:, 5:6]).add(TINY**2).log() - 2 * tone.log()]
    return out


def fine(planes: Tensor, cell: int) -> Tensor:
    """Means over squares of what differs from its four neighbours, squared, and of the square of that: N×C×H×W → N×2C×h×w."""
    if _can(planes):
        return _measured("local_details", [planes], 2 * planes.shape[1], cell, cell, counted=True)
    squares = (planes - beside(planes)).square()
    return avg_pool2d(torch.cat([squares, squares.square()], dim=1), cell)


def grid(y: Tensor) -> Tensor:
    """Traces of 8×8 blocks: how far the strongest of eight phases stands out of the steps between neighbours, over 80×80 pixels."""
    around = avg_pool2d(steps(y), 5, stride=1, padding=2, count_include_pad=False)
    down, across = (part[:, :8].amax(1, keepdim=True) / (part[:, 8:] + 0.5 / 255) for part in torch.split(around, 9, dim=1))
    both: Tensor = (down + across) / 2
    return both


def steps(y: Tensor) -> Tensor:
    """Down, then across: how far the steps at each of eight phases stand out of those beside, and how large steps are: N×18×h×w."""
    if _can(y):
        width = y.shape[3]
        return _measured("local_steps", [y], 18, STRIDE, room=20 * (width // STRIDE) + width + 4)
    out = []
    for axis in (2, 3):
        step = y.diff(dim=axis).abs()
        ends = (0, 0, 1, 1) if axis == 2 else (1, 1, 0, 0)
        near = avg_pool2d(pad(step, ends, mode="replicate"), (3, 1) if axis == 2 else (1, 3), stride=1)
        excess = pad(step - near, ends)
        n, m = y.shape[axis], y.shape[5 - axis]
        excess = (excess.narrow(axis, 0, n) + excess.narrow(axis, 1, n)) / 2  # a pixel has half of the steps on both of its sides
        level = avg_pool2d(pad(step, ends).narrow(axis, 0, n) + pad(step, ends).narrow(axis, 1, n), STRIDE)
        lined = excess if axis == 2 else excess.transpose(2, 3)
        phases = lined.reshape(len(y), n // STRIDE, 2, 8, m // STRIDE, STRIDE).mean((2, 5)).transpose(1, 2)  # N×8×n/16×m/16
        out += [phases if axis == 2 else phases.transpose(2, 3), level]
    return torch.cat(out, dim=1)


def means(x: Tensor, side: int) -> Tensor:
    """Means over side×side pixels."""
    return (
        _measured("local_means", [x.flatten(0, 1)[:, None]], 1, side, side).view(*x.shape[:2], *(n // side for n in x.shape[2:]))
        if _can(x)
        else avg_pool2d(x, side)
    )


def averages(planes: list[Tensor], side: int) -> Tensor:
    """Means over squares, one plane after the other: to put the planes together first costs more than all the rest."""
    return torch.cat([avg_pool2d(p, side) for p in planes], dim=1)


def smooth(x: Tensor) -> Tensor:
    """Gaussian means over 7×7, as NIQE takes them; the border is mirrored."""
    return windowed(pad(x, (3, 3, 3, 3), mode="reflect"), gaussian(7, 7 / 6))


def beside(x: Tensor) -> Tensor:
    """The mean of the four pixels beside each pixel."""
    wide = pad(x, (1, 1, 1, 1), mode="replicate")
    near = wide[:, :, :-2, 1:-1] + wide[:, :, 2:, 1:-1]
    return near.add_(wide[:, :, 1:-1, :-2]).add_(wide[:, :, 1:-1, 2:]).div_(4)


def cornered(x: Tensor) -> Tensor:
    """The mean of the four pixels at each pixel's corners."""
    wide = pad(x, (1, 1, 1, 1), mode="replicate")
    up, low = wide[:, :, :-2], wide[:, :, 2:]
    return (up[..., :-2] + up[..., 2:] + low[..., :-2] + low[..., 2:]) / 4


def _can(x: Tensor) -> bool:
    return kernels.can(x, dtypes=(torch.float32,))


def _measured(
    name: str, planes: list[Tensor], count: int, cell: int, *given: float | Tensor, room: int = 0, counted: bool = False
) -> Tensor:
    """`count` numbers for every cell×cell pixels of N×C×H×W planes by the kernel of that name, which takes what is given.

    room: floats that it needs to work in.  counted: it wants to know C.
    """
    planes = [p.contiguous() for p in planes]
    n, c, height, width = planes[0].shape
    out = planes[0].new_empty(n, count, height // cell, width // cell)
    arguments = [*map(kernels.pointer, planes), *([c] if counted else []), height, width]
    arguments += [kernels.pointer(g) if isinstance(g, Tensor) else g for g in given]

    def work(start: int, stop: int) -> None:
        space = out.new_empty(room)
        scratch = [kernels.pointer(space)] if room else []
        _kernel(name)(*arguments, start, stop, *scratch, kernels.pointer(out))

    kernels.split(work, n * (height // cell), grain=max(1, (1 << 16) // (cell * width)))
    return out


@cache
def _kernel(name: str) -> Callable[..., None]:
    """The kernel, told what it takes."""
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask kernels.can first")
    size, address, real = ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_float
    rows = [size, size]
    takes = {
        "local_means": [address, size, size, size, *rows, address],
        "local_colours": [address, address, size, size, *rows, address],
        "local_details": [address, size, size, size, size, *rows, address],
        "local_steps": [address, size, size, *rows, address, address],
        "local_textures": [address, address, address, size, size, real, size, *rows, address],
        "local_spectra": [address, size, size, size, address, address, address, real, *rows, address],
    }
    run: Callable[..., None] = getattr(library, name)
    run.argtypes, run.restype = takes[name], None  # type: ignore[attr-defined]
    return run
