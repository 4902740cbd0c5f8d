"""Error level analysis: how much does one more JPEG save change every part of the picture?"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image, ImageChops
from torch import Tensor
from torch.nn.functional import avg_pool2d

from assay.catalog import carded
from assay.types import Evidence, EvidenceCard, Finding, Picture

QUALITY = 90  # Krawetz 2007 saves at 90 or 95
LONG_SIDE = 2048  # of the map, pixels
STRIP = 128  # rows at a time, times the reduction; a multiple of 8: blocks do not see each other
WHITE = 0.995  # this share of the map is darker than white
MOST = 50.0  # amplification at most: rounding alone must not light up


@carded(
    EvidenceCard(
        name="error_level",
        version="1",
        takes=("file",),
        paper="Krawetz 2007, A Picture's Worth: digital image analysis and forensics, Black Hat USA",
        caveat="Edges and texture always glow, flat areas never do; any resize or later save levels the differences.",
    )
)
def error_level(picture: Picture) -> Finding:
    """A picture of what one more JPEG save would change: alike surfaces should glow alike. To look at, never a verdict.

    picture: its pixels as stored are saved at quality 90 without chroma subsampling; map: 3×h×w in [0, 1], the
    absolute difference, brightened so that its top 0.5 % is white (50-fold at most).
    Pictures with a side over 2048 are averaged down by a whole factor.
    data: quality, amplification, reduced_by.
    """
    stored = picture.stored()
    reduce = -(-max(stored.shape[-2:]) // LONG_SIDE)
    step = STRIP * reduce  # whole blocks and whole cells of the average
    strips = [_shrink(_change(stored[:, top : top + step]), reduce) for top in range(0, stored.shape[1], step)]
    change = torch.cat(strips, dim=1)
    bright = float(change.flatten()[:: max(1, change.numel() >> 20)].quantile(WHITE))  # a million values say as much as all
    gain = MOST if bright * MOST <= 1 else 1 / bright
    return Finding(
        map=(change * gain).clamp_(0, 1),
        map_says=(
            "Brightness is how much a JPEG save at quality 90 changes each place. Compare like with like: edges with edges, skin with "
            "skin; a part that glows unlike its kind may have another history. A picture to look at, never a verdict."
        ),
        evidence=(Evidence(f"Error levels drawn at quality {QUALITY}, amplified {gain:.0f} times: a picture to look at, not a verdict."),),
        data={"quality": QUALITY, "amplification": round(gain, 2), "reduced_by": reduce},
    )


def _change(part: Tensor) -> Tensor:
    """The absolute difference to the part saved as JPEG, 3×h×w in [0, 1]."""
    pixels = ((part * 255).round().clamp(0, 255) if part.is_floating_point() else part).to(torch.uint8).cpu()
    pixels = pixels[:3] if len(pixels) >= 3 else pixels[:1].expand(3, -1, -1)
    image, out = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())), io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, subsampling=0)
    with Image.open(out) as saved:
        return torch.from_numpy(np.array(ImageChops.difference(image, saved))).permute(2, 0, 1).float().div_(255)


def _shrink(x: Tensor, by: int) -> Tensor:
    return avg_pool2d(x[None], by, ceil_mode=True, count_include_pad=False)[0] if by > 1 else x
