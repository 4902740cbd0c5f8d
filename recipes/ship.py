"""Puts weights that a recipe made into the package, and their sha256 into the module that declares them.

    python recipes/ship.py face_finder.safetensors …

`git status` tells afterwards whether the recipe made the very files that were there.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src/assay"


def ship(file: Path) -> bool:
    """Whether the file that ships is now another one."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    declares = re.compile(rf'(file="{re.escape(file.name)}",\s+sha256=")([0-9a-f]{{64}})"')
    modules = [(path, text) for path in PACKAGE.rglob("*.py") if declares.search(text := path.read_text("utf-8"))]
    if len(modules) != 1:
        raise SystemExit(f"{file.name} is declared by {len(modules)} modules of {PACKAGE}, not by one.")
    ((path, text),) = modules
    shutil.copyfile(file, PACKAGE / "weights" / file.name)
    path.write_text(declares.sub(rf'\g<1>{digest}"', text), "utf-8")
    return digest not in text


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("files", type=Path, nargs="+")
    for given in ask.parse_args().files:
        print(f"{given.name}: {'ships now' if ship(given) else 'is what shipped already'}")
