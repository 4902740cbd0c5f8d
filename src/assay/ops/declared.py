"""What the names and codes found in metadata mean: software, IPTC source types, and the traces generators leave.

All of it is declared by whoever wrote the file; nothing here is measured.
"""

from __future__ import annotations

import json
import re
from typing import Literal, NamedTuple

from assay.ops import embedded, exif, xmp
from assay.types import BadInput, Origin

Kind = Literal["generator", "editor", "raw converter", "photo manager", "library", "screenshot", "camera", "unknown"]

# Product names as their makers write them into Software and CreatorTool; the first row that matches decides.
SOFTWARE: tuple[tuple[Kind, str], ...] = (
    ("generator", r"stable diffusion|midjourney|dall.?e|novelai|comfyui|invokeai|fooocus|swarmui|automatic1111|draw things|adobe firefly"),
    ("generator", r"leonardo\.?ai|imagefx|ideogram|flux\.?1|dreamstudio|nightcafe|bing image creator|image creator from designer|gpt-4o"),
    ("raw converter", r"lightroom|camera raw|capture one|darktable|rawtherapee|\bart \d|dxo|photolab|silkypix|ufraw|rawker"),
    (
        "raw converter",
        r"digital photo professional|capture nx|nx studio|viewnx|imaging edge|image data converter|raw studio|raw file converter",
    ),
    ("raw converter", r"phocus|om workspace|olympus viewer|on1 photo raw|aperture \d|exposure x|pentax photo"),
    ("editor", r"photoshop|gimp|affinity photo|pixelmator|snapseed|picsart|facetune|meitu|beautyplus|faceapp|lensa|remini|youcam|airbrush"),
    ("editor", r"paint shop|paintshop|paint\.net|krita|canva|vsco|polarr|luminar|fotor|photopea|photoscape|befunky|pixlr|photolemur"),
    (
        "editor",
        r"topaz|photodirector|photoimpact|corel|microsoft paint|mspaint|\bpaint \d|zoner|movavi|inpixio|retouch|picture publisher|qimage",
    ),
    ("screenshot", r"screenshot|screen ?capture|snipping|greenshot|sharex|snagit|flameshot|spectacle"),
    (
        "photo manager",
        r"acd ?see|acd systems|picasa|irfanview|xnview|faststone|finepix ?viewer|camedia master|olympus master|nikon view|picturelink",
    ),
    (
        "photo manager",
        r"photo gallery|photo viewer|microsoft photo|google photos|^photos \d|iphoto|digikam|shotwell|gthumb|picture ?project",
    ),
    (
        "photo manager",
        r"zoombrowser|imagebrowser|picturegear|picture motion browser|playmemories|photomechanic|photo mechanic|adobe bridge|quicktime",
    ),
    (
        "library",
        r"imagemagick|graphicsmagick|libvips|\bgd-jpeg|pillow|python imaging|ffmpeg|^lavc|opencv|exiv2|libjpeg|imagesharp|intel\(r\) jpeg",
    ),
)
# Firmware: a bare version ("17.5.1", "v981-79"), a name with one ("Ver1.00"), a phone's build number, a known camera program.
FIRMWARE = re.compile(
    r"^v?\d[\w.\-]*$|^v\d+p-\d+|\bver(sion)?[. ]?\d|^digital camera |firmware|hdr\+ |mediatek|(?-i:^(?=.*\d)[A-Z]{1,3}-?[A-Z0-9]{5,}$)",
    re.IGNORECASE,
)


def software(name: str, model: str = "") -> Kind:
    """What kind of program signs with this name; `model` is the camera's own, which many cameras sign with.

    >>> software("Adobe Photoshop 7.0"), software("Digital Camera FinePix40i Ver1.39"), software("17.5.1")
    ('editor', 'camera', 'camera')
    """
    for kind, pattern in SOFTWARE:
        if re.search(pattern, name, re.IGNORECASE):
            return kind
    return "camera" if (model and name.lower().startswith(model.lower())) or FIRMWARE.search(name) else "unknown"


class Said(NamedTuple):
    """All a file declares, read; empty where it declares nothing."""

    blocks: embedded.Embedded
    tags: exif.Exif
    properties: dict[str, xmp.Value]
    problems: tuple[str, ...]  # what was damaged, in sentences

    @property
    def camera(self) -> str:
        """ "Canon EOS D60": make and model, without saying the make twice; "" unless both are named."""
        make, model = self.tags.text(271), self.tags.text(272)
        return "" if not (make and model) else model if model.lower().startswith(make.split()[0].lower()) else f"{make} {model}"

    def software(self) -> list[tuple[str, str, Kind]]:
        """Every program that signed: where it did, its name, and what kind it is."""
        claims = {
            "EXIF Software": self.tags.text(305),
            "EXIF ProcessingSoftware": self.tags.text(11),
            "XMP CreatorTool": xmp.words(self.properties.get("xmp:CreatorTool")),
            "IPTC OriginatingProgram": embedded.datasets(self.blocks.iptc).get((2, 65), ""),
            "The text field Software": self.blocks.texts.get("Software", ""),
        }
        comment = self.blocks.texts.get("comment", "")[:200]
        if software(comment) not in ("unknown", "camera"):  # people write comments too
            claims["The comment"] = comment
        plain = {where: " ".join(name.split())[:120] for where, name in claims.items()}
        return [(where, name, software(name, self.tags.text(272))) for where, name in plain.items() if name]


def read(data: bytes) -> Said:
    """Read a file's blocks, skipping damaged ones.  Raises BadInput if the file is of no known kind."""
    blocks = embedded.read(data)
    tags, properties, problems = exif.Exif(b""), dict[str, xmp.Value](), list[str]()
    try:
        tags = exif.parse(blocks.exif) if blocks.exif else tags
    except BadInput as broken:
        problems.append(str(broken))
    try:
        properties = xmp.parse(blocks.xmp) if blocks.xmp else properties
    except BadInput as broken:
        problems.append(str(broken))
    return Said(blocks, tags, properties, (*tags.problems[:8], *problems))


class Source(NamedTuple):
    """One code of the IPTC digital source type: its official name, and where it points."""

    name: str
    points_to: Origin | None
    weight: Literal["note", "hint", "strong"]


# cv.iptc.org/newscodes/digitalsourcetype, edition of 2024-09-17, with its retired codes; c2pa.org adds the last two.
SOURCES = {
    "digitalCapture": Source("Digital capture sampled from real life", "camera original", "hint"),
    "computationalCapture": Source("Multi-frame computational capture sampled from real life", "camera original", "hint"),
    "negativeFilm": Source("Digitised from a negative on film", None, "note"),
    "positiveFilm": Source("Digitised from a positive on film", None, "note"),
    "print": Source("Digitised from a print on non-transparent medium", None, "note"),
    "minorHumanEdits": Source("Original media with minor human edits (retired)", "edited", "hint"),
    "humanEdits": Source("Human-edited media", "edited", "hint"),
    "compositeWithTrainedAlgorithmicMedia": Source("Edited using Generative AI", "edited", "strong"),
    "algorithmicallyEnhanced": Source("Algorithmically-altered media", "edited", "hint"),
    "softwareImage": Source("Created by software (retired)", None, "note"),
    "digitalArt": Source("Digital art (retired)", None, "note"),
    "digitalCreation": Source("Digital creation", None, "note"),
    "dataDrivenMedia": Source("Data-driven media", None, "note"),
    "trainedAlgorithmicMedia": Source("Created using Generative AI", "generated", "strong"),
    "algorithmicMedia": Source("Pure algorithmic media", "generated", "hint"),
    "screenCapture": Source("Screen capture", None, "note"),
    "virtualRecording": Source("Virtual event recording", None, "note"),
    "composite": Source("Composite of elements", "edited", "strong"),
    "compositeCapture": Source("Composite of captured elements", "edited", "strong"),
    "compositeSynthetic": Source("Composite including generative AI elements", "edited", "strong"),
    "trainedAlgorithmicData": Source("Data created using Generative AI", "generated", "strong"),
    "empty": Source("Blank canvas", None, "note"),
}


def source(code: str) -> tuple[str, Source | None]:
    """A source type's short code and meaning, from a URI ("http://cv.iptc.org/…/print"), a QCode or the code itself."""
    short = re.split(r"[/:#]", code.strip().rstrip("/"))[-1]
    folded = {k.lower(): k for k in SOURCES}
    short = folded.get(short.lower(), short)
    return short, SOURCES.get(short)


def generator(texts: dict[str, str]) -> tuple[str, str] | None:
    """The image generator whose settings stand in these texts, and the field they stand in; None if there are none.

    >>> generator({"parameters": "a cat\\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"})
    ('Stable Diffusion web UI', 'parameters')
    """
    for key, text in texts.items():
        if re.search(r"\bSteps: \d+,.*\b(Sampler|CFG scale|Seed): ", text, re.DOTALL):
            return "Stable Diffusion web UI", key
        if '"sui_image_params"' in text:
            return "SwarmUI", key
        body = re.sub(r"^(prompt|workflow|generation_data):\s*", "", text, flags=re.IGNORECASE)
        value = _json(body)
        if isinstance(value, dict):
            nodes = [v for v in value.values() if isinstance(v, dict)]
            if any("class_type" in n and "inputs" in n for n in nodes) or {"nodes", "links"} <= value.keys():
                return "ComfyUI", key
            if {"sampler", "steps", "uc"} <= value.keys():
                return "NovelAI", key
            if key.lower() in ("invokeai_metadata", "sd-metadata", "invokeai_graph"):
                return "InvokeAI", key
            if "fooocus_scheme" in texts or {"base_model", "steps", "sampler"} <= value.keys():
                return "Fooocus", key
        if key == "Dream" and re.search(r"-s ?\d+ .*-S ?\d+|-S ?\d+", text):
            return "InvokeAI (dream)", key
        if key == "Description" and re.search(r"\bJob ID: [0-9a-f]{8}-", text):
            return "Midjourney", key
    return None


def _json(text: str) -> object:
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
