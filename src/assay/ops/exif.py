"""EXIF as it stands in the file: every directory, no warnings, nothing rewritten.

Pillow's reader rewrites values, warns, and hides where the thumbnail lies; evidence needs the block as it is.
TIFF 6.0 for the directories; CIPA DC-008 (Exif 3.0) for the tags.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from assay.types import BadInput

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}  # bytes per value of a type
CODES = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I"}  # two letters: a fraction
POINTERS = {"Exif": ("0th", 34665), "GPS": ("0th", 34853), "Interop": ("Exif", 40965)}
MAX_TEXT = 1 << 16
MAX_ENTRIES = 4096  # per directory; real files have under 200


class Entry(NamedTuple):
    """One field: its type, how many values, and where its bytes lie. Copied only when asked for."""

    type: int
    many: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Exif:
    """All directories of a block: "0th", "Exif", "GPS", "Interop", and "1st", which describes the thumbnail."""

    block: bytes = field(repr=False)
    order: str = "<"  # byte order, as struct writes it
    ifds: dict[str, dict[int, Entry]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()  # what was broken, in sentences

    def text(self, tag: int, ifd: str = "0th") -> str:
        """An ASCII field without its padding; "" if there is none."""
        entry = self.ifds.get(ifd, {}).get(tag)
        if entry is None or entry.type not in (2, 129, 1, 7):
            return ""
        plain = self.raw(tag, ifd)[:MAX_TEXT].split(b"\0")[0]
        return "".join(c for c in plain.decode("utf-8", "replace") if c.isprintable()).strip()

    def numbers(self, tag: int, ifd: str = "0th") -> tuple[float, ...]:
        """The values of a numeric field, 64 at most; a fraction over 0 is left out."""
        entry = self.ifds.get(ifd, {}).get(tag)
        if entry is None or entry.type not in CODES:
            return ()
        n, code = min(entry.many, 64), CODES[entry.type]
        values = struct.unpack_from(f"{self.order}{n * len(code)}{code[0]}", self.block, entry.start)
        if len(code) == 1:
            return values
        return tuple(a / b for a, b in zip(values[::2], values[1::2], strict=True) if b)

    def number(self, tag: int, ifd: str = "0th") -> float | None:
        """The first value of a numeric field; None if there is none, or it is no number."""
        first = next(iter(self.numbers(tag, ifd)), None)
        return first if first is not None and abs(first) < float("inf") else None

    def raw(self, tag: int, ifd: str = "0th") -> bytes:
        """The bytes of a field as they are; b"" if there is none."""
        entry = self.ifds.get(ifd, {}).get(tag)
        return self.block[entry.start : entry.start + entry.size] if entry else b""


def thumbnail(tags: Exif) -> bytes:
    """The JPEG file in the thumbnail's directory; b"" if there is none."""
    start, size = tags.number(513, "1st"), tags.number(514, "1st")  # JPEGInterchangeFormat and its length
    if not start or not size or min(start, size) < 0:
        return b""
    data = tags.block[int(start) : int(start + size)]
    return data if data[:2] == b"\xff\xd8" else b""


def parse(block: bytes) -> Exif:
    """Read a TIFF or EXIF block; broken fields are skipped and named in `problems`.  Raises BadInput if it is no such block."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        raise BadInput("the EXIF block does not begin as one (II*0 or MM0*)")
    problems: list[str] = []
    ifds: dict[str, dict[int, Entry]] = {}
    first = struct.unpack(f"{order}I", block[4:8])[0] if len(block) >= 8 else 0
    ifds["0th"], following = _directory(block, order, first, "0th", problems)
    for name, (parent, tag) in POINTERS.items():
        entry = ifds.get(parent, {}).get(tag)
        if entry and entry.type in (4, 13) and entry.many == 1:
            ifds[name] = _directory(block, order, struct.unpack_from(f"{order}I", block, entry.start)[0], name, problems)[0]
    if following:
        ifds["1st"] = _directory(block, order, following, "1st", problems)[0]
    return Exif(block, order, ifds, tuple(problems))


def _directory(block: bytes, order: str, at: int, name: str, problems: list[str]) -> tuple[dict[int, Entry], int]:
    """The fields of one directory, and where the next one begins (0: nowhere)."""
    fields: dict[int, Entry] = {}
    if not 8 <= at <= len(block) - 2:
        problems.append(f"the {name} directory lies outside the EXIF block")
        return fields, 0
    count = struct.unpack_from(f"{order}H", block, at)[0]
    if count > MAX_ENTRIES or at + 2 + 12 * count > len(block):
        problems.append(f"the {name} directory claims {count} fields, more than fit in the EXIF block")
        return fields, 0
    for i in range(count):
        place = at + 2 + 12 * i
        tag, kind, n = struct.unpack_from(f"{order}HHI", block, place)
        size = SIZES.get(kind, 0) * n
        start = place + 8 if size <= 4 else struct.unpack_from(f"{order}I", block, place + 8)[0]
        if kind not in SIZES or start + size > len(block):
            problems.append(f"field {tag} of the {name} directory is damaged")
            continue
        fields.setdefault(tag, Entry(kind, n, start, size))
    end = at + 2 + 12 * count
    return fields, struct.unpack_from(f"{order}I", block, end)[0] if end + 4 <= len(block) else 0
