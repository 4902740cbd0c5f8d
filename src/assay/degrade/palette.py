"""Few colours."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.catalog import carded
from assay.ops.degrading import closed, opened, whole
from assay.types import AlterCard

SAMPLE = 128  # side of the even sample the palette is chosen from: 15 times faster than all pixels, and 1 to 35 % more error


@carded(
    AlterCard(
        name="palette",
        version="1",
        takes=("image",),
        knob="colours",
        levels=(256, 64, 32, 16, 8),
        unit="colours",
        paper="Heckbert 1982, doi:10.1145/800064.801294: median cut",
    )
)
def palette(x: Tensor, *, colours: float = 32) -> Tensor:
    """Reduced to a small palette, as in a GIF: areas of one colour with hard borders, no dither.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8. Returns the same shape, dtype and device.
    colours: in the picture's own palette, whole, 2..256 (Pillow's median cut of an even sample of pixels).
    Not differentiable. float pictures are rounded to 8 bits first.  Raises BadInput.

    >>> ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    >>> len(palette(ramp, colours=8).unique())
    8
    """
    import numpy as np
    from PIL import Image

    count = whole("colours", colours, 2, 256)
    pixels = closed(opened(x.detach()), like=torch.empty(0, dtype=torch.uint8)).cpu()
    done = []
    for item in pixels.expand(-1, 3, -1, -1):
        picture = Image.fromarray(item.permute(1, 2, 0).contiguous().numpy())
        sample = picture.resize([min(side, SAMPLE) for side in picture.size], Image.Resampling.NEAREST)
        chosen = sample.quantize(count, method=Image.Quantize.MEDIANCUT)
        few = picture.quantize(palette=chosen, dither=Image.Dither.NONE)
        done.append(torch.from_numpy(np.array(few.convert("RGB"))).permute(2, 0, 1))
    return closed(torch.stack(done)[:, : x.shape[1]].to(x.device) / 255, like=x)
