"""Damage in places."""

from __future__ import annotations

from inspect import signature

import torch
from torch import Tensor

from assay.catalog import carded, get
from assay.ops.degrading import closed, dice, opened, whole, within
from assay.types import AlterCard, BadInput


@carded(
    AlterCard(
        name="local_patches",
        version="1",
        takes=("image",),
        knob="fraction",
        levels=(1, 3, 10, 25, 50),
        unit="%",
        paper="textbook; local distortions as in TID2013, Ponomarenko et al. 2015, doi:10.1016/j.image.2014.10.009",
    )
)
def local_patches(
    x: Tensor,
    *,
    fraction: float = 10.0,
    damage: str = "gaussian_blur",
    level: float | None = None,
    count: int = 4,
    shape: str = "rectangle",
    seed: int = 0,
) -> Tensor:
    """Another damage, but only in a few patches; the rest of the picture is untouched.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    fraction: of the picture damaged, 0..100 %; 0 changes nothing. damage: name of the degradation, with `level` for its knob
    (none: its last level but one). count: patches, 1..64; they may touch. shape: "rectangle" or "ellipse".
    seed: of the places, and of the damage. `patches_mask` tells where.  Raises BadInput.

    >>> struck = local_patches(torch.zeros(1, 1, 50, 50), fraction=10, damage="haze")
    >>> int((struck > 0).sum())
    250
    """
    pixels = opened(x)
    where = patches_mask(x.shape[2], x.shape[3], fraction=fraction, count=count, shape=shape, seed=seed)
    return closed(torch.where(where.to(x.device), whole_damage(pixels, damage, level, seed), pixels), like=x)


def patches_mask(height: int, width: int, *, fraction: float = 10.0, count: int = 4, shape: str = "rectangle", seed: int = 0) -> Tensor:
    """Where `local_patches` strikes: height×width, True inside, exactly `fraction` % of it (rounded to whole pixels).

    Patches have random centres, sizes and proportions; those of a low fraction lie inside those of a higher.
    """
    if shape not in ("rectangle", "ellipse"):
        raise BadInput(f"shape must be rectangle or ellipse; got {shape}.")
    wanted = round(within("fraction", fraction, 0, 100, "%") / 100 * height * width)
    chance = torch.rand(whole("count", count, 1, 64), 4, generator=dice(seed), dtype=torch.float64)
    down, right = torch.arange(height)[:, None], torch.arange(width)
    nearest = torch.full((height, width), torch.inf)
    for top, left, size, slim in chance.tolist():
        size, slim = 0.5 + size, 2 ** (slim - 0.5)  # the largest is 3 times the smallest; sides 2 : 1 at most
        dy, dx = (down - top * height).abs() / (size * slim), (right - left * width).abs() / (size / slim)
        nearest = torch.minimum(nearest, torch.maximum(dy, dx) if shape == "rectangle" else torch.hypot(dy, dx))
    if wanted == 0:
        return torch.zeros(height, width, dtype=torch.bool)
    rim = nearest.flatten().kthvalue(wanted).values
    inside, ties = nearest < rim, (nearest == rim).flatten()
    return inside | (ties & (ties.cumsum(0) <= wanted - inside.sum())).view(height, width)  # of the rim, only as many as are missing


def whole_damage(x: Tensor, name: str, level: float | None, seed: int) -> Tensor:
    """The picture damaged all over by the degradation of that name."""
    fn = get(name)
    if not isinstance(fn.card, AlterCard) or fn.card.takes != ("image",) or name == "local_patches":
        raise BadInput(f"damage must name another degradation of one image; got {name}.")
    knobs = {fn.card.knob: fn.card.levels[-2] if level is None else level}
    if "seed" in signature(fn).parameters:
        knobs["seed"] = seed
    out: Tensor = fn(x, **knobs)
    return out
