"""Where the faces of a picture are."""

from __future__ import annotations

from torch import Tensor

from assay.catalog import carded
from assay.nets import face_finder, face_points
from assay.types import CannotAssess, Evidence, EvidenceCard, Face, Finding


@carded(
    EvidenceCard(
        name="faces",
        version="1",
        takes=("image",),
        paper="own; after Zhou et al. 2019 (CenterNet), arXiv:1904.07850, and Wu et al. 2023 (YuNet), doi:10.1007/s11633-023-1423-y",
        weights=(face_finder.MODEL, face_points.MODEL, face_points.CHECK),
        caveat="Masks, drawings and statues may be taken for faces; profiles, dark, covered and very small faces may be missed.",
    )
)
def faces(x: Tensor, *, confidence: float = 0.5, smallest: float = 20) -> list[Finding]:
    """Where the faces of a picture are, each with a box, five points and the finder's confidence.

    x: N×C×H×W, sRGB; float in [0, 1] or uint8; any size.
    confidence: what to leave out, 0 to 1.  smallest: height in pixels of the smallest face worth finding.
    Not differentiable: it answers with places.
    Returns for each picture a sentence, and in its data all faces, largest first. It says that there is a face, never whose.
    Raises BadInput, and CannotAssess where no face was found.
    """
    return [_told(found, smallest) for found in face_finder.find(x, confidence=confidence, smallest=smallest)]


def _told(found: list[Face], smallest: float) -> Finding:
    if not found:
        raise CannotAssess(f"No face was found; the smallest that was looked for is {smallest:g} pixels high.")
    rows = [
        {
            "box": [round(v, 2) for v in f.box],
            "points": [[round(v, 2) for v in p] for p in f.points],
            "confidence": round(f.confidence, 3),
            "size": round(f.size, 2),
            "eye_distance": round(f.eye_distance, 2),
        }
        for f in found
    ]
    how_many = "One face was found" if len(found) == 1 else f"{len(found)} faces were found"
    largest = "it is" if len(found) == 1 else "the largest is"
    says = f"{how_many}; {largest} {found[0].size:.0f} pixels wide, with {found[0].eye_distance:.0f} pixels between the eyes."
    return Finding(evidence=(Evidence(says=says),), data={"faces": rows})
