"""A face on the canvas of ISO/IEC 29794-5, and which part of it is what: face region, cheeks, background.

OFIQ finds these regions with 98 landmarks and two nets. Here they follow from five points: the region is the mean outline of
faces on the canvas, so it fits a face from the front best.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from assay.ops.align import similarity, view
from assay.ops.component import large_enough
from assay.ops.shared import shared
from assay.types import CannotAssess, Face

POINTS = ((251, 272), (364, 272), (308, 336), (262, 402), (355, 402))  # where OFIQ puts the five points, on 616×616
LEFT, TOP, WIDTH, HEIGHT = 168, 228, 280, 272  # the part of that canvas which holds the face region
# Jaw and brows, clockwise: mean of the 68 points of 43 faces, brought to the canvas and made symmetric
OUTLINE = (
    (174, 288), (201, 255), (217, 240), (240, 234), (263, 234), (353, 234), (376, 234), (399, 240), (415, 255), (442, 288),
    (439, 322), (434, 356), (428, 390), (417, 421), (396, 447), (370, 470), (340, 488), (308, 494),
    (276, 488), (246, 470), (220, 447), (199, 421), (188, 390), (182, 356), (177, 322),
)  # fmt: skip
CROP = (62, 0, 554, 508)  # left, top, right, bottom of the canvas: where OFIQ looks for background
BACK = (295, 354)  # and the height and width to which it reduces that: 354×295
HAIR = (308, 285, 205, 295)  # x, y and half axes of an ellipse on the canvas that leaves out head and hair
SHOULDERS = 430  # below this row of the canvas is no background
SEEN = 0.5  # share of the face region that must lie in the picture


@shared
def canvas(image: Tensor, face: Face) -> Tensor:
    """The face region on the canvas, 3×272×280 uint8, from C×H×W; black outside the picture.  Raises CannotAssess."""
    target = torch.tensor(POINTS, dtype=torch.float64) + 0.5 - torch.tensor([LEFT, TOP])
    return _bytes(view(image, large_enough(face), target, HEIGHT, WIDTH))


@shared
def surroundings(image: Tensor, face: Face) -> Tensor:
    """Head and background, 3×295×354 uint8."""
    scale = torch.tensor([BACK[1] / (CROP[2] - CROP[0]), BACK[0] / (CROP[3] - CROP[1])], dtype=torch.float64)
    target = (torch.tensor(POINTS, dtype=torch.float64) + 0.5 - torch.tensor(CROP[:2])) * scale
    return _bytes(view(image, large_enough(face), target, *BACK))


def _bytes(seen: Tensor) -> Tensor:
    return (seen[0].detach() * 255).round().clamp(0, 255).to(torch.uint8).cpu()


@shared
def aligned(face: Face) -> tuple[tuple[int, int], ...]:
    """The five points on the part of the canvas, rounded as OFIQ does."""
    turn = similarity(torch.tensor(face.points, dtype=torch.float64), torch.tensor(POINTS, dtype=torch.float64))
    there = torch.tensor(face.points, dtype=torch.float64) @ turn[:, :2].T + turn[:, 2]
    return tuple((round(x) - LEFT, round(y) - TOP) for x, y in there.tolist())


@shared
def region(image: Tensor, face: Face) -> Tensor:
    """Which pixels of `canvas` are face and lie in the picture.  Raises CannotAssess where that is less than half of the face."""
    whole = outline()
    seen = whole & _within(image, face)
    share = float(seen.sum() / whole.sum())
    if share < SEEN:
        raise CannotAssess(f"Only {100 * share:.0f} % of this face lies in the picture; at least {100 * SEEN:.0f} % are needed.")
    return seen


@cache
def outline() -> Tensor:
    """The face region on the part of the canvas. Not to be written into."""
    return polygon(torch.tensor(OUTLINE, dtype=torch.float64) - torch.tensor([LEFT, TOP]), HEIGHT, WIDTH)


def polygon(corners: Tensor, height: int, width: int) -> Tensor:
    """The inside of a convex polygon, K×2 corners clockwise on the screen, as height×width booleans."""
    x = torch.arange(width, dtype=torch.float64) + 0.5
    y = torch.arange(height, dtype=torch.float64)[:, None] + 0.5
    inside = torch.ones(height, width, dtype=torch.bool)
    for (ax, ay), (bx, by) in zip(corners.tolist(), corners.roll(-1, 0).tolist(), strict=True):
        inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0
    return inside


def _within(image: Tensor, face: Face) -> Tensor:
    """Which pixels of the part of the canvas show the picture."""
    return shown(image, face, torch.tensor(POINTS, dtype=torch.float64) - torch.tensor([LEFT, TOP]), HEIGHT, WIDTH)


def shown(image: Tensor, face: Face, target: Tensor, height: int, width: int) -> Tensor:
    """Which pixels of a view of the face lie in the picture."""
    forth = similarity(torch.tensor(face.points, dtype=torch.float64), target)
    back = torch.linalg.inv(torch.cat([forth, forth.new_tensor([[0, 0, 1]])]))
    x = torch.arange(width, dtype=torch.float64) + 0.5
    y = torch.arange(height, dtype=torch.float64)[:, None] + 0.5
    inside = torch.ones(height, width, dtype=torch.bool)
    corners = back @ torch.tensor([[0.0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], dtype=torch.float64)
    for row, most, ends in zip(back[:2], (image.shape[-1], image.shape[-2]), corners[:2], strict=True):
        if float(ends.min()) < 0 or float(ends.max()) > most:
            at = row[0] * x + row[1] * y + row[2]
            inside &= (at >= 0) & (at <= most)
    return inside


@cache
def _linear() -> Tensor:
    """8-bit sRGB to linear light, 256 values."""
    v = torch.arange(256, dtype=torch.float64) / 255
    return torch.where(v > 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92).float()


def luminance(pixels: Tensor) -> Tensor:
    """Linear-light luminance of 3×h×w uint8, 0…255, rounded as OFIQ does: h×w uint8."""
    table = 255 * _linear()
    r, g, b = (table[plane.int()] for plane in pixels)
    return (0.2126 * r).add_(g, alpha=0.7152).add_(b, alpha=0.0722).add_(0.5).to(torch.uint8)  # positive, so cutting rounds


@shared
def light(image: Tensor, face: Face) -> Tensor:
    """The luminance of `canvas`."""
    return luminance(canvas(image, face))


@shared
def shares(image: Tensor, face: Face) -> Tensor:
    """How the luminance 0…255 is shared out over the face region: 256 shares that sum to 1."""
    inside = light(image, face)[region(image, face)]
    return torch.bincount(inside, minlength=256).double() / len(inside)


def cheeks(face: Face) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Two squares of `canvas`, on the left and on the right of the picture: 0.3 eye distances wide, halfway down to the mouth."""
    (lx, ly), (rx, ry), _, (mx, my), (nx, ny) = aligned(face)
    eyes = ((rx - lx) ** 2 + (ry - ly) ** 2) ** 0.5
    drop = (((lx + rx - mx - nx) / 2) ** 2 + ((ly + ry - my - ny) / 2) ** 2) ** 0.5
    side, drop = int(0.3 * eyes), int(drop / 2)
    return (slice(ly + drop, ly + drop + side), slice(lx, lx + side)), (slice(ry + drop, ry + drop + side), slice(rx - side, rx))


@cache
def background() -> Tensor:
    """Where `surroundings` may show background: outside an ellipse for head and hair, above the shoulders."""
    x = (torch.arange(BACK[1]) + 0.5) * (CROP[2] - CROP[0]) / BACK[1] + CROP[0]
    y = ((torch.arange(BACK[0]) + 0.5) * (CROP[3] - CROP[1]) / BACK[0] + CROP[1])[:, None]
    cx, cy, rx, ry = HAIR
    return ((((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2) > 1) & (y < SHOULDERS)


def background_shown(image: Tensor, face: Face) -> Tensor:
    """The part of it that lies in the picture."""
    scale = torch.tensor([BACK[1] / (CROP[2] - CROP[0]), BACK[0] / (CROP[3] - CROP[1])], dtype=torch.float64)
    target = (torch.tensor(POINTS, dtype=torch.float64) - torch.tensor(CROP[:2])) * scale
    return background() & shown(image, face, target, *BACK)


def erode(mask: Tensor, side: int) -> Tensor:
    """Keep a pixel where the square of that side around it is all true; OpenCV's anchor and border (nothing is lost there)."""
    before = side // 2
    grown = pad(~mask[None, None].bool(), (before, side - 1 - before) * 2, value=False)
    return ~max_pool2d(grown.float(), side, stride=1)[0, 0].bool()


def sobel(plane: Tensor) -> Tensor:
    """Length of the gradient of h×w by the 3×3 operators of Sobel, the border mirrored without its edge as in OpenCV."""
    p = pad(plane[None, None], (1, 1, 1, 1), mode="reflect")[0, 0]
    down = p[:-2] + 2 * p[1:-1] + p[2:]
    across = p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:]
    return torch.hypot(down[:, 2:] - down[:, :-2], across[2:] - across[:-2])


@cache
def plain_skin() -> Tensor:
    """Where the canvas shows neither eyes, brows nor mouth: these look unlike skin on every face."""
    x = torch.arange(WIDTH) + LEFT + 0.5
    y = (torch.arange(HEIGHT) + TOP + 0.5)[:, None]
    (_, eyes), (_, mouth) = POINTS[0], POINTS[3]
    return (y > eyes + 22) & (((x - POINTS[2][0]) / 62) ** 2 + ((y - mouth - 6) / 36) ** 2 > 1)
