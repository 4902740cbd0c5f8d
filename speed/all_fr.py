"""All full-reference metrics of one 4K pair, called one by one and together: CPU time, peak memory, and that no value changes.

    python speed/all_fr.py [--size 3840x2160] [--out FILE]

The pair: scikit-image's astronaut, tiled, as PNG, and its JPEG at quality 90. "files": the runner reads and decodes the two
files, as `assay run NAME dist.jpg --ref ref.png` does once Python has started. "pixels": the decoded pictures are given, so
that only the metrics count. One thread, each call once, after all of them on a pair of 192×192. The calls together have a
process of their own, whose whole peak is `peak_mb`: Python, torch and the pictures included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from harness import ROOT, save
from PIL import Image
from skimage import data

WORKER = """
import json, resource, sys, time
import torch
torch.set_num_threads(1)
import assay
from assay.tasks import tasks
dist, ref, together = sys.argv[1], sys.argv[2], sys.argv[3] == "together"
names = ["all-fr"] if together else [t.name for t in tasks(["all-fr"])]
noise = torch.randint(0, 256, (3, 192, 192), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
def run(name, pair):
    start = time.process_time()
    (item,) = assay.run([name], [pair], workers=1)
    return (time.process_time() - start) * 1000, {r.name: r.value for r in item.results}, [e.says for e in item.errors]
for name in names:
    run(name, (noise, noise.flip(2)))
decoded = None
for how in sys.argv[4:]:
    if how == "pixels":
        decoded = assay.read(dist), assay.read(ref)
    for name in names:
        ms, values, errors = run(name, decoded or (dist, ref))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        row = {"how": how, "name": name, "cpu_ms": round(ms, 1), "values": values, "errors": errors, "peak_mb": peak}
        print(json.dumps(row), flush=True)
"""


def measured(dist: str, ref: str, which: str, ways: list[str]) -> list[dict[str, Any]]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORKER, dist, ref, which, *ways]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=env)
    return [json.loads(line) for line in done.stdout.splitlines()]


def summary(together: list[dict[str, Any]], alone: list[dict[str, Any]]) -> dict[str, Any]:
    facts: dict[str, Any] = {"peak_mb": together[0]["peak_mb"]}
    for how in dict.fromkeys(r["how"] for r in together):
        (one,), many = ([r for r in rows if r["how"] == how] for rows in (together, alone))
        total = sum(r["cpu_ms"] for r in many)
        reading = min(r["cpu_ms"] for r in many) if how == "files" else 0.0  # that of the cheapest metric is nearly all reading
        same = one["values"] == {k: v for r in many for k, v in r["values"].items()}
        facts[how] = {
            "together_ms": one["cpu_ms"],
            "sum_of_single_calls_ms": round(total),
            "ratio": round(one["cpu_ms"] / total, 3),
            "reading_ms": reading,
            "own_work_ms": round(total - reading * len(many)),
            "own_work_at_which_the_ratio_is_0.6_ms": round((0.6 * len(many) - 1) * reading / 0.4),
            "same_values": same,
            "errors": one["errors"],
            "metrics": len(many),
        }
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="3840x2160")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--ways", nargs="+", choices=("files", "pixels"), default=["files", "pixels"])
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    with TemporaryDirectory() as folder:
        dist, ref = (str(Path(folder) / n) for n in ("dist.jpg", "ref.png"))
        photo = Image.fromarray(np.tile(data.astronaut(), (height // 512 + 1, width // 512 + 1, 1))[:height, :width])
        photo.save(ref)
        photo.save(dist, quality=90)
        together, alone = (measured(dist, ref, which, given.ways) for which in ("together", "alone"))
    facts = summary(together, alone)
    singles = {how: {r["name"]: r["cpu_ms"] for r in alone if r["how"] == how} for how in given.ways}
    save(given.out, what=f"all full-reference metrics of one {given.size} pair", cases={}, summary=facts, single_calls_cpu_ms=singles)
    print(json.dumps(facts, indent=1), *sorted(singles[given.ways[-1]].items(), key=lambda r: -r[1])[:12], sep="\n")


if __name__ == "__main__":
    main()
