"""Writes docs/agreement.md: every reference case of tests/reference, ours against theirs.

    python docs/agreement.py [folder of test data]     # ASSAY_WEIGHTS names the folder of official parameter files

A case that differs by more than 1e-3 of its value must carry a reason ("why"), or this stops.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from math import inf, isinf
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from assay.catalog import get, index  # noqa: E402
from conftest import DATA  # noqa: E402
from pictures import pair  # noqa: E402

LARGE = 1e-3  # of the value: differences above are named one by one
HEAD = """# Agreement with other tools

Written by `python docs/agreement.py` from `tests/reference/*.json`; a test holds every row to its tolerance.
Pictures: scikit-image's astronaut damaged as in `tests/pictures.py`, and the pair I01 of TID2013 that piq's tests carry.
Where tools disagree, [conventions.md](conventions.md) says which reading is ours and why.
"""


class Row(NamedTuple):
    """One case."""

    name: str
    picture: str
    ours: float
    theirs: float
    source: str
    tolerance: float
    why: str

    @property
    def apart(self) -> float:
        return 0.0 if isinf(self.theirs) and self.ours == self.theirs else abs(self.ours - self.theirs)

    @property
    def share(self) -> float:
        return self.apart / abs(self.theirs) if self.theirs and not isinf(self.theirs) else self.apart


def rows(data: Path) -> Iterator[Row]:
    """Every case, run now."""
    for file in sorted((ROOT / "tests/reference").glob("*.json")):
        held: dict[str, Any] = json.loads(file.read_text("utf-8"))
        fn = get(file.stem)
        for case in held["cases"]:
            knobs = case.get("knobs", {})
            x, ref = pair(case["picture"], data)
            given = {"ref": ref} if "reference" in index()[file.stem]["takes"] else {}
            ours = float(fn(x, **given, **knobs)[0])
            name = ":".join((file.stem, *(f"{k}={v}" for k, v in knobs.items())))
            want = inf if case["want"] == "Infinity" else float(case["want"])
            source = case.get("tool", held["tool"]).replace("|", "\\|")
            yield Row(name, case["picture"], ours, want, source, case["atol"], case.get("why", ""))


def summary(all_: list[Row]) -> Iterator[str]:
    yield "| metric | against | cases | largest difference | of the value |\n|---|---|--:|--:|--:|"
    for name, source in dict.fromkeys((r.name, r.source) for r in all_):
        own = [r for r in all_ if (r.name, r.source) == (name, source)]
        yield f"| {name} | {source} | {len(own)} | {max(r.apart for r in own):.1e} | {max(r.share for r in own):.1e} |"


def deviations(all_: list[Row]) -> Iterator[str]:
    large = [r for r in all_ if r.share > LARGE]
    for why, name, source in dict.fromkeys((r.why, r.name, r.source) for r in large):
        own = [r for r in large if (r.why, r.name, r.source) == (why, name, source)]
        if not why:
            raise SystemExit(f"{name} on {own[0].picture} is {own[0].share:.1e} of its value from {source}, and no reason is given.")
        where = ", ".join(f"{r.picture} ({r.ours:.5g} here, {r.theirs:.5g} there)" for r in own)
        yield f"- **{name}** against {source}: {where}. {why[0].upper()}{why[1:]}."


def table(all_: list[Row]) -> Iterator[str]:
    yield "| metric | picture | here | there | source | difference | tolerance |\n|---|---|--:|--:|---|--:|--:|"
    for r in all_:
        yield f"| {r.name} | {r.picture} | {r.ours:.7g} | {r.theirs:.7g} | {r.source} | {r.apart:.1e} | {r.tolerance:.0e} |"


def main() -> None:
    """Run all cases and write the page."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    all_ = list(rows(data))
    parts = [HEAD, *summary(all_), "\n## Differences above 0.1 %\n", *deviations(all_), "\n## Every case\n", *table(all_)]
    Path(__file__).with_suffix(".md").write_text("\n".join(parts) + "\n", "utf-8")


if __name__ == "__main__":
    main()
