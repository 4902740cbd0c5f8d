"""What every small square of a picture shows of its making: grain, its correlations, JPEG coefficients, grids, and copies elsewhere.

Three streams: light and colour; what high-pass filters leave (Fridrich & Kodovský 2012, doi:10.1109/TIFS.2012.2190402); and
8×8 DCTs on the picture's own grid: sizes, zeros, ghosts (Farid 2009), and how well each coefficient fits the histogram of the
whole picture (after Lin, He, Tang & Tang 2009, doi:10.1016/j.patcog.2009.03.019). All are alike for a mirrored or turned picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from assay.ops.blocktraces import CELL, LOW, blocks, fitting, grids
from assay.ops.dct import luma8
from assay.ops.jpegtables import LUMA, scaled
from assay.ops.selfmatch import copies

EDGE = 4  # pixels that the filters reach beyond a square
MOST = 9_216  # squares in a map: larger pictures are seen in larger squares
SAMPLE = 16  # pixels: of a larger square only its middle is looked at, whole blocks of JPEG
ROWS = 16  # of cells at a time, for memory
UNKNOWN = 90  # quality taken where no file tells its table
Y = (0.299, 0.587, 0.114)  # BT.601
TRACES, SLOPED = 93, 79  # what follows counts, votes and compares


def traces(stored: Tensor, steps: Sequence[int] | None = None, *, least: int = 1) -> tuple[Tensor, int]:
    """The statistics of every square, TRACES×h×w, and the side of the squares in pixels (a multiple of 8).

    stored: C×H×W, uint8 or float in [0, 1], at least 64×64; only the first 3 channels count.  steps: 64 quantisation steps of
    luma in natural order, where the file is a JPEG.  least: squares have at least so many blocks along their sides.
    A rest of less than one square at the right and lower edge is not looked at.
    """
    height, width = stored.shape[1:]
    times = max(least, -int(-((height * width / MOST) ** 0.5) // CELL))
    side = CELL * times
    rgb = (stored[:3] if len(stored) >= 3 else stored[:1].expand(3, -1, -1))[:, : height // side * side, : width // side * side]
    table = torch.tensor(steps if steps is not None and all(steps) else scaled(LUMA, UNKNOWN), dtype=torch.float32)
    planes, low = (torch.cat(p, dim=1) for p in zip(*_parts(rgb, times), strict=True))
    fit = fitting(low / table[list(LOW)][:, None, None])
    if times > 1:
        fit = avg_pool2d(fit[None], 2)[0]
    luma = luma8(stored)[: rgb.shape[1], : rgb.shape[2]]
    found = [_told(planes), fit, grids(luma, side), copies(luma, planes.shape[1:])]
    return torch.cat(found), side


def sloped(rgb: Tensor) -> Tensor:
    """The first SLOPED of `traces`, through which slopes run: 3×H×W in 0..255, sides multiples of 8 → SLOPED×h×w, squares of 8×8."""
    return _told(measured(pad(rgb[None], (EDGE, EDGE, EDGE, EDGE), mode="reflect"))[0][0])


def _parts(rgb: Tensor, times: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Row by row of squares: the planes of `measured`, one place a square, and the low coefficients, one place a block."""
    side = CELL * times
    h, w = rgb.shape[1] // side, rgb.shape[2] // side
    for top in range(0, h, ROWS):
        rows = min(ROWS, h - top)
        around = torch.arange(top * side - EDGE, (top + rows) * side + EDGE).abs()
        around = torch.where(around < rgb.shape[1], around, 2 * rgb.shape[1] - 2 - around)
        part = rgb[:, around]
        part = part.float() * 255 if part.is_floating_point() else part.float()
        part = pad(part[None], (EDGE, EDGE, 0, 0), mode="reflect")
        if times == 1:
            planes, low = measured(part)
            yield planes[0], low[0]
        else:
            start = (times - 2) // 2 * CELL
            n = SAMPLE + 2 * EDGE
            windows = part[0, :, start:, start:].unfold(1, n, side).unfold(2, n, side)  # 3×rows×w×n×n
            planes, low = measured(windows.permute(1, 2, 0, 3, 4).reshape(rows * w, 3, n, n))
            low = low.reshape(rows, w, -1, 2, 2).permute(2, 0, 3, 1, 4).reshape(len(LOW), 2 * rows, 2 * w)
            yield planes.mean((2, 3)).reshape(rows, w, -1).permute(2, 0, 1), low


def measured(x: Tensor) -> tuple[Tensor, Tensor]:
    """Averages over every 8×8 block, N×P×h×w, and LOW coefficients.  x: N×3×(8h+8)×(8w+8) in 0..255, with EDGE pixels around."""
    y = _luma(x)
    cb, cr = 0.564 * (x[:, 2:] - y), 0.713 * (x[:, :1] - y)
    inner = (..., slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    found = [*_steps(y), *_grain(x), *_half(y)]
    found += [p[inner] for p in (y, y.square(), cb, cr, cb.square(), cr.square(), (y > 253).float(), (y < 2).float())]
    planes = [avg_pool2d(p, CELL) for p in found]
    told, low = blocks(y[inner])
    return torch.cat([*planes, *told], dim=1), low


def _luma(x: Tensor) -> Tensor:
    return x[:, :1] * Y[0] + x[:, 1:2] * Y[1] + x[:, 2:] * Y[2]


def _steps(y: Tensor) -> list[Tensor]:
    """First and second differences across and down, equal neighbours, and steps across the borders of blocks."""
    across, down = (y[..., 1:] - y[..., :-1]).abs(), (y[..., 1:, :] - y[..., :-1, :]).abs()
    bend_x, bend_y = (y[..., 2:] - 2 * y[..., 1:-1] + y[..., :-2]).abs(), (y[..., 2:, :] - 2 * y[..., 1:-1, :] + y[..., :-2, :]).abs()
    e = EDGE
    across, down = across[..., e:-e, e : 1 - e], down[..., e : 1 - e, e:-e]
    bend_x, bend_y = bend_x[..., e:-e, e - 1 : 1 - e], bend_y[..., e - 1 : 1 - e, e:-e]
    last = torch.zeros(CELL)
    last[-1] = 1
    seam = across * last.repeat(across.shape[-1] // CELL), down * last.repeat(down.shape[-2] // CELL)[:, None]
    return [across, down, bend_x, bend_y, ((across < 0.5).float() + (down < 0.5).float()) / 2, *seam]


def _grain(x: Tensor) -> list[Tensor]:
    """What the 3×3 filter of Ker & Böhme leaves: sizes, neighbours' agreement, colours, and the rhythms of sensors and enlarging."""
    k = _bent(x)  # one pixel less on each side
    e = EDGE - 1
    h, w = k.shape[2] - 2 * e, k.shape[3] - 2 * e

    def at(p: Tensor, dy: int, dx: int) -> Tensor:
        return p[:, :, e + dy : e + dy + h, e + dx : e + dx + w]

    ky = _luma(k)
    here = at(ky, 0, 0)
    square = here.square()
    r, g, b = (at(k[:, i : i + 1], 0, 0) for i in range(3))
    odd_row = (torch.arange(h) % 2).float()[:, None]
    odd_column = (torch.arange(w) % 2).float()
    quincunx = (odd_row + odd_column) % 2
    green = g.square()
    out = [here.abs(), square, square.square(), (here.abs() < 0.25).float()]
    out += [here * at(ky, 0, 1), here * at(ky, 1, 0), here * (at(ky, 1, 1) + at(ky, 1, -1)) / 2, here * at(ky, 0, 2), here * at(ky, 2, 0)]
    out += [r.square(), green, b.square(), r * g, b * g, (b - here).square(), (r - here).square()]
    return [*out, green * quincunx, square * odd_row, square * odd_column]


def _bent(x: Tensor) -> Tensor:
    """Filtered by [-1 2 -1; 2 -4 2; -1 2 -1] / 4 (Ker & Böhme 2008): the second difference across, then down."""
    across = (x[..., 2:] + x[..., :-2]).sub_(x[..., 1:-1], alpha=2)
    return (across[..., 2:, :] + across[..., :-2, :]).sub_(across[..., 1:-1, :], alpha=2).div_(-4)


def _half(y: Tensor) -> list[Tensor]:
    """The same of the picture at half size, on its own finer grid of 4×4."""
    small = avg_pool2d(y, 2)
    k = _bent(small)
    h, w = small.shape[2] - EDGE, small.shape[3] - EDGE
    here = k[:, :, 1 : 1 + h, 1 : 1 + w]
    near = (k[:, :, 1 : 1 + h, 2 : 2 + w] + k[:, :, 2 : 2 + h, 1 : 1 + w]) / 2
    return [p.repeat_interleave(2, 2).repeat_interleave(2, 3) for p in (here.abs(), here.square(), here * near)]


def _told(p: Tensor) -> Tensor:
    """Planes of averages, P×h×w, made into what is told: logarithms, and ratios over 3×3 squares."""
    near = avg_pool2d(p[None], 3, 1, 1, count_include_pad=False)[0]
    (ax, ay, bx, by, same, sx, sy, k, k2, k4, calm, c01, c10, c11, c02, c20, r2, g2, b2, rg, bg, db, dr, q, rows, cols) = near[:26]
    half, half2, halfn, y, yy, cb, cr, cbcb, crcr, white, black = near[26:37]
    local = p[:37]
    tiny = 0.02
    power = k2 + tiny
    rho = [_rhythm(part, whole) for part, whole in ((q, g2), (rows, k2), (cols, k2))]
    out = [_log(local[0] + local[1]), _log(local[2] + local[3]), _log(local[7]), _log(local[8]), _log(local[26]), local[4], local[10]]
    out += [_log(ax + ay), (_log(ax) - _log(ay)).abs(), _log(bx + by), (_log(bx) - _log(by)).abs(), same]
    out += [_log(sx + sy) - _log(ax + ay), _log(k), _log(k2), _log(k4) - 2 * _log(k2), calm]
    out += [(c01 + c10) / power, (c01 - c10).abs() / power, c11 / power, (c02 + c20) / power]
    out += [_log(r2) - _log(g2), _log(b2) - _log(g2), rg / ((r2 + tiny) * (g2 + tiny)).sqrt(), bg / ((b2 + tiny) * (g2 + tiny)).sqrt()]
    out += [_log(db), _log(dr), _log(db) - _log(k2), _log(dr) - _log(k2), rho[0], rho[1] + rho[2], (rho[1] - rho[2]).abs()]
    out += [_log(half), _log(half2) - _log(k2), halfn / (half2 + tiny)]
    out += [y / 255, _log(yy - y.square()), cb / 64, cr / 64, _log(cbcb - cb.square() + crcr - cr.square()), white, black]
    bands, logs, zero, ghosts = near[37:57], near[57:77], near[77:80], near[80:92]
    misfit = ghosts[::2] / (ghosts[1::2] + 0.3)
    return torch.cat([torch.stack(out), (bands + 0.3).log(), logs[:6] - (bands[:6] + 0.5).log(), zero, misfit, ghosts[5::6].sqrt()])


def _log(x: Tensor) -> Tensor:
    return (x.clamp_min(0) + 0.03).log()


def _rhythm(part: Tensor, whole: Tensor) -> Tensor:
    """How unlike two halves of the pixels are, as a logarithm; positive where it goes the picture's way."""
    r = _log(2 * part) - _log(2 * (whole - part))
    return r * (1.0 if float(r.detach().mean()) >= 0 else -1.0)
