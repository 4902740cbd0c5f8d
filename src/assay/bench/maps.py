"""Maps and masks from folders, in pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.bench.localisation import Fit, fit
from assay.bench.resample import Floats
from assay.bench.rows import read
from assay.types import BadInput

SUFFIXES = (".npy", ".png", ".tif", ".tiff", ".webp", ".bmp")
MASK = ("", "_mask", "_gt", "-mask")  # what may follow the map's name in that of its mask
DEPTH = {"1": 1, "L": 255, "I;16": 65535, "I;16B": 65535, "I": 65535}  # the value of white


class Pair(NamedTuple):
    """One map, held against its mask."""

    name: str  # of the file, below the folder of maps
    kind: str  # the folder it lies in
    fit: Fit


def read_pairs(maps: Path, masks: Path, *, threshold: float) -> list[Pair]:
    """Every map of a folder with its mask; one without a mask belongs to an authentic picture.

    masks: a folder, or a CSV of file (as below maps, whatever the suffix), mask (its path; "" for an authentic picture) and perhaps kind.
    Raises BadInput.
    """
    files = sorted(p for p in maps.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise BadInput(f"{maps} holds no maps ({', '.join(SUFFIXES)}).")
    if masks.is_file():
        return _listed(maps, files, masks, threshold)
    known = {p.relative_to(masks).with_suffix("").as_posix(): p for p in sorted(masks.rglob("*")) if p.suffix.lower() in SUFFIXES}
    if not known:
        raise BadInput(f"{masks} holds no masks ({', '.join(SUFFIXES)}).")
    out = []
    for path in files:
        name = path.relative_to(maps)
        stem = name.with_suffix("").as_posix()
        mask = next((known[stem + end] for end in MASK if stem + end in known), None)
        p = values(path)
        t = np.zeros(p.shape, bool) if mask is None else values(mask) >= 0.5
        out.append(Pair(name.as_posix(), name.parent.name, fit(sized(p, t.shape), t, threshold=threshold)))
    return out


def _listed(maps: Path, files: list[Path], table: Path, threshold: float) -> list[Pair]:
    """Maps with the masks that a table names."""
    rows = read(table, ["file", "mask"])
    kinds = rows.get("kind", [""] * len(rows["file"]))
    known = {Path(f).with_suffix("").as_posix(): (m, k) for f, m, k in zip(rows["file"], rows["mask"], kinds, strict=True)}
    out = []
    for path in files:
        name = path.relative_to(maps)
        stem = name.with_suffix("").as_posix()
        if stem not in known:
            raise BadInput(f"{table} does not name {name.as_posix()}, of which there is a map.")
        mask, kind = known[stem]
        p = values(path)
        t = values(Path(mask)) >= 0.5 if mask else np.zeros(p.shape, bool)
        out.append(Pair(name.as_posix(), kind, fit(sized(p, t.shape), t, threshold=threshold)))
    return out


def values(path: Path) -> Floats:
    """A map as h×w in 0 to 1: grey of 1, 8 or 16 bits by its white, .npy as it is.  Raises BadInput."""
    if path.suffix == ".npy":
        try:
            p: NDArray[Any] = np.load(path, allow_pickle=False).astype(np.float64)
        except ValueError as error:
            raise BadInput(f"{path} is no array of numbers: {error}.") from error
        if p.ndim != 2 or not np.isfinite(p).all() or p.min() < 0 or p.max() > 1:
            raise BadInput(f"{path} must be h×w in 0 to 1; it has {p.ndim} axes and goes from {p.min():g} to {p.max():g}.")
        return p
    try:
        with Image.open(path) as im:
            grey = im if im.mode in DEPTH else im.convert("L")
            return np.array(grey, dtype=np.float64) / DEPTH[grey.mode]
    except OSError as error:
        raise BadInput(f"{path} is no picture that can be read: {error}.") from error


def sized(p: Floats, shape: tuple[int, ...]) -> Floats:
    """Brought to another size, bilinearly."""
    if p.shape == shape:
        return p
    small = Image.fromarray(p.astype(np.float32))
    return np.asarray(small.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), dtype=np.float64).clip(0, 1)
