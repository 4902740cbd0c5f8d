"""Which files to look at: from what a person types to a list of images, the same on every machine."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from assay.io.sniff import shown
from assay.types import BadInput

SUFFIXES = frozenset(
    f".{s}"
    for s in (
        *("apng", "avif", "avifs", "bmp", "dib", "gif", "heic", "heif", "hif", "j2c", "j2k", "jfif", "jp2", "jpc", "jpe", "jpeg"),
        *("jpf", "jpg", "jpx", "mpo", "pbm", "pfm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"),
    )
)

Rooted = tuple[Path, Path]  # a file, and its path inside the folder that was named


def find(paths: Iterable[str | Path], *, recursive: bool = True) -> Iterator[Path]:
    """Images in files, folders, globs and lists, each once, in natural order ("img2" before "img10").

    A named file is taken whatever its suffix, even if it does not exist: it is then reported as any other failure.
    Folders give their known image suffixes, without hidden entries and linked folders. "*", "?" and "**" may be
    quoted. "-" reads a list from standard input: one path a line, or separated by NUL.
    Raises BadInput at once, before the first path: a folder without images, a glob that matches nothing.
    """
    return (path for path, _ in _once(paths, recursive=recursive))


def pair(paths: Iterable[str | Path], ref: str | Path, *, recursive: bool = True) -> Iterator[tuple[Path, Path | BadInput]]:
    """Each image with its reference: one file for all, or the file of a folder that lies at the same place.

    In a folder the same relative path wins, then the same name with another suffix. Where none or several fit, the
    second half is a BadInput that says so, for that image's row; the others go on.  Raises BadInput: ref is missing.
    """
    ref = Path(ref)
    if not ref.exists():
        raise BadInput(f"the reference {shown(ref)} does not exist.")
    found = _once(paths, recursive=recursive)
    if not ref.is_dir():
        return ((path, ref) for path, _ in found)
    inside: dict[str, list[Path]] = defaultdict(list)
    for file in _walk(ref, recursive=True):
        inside[_place(file.relative_to(ref))].append(file)
    return ((path, _partner(path, place, ref, inside)) for path, place in found)


def natural(path: str | Path) -> list[tuple[int, int, str]]:
    """A sorting key that reads digits as numbers, and ignores case unless names are otherwise equal."""
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return [*((1, int(p), p) if i % 2 else (0, 0, p) for i, p in enumerate(parts)), (0, 0, str(path))]


def _once(paths: Iterable[str | Path], *, recursive: bool) -> Iterator[Rooted]:
    sources = [source for path in paths for source in _sources(str(path), recursive=recursive)]
    return _unique(sources, recursive=recursive)


def _unique(sources: list[Rooted], *, recursive: bool) -> Iterator[Rooted]:
    seen: set[str] = set()
    for path, place in sources:
        folder = path.is_dir()
        for file in _walk(path, recursive=recursive) if folder else (path,):
            key = os.path.abspath(file)  # noqa: PTH100  (a link and its target stay two files)
            if key not in seen:
                seen.add(key)
                yield file, file.relative_to(path) if folder else place


def _sources(path: str, *, recursive: bool) -> Iterator[Rooted]:
    """Files and folders that one argument stands for. Folders are looked into already, so that errors come first."""
    if not path:
        raise BadInput("an empty path was given.")
    if path == "-":
        for line in _listed(sys.stdin.buffer.read()):
            yield from _sources(line, recursive=recursive)
        return
    if glob.has_magic(path) and not os.path.lexists(path):
        yield from _globbed(path)
        return
    here = Path(path)
    if here.is_dir() and next(_walk(here, recursive=recursive), None) is None:
        raise BadInput(f"{shown(here)} holds no images{_contents(here)}.")
    yield here, Path(here.name)


def _listed(data: bytes) -> list[str]:
    parts = data.split(b"\0") if b"\0" in data else data.splitlines()
    return [os.fsdecode(p) for p in parts if p.strip()]


def _globbed(pattern: str) -> Iterator[Rooted]:
    """Matching files; where the pattern does not name a suffix itself, only known image suffixes."""
    suffix = Path(pattern).suffix
    named = bool(suffix) and not glob.has_magic(suffix)
    base = Path(*_until_magic(Path(pattern).parts))
    found = [Path(p) for p in sorted(glob.glob(pattern, recursive=True), key=natural)]  # noqa: PTH207  (Path.glob takes no absolute pattern)
    files = [p for p in found if not p.is_dir() and (named or p.suffix.lower() in SUFFIXES)]
    if not files:
        raise BadInput(f"{shown(pattern)} matches {'no image' if found else 'nothing'}.")
    yield from ((p, p.relative_to(base)) for p in files)


def _until_magic(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if glob.has_magic(part):
            return
        yield part


def _walk(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Images of a folder: its own first, then those of its folders. One that may not be listed stands for itself."""
    try:
        entries = sorted((e for e in os.scandir(folder) if not e.name.startswith(".")), key=lambda e: natural(e.name))
    except OSError:
        yield folder
        return
    folders = [e for e in entries if e.is_dir()]
    yield from (folder / e.name for e in entries if not e.is_dir() and Path(e.name).suffix.lower() in SUFFIXES)
    if recursive:
        for e in folders:
            if not e.is_symlink():
                yield from _walk(folder / e.name, recursive=True)


def _contents(folder: Path) -> str:
    """What is there instead: ": 3 .txt, 1 folder"."""
    kinds = Counter("folder" if p.is_dir() else p.suffix.lower() or "without a suffix" for p in folder.iterdir())
    if not kinds:
        return ": it is empty"
    return ": it has " + ", ".join(f"{n} {kind}{'s' if kind == 'folder' and n > 1 else ''}" for kind, n in kinds.most_common(5))


def _place(path: Path) -> str:
    return path.with_suffix("").as_posix().casefold()


def _partner(path: Path, place: Path, ref: Path, inside: dict[str, list[Path]]) -> Path | BadInput:
    if (ref / place).is_file():
        return ref / place
    fits = inside.get(_place(place), [])
    if len(fits) == 1:
        return fits[0]
    if fits:
        return BadInput(f"{shown(path)} has several references in {shown(ref)}: {', '.join(shown(f.relative_to(ref)) for f in fits)}.")
    return BadInput(f"{shown(path)} has no reference in {shown(ref)}: neither {shown(place)} nor that name with another suffix.")
