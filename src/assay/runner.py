"""Files and arrays in, one Item each out: in order, in bounded memory, and whatever happens to a single file.

One job is a small batch of files: it reads them, decodes each once, runs every algorithm on them and lets go of
the pixels. Jobs run in parallel and are handed out in the order of the input.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor

from assay import people, verdict
from assay.catalog import index, map_of
from assay.io.decode import from_array, read
from assay.ops.shared import remembering
from assay.tasks import LONG, Algorithm, Task, failure, offline, task, tasks, to_result
from assay.types import (
    AssayError,
    BadInput,
    CannotAssess,
    Face,
    Failure,
    Finding,
    Item,
    Picture,
    Result,
)
from assay.words.tell import tell

Source: TypeAlias = str | Path | NDArray[Any] | Tensor | Picture
Pair: TypeAlias = tuple[Source, Source | BadInput | None]  # a reference that could not be found is its item's error
Reuse: TypeAlias = Callable[[str, str, str], dict[str, Any] | None]


def assess(
    algorithm: Algorithm,
    source: Source,
    *,
    ref: Source | None = None,
    scene: Iterable[Source] | None = None,
    maps: bool = False,
    **knobs: object,
) -> Result:
    """Run one algorithm on one picture and keep its card beside the answer.

    source, ref: a path, an array (H×W, H×W×C; uint8, uint16 or float in [0, 1]), a C×H×W tensor, or what `read` gave.
    scene: other pictures of the same scene (or camera), of one size, for what takes ("image", "images") or ("file", "images").
    Raises BadInput, CannotAssess or MissingWeights: here, unlike in `run`, one failure is the whole story.
    """
    chosen = task(algorithm)
    (job,) = in_scene([replace(chosen, knobs={**chosen.knobs, **knobs})], scene)
    reference = None if ref is None else _picture(ref)
    return _apply(job, [_picture(source)], [reference], maps=maps, device="cpu")[0]


def find_faces(source: Source, **how: Any) -> list[Face]:
    """The faces in one picture, the largest first, each with its box, five points and the finder's confidence.

    source: as `assess` takes it. how: confidence (0.5), smallest (20 pixels), turned (True) and model ("assay") as
    `assay.nets.face_finder.find` explains them.  Raises BadInput, and MissingWeights for a model that needs a file.
    """
    return people.faces(_picture(source), **how)


def inspect(source: Source, *, maps: bool = True) -> Item:
    """Everything this package can say about one picture offline: measures, evidence, and the two verdicts."""
    return next(run(offline(), [source], maps=maps, verdicts=True, threads=os.cpu_count() or 1))


def run(
    algorithms: Sequence[Algorithm],
    sources: Iterable[Source | Pair],
    *,
    scene: Iterable[Source] | None = None,
    maps: bool = False,
    verdicts: bool = False,
    keep_pictures: bool = False,
    reuse: Reuse | None = None,
    device: str = "cpu",
    batch: int | None = None,
    workers: int | None = None,
    threads: int = 1,
    **decoding: Any,
) -> Iterator[Item]:
    """Assess every source with every algorithm; yields one Item per source, in the order of the sources.

    algorithms: names, "all-fr" and "all-nr" among them, functions or tasks; what they have in common is computed once.
    sources: paths, arrays or tensors, or (source, reference) pairs.
    scene: pictures of the scene that all sources show, or of one camera, for what takes "images"; read once.
    maps: also compute the maps of the algorithms that draw one.
    verdicts: fuse the results into Item.quality and Item.origin.
    keep_pictures: leave the decoded picture on the Item, for reports.
    reuse: asked with (path, sha256, sha256 of the reference) before decoding; a row it returns is passed on as Item.saved.
    device, batch: where tensors go and how many files share a job (1 on the CPU, 16 elsewhere); equal shapes are stacked.
    workers: jobs at a time; the processor count by default. At most twice as many wait to be handed out.
    threads: algorithms at a time on one file; worth it where there are fewer files than processors.
    decoding: passed to `read` (background, max_pixels).

    A file that fails becomes an Item with `errors`; nothing here raises for one file's sake, but for one of the scene's.
    """
    wanted = in_scene(tasks(algorithms), scene, **decoding)
    if not wanted:
        raise BadInput("no algorithm was named; `assay list` shows all.")
    options = _Options(wanted, maps, verdicts, keep_pictures, reuse, device, threads, decoding)
    size = batch or (1 if device == "cpu" else 16)
    workers = workers or os.cpu_count() or 1
    stream = iter(sources)
    waiting: deque[Future[list[Item]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="assay-run") as pool:
        try:
            while True:
                while len(waiting) < 2 * workers and (files := list(islice(stream, size))):
                    waiting.append(pool.submit(_job, files, options))
                if not waiting:
                    return
                yield from waiting.popleft().result()
        finally:  # the consumer left early, or pressed Ctrl-C
            for future in waiting:
                future.cancel()


def in_scene(wanted: Sequence[Task], scene: Iterable[Source] | None, **decoding: Any) -> tuple[Task, ...]:
    """The tasks, with the pictures of the scene for those that look at one.  Raises BadInput where it is missing or not needed."""
    needing = [t.name for t in wanted if "images" in t.fn.card.takes and t.scene is None]
    if scene is None:
        if needing:
            raise BadInput(f"{' and '.join(needing)} compares with a scene; name its pictures with scene= (--scene on the command line).")
        return tuple(wanted)
    if not needing:
        raise BadInput("a scene was given, but none of the algorithms looks at one; leave it out, or add puzzle_similarity-assay.")
    pictures = [_picture(s, **decoding) for s in scene]
    if len(pictures) < 2:
        raise BadInput(f"a scene needs at least two pictures; got {len(pictures)}.")
    digest = hashlib.sha256("".join(sorted(p.sha256 for p in pictures)).encode()).hexdigest()
    as_stored = {"file" in t.fn.card.takes for t in wanted if t.name in needing}
    together = {stored: _together([p.stored() if stored else p.pixels for p in pictures]) for stored in as_stored}
    return tuple(replace(t, scene=together["file" in t.fn.card.takes], scene_sha256=digest) if t.name in needing else t for t in wanted)


def _together(pixels: list[Tensor]) -> Tensor:
    if len(sizes := {tuple(p.shape[1:]) for p in pixels}) > 1:
        shown = ", ".join(f"{w}×{h}" for h, w in sorted(sizes))
        raise BadInput(f"the pictures of a scene must have one size; got {shown} (width×height). Resize them first.")
    return torch.stack(_alike(pixels))


def _alike(pixels: list[Tensor]) -> list[Tensor]:
    """In colour where any is, and as floats where any is."""
    channels = max(len(p) for p in pixels)
    as_floats = any(p.is_floating_point() for p in pixels)
    return [(p / 255 if as_floats and p.dtype == torch.uint8 else p).expand(channels, -1, -1) for p in pixels]


@dataclass(frozen=True)
class _Options:
    tasks: tuple[Task, ...]
    maps: bool
    verdicts: bool
    keep_pictures: bool
    reuse: Reuse | None
    device: str
    threads: int
    decoding: dict[str, Any]


def _job(files: list[Source | Pair], options: _Options) -> list[Item]:
    """Read, decode and assess a few files together."""
    items: list[Item] = []
    loaded: list[tuple[int, Picture, Picture | None]] = []
    for place, file in enumerate(files):
        source, ref = file if isinstance(file, tuple) else (file, None)
        item = Item(_name(source), _sha256(source), reference=_name(ref), reference_sha256=_sha256(ref))
        try:
            saved = options.reuse(item.path, item.sha256, item.reference_sha256) if options.reuse and item.sha256 else None
            item = replace(item, saved=saved)
            if saved is None or options.keep_pictures:
                picture = _picture(source, **options.decoding)
                item = replace(item, sha256=picture.sha256, media=picture.media, picture=picture if options.keep_pictures else None)
            if saved is None:
                loaded.append((place, picture, _reference(ref, options)))
        except _ReferenceError as error:
            item = replace(item, errors=(failure("reference", error.cause),))
        except Exception as error:
            item = replace(item, errors=(failure("read", error),))
        items.append(item)
    for group in _same_shape(loaded):
        pictures, references = [p for _, p, _ in group], [r for _, _, r in group]
        with remembering():
            columns = _columns([t for t in options.tasks if not _of_faces(t)], pictures, references, options)
            for k, (place, x, ref) in enumerate(group):
                items[place] = _item(_people(items[place], x, options), [column[k] for column in columns], options, x, ref)
    return items


def _columns(
    wanted: list[Task], pictures: list[Picture], references: list[Picture | None], options: _Options
) -> list[list[Result | Failure]]:
    """What every algorithm says, in their order; several at a time where asked for. All share one memory."""
    if options.threads == 1:
        return [_answers(t, pictures, references, options) for t in wanted]
    with ThreadPoolExecutor(options.threads, thread_name_prefix="assay-task") as pool:
        longest_first = sorted(range(len(wanted)), key=lambda k: wanted[k].name not in LONG)
        futures = {k: pool.submit(copy_context().run, _answers, wanted[k], pictures, references, options) for k in longest_first}
        return [futures[k].result() for k in range(len(wanted))]


def _of_faces(t: Task) -> bool:
    return t.fn.card.takes == ("face",)


def _people(item: Item, x: Picture, options: _Options) -> Item:
    """The item with its faces. Where no verdict is asked for, what is said of the largest face stands for the picture too."""
    wanted = [t for t in options.tasks if _of_faces(t)]
    if not wanted:
        return item
    try:
        faces = people.judge(x, wanted, device=options.device)
    except Exception as error:
        return replace(item, errors=(*item.errors, failure("faces", error)))
    if options.verdicts:
        return replace(item, faces=faces)
    if not faces:
        return replace(item, errors=(*item.errors, *(Failure(t.name, people.NOBODY, "CannotAssess") for t in wanted)))
    return replace(item, faces=faces, results=faces[0].results, errors=(*item.errors, *faces[0].errors))


def _item(item: Item, answers: Sequence[Result | Failure], options: _Options, x: Picture, ref: Picture | None) -> Item:
    found = tuple(a for a in answers if isinstance(a, Result))
    errors = tuple(a for a in answers if isinstance(a, Failure))
    item = replace(item, results=_in_order((*found, *item.results), options.tasks), errors=(*item.errors, *errors))
    if not options.verdicts:
        return item
    silent = tuple(e for e in errors if e.kind == "CannotAssess" and "file" in _takes(e.what))
    nobody = tuple(e for e in errors if e.kind == "CannotAssess" and e.what == "faces")  # most pictures show no face
    item = replace(
        item,
        errors=tuple(e for e in item.errors if e not in (*silent, *nobody)),
        quality=verdict.quality(found),
        origin=verdict.origin([r for r in found if r.card.name != "faces"], tuple(e.says for e in silent), file_format=x.media.format),
    )
    return replace(item, description=tell(item, lambda result: _map(result, x, ref, options)))


def _in_order(results: Iterable[Result], tasks: Sequence[Task]) -> tuple[Result, ...]:
    """Results as the algorithms were named."""
    place = {t.name: k for k, t in enumerate(tasks)}
    return tuple(sorted(results, key=lambda r: place[r.name]))


def _map(result: Result, x: Picture, ref: Picture | None, options: _Options) -> Tensor | None:
    """A result's map, drawn now where the run as a whole asked for none."""
    t = next(t for t in options.tasks if t.name == result.name)
    if result.map is not None or map_of(t.fn) is None:
        return result.map
    return _apply(t, [x], [ref], maps=True, device=options.device)[0].map


def _takes(name: str) -> Sequence[str]:
    row = index().get(name.split(":")[0])
    return row["takes"] if row else ()


class _ReferenceError(Exception):
    """Carries a reference's failure, so that the row says which of the two files was at fault."""

    def __init__(self, cause: AssayError) -> None:
        self.cause = cause


def _reference(ref: Source | BadInput | None, options: _Options) -> Picture | None:
    if ref is None:
        return None
    try:
        if isinstance(ref, BadInput):
            raise ref
        return _picture(ref, **options.decoding)
    except AssayError as error:
        raise _ReferenceError(error) from error


def _sha256(source: Source | BadInput | None) -> str:
    """The hash of a file's content; "" for what is no readable file, since reading it properly will say what is wrong."""
    if not isinstance(source, str | Path):
        return ""
    try:
        with Path(source).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _name(source: Source | BadInput | None) -> str:
    if source is None or isinstance(source, BadInput):
        return ""
    if isinstance(source, Picture):
        return source.path
    return str(source) if isinstance(source, str | Path) else "array"


def _picture(source: Source, **decoding: Any) -> Picture:
    if isinstance(source, Picture):
        return source
    return read(source, **decoding) if isinstance(source, str | Path) else from_array(source)


def _same_shape(loaded: list[tuple[int, Picture, Picture | None]]) -> list[list[tuple[int, Picture, Picture | None]]]:
    groups: dict[object, list[tuple[int, Picture, Picture | None]]] = {}
    for entry in loaded:
        _, x, ref = entry
        key = (x.pixels.shape, x.pixels.dtype, None if ref is None else (ref.pixels.shape, ref.pixels.dtype))
        groups.setdefault(key, []).append(entry)
    return list(groups.values())


def _answers(t: Task, x: list[Picture], refs: list[Picture | None], options: _Options) -> list[Result | Failure]:
    """One algorithm on pictures of one shape. If the batch fails, each is tried alone, so that one cannot spoil the rest."""
    try:
        return [*_apply(t, x, refs, maps=options.maps, device=options.device)]
    except Exception as error:
        if len(x) == 1:
            return [failure(t.name, error)]
        return [a for one, ref in zip(x, refs, strict=True) for a in _answers(t, [one], [ref], options)]


def _apply(t: Task, x: list[Picture], refs: list[Picture | None], *, maps: bool, device: str) -> list[Result]:
    card = t.fn.card
    if card.takes == ("face",):
        return [people.largest(t, p, device=device) for p in x]
    if card.takes == ("file",):
        return [to_result(t, t.fn(p, **t.knobs)) for p in x]
    if card.takes == ("file", "images"):
        return [to_result(t, t.fn(p, scene=t.scene, **t.knobs)) for p in x]
    if card.takes not in (("image",), ("image", "reference"), ("image", "images")):
        raise BadInput(f"{card.name} takes {' and '.join(card.takes)}, not single pictures.")
    side, (height, width) = getattr(card, "min_side", 1), x[0].pixels.shape[1:]
    if min(height, width) < side:
        raise CannotAssess(f"{card.name} needs at least {side}×{side} pixels; this picture has {width}×{height}.")
    given = [_stack(x, device)]
    named = {} if t.scene is None else {"scene": t.scene.to(device)}
    if "reference" in card.takes:
        if any(r is None for r in refs):
            raise BadInput(f"{card.name} compares with a reference; name one with ref= (--ref on the command line).")
        named["ref"] = _stack([r for r in refs if r is not None], device)
        given[0], named["ref"] = _same_channels(given[0], named["ref"])
    with torch.no_grad():
        out = t.fn(*given, **named, **t.knobs)
        drawn = map_of(t.fn) if maps else None
        pictures = None if drawn is None else drawn(*given, **named, **t.knobs)
    findings = out if isinstance(out, list) else [Finding(v) for v in out]
    if pictures is not None:
        says = (drawn.__doc__ or "").strip().splitlines()[0]
        findings = [replace(f, map=m, map_says=says) for f, m in zip(findings, pictures, strict=True)]
    return [to_result(t, f) for f in findings]


def _stack(pictures: list[Picture], device: str) -> Tensor:
    return torch.stack([p.pixels for p in pictures]).to(device) if len(pictures) > 1 else pictures[0].pixels[None].to(device)


def _same_channels(x: Tensor, ref: Tensor) -> tuple[Tensor, Tensor]:
    """A grey picture beside a colour one is taken as colour."""
    channels = max(x.shape[1], ref.shape[1])
    return x.expand(-1, channels, -1, -1), ref.expand(-1, channels, -1, -1)
