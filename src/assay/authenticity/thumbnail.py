"""The small picture inside the file, made when the camera wrote it, against the picture itself."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import uniform_filter
from torch import Tensor

from assay.catalog import carded
from assay.ops import declared, exif, smallmatch
from assay.ops.smallmatch import Array, Match
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

UNLIKE = 0.9  # correlation; 30 camera files with a thumbnail all reach 0.98
LOCAL = 14.0  # 8-bit levels, mean over a window: the same files stay below 10.1, pasted patches of a tenth of the width above 12
WINDOW = 0.06  # side of the window, as a share of the longer side
PLAIN = 2.0  # standard deviation, 8-bit levels, of a thumbnail that shows nothing
MAX_SIDE = 2048
RENEWED = "Most editors renew the thumbnail, so a match clears nothing."
STALE = "Only the age of the thumbnail is shown: a crop or a retouch at home leaves the same trace, and a thumbnail can be planted."


@carded(
    EvidenceCard(
        name="thumbnail",
        version="1",
        takes=("file",),
        paper="Kee & Farid 2010, Digital image authentication from thumbnails, doi:10.1117/12.839046",
        caveat="Editors that renew the thumbnail leave nothing to find; a few cameras write a thumbnail of another moment.",
    )
)
def thumbnail(picture: Picture) -> Finding:
    """Whether the thumbnail inside the file still shows the same picture, and where it differs.

    picture: one file with an EXIF thumbnail. Turned pictures, black bars and other shapes are allowed for; a picture that
    is a part of what its thumbnail shows was cropped. `data`: correlation, fit, turns, box, largest local difference.
    The map is the thumbnail, the picture at its size and their difference, side by side.
    Raises CannotAssess where there is no readable thumbnail, and for an array in memory.
    """
    if not picture.data:
        raise CannotAssess("a thumbnail lives in a file, and this picture came from memory: there is no file to read.")
    small = _decoded(exif.thumbnail(declared.read(picture.data).tags))
    found = smallmatch.match(small, _eight_bit(picture))
    differs = smallmatch.difference(small, found)
    side = max(3, round(WINDOW * max(small.shape[:2])))
    local = uniform_filter(differs, side)
    row, column = (int(i) for i in np.unravel_index(int(local.argmax()), local.shape))
    data: dict[str, object] = {
        "width": small.shape[1],
        "height": small.shape[0],
        "correlation": round(found.correlation, 4),
        "fit": found.fit,
        "quarter_turns": found.turns,
        "box": list(found.box),
        "largest_local_difference": round(float(local.max()), 2),
        "at": [round((column + 0.5) / local.shape[1], 3), round((row + 0.5) / local.shape[0], 3)],  # of width and height of the overlap
    }
    says = "Left: the thumbnail. Middle: the picture at its size. Right: where they differ, four times brighter."
    return Finding(
        map=_side_by_side(small, found, differs), map_says=says, evidence=_evidence(small, found, float(local.max()), data), data=data
    )


def _decoded(jpeg: bytes) -> Array:
    """The thumbnail's pixels, h×w×3, 8-bit levels."""
    if not jpeg:
        raise CannotAssess("the file has no EXIF thumbnail in JPEG form; absence proves nothing.")
    try:
        with Image.open(BytesIO(jpeg), formats=("JPEG",)) as image:
            if max(image.size) > MAX_SIDE:
                raise CannotAssess(f"the thumbnail claims {image.width}×{image.height} pixels, which no thumbnail has; it was not decoded.")
            small = np.asarray(image.convert("RGB"), np.float32)
    except CannotAssess:
        raise
    except Exception as damaged:  # decoders raise many kinds on broken data; for us they are one
        raise CannotAssess("the EXIF thumbnail is damaged and cannot be decoded.") from damaged
    if min(small.shape[:2]) < 16:
        raise CannotAssess(f"the thumbnail has only {small.shape[1]}×{small.shape[0]} pixels: too few to compare.")
    if smallmatch.luma(small).std() < PLAIN:
        raise CannotAssess("the thumbnail is a plain area: there is nothing to compare.")
    return small


def _eight_bit(picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The picture as the file stores it (thumbnails are not turned either), h×w×3."""
    stored = picture.stored()
    stored = stored if stored.dtype == torch.uint8 else (stored.float() * 255).round().clamp(0, 255).to(torch.uint8)
    return stored[:3].expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()


def _evidence(small: Array, found: Match, local: float, data: dict[str, object]) -> tuple[Evidence, ...]:
    width, height = small.shape[1], small.shape[0]
    if found.fit == "part":
        left, top, right, bottom = found.box
        share = (right - left) * (bottom - top) / (width * height)
        says = (
            f"The picture is a part of what its thumbnail shows: {share:.0%} of it, from {left / width:.0%} to {right / width:.0%} across"
            f" and {top / height:.0%} to {bottom / height:.0%} down (correlation {found.correlation:.2f}). It was cropped after the"
            " thumbnail was made."
        )
        return (Evidence(says, "edited", "hint", STALE),)
    if found.correlation < UNLIKE:
        says = f"The thumbnail shows something else than the picture (correlation {found.correlation:.2f}): it was changed afterwards."
        return (Evidence(says, "edited", "hint", STALE),)
    if local > LOCAL:
        across, down = data["at"] if isinstance(data["at"], list) else (0, 0)
        says = (
            f"Thumbnail and picture agree but for one place, {across:.0%} across and {down:.0%} down, where they differ by"
            f" {local:.0f} of 255 levels: it was changed after the thumbnail was made."
        )
        return (Evidence(says, "edited", "hint", STALE),)
    turned = " after turning" if found.turns else ""
    says = (
        f"The thumbnail shows the same picture{turned} (correlation {found.correlation:.2f}, largest local difference {local:.0f} of 255)."
    )
    return (Evidence(says, caveat=RENEWED),)


def _side_by_side(small: Array, found: Match, differs: Array) -> Tensor:
    left, top, right, bottom = found.box
    laid, gap = np.zeros_like(small), np.zeros_like(small)
    laid[top:bottom, left:right] = found.laid
    gap[top:bottom, left:right] = 4 * differs[..., None]
    row = np.concatenate([small, laid, gap], axis=1).clip(0, 255) / 255
    return torch.from_numpy(np.ascontiguousarray(row.transpose(2, 0, 1), dtype=np.float32))
