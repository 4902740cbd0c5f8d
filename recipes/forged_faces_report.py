"""What the detectors of forged faces are worth on people never trained on: docs/forged-faces.md and .json.

    python recipes/forged_faces_report.py measure DATA BANK RUN --labels points.json --out docs/forged-faces.json
        # methods that are in the file already are not measured again
    python recipes/forged_faces_report.py page docs/forged-faces.json                # the .md beside it

BANK comes from recipes/face_forgeries.py, RUN/plain, RUN/ucf … from recipes/forged_faces.py. Forgeries of the test part's portraits
are of the four kinds that were trained on and one that was not. gan_real, sg3 and orl are for measuring alone; pictures of both classes are
saved once as JPEG of quality 90 first, because the tables of the collections differ. Thresholds: 5 % of the validation part's portraits.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from assay.bench.localisation import best_common, fit
from assay.bench.verification import auc, roc
from assay.nets.forged_faces import KINDS, LEFT_OUT, LOCALS, TAUGHT, TOUCHES, Joint, Locator, Ucf, middle, seen
from assay.ops.fakeness import cosine
from assay.ops.moments import ssim_mean
from assay.types import CannotAssess, Face
from face_blends import jpeg
from face_views import faces, main_face, picture
from forged_faces import WAYS, Bank, scores, shipped

NAMES = {
    "plain": "plain net (does not ship)",
    "ucf": "ucf-assay",
    "lsda": "lsda-assay",
    "locator": "fake_locator-assay",
    "sjedd": "sjedd-assay",
}
GROUPS = {  # fakes and the real faces that are cut and reduced as they are
    "PGGAN / CelebA-HQ": ("gan_real/ai_pggan-1024", "gan_real/real_celebahq-1024"),
    "StyleGAN / photographs": ("gan_real/ai_stylegan-crop", "gan_real/real_crop-hi"),
    "StyleGAN 3 / FFHQ": ("sg3/ai", "sg3/real"),
}
REAL = ("gan_real/real_celebahq-1024", "gan_real/real_crop-hi", "gan_real/real_lfw-crop", "orl/s")
LIMIT, TIMES, MOST, ALTERED = 95, 200, 100, 0.25
SMALLER: int = 72  # of 96 pixels
SMOOTH: dict[str, Any] = {"mode": "bilinear", "antialias": True, "align_corners": False}


def collection(data: Path, labels: dict[str, list[Face]], group: str) -> Tensor:
    """Views of at most a hundred pictures, evenly chosen.  StyleGAN 3's are pieces of faces: taken whole."""
    folder, prefix = group.split("/")
    paths = sorted((data / "faces" / folder).glob(f"{prefix}*"))
    out = []
    for path in paths[:: max(1, len(paths) // MOST)][:MOST]:
        image, face = jpeg(picture(path), 90), main_face(labels.get(f"faces/{folder}/{path.name}", []))
        if folder == "sg3":
            out.append(middle(interpolate(image[None], (112, 112), mode="bilinear", antialias=True, align_corners=False)))
        elif face:
            try:
                out.append(seen(image, [face]))
            except CannotAssess:
                continue
    return torch.cat(out)


def figure(real: np.ndarray, fake: np.ndarray, people: np.ndarray | None = None) -> list[float]:
    """Area under the curve and its 95 % interval, over pictures, or over people where real and fake rows are theirs in one order."""
    dice, drawn = np.random.default_rng(0), []
    rows = [np.nonzero(people == p)[0] for p in np.unique(people)] if people is not None else []
    for _ in range(TIMES):
        if rows:
            i = j = np.concatenate([rows[k] for k in dice.integers(0, len(rows), len(rows))])
        else:
            i, j = dice.integers(0, len(real), len(real)), dice.integers(0, len(fake), len(fake))
        drawn.append(area(real[i], fake[j]))
    return [round(v, 3) for v in (area(real, fake), *np.quantile(drawn, (0.025, 0.975)).tolist())]


def area(real: np.ndarray, fake: np.ndarray) -> float:
    return auc(roc(np.concatenate([real, fake]), np.arange(len(real) + len(fake)) >= len(real)))


@torch.no_grad()
def measure(given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    labels = faces(given.labels)
    found = [w for w in WAYS if (given.runs / w / "last.pt").exists()]
    made = {w: shipped(w, given.runs / w).requires_grad_(False) for w in found}
    check, test = Bank(given.bank, "validation"), Bank(given.bank, "test")
    cache = given.bank / "views.pt"
    if not cache.exists():
        groups = dict.fromkeys([*REAL, *(g for pair in GROUPS.values() for g in pair)])
        torch.save({g: collection(given.data, labels, g) for g in groups}, cache)
    views: dict[str, Tensor] = torch.load(cache, weights_only=True)
    report: dict[str, Any] = {"groups": {g: len(x) for g, x in views.items()}, "portraits": len(test.who.unique()), "methods": {}}
    if given.out.exists():
        report["methods"] = json.loads(given.out.read_text("utf-8"))["methods"]
    for way, net in made.items():
        if way in report["methods"]:
            continue
        limit = float(np.quantile(scores(net, check)[:, 0], LIMIT / 100))
        told = scores(net, test)
        other = {g: torch.cat([net.score(p) for p in x.split(25)]).double().numpy() for g, x in views.items()}
        people = test.who.numpy()
        row: dict[str, Any] = {"kinds": {k: figure(told[:, 0], told[:, i + 1], people) for i, k in enumerate(KINDS)}}
        row["found"] = {k: round(float((told[:, i + 1] > limit).mean()), 3) for i, k in enumerate(KINDS)}
        row["alarms"] = {"held-out portraits": share(told[:, 0], limit)} | {g: share(other[g], limit) for g in REAL}
        row["generated"] = {t: figure(other[r], other[f]) for t, (f, r) in GROUPS.items()}
        kept = torch.load(given.runs / way / "last.pt", weights_only=True)
        row |= {"steps": kept["step"], "cpu minutes": round(kept["spent"] / 60, 1)} | more(net, test, given.bank)
        report["methods"][way] = row
        print(way, row, flush=True)
        report["methods"] = {w: report["methods"][w] for w in WAYS if w in report["methods"]}
        given.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")


def share(s: np.ndarray, limit: float) -> float:
    return round(float((s > limit).mean()), 3)


def more(net: nn.Module, test: Bank, folder: Path) -> dict[str, Any]:
    """What one of the methods tells beside a number, held against what was done."""
    x, maps = middle(test.chips).float() / 255, middle(test.maps).float() / 255
    if isinstance(net, Ucf):
        told = torch.stack([net.answers(g[1:-1])[1].argmax(1) for g in x])
        return {"kind named": round(float((told == torch.arange(4)).float().mean()), 3)}
    if isinstance(net, Locator):
        mean = middle(Bank(folder, "train").maps).float().mean((0, 1)) / 255
        ways: dict[str, Callable[[Tensor], Tensor]] = {
            "as it is": lambda y: y,
            "q90": lambda y: jpeg(y, 90),
            "q75": lambda y: jpeg(y, 75),
            "resized": lambda y: interpolate(interpolate(y[None], (SMALLER,) * 2, **SMOOTH), y.shape[1:], **SMOOTH)[0],
        }
        told = {w: mapped(net, torch.stack([torch.stack([way(y) for y in g]) for g in x]), maps, mean) for w, way in ways.items()}
        others = torch.cat([net(p).map for p in middle(test.photographs).float().div(255).split(50)])
        return {"maps": told, "marked on photographs": share(others.double().numpy(), ALTERED)}
    if isinstance(net, Joint):
        told = torch.stack([net.answers(g[1:-1])[1][:, 1 + len(TOUCHES) :] for g in x])
        truth = test.locals[:, : told.shape[1]]
        pairs = zip(LOCALS, told.flatten(0, 1).T, truth.flatten(0, 1).T, strict=True)
        return {"features": {k: round(auc(roc(p.double().numpy(), t.numpy())), 3) for k, p, t in pairs}}
    return {}


def mapped(net: Locator, x: Tensor, maps: Tensor, mean: Tensor) -> dict[str, Any]:
    """Maps of forgeries held against what was altered, kind by kind, and what is marked on the real faces."""
    drawn = torch.stack([net(g).map for g in x])
    fits = [[fit(a.numpy(), b.numpy() > ALTERED) for a, b in zip(p, t, strict=True)] for p, t in zip(drawn[:, 1:], maps, strict=True)]
    limit = best_common([f for row in fits for f in row[: len(TAUGHT)]])
    real = drawn[:, 0].double().numpy()
    out: dict[str, Any] = {"marked on real": share(real, ALTERED), "at the best threshold": share(real, limit)}
    out |= {"best threshold": round(limit, 2), "kinds": {}}
    for k, kind in enumerate(KINDS):
        a, b = drawn[:, k + 1], maps[:, k]
        rows = [row[k] for row in fits if row[k].curve is not None]
        figures = {
            "cosine": cosine(a, b).mean(),
            "psnr": -10 * (a - b).square().mean().log10(),
            "ssim": ssim_mean(a[:, None], b[:, None]).mean(),
            "pixel auc": pixels(a, b > ALTERED),
            "same places": area(drawn[:, 0][b > ALTERED].double().numpy(), a[b > ALTERED].double().numpy()),
            "f1 at .5": np.mean([f.f1 for f in rows]),
            "f1 best": np.mean([f.curve[round(100 * limit)] for f in rows if f.curve is not None]),
            "auc of the mean map": pixels(mean.expand_as(b), b > ALTERED),
        }
        out["kinds"][kind] = {n: round(float(v), 3) for n, v in figures.items()}
    return out


def pixels(drawn: Tensor, altered: Tensor) -> float:
    """Area under the curve over the pixels of every second map."""
    return auc(roc(drawn[::2].flatten().double().numpy(), altered[::2].flatten().numpy()))


INTRO = """
# What the detectors of forged faces are worth

Written by `python recipes/forged_faces_report.py` (its first lines tell how), from docs/forged-faces.json.

In short: of five kinds of forgery they find one well, what an autoencoder rebuilt. Blends and swaps are told a little better than by
chance, warps and the faces of real generators not at all, and the thresholds do not hold on other people's pictures. Nobody should
rely on them. They never hint, none is asked unless it is named, none is calibrated: they are here so that the methods can be studied
and trained further.

`ucf-assay`, `lsda-assay`, `fake_locator-assay` and `sjedd-assay` are small versions of published trainers (UCF, LSDA, FakeLocator,
SJEDD): about 0.1 million parameters, faces of 96 pixels, 271 official portraits and four kinds of forgery made of them
(recipes/face_forgeries.py): blended with themselves, swapped, warped, rebuilt by a linear autoencoder. A fifth kind, a part of the face
reduced and enlarged again, was never trained on. All began as the plain net, which merely names the kind, and were trained on for two
to eleven minutes of one core. None is clearly better than it: `lsda-assay` is ahead by a hundredth or two, well inside the intervals,
and was trained for longer; `ucf-assay` lies behind. The map of `fake_locator-assay` leaves real faces alone, but most of what it shows
is where forgeries usually lie, and it is pale: it hardly ever reaches a half.
"""


def cell(v: list[float]) -> str:
    return f"{v[0]:.2f}" + (f" ({v[1]:.2f}–{v[2]:.2f})" if len(v) == 3 else "")


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["", "| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1), *("| " + " | ".join(r) + " |" for r in rows)]


def page(source: Path) -> None:
    """The model card."""
    r = json.loads(source.read_text("utf-8"))
    by = r["methods"]
    kinds = [k + (" (not trained on)" if k == LEFT_OUT else "") for k in KINDS]
    lines = [
        INTRO.strip(),
        "",
        f"## Forgeries of {r['portraits']} other people",
        "",
        "AUC against the real faces; 95 % intervals over people.",
    ]
    lines += table(["method", *kinds], [[NAMES[w], *(cell(m["kinds"][k]) for k in KINDS)] for w, m in by.items()])
    lines += ["", "Share found at the threshold that 5 % of the validation portraits exceed:"]
    lines += table(["method", *kinds], [[NAMES[w], *(f"{100 * m['found'][k]:.0f} %" for k in KINDS)] for w, m in by.items()])
    lines += ["", "## False alarms on real faces at that threshold"]
    real = list(next(iter(by.values()))["alarms"])
    head = [f"{g} ({r['groups'][g]})" if g in r["groups"] else g for g in real]
    lines += table(["method", *head], [[NAMES[w], *(f"{100 * m['alarms'][g]:.0f} %" for g in real)] for w, m in by.items()])
    lines += ["", "## Generated faces", "", "AUC; nothing generated was trained on. StyleGAN 3's are pieces of faces, taken whole."]
    lines += table(["method", *GROUPS], [[NAMES[w], *(cell(m["generated"][g]) for g in GROUPS)] for w, m in by.items()])
    lines += ["", "## Beside the number", ""]
    lines += beside(by)
    if "locator" in by:
        lines += ["", "## The maps of FakeLocator", "", *maps_told(by["locator"])]
    lines += ["", "## Training", ""]
    lines += [f"- {NAMES[w]}: {m['steps']} steps, {m['cpu minutes']} CPU minutes" for w, m in by.items()]
    source.with_suffix(".md").write_text("\n".join(lines) + "\n", "utf-8")


def beside(by: dict[str, Any]) -> list[str]:
    lines = []
    if "ucf" in by:
        lines.append(f"- `ucf-assay` names the kind of {100 * by['ucf']['kind named']:.0f} % of the forgeries (chance: 25 %).")
    if m := by.get("sjedd"):
        lines.append(
            "- `sjedd-assay` on forgeries, AUC of each feature altered or not: "
            + ", ".join(f"{k} {v:.2f}" for k, v in m["features"].items())
            + "."
        )
    return lines


def maps_told(m: dict[str, Any]) -> list[str]:
    """How well they show what was altered, as it is and after more was done to the face."""
    plain = m["maps"]["as it is"]
    lines = [
        f"Held against what was altered; pixel AUC and F1 against the pixels altered by more than {ALTERED}, F1 at .5 and at the",
        f"threshold best for the kinds trained on ({plain['best threshold']:.2f}). Pixel AUC says little: forgeries lie where faces lie,",
        "and the mean of the training part's maps, which looks at no picture, has that of the last column. Same places: altered pixels",
        "against the very pixels of the real face, where the place tells nothing; chance is 0.5.",
    ]
    columns = list(next(iter(plain["kinds"].values())))
    rows = [[k + (" (not trained on)" if k == LEFT_OUT else ""), *(f"{v:.2f}" for v in f.values())] for k, f in plain["kinds"].items()]
    lines += table(["kind", *columns], rows)
    lines += ["", "After more was done to the cut face (resized: to three quarters and back); means of the four kinds trained on:"]
    rows = []
    for way, told in m["maps"].items():
        means = [np.mean([told["kinds"][k][c] for k in TAUGHT]) for c in ("cosine", "pixel auc", "same places", "f1 best")]
        rows.append([way, *(f"{v:.2f}" for v in means), *(f"{100 * told[k]:.1f} %" for k in ("marked on real", "at the best threshold"))])
    head = ["face", "cosine", "pixel auc", "same places", "f1 best", f"marked on real faces, above {ALTERED}", "above the best threshold"]
    lines += table(head, rows)
    return [*lines, "", f"Of photographs of other things it marks {100 * m['marked on photographs']:.1f} %."]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    acts = ask.add_subparsers(dest="act", required=True)
    one, two = acts.add_parser("measure"), acts.add_parser("page")
    for name in ("data", "bank", "runs"):
        one.add_argument(name, type=Path)
    one.add_argument("--labels", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    two.add_argument("source", type=Path)
    given = ask.parse_args()
    measure(given) if given.act == "measure" else page(given.source)


if __name__ == "__main__":
    main()
