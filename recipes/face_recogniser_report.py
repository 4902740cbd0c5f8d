"""What the small face recogniser is worth on people it never saw, beside simple baselines: docs/face-recogniser.md and .json.

    python recipes/face_recogniser_report.py DATA --labels points.json --out docs/face-recogniser.json

Baselines on the same chips: cosine of standardised grey pixels; local binary patterns (Ahonen et al. 2006, 7×7 cells, square roots);
100 eigenfaces of the training portraits, and the same whitened. Intervals: 95 %, bootstrap over people. Portraits under made lights
are views of one picture each, so they show what light does and nothing else.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.feature import local_binary_pattern
from torch import Tensor

from assay.bench.verification import verification
from assay.nets.face_recogniser import SIDE, FaceRecogniser, embed, seen, sized
from assay.ops.align import chips
from face_sets import Pairs, Sample, all_pairs, deepface, lights, orl
from face_views import MARGIN, faces, portraits

Floats = NDArray[np.float64]
COMPONENTS = 100
MADE = "python recipes/face_recogniser_report.py DATA --labels points.json --out docs/face-recogniser.json"


def chips_of(samples: list[Sample]) -> Tensor:
    return torch.cat([chips(s.image.float() / 255, [s.face], side=SIDE) for s in samples])


def unit(v: Floats) -> Floats:
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def grey(x: Tensor) -> Floats:
    """The oval of the face in standardised grey, as the net's first channel has it."""
    return seen(sized(x, SIDE))[:, 0].flatten(1).double().numpy()


def patterns(x: Tensor) -> Floats:
    """Histograms of uniform local binary patterns in 7×7 cells, as square roots, so that their product is a likeness."""
    out = []
    for image in sized(x, SIDE).mean(1):
        codes = local_binary_pattern((image * 255).byte().numpy(), 8, 1, "nri_uniform")[4:60, 4:60].reshape(7, 8, 7, 8)
        cells = codes.transpose(0, 2, 1, 3).reshape(49, 64).astype(int)
        out.append(np.concatenate([np.sqrt(np.bincount(c, minlength=59)) for c in cells]))
    return np.array(out)


class Eigenfaces:
    def __init__(self, train: Tensor) -> None:
        rows = grey(train)
        self.mean = rows.mean(0)
        _, s, v = np.linalg.svd(rows - self.mean, full_matrices=False)
        self.axes, self.spread = v[:COMPONENTS], s[:COMPONENTS] / len(rows) ** 0.5

    def __call__(self, x: Tensor, *, white: bool) -> Floats:
        found = (grey(x) - self.mean) @ self.axes.T
        return found / self.spread if white else found


def matchers(train: Tensor, also: Path | None = None):  # type: ignore[no-untyped-def]
    eigen = Eigenfaces(train)
    ways = {
        "face recogniser": lambda x: torch.cat([embed(part) for part in x.split(64)]).double().numpy(),
        "pixels": grey,
        "local binary patterns": patterns,
        "eigenfaces": lambda x: eigen(x, white=False),
        "eigenfaces, whitened": lambda x: eigen(x, white=True),
    }
    if also:
        net = FaceRecogniser().eval()
        net.load_state_dict(torch.load(also, weights_only=True)["last"])
        ways["face recogniser after all of SFace"] = lambda x: net(sized(x, SIDE)).detach().double().numpy()
    return ways


def training(data: Path, labels) -> Tensor:  # type: ignore[no-untyped-def]
    """Clean chips of the training portraits."""
    _, wide = portraits(data, labels, "train")
    edge = round(wide.shape[-1] * MARGIN / (1 + MARGIN) / 2)
    return wide[:, :, edge:-edge, edge:-edge].float() / 255


def measured(samples: list[Sample], pairs: Pairs, ways, fars: tuple[float, ...], times: int) -> dict[str, object]:  # type: ignore[no-untyped-def]
    x = chips_of(samples)
    who = np.array([s.person for s in samples])
    first, second, mated = pairs
    out: dict[str, object] = {
        "pictures": len(samples),
        "people": len(set(who)),
        "mated": int(mated.sum()),
        "non-mated": int((~mated).sum()),
    }
    for name, way in ways.items():
        v = unit(way(x))
        likeness = (v @ v.T)[first, second]
        found = verification(likeness, mated, fars=fars, subjects=(who[first], who[second]), times=times)
        out[name] = {k: [round(f.value, 4), *(round(e, 4) for e in f.interval or ())] for k, f in found.items()}
        print(name, {k: str(f) for k, f in found.items()}, flush=True)
    return out


def page(report: dict[str, dict[str, object]]) -> str:
    lines = ["# What the face recogniser is worth", "", f"Written by `{MADE}`; in brackets 95 % intervals over people."]
    for title, rows in report.items():
        counts = (
            ", ".join(f"{rows[k]} {k}" for k in ("people", "pictures")) + f", {rows['mated']} mated and {rows['non-mated']} other pairs"
        )
        names = [k for k, v in rows.items() if isinstance(v, dict)]
        columns = list(rows[names[0]])  # type: ignore[call-overload]
        lines += ["", f"## {title}", "", counts + ".", "", "| by | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
        for n in names:
            cells = (f"{v[0]:.3f}" + (f" ({v[1]:.3f} to {v[2]:.3f})" if len(v) == 3 else "") for v in rows[n].values())  # type: ignore[attr-defined]
            lines.append(f"| {n} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--labels", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--also", type=Path, help="a checkpoint of the recipe: its last state stands beside")
    ask.add_argument("--times", type=int, default=200)
    a = ask.parse_args()
    torch.set_num_threads(1)
    labels = faces(a.labels)
    ways = matchers(training(a.data, labels), a.also)
    o, y = orl(a.data, labels), lights(a.data, labels)
    d, pairs = deepface(a.data, labels)
    report = {
        "ORL: pose, expression, glasses": measured(o, all_pairs(o), ways, (1e-1, 1e-2), a.times),
        "Held-out portraits, each under ten made lights": measured(y, all_pairs(y), ways, (1e-1, 1e-2), a.times),
        "Press photographs": measured(d, pairs, ways, (1e-1,), a.times),
    }
    a.out.write_text(json.dumps({"made": MADE, "sets": report}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    a.out.with_suffix(".md").write_text(page(report), "utf-8")


if __name__ == "__main__":
    main()
