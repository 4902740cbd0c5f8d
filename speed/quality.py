"""Every quality metric beside the fastest libraries that compute the same: CPU time at 512×512 and 4K, with one and two threads.

    python speed/quality.py --peers PYTHON [--niqe-model FILE] [--only NAME …] [--sizes 512x512] [--threads 1]

PYTHON is an interpreter that has the peers. All start from the same 8-bit pixels in the layout they like best; a peer's
conversion to floats is not timed. The pictures: scikit-image's astronaut, and tiled to 3840×2160, against its JPEG at quality
10. The targets are ratios of CPU time to the fastest peer. Runs that were made before are kept: what is named is measured anew.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from harness import Contestant, Worker, rows_of, save
from PIL import Image
from skimage import data

PIXELS = """
import numpy as np, torch
torch.set_num_threads({threads})
x, ref = np.load({file!r})
a, b = (torch.from_numpy(np.ascontiguousarray(t.transpose(2, 0, 1)))[None] for t in (x, ref))
"""
FLOATS = "a, b = a / 255, b / 255\ntorch.set_grad_enabled(False)\n"
OPENCV = "import cv2\ncv2.setNumThreads({threads})\nx, ref = x[..., ::-1].copy(), ref[..., ::-1].copy()\n"
SIZES = {"512x512": ((1, 1, 1), 512, 512), "3840x2160": ((5, 8, 1), 2160, 3840)}
PSNR_LIMIT = "the two pictures, 1.57 MB at 512x512, are read once, as by OpenCV; the rest is Python's: checks, call, result"
VSI_LIMIT = (
    "saliency is found on 256x256 whatever the size: 12 real FFTs of 65536 numbers, 393216 powers 2.4 and as many cube roots "
    "for Lab, and six resizings"
)
FSIM_LIMIT = "34 complex FFTs at the shrunk size: 16 filters on two pictures give 32 complex waves that share nothing"
MAD_LIMIT = "42 complex FFTs of the whole picture: 20 filters on two pictures give 40 complex responses that share nothing"
LONG = 2  # rounds where a peer takes seconds


@dataclass(frozen=True)
class Peer:
    """Another library's way, and where it can run. `note`: how its definition differs."""

    name: str
    setup: str
    statement: str
    package: str
    sizes: tuple[str, ...] = tuple(SIZES)
    slow: bool = False  # takes seconds
    note: str = ""


@dataclass(frozen=True)
class Metric:
    """One of ours: an expression of a, b (and what setup makes), its peers, and the ratio it is meant to keep to the best."""

    statement: str
    peers: tuple[Peer, ...]
    target: float | None = None
    setup: str = ""
    limit: str = ""  # what keeps it from going lower, counted


def piq(call: str, **facts: Any) -> Peer:
    return Peer("piq", FLOATS + "import piq\n", f"piq.{call}", "piq", **facts)


def piqa(name: str, **facts: Any) -> Peer:
    return Peer("piqa", FLOATS + f"import piqa\nf = piqa.{name}()\n", "f(a, b)", "piqa", **facts)


def pyiqa(module: str, cls: str, options: str = "", call: str = "f(a, b)", **facts: Any) -> Peer:
    setup = FLOATS + f"import importlib\nf = importlib.import_module('pyiqa.archs.{module}').{cls}({options}).eval()\n"
    return Peer("pyiqa", setup, call, "pyiqa", **facts)


def torchmetrics(function: str, **facts: Any) -> Peer:
    return Peer("torchmetrics", FLOATS + f"from torchmetrics.functional.image import {function} as f\n", "f(a, b)", "torchmetrics", **facts)


def metrics(niqe_model: str | None) -> dict[str, Metric]:
    square = ("512x512",)  # piqa's fail, or are wrong, on pictures that are not square
    fast = Peer("fast_ssim", "import fast_ssim\n", "fast_ssim.ssim(ref, x)", "fast_ssim")
    psnr = Peer("OpenCV", OPENCV, "cv2.PSNR(ref, x)", "opencv-contrib-python-headless")
    contrib = "opencv-contrib-python-headless"
    gmsd = "sum(cv2.quality.QualityGMSD_compute(ref, x)[0][:3]) / 3"
    planes = Peer("OpenCV quality", OPENCV, gmsd, contrib, note="mean over B, G and R: three planes to our one")
    features = "cv2.quality.QualityBRISQUE_computeFeatures(x).ravel()[0]"
    ours = "from assay.ops.brisque import features\n"
    brisque = Peer("OpenCV quality", OPENCV, features, contrib, note="the 36 statistics without the regression, on both sides")
    released = f"pretrained_model_path={niqe_model!r}"
    niqe = pyiqa("niqe_arch", "NIQE", released, "f(a)", slow=True, note="the released model; ours is refitted, of one size")
    large = "at 4K it would take minutes and over 10 GB"
    mad = pyiqa("mad_arch", "MAD", "test_y_channel=True", sizes=square, slow=True, note=large)
    vif = pyiqa("vif_arch", "VIF", sizes=square, slow=True, note=large)
    return {
        "ssim:variant=box": Metric("ssim(a, ref=b, variant='box')", (fast,), 1.0, "from assay.quality.ssim import ssim\n"),
        "ssim": Metric("", (piq("ssim(a, b, data_range=1.0, downsample=False)"),)),
        "gmsd": Metric("", (planes, piq("gmsd(a, b)"), piqa("GMSD")), 1.0),
        "psnr": Metric("", (psnr,), 1.2, limit=PSNR_LIMIT),
        "brisque": Metric("features(a[0])[0]", (brisque,), 0.5, ours),
        "ms_ssim": Metric("", (piq("multi_scale_ssim(a, b, data_range=1.0)"),), 1 / 20),
        "vif_p": Metric("", (piq("vif_p(a, b)"),), 1 / 20),
        "niqe-assay": Metric("", (niqe,) if niqe_model else (), 1 / 30),
        "mad": Metric("", (mad,), 1 / 30, limit=MAD_LIMIT),
        "fsim": Metric("", (piq("fsim(a, b, chromatic=False)"),), 1 / 4, limit=FSIM_LIMIT),
        "fsimc": Metric("", (piq("fsim(a, b)"), piqa("FSIM", sizes=square)), 1 / 4, limit=FSIM_LIMIT),
        "vsi": Metric("", (piq("vsi(a, b)"), piqa("VSI", sizes=square)), 1 / 4, limit=VSI_LIMIT),
        "haarpsi": Metric("", (piq("haarpsi(a, b)"), piqa("HaarPSI")), 1 / 4),
        "mdsi": Metric("", (piq("mdsi(a, b)"), piqa("MDSI")), 1 / 4),
        "cw_ssim": Metric("", (pyiqa("ssim_arch", "CW_SSIM", slow=True),), 1 / 5),
        "vif": Metric("", (vif,), 1 / 5),
        "iw_ssim": Metric("", (piq("information_weighted_ssim(a, b)", slow=True),)),
        "ms_gmsd": Metric("", (piq("multi_scale_gmsd(a, b)"), piqa("MS_GMSD"))),
        "sr_sim": Metric("", (piq("srsim(a, b)"),)),
        "dss": Metric("", (piq("dss(a, b)"),)),
        "nlpd": Metric("", (pyiqa("nlpd_arch", "NLPD"),)),
        "uqi": Metric("", (torchmetrics("universal_image_quality_index", slow=True, note="Gaussian windows of 11×11"),)),
        "scc": Metric("", (torchmetrics("spatial_correlation_coefficient", slow=True),)),
        "sam": Metric("", (torchmetrics("spectral_angle_mapper"),)),
        "ergas": Metric("", (torchmetrics("error_relative_global_dimensionless_synthesis"),)),
        "piqe": Metric("", (pyiqa("piqe_arch", "PIQE", call="f(a)", sizes=square),)),
    }


def pictures(size: str, folder: str) -> str:
    """Write the damaged picture and its reference, and say where."""
    tiles, height, width = SIZES[size]
    ref = data.astronaut()
    out = io.BytesIO()
    Image.fromarray(ref).save(out, "JPEG", quality=10)
    pair = (np.asarray(Image.open(out)), ref)
    file = str(Path(folder) / f"{size}.npy")
    np.save(file, np.stack([np.tile(a, tiles)[:height, :width] for a in pair]))
    return file


class Field:
    """One process for each library at one size and number of threads: importing them takes longer than most races."""

    def __init__(self, size: str, threads: int, folder: str, python: str) -> None:
        self._size, self._threads, self._python = size, threads, python
        self._pixels = PIXELS.format(file=pictures(size, folder), threads=threads)
        self._workers: dict[str, Worker] = {}

    def race(self, name: str, metric: Metric) -> list[dict[str, Any]]:
        call = metric.setup or f"from assay.catalog import get\nf = get({name!r})\n"
        takes = "f(a)" if name in ("niqe-assay", "piqe") else "f(a, ref=b)"
        there = [p for p in metric.peers if self._size in p.sizes]
        ready = [self._ready(Contestant("assay", sys.executable, self._pixels + call, metric.statement or takes, "assay"))]
        for p in there:
            setup = self._pixels + p.setup.format(threads=self._threads)
            ready.append(self._ready(Contestant(p.name, self._python, setup, p.statement, p.package)))
        large = self._size != "512x512"
        return rows_of(ready, (1 if large else LONG) if any(p.slow for p in there) else 3 if large else 5)

    def _ready(self, who: Contestant) -> Worker:
        if worker := self._workers.get(who.name):
            worker.begin(who)
        else:
            worker = self._workers[who.name] = Worker(who, self._threads)
        return worker

    def close(self) -> None:
        for w in self._workers.values():
            w.close()


def summary(cases: dict[str, list[dict[str, Any]]], table: dict[str, Metric]) -> list[dict[str, Any]]:
    """One line a case: ours, the fastest peer, the ratio (the median of those of each round) and whether it keeps the target."""
    lines = []
    for case, (ours, *others) in cases.items():
        name, size, threads, _ = case.split()
        metric = table[name]
        line: dict[str, Any] = {
            "metric": name,
            "size": size,
            "threads": int(threads),
            "ours_ms": ours["cpu_ms"],
            "ours_extra_mb": ours["extra_mb"],
        }
        if others:
            best = min(others, key=lambda r: r["cpu_ms"])
            line |= {"best_peer": best["name"], "its_ms": best["cpu_ms"], "ratio": float(f"{1 / best['times_first']:.3g}")}
            if metric.target is not None:
                line |= {"target": round(metric.target, 4), "met": 1 / best["times_first"] <= metric.target}
        notes = [f"{p.name}: {p.note}" for p in metric.peers if p.note]
        if line.get("met") is False and metric.limit:
            line["limit"] = metric.limit
        lines.append(line | ({"note": "; ".join(notes)} if notes else {}))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="an interpreter that has the peers")
    parser.add_argument("--niqe-model", help="modelparameters.mat of the release, which pyiqa would download")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES))
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    given = parser.parse_args()
    table = metrics(given.niqe_model)
    cases = json.loads(given.out.read_text("utf-8"))["cases"] if given.out.exists() else {}
    with TemporaryDirectory() as folder:
        for size in given.sizes:
            for threads in given.threads:
                field = Field(size, threads, folder, given.peers)
                for name in given.only or table:
                    case = f"{name} {size} {threads} thread{'s' if threads > 1 else ''}"
                    cases[case] = field.race(name, table[name])
                    line = summary({case: cases[case]}, table)[0]
                    print(*(f"{k}={v}" for k, v in line.items() if k not in ("note", "limit", "ours_extra_mb")), flush=True)
                    keep(given.out, cases, table)
                field.close()


def keep(path: Path, cases: dict[str, list[dict[str, Any]]], table: dict[str, Metric]) -> None:
    cases = {c: cases[c] for c in sorted(cases, key=lambda c: (list(table).index(c.split()[0]), c))}
    facts = {"summary": summary(cases, table)}
    save(path, what="CPU time of quality metrics of 8-bit colour pictures", cases=cases, threads="as each case says", **facts)


if __name__ == "__main__":
    main()
