"""One self-contained HTML file: a single item's story, or a folder's, to sort, filter and look into.

The page is written as the run goes: each item becomes two blocks of JSON, a small one for the list and a full one that
the page reads only when it is opened. The page may load nothing and send nothing: its own policy forbids it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from assay import __version__
from assay.catalog import index
from assay.io.decode import read
from assay.report import images
from assay.report.rows import SCHEMA, Row, base, row
from assay.types import AssayError, Item, Picture

HERE = Path(__file__).parent
MARK = "<!-- items -->"


class HtmlReport:
    """Add items, then close; the file appears under its name when it is complete.

    maps: how many items carry their photograph and their maps; the others carry a thumbnail.
    """

    def __init__(self, path: str | Path, *, maps: int = 24) -> None:
        self._path, self._maps, self._count = Path(path), maps, 0
        self._names: dict[str, str] = {}
        self._part = self._path.with_name(self._path.name + ".part")
        page = template(HERE / "report.html", css=[HERE / "report.css"], js=[HERE / "dom.js", HERE / "report.js"])
        head, _, self._tail = page.partition(MARK)
        self._file = self._part.open("wb")
        self._write(head)

    def add(self, item: Item, told: Row | None = None) -> None:
        """told: the item's row, where it is known already."""
        told = told or row(item)
        spoken = [*told["results"], *(r for face in told["faces"] for r in face["results"])]
        self._names |= {r["name"]: index().get(base(r["name"]), {}).get("says", "") for r in spoken if r["name"] not in self._names}
        full: Row = {"row": told, "photo": None, "maps": []}
        card = _card(told)
        if (decoded := _picture(item)) is not None:
            picture = images.photo(decoded.pixels, images.PHOTO if self._count < self._maps else images.THUMB)
            card["thumb"] = images.thumbnail(picture)
            full["bytes"] = len(decoded.data) or None
            if self._count < self._maps:
                full |= {"photo": images.jpeg(picture), "size": picture.size, "maps": _maps(item)}
        self._write(f'<script type="application/json" class="card">{embedded(card)}</script>\n')
        self._write(f'<script type="application/json" id="item{self._count}">{embedded(full)}</script>\n')
        self._count += 1

    def close(self) -> None:
        about = {"assay": __version__, "schema": SCHEMA, "maps": self._maps, "says": self._names}
        self._write(f'<script type="application/json" id="about">{embedded(about)}</script>\n{self._tail}')
        self._file.close()
        self._part.replace(self._path)

    def _write(self, text: str) -> None:
        self._file.write(text.encode("utf-8", "backslashreplace"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()
            self._part.unlink(missing_ok=True)


def _picture(item: Item) -> Picture | None:
    """The item's picture; that of a row taken over from an earlier run is decoded once more, and is only looked at."""
    if item.picture is not None or item.saved is None or item.saved["media"] is None:
        return item.picture
    try:
        return read(item.path)
    except AssayError:  # gone or changed since it was hashed: the report shows the row without a picture
        return None


def _card(told: Row) -> Row:
    """What the list shows, sorts by and filters with."""
    return {
        "path": told["path"],
        "thumb": None,
        "quality": (told["verdicts"]["quality"] or {}).get("score"),
        "origin": (told["verdicts"]["origin"] or {}).get("label"),
        "scores": {
            r["name"]: [r["value"], r["good"], r["unit"], r["scale"]["worst"], r["scale"]["best"]] for r in told["results"] if r["scale"]
        },
        "errors": [f"{e['what']}: {e['says']}" for e in told["errors"]],
    }


def _maps(item: Item) -> list[dict[str, Any]]:
    out = []
    for result in item.results:
        if result.map is not None:
            uri, ends = images.drawn(result.map)
            out.append({"name": result.name, "says": result.map_says, "image": uri, "ends": ends, "size": list(result.map.shape[-2:])})
    return out


def template(html: Path, *, css: Sequence[Path], js: Sequence[Path]) -> str:
    """A page with its style, its script and a policy that allows these two and nothing else; data goes where MARK stands."""
    parts = {name: "\n".join(f.read_text("utf-8") for f in files) for name, files in (("css", css), ("js", js))}
    page = html.read_text("utf-8")
    for name, text in parts.items():
        page = page.replace(f"{{{{{name}-hash}}}}", "sha256-" + b64encode(sha256(text.encode()).digest()).decode())
    for name, text in parts.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    return page


def embedded(value: Any) -> str:
    """JSON that may stand inside a script element: without "<" no tag can begin or end in it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
