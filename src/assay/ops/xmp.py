"""XMP packets (ISO 16684-1) as plain dictionaries. XML with a document type is refused, so nothing can expand."""

from __future__ import annotations

from typing import TypeAlias
from xml.etree import ElementTree

from assay.types import BadInput

MAX_BYTES = 8 << 20  # real packets stay under 1 MB; what needs more sits in extended packets, which are not read
MAX_DEPTH = 24
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
PREFIXES = {
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://ns.adobe.com/xap/1.0/sType/ResourceRef#": "stRef",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/camera-raw-settings/1.0/": "crs",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
}

Value: TypeAlias = "str | list[Value] | dict[str, Value]"


def parse(packet: bytes) -> dict[str, Value]:
    """Every property of the schemas we know, as "xmpMM:History": text, a list, or a dictionary.

    Raises BadInput if the packet is too large, is no XML, or declares a document type.
    """
    if len(packet) > MAX_BYTES:
        raise BadInput(f"the XMP packet has {len(packet) >> 20} MB; at most {MAX_BYTES >> 20} are read")
    text = _text(packet).strip("\0 \r\n\t\ufeff")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadInput("the XMP packet declares a document type, which XMP never needs; it was not read")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as broken:
        raise BadInput(f"the XMP packet is damaged: {broken}") from None
    found: dict[str, Value] = {}
    for rdf in root.iter(f"{RDF}RDF"):
        for description in rdf.findall(f"{RDF}Description"):
            found.update(_properties(description, 0))
    return found


def words(value: Value | None) -> str:
    """A property as one line of text, whatever its shape."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(words, value)))
    if isinstance(value, dict):
        return ", ".join(f"{k} {words(v)}" for k, v in value.items())
    return value or ""


def _text(packet: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if packet.startswith(mark):
            return packet.decode(encoding, "replace")
    return packet.decode("utf-8", "replace")


def _name(tag: str) -> str:
    """ "{http://ns.adobe.com/xap/1.0/}CreatorTool" as "xmp:CreatorTool"; "" for schemas we do not know."""
    space, _, local = tag.removeprefix("{").rpartition("}")
    return f"{PREFIXES[space]}:{local}" if space in PREFIXES else ""


def _properties(node: ElementTree.Element, depth: int) -> dict[str, Value]:
    if depth > MAX_DEPTH:
        raise BadInput("the XMP packet is nested too deeply; it was not read")
    found: dict[str, Value] = {_name(k): v for k, v in node.attrib.items() if _name(k)}
    found.update({_name(child.tag): _value(child, depth + 1) for child in node if isinstance(child.tag, str) and _name(child.tag)})
    return found


def _value(node: ElementTree.Element, depth: int) -> Value:
    for child in node:
        if child.tag in (f"{RDF}Seq", f"{RDF}Bag", f"{RDF}Alt"):
            return [_value(item, depth + 1) for item in child.findall(f"{RDF}li")] if depth <= MAX_DEPTH else []
        if child.tag == f"{RDF}Description":
            return _properties(child, depth + 1)
    resource = node.get(f"{RDF}resource")
    return resource if resource else _properties(node, depth) or (node.text or "").strip()
