"""DF40: 40 ways to forge a face, and its four protocols, as rows. Yan et al. 2024, arXiv:2406.13495; layout of its repository.

`dataset_json/` says what belongs to which split: one file for each method and domain (`simswap_ff.json`, `heygen.json`), label → split →
video → frames. Pictures lie in `DF40/METHOD/…`, authentic ones of the 31 known methods in the folders of FF++ and Celeb-DF; the nine
unknown methods bring their own. Its authors chose checkpoints on the test part; `split` here is what you ask for, and no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.bench.layouts import Layout, Sample, present, shown, spread
from assay.types import BadInput

KNOWN = {  # family → its methods that exist in both domains, as the files are called
    "FS": ("fsgan", "faceswap", "simswap", "inswap", "blendface", "uniface", "mobileswap", "e4s", "facedancer"),
    "FR": ("fomm", "facevid2vid", "wav2lip", "MRAA", "one_shot_free", "pirender", "tpsm", "lia", "danet", "sadtalker", "mcnet",
           "hyperreenact"),
    "EFS": ("VQGAN", "StyleGAN2", "StyleGAN3", "StyleGANXL", "sd2.1", "ddim", "rddm", "pixart", "DiT", "SiT"),
}  # fmt: skip
UNKNOWN = {
    "deepfacelab": "FS", "heygen": "FR", "whichisreal": "EFS", "MidJourney": "EFS", "stargan": "FE", "starganv2": "FE",
    "styleclip": "FE", "e4e": "FE", "CollabDiff": "FE",
}  # fmt: skip
FAMILY = {m: f for f, methods in KNOWN.items() for m in methods} | UNKNOWN
FOLDERS = {"whichisreal": "whichfaceisreal", "pixart": "PixArt"}  # where the folder of pictures is called otherwise
PROTOCOLS = {
    1: "same domain, other kinds of forgery",
    2: "other domain",
    3: "unknown methods, other domains",
    4: "trained on one method, tested on all",
}
PLACES = ("dataset_json", "preprocessing/dataset_json", "DeepfakeBench_DF40/preprocessing/dataset_json")


def df40(root: Path, *, protocol: int, trained: str, split: str = "test", frames: int | None = None, lists: Path | None = None) -> Layout:
    """What a detector is trained on (split "train" or "val") or tested on ("test") under one of the PROTOCOLS.

    root: the folder that holds DF40, and FaceForensics++ and Celeb-DF-v2 for authentic pictures.
    trained: "FS", "FR" or "EFS", or one method under protocol 4; rows of that family (method) have seen = True.
    frames: at most so many of a video, evenly spread; DeepfakeBench takes 32.  lists: the folder dataset_json, where it lies elsewhere.
    What is not there is told in `missing`.  Raises BadInput where nothing is, or where a file is laid out otherwise.
    """
    trained = _trained(protocol, trained)
    place = lists or next((root / p for p in PLACES if (root / p).is_dir()), None)
    samples: dict[Path, Sample] = {}
    missing = []
    for method, domain in _sets(protocol, trained, split):
        name = f"{method}_{domain}" if domain else method
        file = None if place is None else place / f"{name}.json"
        if file is not None and file.is_file():
            rows = list(_listed(file, root, method, domain, split, frames))
        elif not domain and (folder := _folder(root, method)):
            rows = list(_lying(folder, method))
        else:
            missing.append(name)
            continue
        found, lost = present(rows, f"{name}.json")
        if lost:
            missing.append(f"{lost} of {len(rows)} pictures of {name}")
        seen = trained in (method, FAMILY[method])
        for s in found:
            samples.setdefault(s.path, Sample(s.path, s.fake, s.generator, s.family, s.domain, split, s.subject, seen if s.fake else None))
    if not samples:
        where = f"{place} has no list of" if place else f"{root} has no folder dataset_json (looked for in {', '.join(PLACES)}) that lists"
        raise BadInput(f"{where} what protocol {protocol} needs: {shown(missing)}. It is part of DF40's download; name it with --lists.")
    return Layout(tuple(samples.values()), tuple(missing))


def _trained(protocol: int, trained: str) -> str:
    if protocol not in PROTOCOLS:
        raise BadInput(f"protocol must be 1, 2, 3 or 4; got {protocol}.")
    choices = [m for methods in KNOWN.values() for m in methods] if protocol == 4 else list(KNOWN)
    found = next((c for c in choices if c.lower() == trained.lower()), None)
    if found is None:
        raise BadInput(f"under protocol {protocol} a detector is trained on one of {', '.join(choices)}; got {trained!r}.")
    return found


def _sets(protocol: int, trained: str, split: str) -> list[tuple[str, str]]:
    """Method and domain of every list; "" for the domain of an unknown method."""
    if split != "test":
        return [(m, "ff") for m in KNOWN.get(trained, (trained,))]
    known = [(m, "cdf" if protocol == 2 else "ff") for methods in KNOWN.values() for m in methods]
    unknown = [(m, "") for m in UNKNOWN]
    return {1: known, 2: known, 3: unknown, 4: known + unknown}[protocol]


def _listed(file: Path, root: Path, method: str, domain: str, split: str, frames: int | None) -> Iterator[Sample]:
    dropped: dict[str, int] = {}  # how many leading folders of a listed path are not below root, by its first folder
    for label, video, listed in _videos(file, split):
        fake = not label.lower().endswith("real")
        person = f"{domain or method} {video.partition('_')[0]}"  # 000_003 is 000 with another face
        for frame in spread(sorted(listed), frames):
            parts = [p for p in frame.replace("\\", "/").split("/") if p not in ("", ".", "..")]
            if not parts:
                raise BadInput(f"{file.name} lists a frame of {video} without a name.")
            if parts[0] not in dropped:
                dropped[parts[0]] = next((i for i in range(len(parts)) if root.joinpath(*parts[i:]).is_file()), 0)
            path = root.joinpath(*parts[dropped[parts[0]] :])
            yield Sample(path, fake, method if fake else "", FAMILY[method] if fake else "", domain or method, split, person)


def _videos(file: Path, split: str) -> Iterator[tuple[str, str, list[str]]]:
    """Label, name and frames of every video of a split."""

    def wrong(why: str) -> BadInput:
        return BadInput(f"{file} is not laid out as DF40's lists are (name → label → split → video → frames): {why}.")

    try:
        whole: dict[str, Any] = json.loads(file.read_text("utf-8"))
        (labels,) = whole.values()
    except (ValueError, AttributeError) as error:
        raise wrong(str(error)) from error
    for label, splits in labels.items():
        if not isinstance(splits, dict) or split not in splits:
            raise wrong(f"{label} has no part {split!r}")
        videos = splits[split]
        if videos and all(isinstance(v, dict) and "frames" not in v for v in videos.values()):  # one level for the compression
            videos = videos.get("c23") or next(iter(videos.values()))
        for video, told in videos.items():
            if not isinstance(told, dict) or not isinstance(told.get("frames"), list):
                raise wrong(f"video {video} of {label} names no frames")
            yield str(told.get("label", label)), video, told["frames"]


def _folder(root: Path, method: str) -> Path | None:
    names = (method, FOLDERS.get(method, method))
    tries = (top / n for top in (root / "DF40", root) for n in names)
    return next((p for p in tries if (p / "real").is_dir() and (p / "fake").is_dir()), None)


def _lying(folder: Path, method: str) -> Iterator[Sample]:
    """An unknown method without its list: everything in `fake` and `real` is for testing."""
    for fake in (False, True):
        inside = folder / ("fake" if fake else "real")
        for path in sorted(p for p in inside.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg")):
            video = path.parent.name if path.parent != inside else path.stem
            yield Sample(path, fake, method if fake else "", FAMILY[method] if fake else "", method, "test", f"{method} {video}")
