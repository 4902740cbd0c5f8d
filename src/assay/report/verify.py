"""One picture's file for a newsroom: verdict, evidence with pictures, where it came from, hashes and versions; made to be printed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from assay import __version__
from assay.catalog import index
from assay.report import images
from assay.report.rows import Row, base, printable, ratio, row
from assay.types import Item, Result

HERE = Path(__file__).parent
LABELS = {
    "camera original": "What was found fits a picture straight from a camera, and nothing speaks for changes.",
    "edited": "What was found says that the picture was changed after it was taken.",
    "generated": "What was found says that the picture was made by a generator.",
    "inconclusive": "What was found does not decide where the picture came from. That is no suspicion.",
}
SHAPES = {
    "camera original": '<circle cx="9" cy="9" r="7"/>',
    "edited": '<path d="M9 1 17 9 9 17 1 9z"/>',
    "generated": '<path d="M9 2 17 16H1z"/>',
    "inconclusive": '<circle cx="9" cy="9" r="6" fill="none" stroke="currentColor" stroke-width="2"/>',
}
PROVENANCE = ("manifest", "metadata", "thumbnail", "quantisation")
READ = (
    "A likelihood ratio compares how usual the evidence is among altered and among authentic pictures: 10 means ten times as usual "
    "among altered ones. It is no probability that this picture is altered; that depends on what was likely before.",
    "Ratios were calibrated on photographs and forgeries that no method was fitted on. Pictures of other kinds (paintings, screens, "
    "scans, other forgeries) can mislead them. What is missing, such as metadata, is never counted as evidence.",
    "A verdict is given only where fewer than one in a hundred authentic pictures of the calibration would be called altered.",
)


def page(item: Item, *, now: datetime | None = None) -> str:
    """The whole document. item: from `inspect` with maps and with its picture kept."""
    told, when = row(item), (now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    name = Path(told["path"]).name
    body = "".join(
        (*_head(told, name, when), *_verdict(told, item), *_chain(told), *_cards(item, told), *_missing(told), *_methods(told, when))
    )
    style = (HERE / "verify.css").read_text("utf-8")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{_text(name)}: verification</title>'
        f"<style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def _text(value: object) -> str:
    return escape(printable(str(value)))


def _head(told: Row, name: str, when: str) -> Iterator[str]:
    media = told["media"]
    facts = f"{media['format']}, {media['width']}×{media['height']} pixels" if media else "not decoded"
    yield f'<header><p class="brand">Assay {_text(__version__)} · verification</p><h1>{_text(name)}</h1>'
    yield f'<p class="soft">{_text(facts)} · examined {_text(when)}</p>'
    yield f'<p class="hash">SHA-256 {_text(told["sha256"] or "none")}</p></header>'


def _verdict(told: Row, item: Item) -> Iterator[str]:
    origin = told["verdicts"]["origin"]
    if origin is None:
        yield "".join(f'<section class="verdict"><h2>No verdict</h2><p>{_text(e["says"])}</p></section>' for e in told["errors"][:3])
        return
    label = origin["label"]
    photo = "" if item.picture is None else f'<img alt="The picture" src="{images.jpeg(images.photo(item.picture.pixels, 1000))}">'
    yield f'<section class="verdict"><figure>{photo}</figure><div><h2>Verdict</h2>'
    yield f'<p class="label"><svg viewBox="0 0 18 18">{SHAPES[label]}</svg>'
    yield f"{_text(label)}</p><p>{LABELS[label]}</p>"
    yield from (_scale(w) for w in origin["weighed"])
    pointing = [e for e in origin["evidence"] if e["points_to"]]
    yield _list("Speaks for it", [e for e in pointing if e["points_to"] == label])
    yield _list("Speaks against it" if label != "inconclusive" else "Points somewhere", [e for e in pointing if e["points_to"] != label])
    yield "</div></section>"


def _scale(w: Row) -> str:
    """One weighing as a bar: authentic on the left, altered on the right."""
    llr, (low, high) = w["llr"], w["interval"]
    says = ratio(w)
    left, right = (50 + 50 * max(-1.0, min(1.0, v / math.log(1000))) for v in (low, high))
    at = 50 + 50 * max(-1.0, min(1.0, llr / math.log(1000)))
    return (
        f'<div class="scale"><b>{_text(w["question"].capitalize())}?</b> <span>{_text(says)}.</span><div class="bar">'
        f'<i style="left:{left:.1f}%;width:{max(0.5, right - left):.1f}%"></i><u style="left:{at:.1f}%"></u></div>'
        f'<div class="ends"><span>authentic</span><span>neither</span><span>{_text(w["question"])}</span></div></div>'
    )


def _list(title: str, found: list[Row]) -> str:
    if not found:
        return ""
    return f"<h3>{title}</h3>{_items(e['says'] for e in found)}"


def _items(sentences: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(s)}</li>" for s in sentences) + "</ul>"


def _chain(told: Row) -> Iterator[str]:
    """What the file itself tells of its history, oldest first."""
    data = {base(r["name"]): r["data"] for r in told["results"] if base(r["name"]) in PROVENANCE}
    steps = [
        *_taken(data.get("metadata", {})),
        *_changed(data.get("metadata", {})),
        *_signed(data.get("manifest", {})),
        *_saved(data.get("quantisation", {})),
    ]
    steps.append(
        (
            "This file",
            f"{told['media']['format']} of {told['media']['width']}×{told['media']['height']} pixels" if told["media"] else "unread",
        )
    )
    yield '<section><h2>What the file says of its history</h2><ol class="chain">'
    yield "".join(f"<li><b>{_text(head)}</b> {_text(says)}</li>" for head, says in steps)
    yield '</ol><p class="soft">All of this is written by whoever wrote the file; only a trusted signature can vouch for it.</p></section>'


def _taken(data: Row) -> Iterator[tuple[str, str]]:
    camera = data.get("camera") or {}
    if device := [str(camera[k]) for k in ("make", "model", "lens") if camera.get(k)]:
        yield "Taken with", ", ".join(device)
    if camera.get("taken"):
        yield "Taken on", str(camera["taken"])
    if data.get("gps"):
        yield "Place", "the file holds a GPS position (not shown)"


def _changed(data: Row) -> Iterator[tuple[str, str]]:
    for entry in data.get("software") or []:
        yield "Software", f"{entry['name']} ({entry['kind']}; {entry['where']})"
    for step in (data.get("history") or [])[:12]:
        yield "History", ", ".join(str(v) for v in step.values())
    if data.get("generator"):
        yield "Generator", str(data["generator"])


def _signed(data: Row) -> Iterator[tuple[str, str]]:
    if data.get("state") not in (None, "none"):
        yield (
            "Content Credentials",
            f"{data['state']}; signed by {data.get('signer') or 'an unnamed signer'}, {data.get('time') or 'no time'}",
        )


def _saved(data: Row) -> Iterator[tuple[str, str]]:
    if data.get("encoder"):
        quality = data["quality"] or f"about {data['nearest_quality']}"
        yield "Saved by", f"an encoder with the tables of {data['encoder']}, quality {quality}, {data['subsampling']}, {data['process']}"


def _cards(item: Item, told: Row) -> Iterator[str]:
    """One card for each algorithm of the room that found something, those that weigh most first."""
    rows = {r["name"]: r for r in told["results"]}
    shown = [r for r in item.results if index().get(base(r.name), {}).get("at", "").startswith("assay.authenticity.")]
    yield '<section><h2>Evidence</h2><div class="cards">'
    weighed = (told["verdicts"]["origin"] or {"weighed": []})["weighed"]
    adds = {p["name"]: p["llr"] for w in weighed for p in sorted(w["parts"], key=lambda part: abs(part["llr"]))}
    shown.sort(key=lambda r: (-10.0 * any(e.points_to for e in r.evidence) - abs(adds.get(r.name, 0.0)), r.name))
    yield "".join(_card(r, rows[r.name], adds.get(r.name)) for r in shown)
    yield "</div></section>"


def _card(r: Result, told: Row, llr: float | None) -> str:
    says = index()[base(r.name)]["says"]
    weighs = "" if llr is None else f' <span class="tag">adds {llr:+.1f} to ln LR</span>'
    sentences = "".join(f"<li{' class=points' if e['points_to'] else ''}>{_text(e['says'])}{_caveat(e)}</li>" for e in told["evidence"])
    return f"<article><h3>{_text(r.name)}{weighs}</h3><p class='soft'>{_text(says)}</p>{_map(r)}<ul>{sentences}</ul></article>"


def _caveat(e: Row) -> str:
    return f"<small>{_text(e['caveat'])}</small>" if e["caveat"] else ""


def _map(r: Result) -> str:
    if r.map is None:
        return ""
    uri, ends = images.drawn(r.map)
    legend = f" Dark {_text(ends[0])}, bright {_text(ends[1])}." if ends else ""
    return f'<figure><img alt="Map of {_text(r.name)}" src="{uri}"><figcaption>{_text(r.map_says)}{legend}</figcaption></figure>'


def _missing(told: Row) -> Iterator[str]:
    gone = [*(told["verdicts"]["origin"] or {"unavailable": []})["unavailable"], *(f"{e['what']}: {e['says']}" for e in told["errors"])]
    if gone:
        yield f"<section><h2>What could not be asked</h2>{_items(gone)}</section>"


def _methods(told: Row, when: str) -> Iterator[str]:
    used: Iterable[Row] = (r for r in told["results"] if index().get(base(r["name"]), {}).get("at", "").startswith("assay.authenticity."))
    rows = "".join(
        f"<tr><td>{_text(r['name'])}</td><td>{_text(r['version'])}</td><td>{_text(index()[base(r['name'])]['paper'])}</td></tr>"
        for r in used
    )
    yield "<section><h2>How to read this</h2>" + "".join(f"<p>{_text(t)}</p>" for t in READ) + "</section>"
    yield f"<section><h2>Methods</h2><table><tr><th>Algorithm</th><th>Version</th><th>Source</th></tr>{rows}</table>"
    about = f"Assay {__version__}, {when}, file {told['path']}, SHA-256 {told['sha256'] or 'none'}."
    yield f'<p class="soft">{_text(about)}</p></section>'
