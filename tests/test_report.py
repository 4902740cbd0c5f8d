"""Every output of a run: rows and their schema, resuming, tables, terminal text, the web page."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from assay.report import images
from assay.report.html import HtmlReport
from assay.report.jsonl import Journal, load
from assay.report.rows import key, line, printable, row
from assay.report.table import Csv, Parquet, columns
from assay.report.terminal import Lines, story
from assay.types import (
    BadInput,
    Evidence,
    EvidenceCard,
    Failure,
    Item,
    Media,
    OriginVerdict,
    Picture,
    QualityVerdict,
    Result,
    Scale,
    ScoreCard,
)

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "src/assay/report/schema.json").read_text("utf-8"))
PSNR = ScoreCard(name="psnr", version="1", takes=("image", "reference"), paper="", scale=Scale(0, inf, "dB", (20, 50)))
NOISE = ScoreCard(name="grain", version="2", takes=("image",), paper="", scale=Scale(inf, 0, usual=(20, 0)))
META = EvidenceCard(name="metadata", version="1", takes=("file",), paper="", caveat="Anyone can write metadata.")
NASTY = "pics/=1+1 <script>alert('x')</script>&\n\u202egpj.png"
SAID = (
    Evidence("A camera is named.", "camera original", "hint", "Anyone can write it."),
    Evidence("An editor is named.", "edited", "strong", llr=2.5),
    Evidence("There is a thumbnail."),
)


@pytest.fixture(scope="module")
def item() -> Item:
    pixels = torch.arange(3 * 60 * 90, dtype=torch.int64).remainder(251).to(torch.uint8).reshape(3, 60, 90)
    media = Media("PNG", 90, 60, "RGB", icc="Display P3", notes=("The profile was applied.",))
    ramp = torch.linspace(-1, 7, 90).expand(60, 90)
    return Item(
        path="pics/a.png",
        sha256="ab" * 32,
        media=media,
        reference="pics/ref.png",
        results=(
            Result(PSNR, 31.23456789, interval=(30.0, inf), map=ramp, map_says="Bright is wrong."),
            Result(NOISE, 4.0, {"side": 3}, data={"sigma": 1.23456789, "pair": (1, 2), "zero": nan}),
            Result(META, None, evidence=SAID),
        ),
        quality=QualityVerdict(61.2, (50.0, 70.0), ("grain: 4 costs 20 points",)),
        origin=OriginVerdict("inconclusive", SAID, unavailable=("No manifest is in the file.",)),
        picture=Picture(pixels, b"bytes", "pics/a.png", "ab" * 32, media, lambda: pixels),
    )


@pytest.fixture(scope="module")
def broken() -> Item:
    return Item(NASTY, errors=(Failure("read", "the file is cut short <b>", "BadInput"),))


def test_rows_fit_their_schema(item, broken):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    for one in (item, broken, replace(item, quality=None, origin=None, media=replace(item.media, icc=""))):
        validator.validate(json.loads(line(row(one, key=key("a")))))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.update(schema="assay/2"),
        lambda r: r.update(took=1.5),
        lambda r: r.pop("verdicts"),
        lambda r: r.update(sha256="ABC"),
        lambda r: r.update(faces=[{"box": [0, 0, 1, 1]}]),
        lambda r: r["media"].update(width=0),
        lambda r: r["media"].update(kind="clip"),
        lambda r: r["results"][0].update(value=None),
        lambda r: r["results"][0].update(value="NaN"),
        lambda r: r["results"][0].update(scale=None),
        lambda r: r["results"][0]["scale"].pop("usual"),
        lambda r: r["results"][0].update(good=1.2),
        lambda r: r["results"][2].update(value=3),
        lambda r: r["results"][2].update(unit=""),
        lambda r: r["results"][2]["evidence"][0].update(weight="proof"),
        lambda r: r["verdicts"]["quality"].update(score=101),
        lambda r: r["verdicts"]["origin"].update(label="fake"),
        lambda r: r["errors"].append({"what": "psnr", "says": "no"}),
    ],
)
def test_the_schema_refuses_broken_rows(spoil, item):
    jsonschema = pytest.importorskip("jsonschema")
    bad = json.loads(line(row(item)))
    spoil(bad)
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(bad)


def test_the_documented_row_fits_the_schema_and_the_code_runs():
    text = (ROOT / "docs/json-lines.md").read_text("utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.S)
    pytest.importorskip("jsonschema").validate(json.loads(example), SCHEMA)
    assert list(json.loads(example)) == list(row(Item("a")))
    for code in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(code, {})


def test_numbers_in_rows(item):
    told = row(item)
    psnr, grain, meta = told["results"]
    assert psnr["value"] == 31.2346
    assert psnr["scale"] == {"worst": 0.0, "best": "Infinity", "usual": [20.0, 50.0]}
    assert psnr["interval"] == [30.0, "Infinity"]
    assert (grain["name"], grain["version"], grain["good"]) == ("grain:side=3", "2", 0.8)
    assert grain["data"] == {"sigma": 1.23457, "pair": [1, 2], "zero": None}
    assert [meta[k] for k in ("value", "unit", "scale", "good", "interval")] == [None] * 5
    assert row(replace(item, results=(Result(PSNR, -inf),)))["results"][0]["value"] == "-Infinity"
    assert line(row(replace(item, results=(Result(PSNR, -0.0),)))).count(b"-0.0") == 0
    with pytest.raises(ValueError, match="NaN"):
        row(replace(item, results=(Result(PSNR, nan),)))


def test_noise_of_32_bit_sums_is_not_written(item):
    values = (0.7312345, 0.7312345 * (1 + 1e-7))
    assert len({line(row(replace(item, results=(Result(PSNR, v),)))) for v in values}) == 1


def test_a_row_comes_back_from_its_line_and_odd_paths_survive(item):
    path = os.fsdecode(b"caf\xe9/\xf0\x9f\x93\xb7\n.png")
    raw = line(row(replace(item, path=path)))
    assert raw.count(b"\n") == 1
    assert json.loads(raw)["path"] == path
    assert line(json.loads(raw)) == raw


def test_a_key_depends_on_every_part():
    keys = {key(), key("a"), key("a", "b"), key("ab"), key("a", "b", ""), key("a,b")}
    assert len(keys) == 6


# ---- JSON Lines and resuming ----


def rows(n):
    return [row(Item(f"{i}.png", sha256=f"{i:064x}"), key=key(str(i))) for i in range(n)]


def write(path, wanted, *, stop=None):
    """One run; returns how many rows had to be made. Stops after `stop` rows, as a killed run does."""
    made = 0
    journal = Journal(path, resume=True)
    for number, one in enumerate(wanted):
        if number == stop:
            journal._file.close()
            return made
        known = journal.kept(one["key"])
        made += known is None
        journal.add(known or one)
    journal.close()
    return made


def test_a_run_killed_at_any_moment_ends_with_the_same_file(tmp_path):
    chance, wanted = random.Random(1), rows(12)
    whole, path = b"".join(map(line, wanted)), tmp_path / "out.jsonl"
    for _ in range(60):
        seen: set[bytes] = set()
        for _ in range(chance.randint(1, 4)):
            write(path, wanted, stop=chance.randint(0, 11))
            data = path.read_bytes()
            path.write_bytes(data[: max(0, len(data) - chance.choice((0, 0, 1, 40)))])  # a torn last line
            whole_lines = {raw for f in tmp_path.iterdir() for raw in f.read_bytes().splitlines(keepends=True) if raw.endswith(b"\n")}
            assert len(seen - whole_lines) <= 1  # nothing is lost but a row torn just now
            seen = whole_lines
        assert write(path, wanted) <= 12 - len(seen)
        assert path.read_bytes() == whole
        assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]
        path.unlink()


def test_a_kill_while_rows_are_set_aside_loses_nothing(tmp_path):
    wanted, path = rows(5), tmp_path / "out.jsonl"
    write(path, wanted[:4], stop=3)
    (tmp_path / "out.jsonl.keep.part").write_bytes(b"half a li")
    (tmp_path / "out.jsonl.keep").write_bytes(b"".join(map(line, wanted[:3])))  # set aside, but the file not yet emptied
    assert write(path, wanted) == 2
    assert path.read_bytes() == b"".join(map(line, wanted))
    assert len(list(tmp_path.iterdir())) == 1


def test_only_what_would_come_out_the_same_is_reused(tmp_path):
    path = tmp_path / "out.jsonl"
    settled = row(Item("a", sha256="0" * 64, errors=(Failure("psnr", "no reference", "BadInput"),)), key=key("a"))
    passing = row(Item("b", errors=(Failure("brisque", "no parameters", "MissingWeights"),)), key=key("b"))
    with Journal(path) as journal:
        journal.add(settled)
        journal.add(passing)
    with Journal(path, resume=True) as journal:
        assert journal.kept(key("a")) == settled
        assert journal.kept(key("b")) is None
        assert journal.kept(key("other options")) is None
    assert path.read_bytes() == b""


def test_a_run_that_fails_can_be_resumed(tmp_path):
    path, wanted = tmp_path / "out.jsonl", rows(3)
    write(path, wanted)

    def fail():
        with Journal(path, resume=True) as journal:
            journal.add(wanted[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert write(path, wanted) == 0


def test_without_resume_the_file_begins_anew(tmp_path):
    path = tmp_path / "out.jsonl"
    write(path, rows(3), stop=2)
    with Journal(path) as journal:
        journal.add(rows(1)[0])
    assert len(list(load(path))) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_row_is_in_the_file_before_the_next_is_made(tmp_path):
    journal = Journal(tmp_path / "out.jsonl")
    journal.add(rows(1)[0])
    assert (tmp_path / "out.jsonl").read_bytes() == line(rows(1)[0])
    journal.close()


def test_files_that_are_not_ours_are_left_alone(tmp_path):
    path = tmp_path / "notes.jsonl"
    for text, says in (
        ('{"a": 1}\n{"b": 2}\n', "not a row of Assay"),
        ('oops\n{"b": 2}\n', "not a JSON object"),
        ("[1]\n[2]\n", "not a JSON object"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=says):
            Journal(path, resume=True)
        assert path.read_text() == text
    with pytest.raises(BadInput, match="Name a file"):
        Journal("-", resume=True)


def test_rows_go_to_standard_output(item):
    code = "from assay.report.jsonl import Journal; from assay.report.rows import row; from assay.types import Item\n"
    code += "with Journal('-') as j: j.add(row(Item('a')))\nprint('still open')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[0])["path"] == "a"


# ---- tables ----


def test_csv_is_flat_streams_and_runs_no_formula(item, broken, tmp_path):
    path = tmp_path / "out.csv"
    names = ["psnr", "grain:side=3"]
    with Csv(path, names) as table:
        table.add(row(item))
        assert path.read_bytes().count(b"\r\n") == 2
        table.add(row(replace(broken, path="=cmd|' /C calc'!A0")))
        table.add(row(replace(item, path='ünï, "quoted".png', results=(Result(PSNR, inf),))))
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as f:
        first, second, third = csv.DictReader(f)
    assert list(first) == columns(names)
    assert (first["psnr"], first["grain:side=3"], first["quality_low"], first["origin"]) == ("31.2346", "4", "50", "inconclusive")
    assert second["path"] == "'=cmd|' /C calc'!A0"
    assert second["errors"].startswith("read: ")
    assert second["psnr"] == second["width"] == ""
    assert (third["psnr"], third["path"]) == ("Infinity", 'ünï, "quoted".png')


def test_parquet_holds_the_same_in_groups(item, broken, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("assay.report.table.GROUP", 2)
    path = tmp_path / "out.parquet"
    with Parquet(path, ["psnr"]) as table:
        for one in (item, broken, replace(item, path=os.fsdecode(b"\xff.png"), results=(Result(PSNR, inf),))):
            table.add(row(one))
        assert not path.exists()
    file = parquet.ParquetFile(path)
    assert file.num_row_groups == 2
    assert file.schema_arrow.names == columns(["psnr"])
    assert json.loads(file.schema_arrow.field("psnr").metadata[b"scale"])["best"] == "Infinity"
    data = file.read().to_pylist()
    assert [d["psnr"] for d in data] == [31.2346, None, inf]
    assert [d["width"] for d in data] == [90, None, 90]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_extra_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInput, match=r"pip install 'assay\[parquet\]'"):
        Parquet(tmp_path / "out.parquet", ["psnr"])


def test_a_failed_run_leaves_no_half_parquet(item, tmp_path):
    pytest.importorskip("pyarrow")

    def fail():
        with Parquet(tmp_path / "out.parquet", ["psnr"]) as table:
            table.add(row(item))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not list(tmp_path.iterdir())


# ---- terminal ----


def shown(width, say, *, terminal=False):
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system="truecolor" if terminal else None)
    say(console)
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_story_tells_scale_and_direction_and_fits(item, width):
    text = shown(width, lambda c: story(row(item), c))
    assert max(map(len, text.splitlines())) <= width
    for part in (
        "61",
        "of 100",
        "between 50 and 70",
        "higher is better",
        "grain: 4 costs 20 points",
        "31.23 dB",
        "0 to ∞",
        "↑ higher",
        "↓ lower",
    ):
        assert part in text
    for part in ("inconclusive", "hint, points to camera original", "No manifest is in the file", "compared with pics/ref.png"):
        assert part in " ".join(text.replace("│", " ").split())


def test_evidence_is_sorted_into_for_and_against(item):
    text = shown(100, lambda c: story(row(replace(item, origin=OriginVerdict("edited", SAID, 0.12, (0.05, 0.3)))), c))
    places = [text.index(t) for t in ("For", "An editor", "Against", "A camera", "Worth knowing", "thumbnail")]
    assert places == sorted(places)
    assert "12% (5%–30%)" in text


def many(items, verdicts=True):
    def say(console):
        lines = Lines(console, ["psnr"], verdicts=verdicts)
        lines.begin()
        for one in items:
            lines.add(row(one))
        lines.close()

    return say


def test_many_files_get_a_line_each_and_a_summary(item, broken):
    items = [replace(item, path=f"{i}.png", quality=QualityVerdict(float(10 * i), (0.0, 100.0))) for i in range(1, 8)] + [broken]
    text = shown(80, many(items))
    assert "quality  0 to 100, ↑ higher is better" in text
    assert "median 40, from 10 to 70" in text
    assert re.search(r"worst +10  1\.png", text)
    assert "7 inconclusive" in text
    assert "in 1 of 8 files: 1× read: BadInput" in text
    scores = shown(80, many(items, verdicts=False))
    assert "psnr  0 to ∞ dB, ↑ higher is better" in scores


def test_piped_lines_are_plain_and_whole(item):
    path = "a/very/long/path/" * 12 + "photo.png"
    text = shown(60, many([replace(item, path=path)]))
    assert path in text
    assert "\x1b" not in text
    terminal = shown(60, many([replace(item, path=path)]), terminal=True)
    row_line = next(ln for ln in terminal.splitlines() if "photo.png" in ln)
    assert len(re.sub(r"\x1b\[[0-9;]*m", "", row_line)) <= 60


def test_names_cannot_take_over_the_terminal(item):
    path = "a\x1b[2J\r[bold]\u202egpj.exe"
    for text in (shown(100, many([replace(item, path=path)])), shown(100, lambda c: story(row(replace(item, path=path)), c))):
        assert "\x1b" not in text
        assert "\r" not in text
        assert "\u202e" not in text
        assert r"a\x1b[2J\x0d[bold]\u202egpj.exe" in text
    assert printable("é 📷") == "é 📷"


# ---- pictures and the page ----


def decoded(uri):
    import base64

    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_photographs_are_made_small():
    deep = torch.rand(1, 500, 2000, generator=torch.Generator().manual_seed(0))
    assert images.photo(deep).size == (1600, 400)
    assert decoded(images.thumbnail(images.photo(deep))).size == (160, 40)
    flat = images.photo(torch.full((3, 9000, 700), 77, dtype=torch.uint8), 160)
    assert flat.size[1] == 160
    assert flat.getpixel((5, 80)) == (77, 77, 77)
    assert images.photo(torch.zeros(3, 1, 1, dtype=torch.uint8)).size == (1, 1)


def test_maps_are_coloured_in_viridis_from_low_to_high():
    uri, ends = images.drawn(torch.linspace(-1, 7, 800).expand(600, 800))
    picture = decoded(uri).convert("RGB")
    assert picture.getpixel((0, 300)) == (0x44, 0x01, 0x54)
    assert picture.getpixel((799, 300)) == (0xFD, 0xE7, 0x25)
    assert ends == ("≤ -0.96", "≥ 6.96")
    assert images.drawn(torch.full((5, 5), 3.0))[1] == ("3", "3")
    assert decoded(images.drawn(torch.rand(2000, 100))[0]).size == (50, 1000)
    uri, ends = images.drawn(torch.ones(3, 20, 30) * 0.5)
    assert ends is None
    assert decoded(uri).getpixel((3, 3)) == (128, 128, 128)


def page(tmp_path, items, **options):
    with HtmlReport(tmp_path / "r.html", **options) as report:
        for one in items:
            report.add(one)
    return (tmp_path / "r.html").read_text("utf-8")


def test_the_page_is_one_file_that_may_load_nothing(item, broken, tmp_path):
    text = page(tmp_path, [item, broken])
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert "default-src 'none'; img-src data:" in policy
    assert "unsafe" not in policy
    assert not re.search(r"""(src|href)=["']?(https?:|//)|@import|url\(""", text)
    assert "{{" not in text


def test_names_cannot_become_markup(broken, tmp_path):
    text = page(tmp_path, [replace(broken, path="</script><script>alert(1)</script><!--")])
    assert "alert(1)</script>" not in text
    (card,) = re.findall(r'class="card">(.*?)</script>', text, re.S)
    assert json.loads(card)["path"] == "</script><script>alert(1)</script><!--"
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_maps_are_kept_for_the_first_items_only(item, tmp_path):
    text = page(tmp_path, [item, item, item], maps=2)
    full = [json.loads(t) for t in re.findall(r'id="item\d+">(.*?)</script>', text, re.S)]
    assert [bool(f["photo"]) for f in full] == [True, True, False]
    assert [m["name"] for m in full[0]["maps"]] == ["psnr"]
    assert full[0]["maps"][0]["says"] == "Bright is wrong."
    assert full[2]["maps"] == []
    cards = [json.loads(t) for t in re.findall(r'class="card">(.*?)</script>', text, re.S)]
    assert all(c["thumb"] and len(c["thumb"]) < 8000 for c in cards)


def test_a_row_of_an_earlier_run_is_shown_with_its_picture(item, tmp_path):
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.png")
    told = row(replace(item, path=str(tmp_path / "a.png")))
    later = Item(told["path"], saved=told)
    with HtmlReport(tmp_path / "r.html") as report:
        report.add(later, told)
        (tmp_path / "a.png").unlink()
        report.add(later, told)
    cards = re.findall(r'class="card">(.*?)</script>', (tmp_path / "r.html").read_text("utf-8"))
    assert [json.loads(c)["thumb"] is not None for c in cards] == [True, False]


def test_a_failed_run_leaves_the_old_page(item, tmp_path):
    (tmp_path / "r.html").write_text("old")

    def fail():
        with HtmlReport(tmp_path / "r.html") as report:
            report.add(item)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (tmp_path / "r.html").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


CHROME = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browse(path, state, profile):
    """The page as a browser lays it out, with the state that the address holds."""
    quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    command = [CHROME, *quiet.split(), "--disable-sync", f"--user-data-dir={profile}", "--dump-dom", f"{path.as_uri()}#{state}"]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return re.sub(r'<script type="application/json".*?</script>', "", dom, flags=re.S)


@pytest.mark.slow
@pytest.mark.skipif(CHROME is None, reason="needs Chromium")
def test_the_page_sorts_filters_and_opens_in_a_browser(item, broken, tmp_path):
    def varied(path, score, db, label):
        return replace(
            item,
            path=path,
            quality=QualityVerdict(score, (0.0, 100.0)),
            origin=OriginVerdict(label),
            results=(Result(PSNR, db, map=torch.rand(6, 9), map_says="Look."),),
        )

    page(
        tmp_path,
        [varied("b.png", 50.0, 40.0, "edited"), varied("a10.png", 90.0, 30.0, "generated"), varied("a9.png", 20.0, inf, "edited"), broken],
    )

    def names(state):
        dom = browse(tmp_path / "r.html", state, tmp_path / "profile")
        return [n.rpartition("/")[2] for n in re.findall(r'<div class="file">([^<]*)</div>', dom)]

    last = "script&gt;&amp;\\u000a\\u202egpj.png"
    assert names("") == ["a9.png", "b.png", "a10.png", last]
    assert names("turn=1") == ["a10.png", "b.png", "a9.png", last]
    assert names("sort=psnr") == ["a10.png", "b.png", "a9.png", last]
    assert names("sort=name")[:3] == ["a9.png", "a10.png", "b.png"]
    assert names("origin=edited&text=A9") == ["a9.png"]
    assert names("min=30&max=95") == ["b.png", "a10.png"]
    assert names("failed=1") == [last]
    dom = browse(tmp_path / "r.html", "item=2&map=psnr", tmp_path / "profile")
    dialog = dom[dom.index("<dialog") : dom.index("</dialog>")]
    for part in (" open", "<h1>a9.png</h1>", "of 100", "∞", "higher is better", "Look.", 'type="range"', 'class="over coarse"'):
        assert part in dialog
    assert "<script>alert" not in dom
