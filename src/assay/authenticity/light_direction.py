"""Light on faces: does it come from one side on all of them?"""

from __future__ import annotations

from itertools import combinations

from assay.catalog import carded
from assay.nets.face_finder import find
from assay.ops.lighting import between, lights
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

LEAST = 64  # pixels
CONFIDENT = 0.8  # of the finder
CAVEAT = (
    "No evidence of an edit: in the few unedited pictures of several people that were measured, the directions told differed as much "
    "as between different pictures. Turned heads, hair, beards, indoor light and colours of skin rule what five points cannot model."
)


@carded(
    EvidenceCard(
        name="light_direction",
        version="1",
        takes=("file",),
        paper="Johnson & Farid 2007, doi:10.1109/TIFS.2007.903848 (the comparison); the head as an ellipsoid is ours",
        caveat=CAVEAT,
    )
)
def light_direction(picture: Picture) -> Finding:
    """From which side the light falls on each face of a picture, for a person to look at: it decides nothing.

    picture: upright; faces of at least 64 pixels. An ellipsoid under light from afar is fitted to each.
    data: statistic (the largest angle between two faces, in degrees), faces (x, y, width and height; angle: 0 from the right, 90
    from above; strength: light from the side as a share of all; fit: R²).
    Raises CannotAssess where fewer than two such faces are found.
    """
    found = [f for f in find(picture.pixels[None])[0] if f.size >= LEAST and f.confidence >= CONFIDENT]
    if len(found) < 2:
        raise CannotAssess(f"Directions of light are compared between faces of at least {LEAST} pixels; this picture has {len(found)}.")
    told = lights(picture.pixels, found)
    apart = max(between(a.angle, b.angle) for a, b in combinations(told, 2))
    rows = []
    for face, light in zip(found, told, strict=True):
        left, top, right, bottom = face.box
        place = {"x": round(left), "y": round(top), "width": round(right - left), "height": round(bottom - top)}
        rows.append({**place, "angle": round(light.angle, 1), "strength": round(min(light.strength, 9.99), 3), "fit": round(light.fit, 3)})
    angles = ", ".join(f"{r['angle']:.0f}°" for r in rows)
    says = f"The light on {len(rows)} faces seems to come from {angles} (0° is the right, 90° above); this model errs by as much."
    return Finding(evidence=(Evidence(says, caveat=CAVEAT),), data={"statistic": round(apart, 1), "faces": rows})
