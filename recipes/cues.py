"""Puts the figures of cues outside the calibration into docs/cues.md.

    python recipes/cues.py docs/lateral-aberration.json docs/text-traces.json --out docs/cues.md

Recipes that measure: fringes.py, documents.py. Only what stands between marks in the page is written anew.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def put(page: Path, tables: dict[str, list[str]]) -> None:
    """Lines between the marks of their names in a page."""
    text = page.read_text("utf-8")
    for name, lines in tables.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, after = text.split(start)[0], text.split(end)[1]
        text = before + start + "\n" + "\n".join(lines) + "\n" + end + after
    page.write_text(text, "utf-8")


def fringes(told: dict[str, Any]) -> list[str]:
    head = ("photographs", "after", "answered", "false alarms", "largest statistic", "pasted: answered", "found")
    lines = ["| " + " | ".join((*head, "AUC", "pixel AUC", "same, nothing pasted")) + " |", "|---|---|" + "--:|" * 8]
    for name, r in told.items():
        if isinstance(r, dict):
            of, way = name.rsplit(", ", 1)
            row = (of, way, f"{r['answered']} of {r['photographs']}", r["false alarms"], f"{r['largest']:.1f}", r["pasted, answered"])
            areas = (f"{r[k]:.2f}" for k in ("auc", "pixel auc", "pixel auc, nothing pasted"))
            lines.append("| " + " | ".join(map(str, (*row, r["found"], *areas))) + " |")
    return lines


def documents(told: dict[str, Any]) -> list[str]:
    lines = ["| after | clean pages: alarms | largest | share of pixels marked falsely | kind | AUC | told | pixel F1 |"]
    lines.append("|---|--:|--:|--:|---|--:|--:|--:|")
    for way, r in told.items():
        for kind, k in r.items() if "clean pages" in r else ():
            if isinstance(k, dict):
                clean = f"{r['alarms']} of {r['clean pages']} | {r['largest']:.1f} | {r['false area']:.5f}"
                lines.append(f"| {way} | {clean} | {kind} | {k['auc']:.2f} | {k['told']} of {k['pages']} | {k['pixel f1']:.2f} |")
    return lines


def photographs(told: dict[str, Any]) -> list[str]:
    lines = ["| photographs | after | taken for a page | alarms |", "|--:|---|--:|--:|"]
    return lines + [f"| {r['photographs']} | {way} | {r['taken for a page']} | {r['alarms']} |" for way, r in told["photographs"].items()]


if __name__ == "__main__":
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("fringes", type=Path)
    cli.add_argument("documents", type=Path)
    cli.add_argument("--out", type=Path, required=True)
    args = cli.parse_args()
    lens, text = (json.loads(p.read_text("utf-8")) for p in (args.fringes, args.documents))
    put(args.out, {"fringes": fringes(lens), "documents": documents(text), "photographs": photographs(text)})
