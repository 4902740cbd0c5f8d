"""The JPEG encoder's handwriting: quantisation tables, subsampling and the order of the markers."""

from __future__ import annotations

import re

from assay.catalog import carded
from assay.ops import declared, jpegfile, jpegtables
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

SAVERS = ("editor", "raw converter", "photo manager", "library", "generator", "screenshot")
SHARED = "Many phones, some cameras and most websites use libjpeg as well."
COPIED = "An editor can write a camera's tables and layout on purpose; a lossless crop or turn keeps both."


@carded(
    EvidenceCard(
        name="quantisation",
        version="1",
        takes=("file",),
        paper="ITU-T T.81; Kornblum 2008, doi:10.1016/j.diin.2008.05.004",
        caveat="Encoders are shared: the same tables can come from a phone, an editor or a website.",
    )
)
def quantisation(picture: Picture) -> Finding:
    """Which encoder wrote this JPEG: its quantisation tables and layout, and whether they fit the declared camera.

    picture: one JPEG file. `data`: encoder, quality (exact for libjpeg and mozjpeg tables, else None), nearest_quality
    (least squares over the logarithms of the luma steps), tables by slot in natural order, subsampling, process, layout, trailing bytes.
    Raises CannotAssess for other formats and arrays in memory, BadInput for a JPEG broken before its frame header.
    """
    if not picture.data:
        raise CannotAssess("quantisation tables live in a JPEG file, and this picture came from memory: there is no file to read.")
    if picture.data[:2] != b"\xff\xd8":
        raise CannotAssess("only JPEG files have quantisation tables, and this is no JPEG file.")
    file = jpegfile.parse(picture.data)
    used = [file.tables[c.table] for c in file.components if c.table in file.tables]
    if len(used) < len(file.components):
        raise CannotAssess("the file has no quantisation table for some of its colours: it is lossless, damaged or cut off.")
    said = declared.read(picture.data)
    encoder, quality = jpegtables.encoder(used)
    data = _facts(file, used, encoder, quality)
    data |= _adobe(file, said)
    evidence = [Evidence(_describe(file, data)), *_photoshop(data), *_against_camera(file, said, data), *_oddities(file)]
    return Finding(evidence=tuple(evidence), data=data)


def _facts(file: jpegfile.JpegFile, used: list[tuple[int, ...]], encoder: str, quality: int | None) -> dict[str, object]:
    close, miss = jpegtables.nearest(used[0])
    return {
        "encoder": encoder,
        "quality": quality,
        "nearest_quality": close,
        "nearest_distance": round(miss, 3),
        "tables": {str(slot): list(steps) for slot, steps in file.tables.items()},
        "subsampling": file.subsampling,
        "process": file.process,
        "precision": file.precision,
        "usual_huffman": file.usual_huffman,
        "restart_interval": file.restart,
        "scans": file.scans,
        "layout": list(file.layout[:200]),
        "libjpeg_layout": _libjpeg_layout(file),
        "jfif": bool(file.app(0, b"JFIF\0")),
        "complete": file.complete,
        "trailing_bytes": file.trailing,
    }


def _libjpeg_layout(file: jpegfile.JpegFile) -> bool:
    """libjpeg writes every table into a segment of its own: quantisation, frame, Huffman, scan, nothing between."""
    heads = " ".join(file.layout)
    single = all(len(s.payload) in (65, 129) for s in file.segments if s.marker == jpegfile.DQT)
    huffman = [s.payload for s in file.segments if s.marker == jpegfile.DHT]
    apart = all(len(p) >= 17 and len(p) == 17 + sum(p[1:17]) for p in huffman)
    return bool(re.search(r"^(?:(?:APP\d+|COM) )*(?:DQT )+SOF\d+ (?:DHT )*(?:DRI )?SOS", heads)) and single and apart


def _adobe(file: jpegfile.JpegFile, said: declared.Said) -> dict[str, object]:
    """Quality settings that Adobe programs write down: "Ducky" of Save for Web, resource 1030 of Save As."""
    ducky = next(iter(file.app(12, b"Ducky\0\1\0\4")), b"")  # field 1, 4 bytes
    setting = said.blocks.photoshop.get(0x0406, b"")[:2]
    return {
        "adobe_segment": bool(file.app(14, b"Adobe")),
        "save_for_web_quality": int.from_bytes(ducky[:4], "big") if len(ducky) >= 4 else None,
        "save_as_quality": int.from_bytes(setting, "big", signed=True) + 4 if len(setting) == 2 else None,  # stored as -4..8
    }


def _describe(file: jpegfile.JpegFile, data: dict[str, object]) -> str:
    known = f"{data['encoder']} quality {data['quality']}" if data["quality"] else data["encoder"]
    near = "" if data["quality"] else f" (closest to libjpeg quality {data['nearest_quality']})"
    return f"Compressed with the tables of {known}{near}, {file.subsampling}, {file.process}.".replace(
        "of its own tables", "of its own encoder"
    )


def _photoshop(data: dict[str, object]) -> list[Evidence]:
    web, save = data["save_for_web_quality"], data["save_as_quality"]
    if web is not None:
        says = f"An Adobe program saved the file for the web, at quality {web}."
    elif save is not None:
        says = f"Photoshop saved the file, at quality {save} of 12."
    elif data["adobe_segment"] and str(data["encoder"]).startswith("Photoshop"):
        says = f"The tables are those of {data['encoder']}, beside an Adobe segment."
    else:
        return []
    return [Evidence(says, "edited", "hint", "A crop or a resize leaves the same traces; what was changed cannot be told.")]


def _against_camera(file: jpegfile.JpegFile, said: declared.Said, data: dict[str, object]) -> list[Evidence]:
    """Does the handwriting fit a camera that claims to have written the file itself?"""
    if not said.camera or any(kind in SAVERS for _, _, kind in said.software()):
        return []
    by = f"The file claims to come straight from a camera ({said.camera}), but"
    if file.process == "progressive" or file.arithmetic:
        return [
            Evidence(f"{by} it is {file.process}, which cameras do not write.", "edited", "hint", "Websites re-save pictures this way.")
        ]
    if data["encoder"] in jpegtables.BASES and data["libjpeg_layout"]:
        says = f"{by} its tables ({data['encoder']} quality {data['quality']}) and the order of its parts are those of {data['encoder']}:"
        return [Evidence(f"{says} it was probably re-saved by software.", "edited", "hint", SHARED)]
    exif_first = bool(file.segments) and file.segments[0].marker == 0xE1 and file.segments[0].payload.startswith(b"Exif\0")
    if exif_first and not data["jfif"] and not data["adobe_segment"] and file.process == "baseline":
        says = (
            "The file is laid out as cameras do it: Exif first, no JFIF or Adobe segment, and not in libjpeg's order with libjpeg's tables."
        )
        return [Evidence(says, "camera original", "hint", COPIED)]
    return []


def _oddities(file: jpegfile.JpegFile) -> list[Evidence]:
    odd = []
    if not file.complete:
        odd.append(Evidence("The file is cut off: its end marker is missing.", caveat="Broken transfers do this."))
    if file.trailing:
        says = f"{file.trailing} bytes follow the end of the picture."
        odd.append(Evidence(says, caveat="Phones append videos, depth maps and second pictures; others hide data there."))
    return odd
