"""Most apparent distortion."""

from __future__ import annotations

from math import exp, inf, log

import torch
import torch.nn.functional as F
from torch import Tensor

from assay import check
from assay.catalog import carded
from assay.ops.colourspaces import power
from assay.ops.fourier import spectrum
from assay.ops.gradients import root
from assay.ops.loggabor import responses
from assay.ops.luma import levels
from assay.ops.windowstats import SIDE, STEP, Moments, blocks, box_sums, changes, window_moments
from assay.types import Scale, ScoreCard

LIGHT, GAMMA = 0.02874, 2.2 / 3  # luminance of a grey level, and the eye's cube root: MAD_index.m, k
DARK = 0.5  # mean luminance below which nothing is seen: G
THRESHOLD = -5.0  # logarithm of the contrast from which masking begins: Ci_thrsh, Cd_thrsh; slope 1
SCALE_WEIGHTS = tuple(w / 13.25 for w in (0.5, 0.75, 1, 5, 6))  # from fine to coarse
VISIBLE = 200.0  # MAD_index.m since June 2010
BETA1, BETA2 = exp(-2.55 / 3.35), 1 / (log(10) * 3.35)  # Larson & Chandler 2010, section 3.3


@carded(
    ScoreCard(
        name="mad",
        version="1",
        takes=("image", "reference"),
        differentiable=True,
        scale=Scale(worst=inf, best=0, usual=(200, 0)),
        paper="Larson & Chandler 2010, doi:10.1117/1.3267105",
        min_side=36,  # windows of 16 pixels whose outermost 16 pixels are left out
        map="mad_map",
    )
)
def mad(x: Tensor, *, ref: Tensor, rounded: bool = False) -> Tensor:
    """Most apparent distortion: errors an eye can find where there are few, changed appearance where there are many.

    x, ref: N×C×H×W, sRGB, at least 36×36; float in [0, 1], or uint8 for 8-bit pixels as they are. Measured on grey.
    rounded: grey to whole 8-bit levels first, as MATLAB's rgb2gray makes it; moves the distance by up to 1 %.
    Returns N distances, 0 when equal. The two pictures are not interchangeable.  Raises BadInput.

    This is the authors' MAD_index.m of 2011. The Python port in wide use differs: it weights orientations instead of scales,
    keeps the border, takes another local contrast, and averages the three channels: 146 for a JPEG where this is 60.

    >>> x = torch.rand(1, 3, 64, 64)
    >>> mad(x, ref=x)
    tensor([0.])
    """
    x, ref = check.images(x=x, ref=ref, min_side=36, keep_uint8=True)
    a, b = levels(x, rounded)[:, 0], levels(ref, rounded)[:, 0]
    scores = [_distance(a[i : i + 1], b[i : i + 1]) for i in range(len(a))]  # one at a time: spectra are large
    return torch.cat(scores).to(torch.float32 if x.dtype == torch.uint8 else x.dtype)


def mad_map(x: Tensor, *, ref: Tensor, rounded: bool = False) -> Tensor:
    """The distance of every fourth pixel's surroundings, N×h×w, without the outermost 16 pixels: 0 is equal, bright is damaged.

    How much the visible error and the changed appearance count is decided by the whole picture.
    """
    x, ref = check.images(x=x, ref=ref, min_side=36, keep_uint8=True)
    a, b = levels(x, rounded)[:, 0], levels(ref, rounded)[:, 0]
    return torch.cat([_places(a[i : i + 1], b[i : i + 1]) for i in range(len(a))])


def _places(x: Tensor, ref: Tensor) -> Tensor:
    seen, changed = _visible(x, ref), _appearance(x, ref)
    share = 1 / (1 + BETA1 * _pooled(seen) ** BETA2)
    near = F.avg_pool2d(seen, STEP, ceil_mode=True)
    return changed.sqrt() ** (1 - share) * near.sqrt() ** share


def _pooled(squares: Tensor, weights: Tensor | None = None) -> Tensor:
    """The root of the mean."""
    squares = squares.double()
    return root(squares.mean((1, 2)) if weights is None else (squares * weights).sum((1, 2)) / weights.sum())


def _distance(x: Tensor, ref: Tensor) -> Tensor:
    changes = _appearance(x, ref)
    rows, columns = (_pixels(n - 2 * SIDE - 1, changes.shape[d], changes.double()) for d, n in ((1, x.shape[1]), (2, x.shape[2])))
    seen, changed = _pooled(_visible(x, ref)), _pooled(changes, rows[:, None] * columns)
    some = (seen > 0) & (changed > 0)  # no error: 0, with gradient 0
    seen, changed = torch.where(some, seen, 1), torch.where(some, changed, 1)
    share = 1 / (1 + BETA1 * seen**BETA2)
    return torch.where(some, changed ** (1 - share) * seen**share, 0)


def _visible(x: Tensor, ref: Tensor) -> Tensor:
    """How much of the error can be found, squared: local error energy, where its contrast is not masked by that of the picture."""
    filters = _sensitivity(ref)
    bright = _as_seen(ref, filters)
    error = _as_seen(x, filters) - bright
    parts = blocks(bright, 2)
    mean = window_moments(parts, 4)[0]
    seen = mean >= DARK
    mean = torch.where(seen, mean, 1)
    contrast = root(window_moments(blocks(error, 2), 4)[1].mul(256 / 255)) / mean  # sample deviations, as in ical_std.c
    masking = (_quietest(parts, mean) / mean).clamp(min=exp(THRESHOLD))
    seen = seen & (contrast > masking)
    mask = torch.where(seen, torch.where(seen, contrast, 1).log() - masking.log(), 0)
    energy = box_sums((x - ref).square(), SIDE) / SIDE**2  # of pixels i-7 … i+8 around i
    top, left = (s - 2 * SIDE - 1 for s in x.shape[1:])
    energy = energy[:, SIDE - 7 : SIDE - 7 + top, SIDE - 7 : SIDE - 7 + left].square()
    mask = _inside(mask.square(), x).repeat_interleave(STEP, 1).repeat_interleave(STEP, 2)[:, :top, :left]
    return VISIBLE**2 * mask * energy


def _quietest(parts: Moments, like: Tensor) -> Tensor:
    """The least deviation of the four 8×8 windows at 0 and 4 pixels from each window's corner, as ical_std.c takes it."""
    deviation = root(window_moments(parts, 2)[1].mul(64 / 63))
    h, w = like.shape[1:]
    return torch.stack([deviation[:, i : i + h, j : j + w] for i in (0, 1) for j in (0, 1)]).amin(0)


def _as_seen(y: Tensor, filters: Tensor) -> Tensor:
    seen: Tensor = torch.fft.irfft2(torch.fft.rfft2(LIGHT * power(y, GAMMA)) * filters, s=y.shape[-2:])
    return seen


def _sensitivity(y: Tensor) -> Tensor:
    """The eye's sensitivity to every frequency of rfft2, H×(W/2+1), at 32 cycles per degree for the highest along a row.

    make_csf.m lies half a step beside the frequencies of even sizes; only the real part of its result is used, so the mean
    of each frequency and its opposite does the same.
    """
    h, w = y.shape[-2:]
    down, right = (torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) + (0.5 if n % 2 == 0 else 0) for n in (h, w))
    opposite = down.flip(0).roll(1), right.flip(0).roll(1)
    half = slice(0, w // 2 + 1)
    down, right, down_too, right_too = (t.to(y) * (64 / w) for t in (down, right[half], opposite[0], opposite[1][half]))
    return (_csf(down, right) + _csf(down_too, right_too)) / 2


def _csf(down: Tensor, right: Tensor) -> Tensor:
    """Mannos & Sakrison 1974, flat below its peak, and 3 dB less along the diagonals."""
    f = (down.square()[:, None] + right.square()).sqrt()
    f = f / (0.15 * torch.cos(4 * torch.atan2(down[:, None], right.expand_as(f))) + 0.85)
    return torch.where(f < 7.8909, 0.9809, 2.6 * (0.0192 + 0.114 * f) * torch.exp(-((0.114 * f) ** 1.1)))


def _appearance(x: Tensor, ref: Tensor) -> Tensor:
    """How much local statistics of log-Gabor responses have changed, squared."""
    spectra = spectrum(ref), spectrum(x)
    change = torch.zeros((), dtype=x.dtype, device=x.device)
    for scale, waves in responses(spectra):
        change = change + SCALE_WEIGHTS[scale] * changes(waves)
    return _inside(change.square(), x)


def _inside(windows: Tensor, x: Tensor) -> Tensor:
    """The windows whose 4×4 corners lie, in part at least, among pixels 16 … size-18 (MAD_index.m, "kill the edges")."""
    h, w = (-(-(s - 2 * SIDE - 1) // STEP) for s in x.shape[1:])
    return windows[:, SIDE // STEP : SIDE // STEP + h, SIDE // STEP : SIDE // STEP + w]


def _pixels(count: int, windows: int, like: Tensor) -> Tensor:
    """How many of `count` pixels the corner of each window covers."""
    return (count - STEP * torch.arange(windows, device=like.device)).clamp(max=STEP).to(like)
