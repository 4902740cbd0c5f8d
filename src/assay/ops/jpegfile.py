"""What a JPEG file says about its making: markers, tables and layout, read without decoding a pixel.

ITU-T T.81 (JPEG), annex B for the markers, annex K for the usual Huffman tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from assay.ops.shared import shared
from assay.types import BadInput

# Natural (row by row) position of the k-th coefficient of the zigzag scan (T.81 figure A.6).
ZIGZAG = tuple(r * 8 + c for r, c in sorted(((i // 8, i % 8) for i in range(64)), key=lambda p: (sum(p), p[0] if sum(p) % 2 else p[1])))

SOI, EOI, SOS, DQT, DHT, DRI, COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0..SOF15
PROCESS = {0: "baseline", 1: "extended sequential", 2: "progressive", 3: "lossless"}  # low nibble of SOF, modulo 4
BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")  # inside entropy-coded data FF00 is a byte and FFD0..7 a restart

# Class and slot to the first 16 hex digits of SHA-256 over lengths and symbols of T.81 tables K.3 to K.6.
USUAL_HUFFMAN = {0x00: "2f66814c875b5317", 0x10: "a6283a08f5d97906", 0x01: "602f734c8c12c1d9", 0x11: "13f90e3c9dc476c6"}


class Segment(NamedTuple):
    """One marker with a payload (its two length bytes removed)."""

    marker: int
    offset: int  # of the 0xFF
    payload: bytes


class Component(NamedTuple):
    """One colour component: its sampling factors and the slot of its quantisation table."""

    id: int
    h: int
    v: int
    table: int


@dataclass(frozen=True, slots=True)
class JpegFile:
    """The structure of one JPEG file."""

    segments: tuple[Segment, ...]  # in file order, of the first image only
    width: int
    height: int
    precision: int
    process: str  # "baseline", "progressive", …
    components: tuple[Component, ...]
    tables: dict[int, tuple[int, ...]]  # slot → 64 steps in natural order, as the first scan uses them
    usual_huffman: bool  # every Huffman table is that of annex K; False: optimised, or the encoder's own
    arithmetic: bool
    restart: int  # MCUs between restart markers, 0 for none
    scans: int
    complete: bool  # an end marker was found
    trailing: int  # bytes after the end marker

    @property
    def subsampling(self) -> str:
        """ "4:2:0", "4:4:4", …; "grey" for one component; the factors themselves for anything unusual."""
        if len(self.components) == 1:
            return "grey"
        factors = [(c.h, c.v) for c in self.components]
        known = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
        if len(factors) == 3 and factors[1:] == [(1, 1), (1, 1)] and factors[0] in known:
            return known[factors[0]]
        return "×".join(f"{h}{v}" for h, v in factors)

    @property
    def layout(self) -> tuple[str, ...]:
        """The order of the markers by name, as "APP1", "DQT", "SOF0"."""
        return tuple(name(s.marker) for s in self.segments)

    def app(self, number: int, start: bytes) -> list[bytes]:
        """What follows `start` in every APPn segment that begins with it."""
        return [s.payload[len(start) :] for s in self.segments if s.marker == 0xE0 + number and s.payload.startswith(start)]


def name(marker: int) -> str:
    """A marker as the standard calls it."""
    if 0xE0 <= marker <= 0xEF:
        return f"APP{marker - 0xE0}"
    if marker in FRAMES:
        return f"SOF{marker - 0xC0}"
    return {SOS: "SOS", DQT: "DQT", DHT: "DHT", DRI: "DRI", COM: "COM", EOI: "EOI"}.get(marker, f"{marker:02X}")


@shared
def parse(data: bytes) -> JpegFile:
    """Read the structure of a JPEG file.

    A file cut off after its frame header is described as far as it goes (`complete` is False).
    Raises BadInput if it is no JPEG, or breaks before the frame header.
    """
    if data[:2] != b"\xff\xd8":
        raise BadInput(f"not a JPEG file: it begins with {data[:2].hex() or 'nothing'}, not ffd8")
    segments = list(_segments(data))
    frame = next((s for s in segments if s.marker in FRAMES), None)
    if frame is None or len(frame.payload) < 6 or len(frame.payload) < 6 + 3 * frame.payload[5]:
        raise BadInput("the JPEG file breaks off, or is damaged, before its frame header")
    head = frame.payload
    parts = tuple(Component(p[0], p[1] >> 4, p[1] & 15, p[2]) for p in (head[i : i + 3] for i in range(6, 6 + 3 * head[5], 3)))
    if not parts or not all(c.h and c.v for c in parts):
        raise BadInput("the JPEG frame header is damaged: no components, or sampling factors of 0")
    end = segments[-1] if segments[-1].marker == EOI else None
    restarts = [s.payload for s in segments if s.marker == DRI and len(s.payload) >= 2]
    return JpegFile(
        segments=tuple(segments[:-1] if end else segments),
        width=int.from_bytes(head[3:5], "big"),
        height=int.from_bytes(head[1:3], "big"),
        precision=head[0],
        process=PROCESS[(frame.marker - 0xC0) % 4],
        components=parts,
        tables=_tables(segments),
        usual_huffman=_usual(segments),
        arithmetic=frame.marker >= 0xC9,
        restart=int.from_bytes(restarts[0][:2], "big") if restarts else 0,
        scans=sum(s.marker == SOS for s in segments),
        complete=end is not None,
        trailing=len(data) - end.offset - 2 if end else 0,
    )


def _segments(data: bytes) -> Iterator[Segment]:
    """Every segment from SOI to EOI; stops quietly where the file is cut or damaged."""
    at = 2
    while at + 1 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == EOI:
            yield Segment(EOI, at, b"")
            return
        if marker in BARE:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(data):
            return
        yield Segment(marker, at, data[at + 4 : at + 2 + length])
        at += 2 + length
        if marker == SOS:
            found = NEXT_MARKER.search(data, at)
            if found is None:
                return
            at = found.end() - 2


def _tables(segments: list[Segment]) -> dict[int, tuple[int, ...]]:
    tables: dict[int, tuple[int, ...]] = {}
    for segment in segments:
        if segment.marker == SOS:
            break
        if segment.marker != DQT:
            continue
        rest = segment.payload
        while rest:
            wide = 2 if rest[0] >> 4 else 1
            steps = rest[1 : 1 + 64 * wide]
            if len(steps) < 64 * wide:
                break
            natural = [0] * 64
            for k, place in enumerate(ZIGZAG):
                natural[place] = int.from_bytes(steps[k * wide : (k + 1) * wide], "big")
            tables[rest[0] & 15] = tuple(natural)
            rest = rest[1 + 64 * wide :]
    return tables


def _usual(segments: list[Segment]) -> bool:
    seen = False
    for segment in segments:
        rest = segment.payload if segment.marker == DHT else b""
        while len(rest) >= 17:
            size = 17 + sum(rest[1:17])
            seen = True
            if USUAL_HUFFMAN.get(rest[0]) != sha256(rest[1:size]).hexdigest()[:16]:
                return False
            rest = rest[size:]
    return seen
