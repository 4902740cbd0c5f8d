"""Whole runs over folders: `assay run psnr,ssim` against pyiqa doing the same, and memory over two thousand files.

    python speed/folder.py --photos FOLDER --peers PYTHON_WITH_PYIQA

Every process is started anew, so start-up counts; the two take turns. Writes folder.json and memory.svg beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib as mpl
import psutil
from PIL import Image

HERE = Path(__file__).parent
SUFFIXES = {".jpg", ".jpeg", ".png"}
PYIQA = """
import sys, torch, pyiqa
from pathlib import Path
metrics = [pyiqa.create_metric("psnr", device="cpu"), pyiqa.create_metric("ssim", device="cpu")]
refs, dists = Path(sys.argv[1]), Path(sys.argv[2])
for dist in sorted(dists.iterdir()):
    print(dist.name, *[float(m(str(dist), str(refs / dist.name))) for m in metrics])
"""


def prepare(photos: Path, folder: Path, count: int) -> tuple[Path, Path]:
    """`count` references and their JPEG 50 versions, all PNG under one set of names."""
    refs, dists = folder / "ref", folder / "dist"
    refs.mkdir()
    dists.mkdir()
    files = sorted(p for p in photos.rglob("*") if p.suffix.lower() in SUFFIXES)
    for i in range(count):
        with Image.open(files[i % len(files)]) as im:
            picture = im.convert("RGB")
        picture.save(refs / f"{i:05}.png", compress_level=1)
        picture.save(folder / "half.jpg", quality=50)
        Image.open(folder / "half.jpg").save(dists / f"{i:05}.png", compress_level=1)
    return refs, dists


def timed(command: list[str]) -> tuple[float, float]:
    """Wall seconds and CPU seconds of a process."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return time.perf_counter() - start, after.children_user + after.children_system - before.children_user - before.children_system


def duel(refs: Path, dists: Path, peers: str, runs: int) -> dict[str, object]:
    ours = [sys.executable, "-m", "assay.cli", "run", "psnr,ssim", str(dists), "--ref", str(refs), "-q", "--json", os.devnull]
    theirs = [peers, "-c", PYIQA, str(refs), str(dists)]
    taken: dict[str, list[tuple[float, float]]] = {"assay": [], "pyiqa": []}
    for _ in range(runs):
        taken["assay"].append(timed(ours))
        taken["pyiqa"].append(timed(theirs))
    median = {k: [round(statistics.median(c), 2) for c in zip(*v, strict=True)] for k, v in taken.items()}
    return {
        "files": len(list(dists.iterdir())),
        "runs": runs,
        "wall_s": {k: v[0] for k, v in median.items()},
        "cpu_s": {k: v[1] for k, v in median.items()},
        "wall_ratio": round(median["pyiqa"][0] / median["assay"][0], 1),
        "cpu_ratio": round(median["pyiqa"][1] / median["assay"][1], 1),
    }


def memory(folder: Path, count: int, output: str) -> list[tuple[int, float]]:
    """(files done, resident MB) while `assay inspect` walks `count` files."""
    rows = Path(output)
    outputs = ["--json", str(rows), "--html", str(rows.with_suffix(".html"))]
    command = [sys.executable, "-m", "assay.cli", "inspect", str(folder), "-q", *outputs]
    process = subprocess.Popen(command)
    me, curve = psutil.Process(process.pid), []
    while process.poll() is None:
        done = rows.read_bytes().count(b"\n") if rows.exists() else 0
        curve.append((done, me.memory_info().rss / 2**20))
        time.sleep(0.5)
    return [c for c in curve if c[1] > 0 and c[0] <= count]


def plot(curve: list[tuple[int, float]], file: Path) -> None:
    mpl.use("svg")
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(figsize=(7, 3))
    axes.plot(*zip(*curve, strict=True), color="#2a6f97", linewidth=1)
    axes.set(xlabel="photographs done", ylabel="resident memory, MB", ylim=(0, None), title="assay inspect over a folder")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    plt.tight_layout()
    plt.savefig(file)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--photos", type=Path, required=True)
    options.add_argument("--peers", required=True, help="a Python that has pyiqa")
    options.add_argument("--runs", type=int, default=3, help="0 leaves the comparison out")
    options.add_argument("--pairs", type=int, default=200)
    options.add_argument("--many", type=int, default=2000, help="0 leaves the walk over many files out")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        refs, dists = prepare(given.photos, Path(place), given.pairs)
        if given.runs:
            note("against_pyiqa", duel(refs, dists, given.peers, given.runs))
        if given.many:
            curve = walk(dists, Path(place), given)
            plot(curve, HERE / "memory.svg")
            note("memory_mb", steadiness(curve, given.many))


def walk(dists: Path, place: Path, given: argparse.Namespace) -> list[tuple[int, float]]:
    many = place / "many"
    many.mkdir()
    for i in range(given.many):
        (many / f"{i:05}.png").hardlink_to(dists / f"{i % given.pairs:05}.png")
    return memory(many, given.many, str(place / "rows.jsonl"))


def steadiness(curve: list[tuple[int, float]], count: int) -> dict[str, object]:
    """The peak, and whether the last tenth of the files needed more than the second."""
    settled = [m for done, m in curve if done > count // 10]
    tenth = max(1, len(settled) // 10)
    first, last = (round(statistics.median(part)) for part in (settled[:tenth], settled[-tenth:]))
    return {"files": count, "peak": round(max(m for _, m in curve)), "median_of_first_tenth": first, "median_of_last_tenth": last}


def note(what: str, found: dict[str, object]) -> None:
    """Add to folder.json, with the machine and the commit."""
    file = HERE / "folder.json"
    answer = json.loads(file.read_text("utf-8")) if file.exists() else {}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE, check=True).stdout.strip()
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    command = "python speed/folder.py --photos PHOTOS --peers PYTHON"
    answer[what] = {**found, "machine": machine, "commit": commit, "command": command}
    file.write_text(json.dumps(answer, indent=1) + "\n", "utf-8")
    print(json.dumps(answer[what], indent=1))


if __name__ == "__main__":
    main()
