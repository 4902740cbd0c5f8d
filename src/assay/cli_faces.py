"""`assay faces`: the best shots of a folder, or of every person in it."""

from __future__ import annotations

import json
from pathlib import Path

import click
from click.exceptions import Exit


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--best", "-n", default=10, show_default=True, type=click.IntRange(1), help="How many faces; with --per-identity of each person."
)
@click.option("--per-identity", is_flag=True, help="Tell people apart and rank each for themselves.")
@click.option(
    "--for", "purpose", type=click.Choice(["people", "matcher"]), default="people", show_default=True,
    help="Good to look at, or good to be recognised by.",
)  # fmt: skip
@click.option("--copy-to", type=click.Path(file_okay=False, path_type=Path), help="Copy the chosen pictures into this folder, in order.")
@click.option("--json", "as_json", is_flag=True, help="One object per face instead of a table.")
def faces(paths: tuple[str, ...], best: int, per_identity: bool, purpose: str, copy_to: Path | None, as_json: bool) -> None:
    """Find all faces in PATHS and name the best ones.

    PATHS are files, folders, globs, or - for a list on standard input. Pictures without a face are counted, not shown.
    """
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from assay import choose
    from assay.io.find import find
    from assay.report.rows import printable
    from assay.types import Failure

    lost: list[Failure] = []
    errors = Console(stderr=True)
    files = list(find(paths))
    watched = track(files, "Looking at faces", console=errors, transient=True, disable=len(files) < 10)
    shots = choose.best(watched, n=best, purpose=purpose, per_identity=per_identity, lost=lost)
    if as_json:
        for s in shots:
            told = {"path": s.path, "face": s.number, "score": round(s.score, 2), "person": s.person or None, "box": s.face.face.box}
            click.echo(json.dumps(told, ensure_ascii=False))
    else:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for head in (*(["person"] if per_identity else []), "score", "face", "eyes", "picture"):
            table.add_column(head, justify="left" if head == "picture" else "right", overflow="fold")
        for s in shots:
            person = [str(s.person)] if per_identity else []
            table.add_row(*person, f"{s.score:.1f}", str(s.number), f"{s.face.face.eye_distance:.0f} px", printable(s.path))
        Console().print(table)
    empty = sum(f.kind == "CannotAssess" for f in lost)
    unread = [f for f in lost if f.kind not in ("CannotAssess", choose.UNJUDGED)]
    for f in unread:
        errors.print(f"! {printable(f.what)}: {printable(f.says)}", markup=False, soft_wrap=True)
    if empty:
        errors.print(f"{empty} of {len(files)} pictures show no face.", style="dim")
    if unjudged := [f for f in lost if f.kind == choose.UNJUDGED]:
        errors.print(f"{len(unjudged)} faces were not judged; the first: {printable(unjudged[0].says)}", style="dim", markup=False)
    if copy_to:
        click.echo(f"{choose.copy(shots, copy_to)} pictures are in {copy_to}", err=True)
    if unread:
        raise Exit(1)
