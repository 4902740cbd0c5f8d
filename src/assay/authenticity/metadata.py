"""What a file declares about itself: EXIF, XMP, IPTC and text blocks."""

from __future__ import annotations

from datetime import datetime, timedelta

from assay.catalog import carded
from assay.ops import declared, exif, xmp
from assay.types import CannotAssess, Evidence, EvidenceCard, Finding, Picture

TYPED = "Metadata is text that anyone can type, copy from another file or remove."
SAVED = {
    "editor": ("an image editor", "The name tells who saved the file, not what changed: a crop or a resize leaves the same name."),
    "raw converter": (
        "a raw converter",
        "Developing a raw file need not change what the picture shows; most professional photographs are.",
    ),
    "photo manager": ("a photo manager", "Rotating, rating or importing a picture is enough to leave this name."),
    "library": ("a software library", "Websites and scripts resize and convert pictures with such libraries."),
}
# Exif tags: where, number, key in `data`
SHOWN = (
    *(("0th", n, k) for n, k in ((271, "make"), (272, "model"), (305, "software"), (306, "modified"), (11, "processing_software"))),
    *(("Exif", n, k) for n, k in ((36867, "taken"), (36868, "digitised"), (42036, "lens"), (42035, "lens_make"), (36881, "utc_offset"))),
)
MEASURED = ((33434, "exposure_time"), (33437, "f_number"), (34855, "iso"), (37386, "focal_length"), (41989, "focal_length_35mm"))
MAKER_NOTE, USER_COMMENT, PIXELS = 37500, 37510, (40962, 40963)
LATER = timedelta(minutes=2)  # cameras stamp a file some seconds after the shutter, long exposures and HDR later
PADDING = 15  # pixels: some cameras declare a size rounded up to JPEG blocks
ONLY_WORDS = {1028, 1061}  # Photoshop resources that caption tools write as well: IPTC, and the IPTC digest


@carded(
    EvidenceCard(
        name="metadata",
        version="1",
        takes=("file",),
        paper="CIPA DC-008 (Exif), ISO 16684-1 (XMP), IPTC Photo Metadata Standard 2024.1",
        caveat=TYPED,
    )
)
def metadata(picture: Picture, *, locate: bool = False) -> Finding:
    """What the file says about itself: camera, dates, software, editing history, declared source.

    picture: one file.  locate: also put the GPS position into `data`; otherwise only whether there is one.
    Returns evidence in sentences; `data` holds camera, exposure, software, source types, history and conflicts.
    Raises CannotAssess for an array in memory, BadInput for a file of no known kind.
    """
    if not picture.data:
        raise CannotAssess("metadata lives in a file, and this picture came from memory: there is no file to read.")
    said = declared.read(picture.data)
    data = _facts(said, locate)
    evidence = [
        *_software(said, data),
        *_sources(said, data),
        *_generator(said, data),
        *_history(said, data),
        *_conflicts(said, picture, data),
    ]
    damage = "Programs that rewrite a file often leave broken fields."
    evidence += [Evidence(f"Damaged metadata: {p}.", caveat=damage) for p in said.problems]
    return Finding(evidence=(*evidence, *_summary(said, evidence, data)), data=data)


def _facts(said: declared.Said, locate: bool) -> dict[str, object]:
    blocks, tags = said.blocks, said.tags
    data: dict[str, object] = {"container": blocks.container, "problems": list(said.problems)}
    data["blocks"] = [name for name in ("exif", "xmp", "iptc", "photoshop") if getattr(blocks, name)]
    data["camera"] = {key: tags.text(tag, ifd)[:200] for ifd, tag, key in SHOWN if tags.text(tag, ifd)}
    data["exposure"] = {key: v for tag, key in MEASURED if (v := tags.number(tag, "Exif"))}
    data["maker_note_bytes"] = len(tags.raw(MAKER_NOTE, "Exif"))
    data["texts"] = {k[:80]: v[:200] for k, v in list(blocks.texts.items())[:20]}
    position = [_degrees(tags, 2, b"S"), _degrees(tags, 4, b"W")]
    data["gps"] = None not in position or "exif:GPSLatitude" in said.properties
    if locate and None not in position:
        data["position"] = position
    return data


def _degrees(tags: exif.Exif, tag: int, negative: bytes) -> float | None:
    parts = tags.numbers(tag, "GPS")
    if len(parts) != 3:
        return None
    return (-1 if tags.raw(tag - 1, "GPS")[:1] == negative else 1) * (parts[0] + parts[1] / 60 + parts[2] / 3600)


def _software(said: declared.Said, data: dict[str, object]) -> list[Evidence]:
    found = said.software()
    data["software"] = [{"where": where, "name": name, "kind": kind} for where, name, kind in found]
    evidence, seen = [], set()
    for where, name, kind in found:
        if kind == "camera" or name in seen:
            continue
        seen.add(name)
        if kind in SAVED:
            who, caveat = SAVED[kind]
            evidence.append(Evidence(f"{where} says “{name}”: {who} saved the file.", "edited", "hint", f"{caveat} {TYPED}"))
        elif kind == "generator":
            evidence.append(Evidence(f"{where} says “{name}”: an image generator.", "generated", "strong", TYPED))
        else:
            evidence.append(Evidence(f"{where} says “{name}”{' (a screenshot)' if kind == 'screenshot' else ''}.", caveat=TYPED))
    return evidence


def _sources(said: declared.Said, data: dict[str, object]) -> list[Evidence]:
    evidence, properties = [], said.properties
    codes: list[str] = []
    for key in ("Iptc4xmpExt:DigitalSourceType", "Iptc4xmpExt:DigitalSourcefileType"):
        for uri in filter(None, xmp.words(properties.get(key)).split(", ")):
            code, meaning = declared.source(uri)
            codes.append(code)
            if meaning is None:
                evidence.append(Evidence(f"The declared source type “{code[:80]}” is not in the IPTC list.", caveat=TYPED))
            else:
                says = f"The file declares its source as “{meaning.name}” (IPTC {code})."
                evidence.append(Evidence(says, meaning.points_to, meaning.weight, TYPED))
    system = xmp.words(properties.get("Iptc4xmpExt:AISystemUsed"))
    if system:
        evidence.append(Evidence(f"The file names an AI system that was used: “{system[:120]}”.", "generated", "hint", TYPED))
    credit = xmp.words(properties.get("photoshop:Credit"))
    if credit in ("Made with Google AI", "Edited with Google AI"):  # as Google's generators and Magic Editor write it
        evidence.append(Evidence(f"The credit line says “{credit}”.", "generated" if credit[0] == "M" else "edited", "strong", TYPED))
    data["digital_source_types"] = codes
    return evidence


def _generator(said: declared.Said, data: dict[str, object]) -> list[Evidence]:
    blocks, tags = said.blocks, said.tags
    comment = tags.raw(USER_COMMENT, "Exif")
    encoding = {b"UNICODE\0": "utf-16-be" if tags.order == ">" else "utf-16-le"}.get(comment[:8], "utf-8")
    texts = blocks.texts | {"EXIF UserComment": comment[8:].decode(encoding, "replace").strip("\0 ")}
    texts |= {"EXIF Make": tags.text(271), "EXIF Model": tags.text(272), "EXIF ImageDescription": tags.text(270)}  # ComfyUI's WebP
    found = declared.generator(texts)
    data["generator"] = found[0] if found else None
    if found is None:
        return []
    return [Evidence(f"The field “{found[1]}” holds the settings of {found[0]}, an image generator.", "generated", "strong", TYPED)]


def _history(said: declared.Said, data: dict[str, object]) -> list[Evidence]:
    properties = said.properties
    history = properties.get("xmpMM:History")
    steps = [s for s in history if isinstance(s, dict)] if isinstance(history, list) else []
    keys = ("action", "softwareAgent", "when", "changed", "parameters")
    data["history"] = [{k: xmp.words(s[f"stEvt:{k}"])[:200] for k in keys if f"stEvt:{k}" in s} for s in steps[:200]]
    evidence = []
    if steps:
        programs = sorted({xmp.words(s.get("stEvt:softwareAgent")) for s in steps} - {""})
        by = f" by {', '.join(programs)[:160]}" if programs else ""
        evidence.append(Evidence(f"The editing history lists {len(steps)} steps{by}.", "edited", "hint", f"Saving is a step. {TYPED}"))
    ancestors = properties.get("photoshop:DocumentAncestors")
    if isinstance(ancestors, list) and ancestors:
        says = f"Photoshop recorded {len(ancestors)} other documents whose layers were placed in this picture."
        evidence.append(Evidence(says, "edited", "hint", f"The list also grows when layers pass through templates. {TYPED}"))
    if any(key.startswith("crs:") for key in properties):
        says = "The file carries the settings of Adobe Camera Raw or Lightroom."
        evidence.append(Evidence(says, "edited", "hint", SAVED["raw converter"][1]))
    if set(said.blocks.photoshop) - ONLY_WORDS:
        says = "The file carries Photoshop's own resource blocks."
        evidence.append(Evidence(says, "edited", "hint", f"{SAVED['editor'][1]} A few other programs write such blocks too."))
    return evidence


def _conflicts(said: declared.Said, picture: Picture, data: dict[str, object]) -> list[Evidence]:
    evidence, tags = [], said.tags
    taken, modified = _date(tags.text(36867, "Exif")), _date(tags.text(306))
    if taken and modified and modified - taken > LATER:
        says = f"The file was changed after the picture was taken: {taken} taken, {modified} modified."
        evidence.append(Evidence(says, "edited", "hint", "Importing, rotating or captioning sets this date too; clocks and zones differ."))
    width, height = (tags.number(tag, "Exif") for tag in PIXELS)
    real = (picture.media.width, picture.media.height)
    sizes = f"EXIF speaks of {width or 0:.0f}×{height or 0:.0f} pixels, the file has {real[0]}×{real[1]}"
    if width and height and max(abs(a - b) for a, b in zip(sorted((width, height)), sorted(real), strict=True)) > PADDING:
        caveat = "Uploading to a website often resizes a picture; it need not be altered otherwise."
        saver = next((name for _, name, kind in said.software() if kind in SAVED), "")
        by = f", and “{saver}” saved it" if saver else ""  # two facts that bear each other out
        evidence.append(Evidence(f"{sizes}: it was resized or cropped since{by}.", "edited", "strong" if saver else "hint", caveat))
    elif width and height and (width > height) != (real[0] > real[1]):
        caveat = "Photo managers turn pictures without changing what they show."
        evidence.append(Evidence(f"{sizes}: it was turned since.", caveat=caveat))
    data["conflicts"] = [e.says for e in evidence]
    return evidence


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _summary(said: declared.Said, evidence: list[Evidence], data: dict[str, object]) -> list[Evidence]:
    """The closing words: complete camera data and nothing against it, or nothing at all."""
    words = []
    if data["gps"]:
        words.append(Evidence("The file tells where it was taken (GPS); the position is not shown here.", caveat=TYPED))
    blocks, exposed = said.blocks, sum(1 for tag, _ in MEASURED[:4] if said.tags.number(tag, "Exif"))
    if not said.tags.ifds and not blocks.xmp and not blocks.iptc and not blocks.texts:
        return [*words, Evidence("The file carries no metadata.", caveat="Absence proves nothing: most websites remove it.")]
    if not (said.camera and _date(said.tags.text(36867, "Exif")) and exposed >= 2):
        return words
    if not data["maker_note_bytes"]:
        says = f"{said.camera} is named as the camera, but its maker note is missing."
        words.append(Evidence(says, caveat="Some cameras and many phones write none; editors drop it."))
    if not data["conflicts"] and not any(e.points_to not in (None, "camera original") for e in evidence):
        says = f"Complete camera data ({said.camera}) and no trace of software after it."
        words.append(Evidence(says, "camera original", "hint", f"{TYPED} Copying camera data onto another picture takes one command."))
    return words
