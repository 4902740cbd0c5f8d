"""Finds, checks and loads parameter files. Nothing is ever downloaded unless `fetch` is called.

Looked for in this order: files shipped in this folder; the folder named by ASSAY_WEIGHTS (by declared name, else any file
of the right content, because mirrors rename); the user's cache, where `fetch` puts them (ASSAY_CACHE moves it).
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from assay.types import BadInput, MissingWeights, Weights

if TYPE_CHECKING:
    from torch import Tensor

HERE = Path(__file__).parent
CHUNK = 1 << 20


def find(w: Weights, *, instead: str = "") -> Path:
    """Where the file lies on this machine, its content checked against the declared hash.

    instead: an algorithm that answers the same question offline; the error names it.
    Raises MissingWeights if it is nowhere, BadInput if a file of its name has other content.
    """
    wrong: list[Path] = []
    for path in _candidates(w):
        if digest(path) == w.sha256:
            return path
        if path.name == w.file:
            wrong.append(path)
    if wrong:
        raise BadInput(
            f"{wrong[0]} is not the {w.file} that was declared: its sha256 is {digest(wrong[0])}, wanted {w.sha256}. Replace or remove it."
        )
    raise MissingWeights(_missing(w, instead))


def fetch(w: Weights, progress: Callable[[int, int], None] | None = None) -> Path:
    """Download the file into the user's cache and give its path; if it is on this machine already, just that.

    progress: called with the bytes so far and in all (0 if the server does not say).
    Raises MissingWeights if it cannot be had, BadInput if what came is not the declared file; then nothing is kept.
    """
    try:
        return find(w)
    except MissingWeights:
        if not w.url.startswith(("https://", "http://")):
            raise
        if len(w.sha256) != 64:  # nobody has published what the file holds, so what came could not be told from anything else
            raise MissingWeights(
                f"{w.file} has no published sha256, so it is not downloaded unseen. Get it from {w.url} ({w.license})."
            ) from None
    target = _cached(w)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            got = _download(w, out.write, progress)
        if got != w.sha256:
            raise BadInput(f"{w.url} gave another file than declared: its sha256 is {got}, wanted {w.sha256}. It was not kept.")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


@cache
def load_safetensors(w: Weights, *, instead: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name. Shared between callers: do not write into them."""
    from safetensors.torch import load_file

    return dict(load_file(find(w, instead=instead)))


@cache
def load_pth(w: Weights, *, only: str = "", instead: str = "") -> dict[str, Tensor]:
    """The tensors of a file that torch.save wrote of a state dict, by name; `only` those whose names begin so.

    A pickle may run code, so nothing but tensors is let in, and the content is checked before. Shared as above.
    """
    import torch

    path = find(w, instead=instead)
    found = torch.load(path, map_location="cpu", weights_only=True)
    tensors = {k: v.detach() for k, v in found.items() if k.startswith(only) and isinstance(v, torch.Tensor)}
    if not tensors:
        raise BadInput(f"{path} holds no tensors{f' whose names begin with {only!r}' if only else ''}.")
    return tensors


def digest(path: Path) -> str:
    """The sha256 of a file; remembered while its size and time stay the same."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - they tell whether the file changed
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _candidates(w: Weights) -> Iterator[Path]:
    """Files that may be it, likeliest first."""
    named = [HERE / w.file]
    folder = os.environ.get("ASSAY_WEIGHTS")
    if folder:
        if not Path(folder).is_dir():
            raise BadInput(f"ASSAY_WEIGHTS is {folder!r}, which is not a folder.")
        named.append(Path(folder) / w.file)
    named.append(_cached(w))
    yield from (p for p in named if p.is_file())
    if folder:  # smallest first: most parameter files are small, and a mirror may hold gigabytes besides
        files = (p for p in Path(folder).rglob("*") if p.is_file() and p not in named)
        yield from sorted(files, key=lambda p: (p.stat().st_size, p))


def _cached(w: Weights) -> Path:
    """Its place in the user's cache; the folder carries the hash, so a newer file does not meet an older one."""
    return cache_dir() / "weights" / w.sha256[:12] / w.file


def cache_dir() -> Path:
    """ASSAY_CACHE, else the platform's folder for what can be had again."""
    given = os.environ.get("ASSAY_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "assay"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/assay"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assay"


def _download(w: Weights, write: Callable[[bytes], object], progress: Callable[[int, int], None] | None) -> str:
    """Stream the file from its address; the sha256 of what came."""
    seen, done = hashlib.sha256(), 0
    try:
        with urlopen(w.url, timeout=30) as reply:
            total = int(reply.headers.get("Content-Length") or 0)
            while chunk := reply.read(CHUNK):
                write(chunk)
                seen.update(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total)
    except (URLError, OSError) as e:
        raise MissingWeights(f"{w.file} could not be downloaded from {w.url}: {e}. {_by_hand(w)}") from e
    return seen.hexdigest()


def _missing(w: Weights, instead: str) -> str:
    says = f"{w.file} is not on this machine. "
    if w.url:
        says += f"It can be had from {w.url} (licence: {w.license}): assay.weights.fetch downloads it. {_by_hand(w)}"
    else:
        says += f"It should have come with the package; {w.recipe or 'its recipe'} makes it."
    return f"{says} Offline, {instead} answers the same question with what ships with assay." if instead else says


def _by_hand(w: Weights) -> str:
    return f"Or put a copy (sha256 {w.sha256}) into a folder, under any name, and set ASSAY_WEIGHTS to that folder."
