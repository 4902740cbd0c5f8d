"""What the face finder is worth, beside official detectors: docs/face-finder.md.

    python recipes/face_finder_report.py DATA labels.json --out docs/face-finder.json [--seen FOLDER]

DATA and labels.json as for face_finder_data.py; --seen keeps what each model saw, so that a second run asks only the new net.
Recall and false alarms are counted at an overlap (IoU) of one half. Portraits and photographs of the training part are left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from assay.nets.face_finder import find
from assay.ops.detections import overlap
from face_finder_data import FACES, SCENES, part, photographs

MODELS = {"assay": 0.5, "rfb-320": 0.7, "mtcnn": 0.7, "blazeface": 0.75, "lbp": 0.5}  # and the confidence each is used at
TRAINED_ON = ("faces/portraits", *SCENES)
AGREED, NONE = "all where RFB-320 and MTCNN agreed", "photographs without faces"
WHAT = {"recall": "recall", "false_alarms_per_picture": "false alarms a picture", "points_error_median": "points, median error"}
EVERY = {"faces/gan_real": 3, "faces/orl": 2}  # of the many alike, one in so many
LOW = 0.2  # what is kept for curves
# which of dlib's 68 points make the five, for a person looking at us: means
FIVE = (range(36, 42), range(42, 48), (30,), (48,), (54,))
Row = dict[str, Any]


def seen(model: str, files: list[Path], data: Path, keep: Path | None) -> dict[str, list[Row]]:
    """Every face a model finds above LOW, for every file."""
    kept = keep / f"{model}.json" if keep else None
    found: dict[str, list[Row]] = json.loads(kept.read_text("utf-8")) if kept and kept.exists() and model != "assay" else {}
    for path in files:
        key = str(path.relative_to(data))
        if key not in found:
            x = torch.from_numpy(np.array(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))).permute(2, 0, 1)[None]
            (faces,) = find(x, model=model, confidence=LOW, smallest=20, turned=False)
            found[key] = [{"box": f.box, "points": f.points, "confidence": f.confidence} for f in faces]
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found), "utf-8")
    return found


def matched(truth: list[Row], got: list[Row]) -> list[tuple[int, int]]:
    """Pairs of a true and a found face, surest found first, each used once."""
    pairs, free = [], set(range(len(truth)))
    boxes = np.array([t["box"] for t in truth], dtype=float).reshape(-1, 4)
    for j in sorted(range(len(got)), key=lambda j: -got[j]["confidence"]):
        if free:
            o = overlap(np.array(got[j]["box"], dtype=float), boxes)
            i = max(free, key=lambda i: o[i])
            if o[i] >= 0.5:
                free.remove(i)
                pairs.append((i, j))
    return pairs


def counted(truth: dict[str, list[Row]], found: dict[str, list[Row]], least: float, *, every: bool) -> Row:
    """Recall, false alarms per picture (where every face is known), and the mean error of the points in eye distances."""
    hits, total, alarms, errors = 0, 0, 0, []
    for key, faces in truth.items():
        got = [f for f in found[key] if f["confidence"] >= least]
        pairs = matched(faces, got)
        hits, total, alarms = hits + len(pairs), total + len(faces), alarms + len(got) - len(pairs)
        for i, j in pairs:
            a, b = np.array(faces[i]["points"]), np.array(got[j]["points"])
            if len(a):
                errors.append(np.linalg.norm(a - b, axis=1).mean() / np.linalg.norm(a[0] - a[1]))
    row: Row = {"recall": round(hits / max(1, total), 4), "faces": total, "pictures": len(truth)}
    if every:
        row["false_alarms_per_picture"] = round(alarms / max(1, len(truth)), 4)
    if errors:
        row["points_error"], row["points_error_median"] = round(float(np.mean(errors)), 4), round(float(np.median(errors)), 4)
    return row


def annotated(data: Path) -> dict[str, list[Row]]:
    """The boxes and five points of dlib's examples."""
    rows: dict[str, list[Row]] = {}
    for name in ("training", "testing"):
        for image in ET.parse(data / "faces/dlib" / f"{name}_with_face_landmarks.xml").iter("image"):
            key = f"faces/dlib/{image.attrib['file']}"
            if not (data / key).exists():
                continue
            for box in image.iter("box"):
                x, y, w, h = (float(box.attrib[k]) for k in ("left", "top", "width", "height"))
                all_points = np.array([(float(p.attrib["x"]), float(p.attrib["y"])) for p in box.iter("part")])
                points = [all_points[list(some)].mean(0).tolist() for some in FIVE] if len(all_points) == 68 else []
                rows.setdefault(key, []).append({"box": [x, y, x + w, y + h], "points": points})
    return rows


def report(data: Path, labels: dict[str, list[Row]], keep: Path | None, models: Iterable[str]) -> Row:
    held = []
    for folder in FACES + SCENES:
        files = [p for p in photographs(data / folder) if folder not in TRAINED_ON or part(p) == "test"]
        held += files[:: EVERY.get(folder, 1)]
    found = {model: seen(model, held, data, keep) for model in models}
    sets: dict[str, tuple[dict[str, list[Row]], bool]] = {"dlib, its own boxes": (annotated(data), False)}
    for folder in FACES:
        keys = [str(p.relative_to(data)) for p in held if str(p.relative_to(data)).startswith(folder)]
        agreed = {k: [f for f in labels[k] if f["agree"]] for k in keys}
        sets[f"{folder}, RFB-320 and MTCNN agreed"] = ({k: v for k, v in agreed.items() if v}, True)
    empty = {str(p.relative_to(data)): list[Row]() for p in held if str(p.relative_to(data)).startswith(SCENES)}
    sets[NONE] = ({k: v for k, v in empty.items() if not labels[k]}, True)
    everything = {k: v for name, (rows, _) in sets.items() if "agreed" in name for k, v in rows.items()}
    sets[AGREED] = (everything, True)
    rows = {name: {m: counted(truth, found[m], MODELS[m], every=every) for m in models} for name, (truth, every) in sets.items()}
    curve = {}
    for c in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        faces, none = (counted(sets[name][0], found["assay"], c, every=True) for name in (AGREED, NONE))
        curve[str(c)] = {"recall": faces["recall"], "false_alarms_per_picture": none["false_alarms_per_picture"]}
    return {"confidence": {m: MODELS[m] for m in models}, "sets": rows, "assay_by_confidence": curve}


def table(facts: Row) -> str:
    """The same as Markdown, for docs/face-finder.md."""
    models = list(facts["confidence"])
    lines = [f"| pictures | what | {' | '.join(models)} |", f"|---|---|{'---|' * len(models)}"]
    for name, row in facts["sets"].items():
        first = row[models[0]]
        for what, says in WHAT.items():
            if what in first and (first["faces"] or what != "recall"):
                cells = " | ".join(f"{row[m].get(what, float('nan')):.3f}" for m in models)
                lines.append(f"| {name} ({first['faces']} faces, {first['pictures']} pictures) | {says} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("data", type=Path)
    cli.add_argument("labels", type=Path)
    cli.add_argument("--out", type=Path)
    cli.add_argument("--seen", type=Path)
    cli.add_argument("--models", default=",".join(MODELS))
    args = cli.parse_args()
    torch.set_num_threads(1)
    facts = report(args.data, json.loads(args.labels.read_text("utf-8")), args.seen, args.models.split(","))
    print(table(facts))
    print(json.dumps(facts["assay_by_confidence"], indent=1))
    if args.out:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
        made = {"command": "python recipes/face_finder_report.py DATA labels.json --out docs/face-finder.json"}
        args.out.write_text(json.dumps({**made, "commit": commit, "made_on": time.strftime("%Y-%m-%d"), **facts}, indent=1) + "\n", "utf-8")
