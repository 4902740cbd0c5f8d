"""What `face_manipulation-assay` and `exif_faces-assay` are worth on faces never trained on: docs/face-authenticity.md and .json.

    python recipes/face_authenticity_report.py frames DATA --out FRAMES                        # needs opencv-python; 24 frames
    python recipes/face_authenticity_report.py measure DATA --labels points.json --frames FRAMES --bank BANK --photos PHOTOS \\
        --run RUN --equal EQUAL --out docs/face-authenticity.json
    python recipes/face_authenticity_report.py groups DATA --bank BANK --out docs/face-authenticity.json    # adds groups of people
    python recipes/face_authenticity_report.py page docs/face-authenticity.json                # the .md beside it
    python recipes/face_authenticity_report.py plot RUN EQUAL --out docs/exif-faces.png

Both classes are brought to one size first (56 pixels between the eyes) and saved as JPEG of quality 95, so that no table and no size
tells them apart; then they go one of WAYS. PGGAN is held against CelebA-HQ and StyleGAN against photographs cut alike, not against
all real ones: else a detector gains from telling one collection from another. Nothing here was trained on or chose a threshold.
RUN and EQUAL are what recipes/exif_faces.py leaves; the untrained encoder stands beside them.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assay.authenticity import exif_faces, face_manipulation
from assay.bench.detection import Row, detection
from assay.bench.slices import slices
from assay.nets.face_finder import find
from assay.nets.face_traces import CHIP, MARGIN, Encoder, warped
from assay.ops.align import chips
from assay.ops.mixture import Mixture
from assay.types import AssayError, Face
from exif_faces import FACE, TASKS, encoder, held, model, straight
from face_blends import Bank, jpeg
from face_views import faces, main_face, part, picture

EYES = 56  # pixels between the eyes that every face is brought to: hardly any is enlarged for it
WAYS = ("as it is", "q90", "q75", "resized .75")
GROUPS = {  # fakes and the real faces that are cut and reduced as they are
    "PGGAN, against CelebA-HQ": ("gan_real/ai_pggan-1024", "gan_real/real_celebahq-1024"),
    "StyleGAN, against photographs cut alike": ("gan_real/ai_stylegan-crop", "gan_real/real_crop-hi"),
    "StyleGAN3, against FFHQ (pieces of faces)": ("sg3/ai", "sg3/real"),
}
REAL = {"CelebA-HQ": "gan_real/real_celebahq-1024", "photographs (crop-hi)": "gan_real/real_crop-hi", "LFW": "gan_real/real_lfw-crop"}
TIMES = 500  # draws of a bootstrap
FRAMES = 4  # of each clip
LIMIT = 0.05
Scores = dict[str, np.ndarray]
Judge = Callable[[Tensor], np.ndarray]


def sized(image: Tensor, face: Face, eyes: float | None) -> tuple[Tensor, Face]:
    """The picture with so many pixels between the eyes, None: as they are, and the face in it."""
    times = 1.0 if eyes is None else eyes / face.eye_distance
    size = [max(1, round(n * times)) for n in image.shape[1:]]
    small = interpolate(image[None], size, mode="bicubic", antialias=True, align_corners=False)[0].clamp(0, 1) if times != 1 else image
    sx, sy = size[1] / image.shape[2], size[0] / image.shape[1]
    left, top, right, bottom = face.box
    points = tuple((x * sx, y * sy) for x, y in face.points)
    return small, Face((left * sx, top * sy, right * sx, bottom * sy), points, face.confidence)


def travelled(image: Tensor, face: Face, way: str) -> tuple[Tensor, Face]:
    """Saved once, and then as WAYS says."""
    image = jpeg(image, 95)
    if way.startswith("q"):
        return jpeg(image, int(way[1:])), face
    if way.startswith("resized"):
        small, moved = sized(image, face, 0.75 * face.eye_distance)
        return (small * 255).round() / 255, moved
    return image, face


def cut(image: Tensor, face: Face) -> Tensor:
    return (chips(image, [face], side=CHIP, margin=MARGIN)[0] * 255).round().byte()


def collection(data: Path, labels: dict[str, list[Face]], group: str, way: str, eyes: float | None = EYES) -> Tensor:
    """Chips of a group of pictures after a way.  A picture in which no face is found, as in pieces of faces, is taken whole."""
    folder, prefix = group.split("/")
    out = []
    for path in sorted((data / "faces" / folder).glob(f"{prefix}*")):
        image, face = picture(path), main_face(labels.get(f"faces/{folder}/{path.name}", []))
        if face is None and folder != "sg3":
            continue
        if face is None:
            out.append((interpolate(travelled_whole(image, way)[None], (CHIP, CHIP), mode="bilinear", antialias=True)[0] * 255).byte())
        else:
            out.append(cut(*travelled(*sized(image, face, eyes), way)))
    return torch.stack(out)


def travelled_whole(image: Tensor, way: str) -> Tensor:
    nowhere = Face((0, 0, 1, 1), ((0, 0), (1, 0), (0, 0), (0, 1), (1, 1)), 1.0)
    return travelled(image, nowhere, way)[0]


def judges(bank: Path, equal: Path) -> dict[str, Judge]:
    """Every statistic of chips as bytes, larger is more likely no plain photograph."""
    net, _ = face_manipulation.model()
    known = exif_faces.model()

    def small(x: Tensor, side: int) -> Iterator[Tensor]:
        for p in x.split(32):
            yield warped(p.float() / 255, straight(1.0).expand(len(p), -1, -1), side).clamp(0, 1)

    def blended(x: Tensor) -> np.ndarray:
        return torch.cat([net(p)[0] for p in small(x, face_manipulation.SIDE)]).numpy()

    def shipped(by: str) -> Judge:
        return lambda x: torch.cat([known.judged(p, by) for p in small(x, FACE)]).numpy()

    def other(body: Encoder) -> Judge:
        kept = model(body, bank)
        mixture = Mixture(kept["shares"], kept["means"], kept["roots"])

        def likelihood(x: Tensor) -> np.ndarray:
            z = torch.cat([body.body(p)[1] for p in small(x, FACE)])
            return (-mixture.log_density((z - kept["centre"]) @ kept["axes"])).numpy()

        return likelihood

    torch.manual_seed(0)
    return {
        "face_manipulation-assay": blended,
        "exif_faces-assay": shipped("likelihood"),
        "exif_faces-assay, head": shipped("head"),
        "likelihood, equal weights": other(encoder(equal)),
        "likelihood, untrained": other(Encoder().eval()),
    }


def told(rows: list[Row]) -> dict[str, dict[str, list[float]]]:
    """Figures by way, each with its interval."""
    return {
        r.processing: {k: [round(f.value, 3), *(round(v, 3) for v in f.interval or ())] for k, f in r.figures.items() if k in KEPT}
        | {"fakes": [r.n]}
        for r in rows
    }


KEPT = ("auc", f"tpr@{LIMIT:g}")


def against(scores: list[tuple[str, np.ndarray, np.ndarray]], name: str, who: np.ndarray | None = None) -> dict[str, Any]:
    """Real and fake scores by way."""
    s = np.concatenate([np.concatenate([real, fake]) for _, real, fake in scores])
    fake = np.concatenate([np.repeat([0, 1], [len(r), len(f)]) for _, r, f in scores])
    ways = [w for w, r, f in scores for _ in range(len(r) + len(f))]
    people = None if who is None else np.tile(np.tile(who, 2), len(scores))
    return told(detection(s, fake, [name] * len(s), processing=ways, subjects=people, times=TIMES))


@torch.no_grad()
def measure(given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    data, labels = given.data, faces(given.labels)
    by = judges(given.bank, given.equal)
    report: dict[str, Any] = {"figures": {}, "alarms": {}, "clips": {}}
    chip = {(g, w): collection(data, labels, g, w) for pair in GROUPS.values() for g in pair for w in WAYS}
    scores = {(n, *k): judge(x) for n, judge in by.items() for k, x in chip.items()}
    for title, (fake, real) in GROUPS.items():
        report["figures"][title] = {n: against([(w, scores[n, real, w], scores[n, fake, w]) for w in WAYS], title) for n in by}
        print(title, {n: v["as it is"]["auc"] for n, v in report["figures"][title].items()}, flush=True)
    bank = Bank(given.bank, "test")
    both = torch.from_numpy(np.asarray(bank.both))
    title = "Portraits of others, against blends of them"
    made = {n: [("after the ways of training", judge(both[:, 0]), judge(both[:, 1]))] for n, judge in by.items()}
    report["figures"][title] = {n: against(v, title, bank.who) for n, v in made.items()}
    print(title, {n: next(iter(v.values()))["auc"] for n, v in report["figures"][title].items()}, flush=True)
    report["alarms"] = alarms(data, labels, by, scores)
    print("alarms", report["alarms"], flush=True)
    report["clips"] = clips(given.frames, by)
    shots, check = torch.load(given.photos / "test.pt", weights_only=True), bank
    report["tasks"] = {k: held(encoder(r), shots, check, count=24) for k, r in (("learned", given.run), ("equal", given.equal))}
    report["runs"] = {
        k: torch.load(r / "last.pt", weights_only=True)["log"][-1] for k, r in (("learned", given.run), ("equal", given.equal))
    }
    given.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")


def alarms(data: Path, labels: dict[str, list[Face]], by: dict[str, Judge], scores: dict[Any, np.ndarray]) -> dict[str, Any]:
    """The share of real faces above what 99 of 100 real portraits reach, by collection and way; and how many there are."""
    limits = {
        "face_manipulation-assay": float(face_manipulation.model()[1][99]),
        "exif_faces-assay": float(exif_faces.model().real["likelihood"][99]),
        "exif_faces-assay, head": float(exif_faces.model().real["head"][99]),
    }
    out: dict[str, Any] = {}
    tests = [p for p in sorted((data / "faces/portraits").glob("*.jpg")) if part(p.name) == "test"]
    sources = {"held-out portraits": [(picture(p), main_face(labels[f"faces/portraits/{p.name}"])) for p in tests]}
    sources["press photographs"] = [
        (picture(p), f)
        for p in sorted((data / "faces/deepface").glob("*.jpg"))
        if (f := main_face(labels.get(f"faces/deepface/{p.name}", [])))
    ]
    for name, pictures in sources.items():
        out[name] = {"faces": len(pictures)}
        for w in WAYS:
            x = torch.stack([cut(*travelled(*sized(i, f, EYES), w)) for i, f in pictures])  # type: ignore[arg-type]
            out[name][w] = {n: round(float((by[n](x) > limit).mean()), 3) for n, limit in limits.items()}
    for name, group in REAL.items():
        out[name] = {"faces": 0}
        for w in WAYS:
            new = {n: scores[n, group, w] if (n, group, w) in scores else by[n](collection(data, labels, group, w, None)) for n in limits}
            out[name] |= {"faces": len(new["exif_faces-assay"]), w: {n: round(float((new[n] > v).mean()), 3) for n, v in limits.items()}}
    return out


def clips(folder: Path, by: dict[str, Judge]) -> dict[str, Any]:
    """The mean statistic of the frames of each clip, its largest face only."""
    out: dict[str, Any] = {}
    for clip in sorted({p.name.rsplit("-", 1)[0] for p in folder.glob("*.png")}):
        seen = []
        for path in sorted(folder.glob(f"{clip}-*.png")):
            image = picture(path)
            try:
                face = main_face(find(image[None])[0])
            except AssayError:
                face = None
            if face:
                seen.append(cut(*travelled(*sized(image, face, EYES), "as it is")))
        out[clip] = {"frames": len(seen)} | ({n: round(float(j(torch.stack(seen)).mean()), 2) for n, j in by.items()} if seen else {})
        print(clip, out[clip], flush=True)
    return out


@torch.no_grad()
def groups(data: Path, folder: Path, out: Path) -> None:
    """Portraits and blends of others, by what their collection says of the people: false alarms, findings and order within a group."""
    torch.set_num_threads(1)
    with (data / "faces/portraits/groups.csv").open(encoding="utf-8") as file:
        known = {row["file"]: row for row in csv.DictReader(file)}
    bank, net = Bank(folder, "test"), face_manipulation.model()[0]
    both = torch.from_numpy(np.array(bank.both)).flatten(0, 1)
    small = (warped(p.float() / 255, straight(1.0).expand(len(p), -1, -1), face_manipulation.SIDE).clamp(0, 1) for p in both.split(32))
    score = torch.cat([net(p)[0] for p in small]).numpy()
    names = [bank.names[i] for i in bank.who for _ in range(2)]
    told: dict[str, Any] = {}
    for what in ("gender", "group"):
        found = slices(score, np.tile([0, 1], len(bank)), [known[n][what] for n in names], subjects=names, times=TIMES)
        told[what] = {"people": {}, "auc": {g: [round(v, 3) for v in (f.value, *(f.interval or ()))] for g, f in found.auc.items()}}
        told[what] |= {"silent": found.silent, "left out": next(iter(found.compared.values())).left_out}
        for name, f in found.compared.items():
            told[what] |= {name: {g.group: [round(v, 3) for v in (g.mean.value, *(g.mean.interval or ()), g.p_holm)] for g in f.slices}}
            told[what]["people"] |= {g.group: g.n for g in f.slices}
    report = json.loads(out.read_text("utf-8")) | {"groups": told}
    out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(told, indent=1))


def frames(data: Path, out: Path) -> None:
    """Some frames of each clip, lossless."""
    import cv2  # opencv-python: Assay itself reads no films

    out.mkdir(parents=True, exist_ok=True)
    for path in sorted((data / "video/ffpp").glob("*.mp4")):
        film = cv2.VideoCapture(str(path))
        total = int(film.get(cv2.CAP_PROP_FRAME_COUNT))
        for k in range(FRAMES):
            film.set(cv2.CAP_PROP_POS_FRAMES, (2 * k + 1) * total // (2 * FRAMES))
            good, frame = film.read()
            if good:
                cv2.imwrite(str(out / f"{path.stem}-{k}.png"), frame)


def cell(v: list[float]) -> str:
    return f"{v[0]:.2f}" + (f" ({v[1]:.2f}–{v[2]:.2f})" if len(v) == 3 else "")


INTRO = """
# What the two judges of a face's origin are worth

Written by `python recipes/face_authenticity_report.py` (its first lines tell how), from docs/face-authenticity.json.

`face_manipulation-assay` looks for faces, eyes, noses and mouths that were blended in. It was trained on 271 official portraits and
blends of them with themselves (recipes/face_blends.py, recipes/self_blended.py).
`exif_faces-assay` tells how unusual a face is to an encoder that learned to read camera settings and the like
(recipes/exif_faces.py). Neither ever speaks for an origin, and both are asked by name alone: they know official portraits, and
real faces from elsewhere look odd to them (the table of false alarms). Generated faces they do not tell from real ones.

Both are small nets (0.3 million parameters) trained for minutes on one slow core, on faces from one source, and never saw a generated
face. Expect little: a whole generated face has no seam, and a face from another camera, year or website is unusual without being
false. No other collection of manipulated faces was at hand than six clips. Use: a second opinion on portraits. Not for: a verdict
about a person.
"""


def page(source: Path) -> None:
    """The model card."""
    r = json.loads(source.read_text("utf-8"))
    lines = [INTRO.strip(), "", "## Figures", "", "In brackets 95 % intervals over pictures, of blends over people."]
    for title, by in r["figures"].items():
        lines += ["", f"### {title}", "", "| statistic | way | AUC | TPR at 5 % false alarms | fakes |", "|---|---|--:|--:|--:|"]
        for n, ways in by.items():
            for w, v in ways.items():
                lines.append(
                    f"| {n} | {w} | {cell(v['auc'])} | {cell(v[f'tpr@{LIMIT:g}']) if f'tpr@{LIMIT:g}' in v else '–'} | {v['fakes'][0]} |"
                )
    lines += [
        "",
        "## False alarms",
        "",
        "Share of real faces above what 99 of 100 real portraits (validation, after the ways of training) reach.",
        "",
    ]
    names = list(next(iter(r["alarms"].values()))["as it is"])
    lines += ["| collection | faces | way | " + " | ".join(names) + " |", "|---|--:|---|" + "--:|" * len(names)]
    for name, row in r["alarms"].items():
        lines += [f"| {name} | {row['faces']} | {w} | " + " | ".join(f"{100 * row[w][n]:.0f} %" for n in names) + " |" for w in WAYS]
    lines += by_groups(r.get("groups", {}))
    lines += [
        "",
        "## Six clips (FaceForensics++)",
        "",
        "Mean statistic of the frames; three real clips and their manipulated twins are a smoke test.",
        "",
    ]
    names = [n for n in next(iter(r["clips"].values())) if n != "frames"] if r["clips"] else []
    lines += ["| clip | frames | " + " | ".join(names) + " |", "|---|--:|" + "--:|" * len(names)]
    lines += [
        f"| {c} | {row['frames']} | " + " | ".join(f"{row[n]:.2f}" if n in row else "–" for n in names) + " |"
        for c, row in r["clips"].items()
    ]
    lines += [
        "",
        "## What the encoder learned",
        "",
        "On the test part: share of pairs in the right order, of right classes (four of mosaics and of places), AUC of blends.",
    ]
    lines += ["", "| task | learned weights | equal weights |", "|---|--:|--:|"]
    lines += [f"| {t} | {r['tasks']['learned'].get(t, float('nan')):.3f} | {r['tasks']['equal'].get(t, float('nan')):.3f} |" for t in TASKS]
    last = dict(zip(TASKS, r["runs"]["learned"]["weights"], strict=True))
    took = {k: f"{v['step']} steps in {v['minutes']} minutes" for k, v in r["runs"].items()}
    lines += [
        "",
        f"Runs: {'; '.join(f'{k} {v}' for k, v in took.items())}. Learned weights at the end: "
        + ", ".join(f"{k} {v}" for k, v in last.items())
        + ".",
    ]
    lines += ["", "![Weights of the tasks over the steps, and how well held-out blends are told](exif-faces.png)"]
    source.with_suffix(".md").write_text("\n".join(lines) + "\n", "utf-8")


def by_groups(told: dict[str, Any]) -> list[str]:
    """False alarms and findings at one threshold, by what the collection of portraits says of the people."""
    if not told:
        return []
    lines = [
        "",
        "## Groups of people",
        "",
        "`face_manipulation-assay` on the portraits of others and blends of them, one row a person (median of their pictures), at the",
        f"threshold that {100 * LIMIT:.0f} % of all real ones exceed. p: how often shuffled labels differ as much, corrected for the",
        "number of groups (Holm); with so few people only large differences could show. Not told, since fewer than ten people:",
        left_out(told) + ".",
        "",
        "| group | people | false alarms | p | found | p | AUC within |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for of in told.values():
        for g, n in of["people"].items():
            rates = [f"{cell(of[k][g][:-1])} | {of[k][g][-1]:.2f}" if g in of.get(k, {}) else "– | –" for k in ("false alarms", "found")]
            lines.append(f"| {g} | {n} | {' | '.join(rates)} | {cell(of['auc'][g]) if g in of['auc'] else '–'} |")
    return lines + [f"{says}" for of in told.values() for says in ("", *of["silent"].values()) if of["silent"]]


def left_out(told: dict[str, Any]) -> str:
    return ", ".join(f"{g} ({n})" for of in told.values() for g, n in of["left out"].items()) or "none"


def plot(run: Path, equal: Path, out: Path) -> None:
    from matplotlib.figure import Figure

    both = {k: torch.load(r / "last.pt", weights_only=True) for k, r in (("learned", run), ("equal", equal))}
    path = np.array(both["learned"]["path"])
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for k, task in enumerate(TASKS):
        left.plot(path[:, 0], path[:, k + 1], label=task, lw=1.4, ls="-" if k < len(TASKS) - 3 else "--")
    left.set(xlabel="step", ylabel="weight", title="Weights of the tasks")
    left.legend(fontsize=7, ncols=2)
    for name, kept in both.items():
        right.plot([r["step"] for r in kept["log"]], [r["held"]["blended"] for r in kept["log"]], "o-", label=f"{name} weights")
    right.set(xlabel="step", ylabel="AUC", title="Blends of other people's portraits")
    right.legend(fontsize=8)
    figure.savefig(out, dpi=90)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    acts = ask.add_subparsers(dest="act", required=True)
    one, two, three, four, five = (acts.add_parser(n) for n in ("frames", "measure", "page", "plot", "groups"))
    one.add_argument("data", type=Path)
    two.add_argument("data", type=Path)
    for name in ("--labels", "--frames", "--bank", "--photos", "--run", "--equal"):
        two.add_argument(name, type=Path, required=True)
    three.add_argument("source", type=Path)
    four.add_argument("run", type=Path)
    four.add_argument("equal", type=Path)
    five.add_argument("data", type=Path)
    five.add_argument("--bank", type=Path, required=True)
    for a in (one, two, four, five):
        a.add_argument("--out", type=Path, required=True)
    given = ask.parse_args()
    if given.act == "frames":
        frames(given.data, given.out)
    elif given.act == "groups":
        groups(given.data, given.bank, given.out)
    elif given.act == "measure":
        measure(given)
    elif given.act == "page":
        page(given.source)
    else:
        plot(given.run, given.equal, given.out)


if __name__ == "__main__":
    main()
