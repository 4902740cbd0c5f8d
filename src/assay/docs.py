"""The pages of docs/algorithms, made from the cards. `python -m assay.docs` rewrites them; a test fails when they are stale."""

from __future__ import annotations

import sys
from inspect import cleandoc, signature
from pathlib import Path
from typing import Any

from assay.catalog import ROOMS, get, index

TITLES = {
    "quality": "Quality: algorithms that score a picture",
    "face": "Faces: algorithms that judge one face in a picture",
    "authenticity": "Authenticity: evidence of where a picture came from",
    "degrade": "Degradations: damage with levels in physical units",
}
PLACE = Path("docs/algorithms")


def pages() -> dict[str, str]:
    """File name → Markdown, one page for each room."""
    return {f"{room}.md": _page(room) for room in ROOMS}


def _page(room: str) -> str:
    rows = {n: r for n, r in index().items() if r["at"].split(".")[1] == room}
    parts = [f"# {TITLES[room]}", "Made from the cards by `python -m assay.docs`; not to be edited by hand."]
    parts += [_contents(rows), *(_entry(name, row) for name, row in rows.items())]
    return "\n\n".join(parts) + "\n"


def _contents(rows: dict[str, dict[str, Any]]) -> str:
    lines = ["| name | what it says |", "|---|---|"]
    lines += [f"| [`{n}`](#{n}) | {_cell(r['says'])} |" for n, r in rows.items()]
    return "\n".join(lines)


def _entry(name: str, row: dict[str, Any]) -> str:
    facts = {"takes": " + ".join(row["takes"]), **_answer(row)}
    if knobs := _knobs(name):
        facts["knobs"] = knobs
    if row["needs"]:
        facts["needs"] = f"`pip install assay[{row['needs']}]`"
    if row["weights"]:
        facts["weights"] = "; ".join(_weights(w) for w in row["weights"])
    facts["paper"] = row["paper"]
    facts["version"] = row["version"]
    table = "\n".join(["| | |", "|---|---|", *(f"| {k} | {_cell(v)} |" for k, v in facts.items())])
    return f"## {name}\n\n{row['says']}\n\n{table}\n\n```\n{_example(name, row)}\n```"


def _answer(row: dict[str, Any]) -> dict[str, str]:
    if row["answers"] == "alter":
        unit = f" {row['unit']}" if row["unit"] and row["unit"] != row["knob"] else ""
        return {"level": f"`{row['knob']}`: {', '.join(f'{v:g}' for v in row['levels'])}{unit}, from hardly visible to severe"}
    if row["answers"] == "evidence":
        return {"answers": "sentences and facts, no number", "fooled by": row["caveat"]}
    scale = row["scale"]
    worst, best = (float(scale[end]) for end in ("worst", "best"))
    span = f"{_end(worst)} (worst) to {_end(best)} (best){' ' + scale['unit'] if scale['unit'] else ''}"
    facts = {"scale": f"{span}; {'higher' if best > worst else 'lower'} is better"}
    if scale["usual"]:
        facts["usual"] = f"{scale['usual'][0]:g} is poor, {scale['usual'][1]:g} is good"
    facts["map"] = "yes" if row["map"] else "no"
    facts["differentiable"] = "yes" if row["differentiable"] else "no"
    facts["smallest picture"] = f"{row['min_side']}×{row['min_side']}"
    return facts


def _end(value: float) -> str:
    return f"{value:.4g}".replace("inf", "∞").replace("-", "−")


def _knobs(name: str) -> str:
    fn = get(name)
    spared = {"ref", getattr(fn.card, "knob", "")}
    parameters = [p for p in signature(fn).parameters.values() if p.kind is p.KEYWORD_ONLY and p.name not in spared]
    return ", ".join(f"`{p.name}={p.default}`" for p in parameters)


def _weights(w: dict[str, str]) -> str:
    source = f"trained by `{w['recipe']}`, shipped" if w["recipe"] else f"[official]({w['url']}), fetched on request"
    return f"`{w['file']}`, {w['license']}, {source}"


def _example(name: str, row: dict[str, Any]) -> str:
    if row["answers"] == "alter":
        module, _, attr = row["at"].partition(":")
        return f"from {module} import {attr}\ny = {attr}(x, {row['knob']}={row['levels'][1]:g})"
    return f"assay run {name} photo.jpg" + (" --ref original.png" if "reference" in row["takes"] else "")


def _cell(text: str) -> str:
    return cleandoc(text).replace("\n", " ").replace("|", "\\|")


def main(folder: Path = PLACE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
