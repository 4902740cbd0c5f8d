"""Do face scores and the face finder treat groups of people alike? Writes the page docs/face-fairness.md and its figures.

    python recipes/face_fairness.py DATA/faces/portraits --scores inter_eye_distance,natural_colour [--held-out] [--faces FACES.json]

The folder holds one portrait of each person and groups.csv: file, gender, group, born. All are official portraits, posed and lit with
care, so a difference between groups is one of the score before it is one of the pictures; the backdrop, the year and the clothes
differ all the same. Nothing about one person is written: no file name, and no figure of a group under ten people.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from assay.bench.fairness import LEAST, Fairness, fairness
from assay.catalog import get
from assay.io.decode import read
from assay.types import BadInput, CannotAssess, Face, Finding

PAGE = Path(__file__).parent.parent / "docs/face-fairness.md"
Found = dict[str, list[Face]]  # file → its faces
Columns = dict[str, dict[str, float]]  # quantity → file → value; a file without an answer is left out


def people(folder: Path, *, held_out: bool) -> dict[str, dict[str, str]]:
    """The groups of each file. held_out: only those that no net shipped with the package was trained on."""
    with (folder / "groups.csv").open(newline="", encoding="utf-8") as file:
        rows = {r["file"]: r for r in csv.DictReader(file)}
    for r in rows.values():
        r["decade of birth"] = f"{r['born'][:3]}0s" if r["born"] else ""
    return {f: r for f, r in rows.items() if not held_out or sha256(f.encode()).digest()[0] % 5 == 0}


def found(folder: Path, files: Sequence[str], labels: Path | None) -> Found:
    """The faces of each file, by our finder, or as a file of labels has them: path → box, points, confidence."""
    if labels is None:
        from assay.nets.face_finder import find

        return {f: find(read(folder / f).pixels[None])[0] for f in files}
    table = {Path(p).name: faces for p, faces in json.loads(labels.read_text("utf-8")).items() if Path(p).parent.name == folder.name}
    if missing := [f for f in files if f not in table]:
        raise BadInput(f"{labels} says nothing about {len(missing)} of {len(files)} portraits.")
    return {f: [Face(tuple(a["box"]), tuple(map(tuple, a["points"])), a["confidence"]) for a in table[f]] for f in files}


def measured(folder: Path, faces: Found, names: Sequence[str]) -> Columns:
    """Every score of the largest face of every picture, and which pictures were answered at all."""
    out: Columns = {"face found": {f: float(bool(a)) for f, a in faces.items()}}
    functions: dict[str, Any] = {n: get(n) for n in names}
    if wrong := [n for n, fn in functions.items() if fn.card.takes != ("face",)]:
        raise BadInput(f"{', '.join(wrong)} {'does' if len(wrong) == 1 else 'do'} not take a face.")
    for n in names:
        out |= {n: {}, f"{n} answered": {}}
    for file, all_faces in faces.items():
        if not all_faces:
            continue
        picture = read(folder / file).pixels
        for n, fn in functions.items():
            try:
                got = fn(picture, [max(all_faces, key=lambda a: a.size)])[0]
            except CannotAssess:
                out[f"{n} answered"][file] = 0.0
                continue
            value = got.score if isinstance(got, Finding) else got
            if value is None:
                raise BadInput(f"{n} gives no number.")
            out[f"{n} answered"][file] = 1.0
            out[n][file] = float(value)
    return out


def compared(columns: Columns, groups: dict[str, dict[str, str]], by: Sequence[str], draws: int) -> dict[str, Fairness | str]:
    """Every quantity by every grouping; a sentence where there is nothing to compare."""
    out: dict[str, Fairness | str] = {}
    for name, values in columns.items():
        if name.endswith(" answered") and values and all(values.values()):
            continue  # nothing was left unanswered
        for grouping in by:
            try:
                out[f"{name} by {grouping}"] = fairness(
                    list(values.values()), [groups[f][grouping] for f in values], name=name, times=draws
                )
            except CannotAssess as none:
                out[f"{name} by {grouping}"] = str(none)
    return out


def page(told: dict[str, Fairness | str], *, pictures: int, command: str) -> str:
    """The page, in Markdown."""
    head = (
        "# Face scores and groups of people\n\n"
        f"{pictures} official portraits, one person each. Each group is held against all others: the difference of the means with its\n"
        "95 % bootstrap interval, the effect (Cohen's d, or h for rates), and p from shuffled labels, corrected for the number of\n"
        f"groups (Holm). Groups under {LEAST} people are not shown. How: [benches.md](benches.md); with `{command}`.\n\n"
        "That no difference was found does not mean that there is none: the interval says how large one may be. That one was found does\n"
        "not say why: portraits of groups differ in year, backdrop, light and clothes too. The correction holds within a table; of twenty\n"
        "tables, one shows a difference by chance.\n"
    )
    return head + "".join(f"\n## {title}\n\n{_part(f)}" for title, f in told.items())


def _part(f: Fairness | str) -> str:
    if isinstance(f, str):
        return f"{f}\n"
    lines = ["| group | people | mean | less all others | effect | p (Holm) |", "|---|---|---|---|---|---|"]
    for s in f.slices:
        ends = "" if s.difference.interval is None else " ({:.3g} to {:.3g})".format(*s.difference.interval)
        effect = s.size if s.effect is None else f"{s.effect:.2f}, {s.size}"
        lines.append(f"| {s.group} | {s.n} | {s.mean.value:.4g} | {s.difference.value:.3g}{ends} | {effect} | {s.p_holm:.2g} |")
    few = f"\nToo few to be shown: {', '.join(f.left_out)}.\n" if f.left_out else ""
    return f"{f.says}\n\n" + "\n".join(lines) + f"\n{few}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, compare, write."""
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("folder", type=Path)
    a.add_argument("--scores", default="", help="cards that take a face, separated by commas; the finder is always judged")
    a.add_argument("--by", default="gender,group,decade of birth")
    a.add_argument("--held-out", action="store_true", help="only portraits that nothing was trained on")
    a.add_argument("--faces", type=Path, help="labels instead of the finder")
    a.add_argument("--draws", type=int, default=1000)
    a.add_argument("--limit", type=int, help="only the first so many, to try it")
    a.add_argument("--out", type=Path, default=PAGE)
    o = a.parse_args(arguments)
    groups = dict(list(people(o.folder, held_out=o.held_out).items())[: o.limit])
    names = [n.strip() for n in o.scores.split(",") if n.strip()]
    columns = measured(o.folder, found(o.folder, list(groups), o.faces), names)
    told = compared(columns, groups, o.by.split(","), o.draws)
    flags = " --held-out" * o.held_out
    command = f"python recipes/face_fairness.py PORTRAITS --scores {o.scores}{flags}"
    o.out.write_text(page(told, pictures=len(groups), command=command), "utf-8")
    for title, f in told.items():
        print(f"{title}: {f if isinstance(f, str) else f.says}")


if __name__ == "__main__":
    main()
