"""`assay verify`: one picture's origin as a document for a newsroom."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import click
from click.exceptions import Exit

from assay.types import BadInput

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
LIMIT = 120  # seconds a browser may take to print


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--html",
    "html_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a document to print: evidence with pictures, hashes, versions.",
)
@click.option(
    "--pdf",
    "pdf_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="And as PDF, printed by an installed Chromium, Chrome or Edge.",
)
@click.option("--json", "as_json", is_flag=True, help="The row for machines instead of words.")
def verify(file: str, html_file: Path | None, pdf_file: Path | None, as_json: bool) -> None:
    """Is FILE what it claims to be?  Verdict, evidence, provenance and what could not be asked.

    Only what bears on the origin is computed. Exit status 1: the file could not be read.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as below; read when numpy is first imported
    import torch
    from rich.console import Console

    from assay.report import verify as document
    from assay.report.rows import line, row
    from assay.report.terminal import story
    from assay.runner import run
    from assay.tasks import evidence

    torch.set_num_threads(1)  # cues beside each other fill the cores better than threads inside one
    item = next(run(evidence(), [file], maps=True, verdicts=True, keep_pictures=True, threads=os.cpu_count() or 1))
    told = row(item)
    if as_json:
        click.echo(line(told).decode("utf-8", "backslashreplace"), nl=False)
    else:
        story(told, Console())
    if html_file or pdf_file:
        page = document.page(item)
        if html_file:
            html_file.write_text(page, "utf-8", "backslashreplace")
            click.echo(f"The document is in {html_file}", err=True)
        if pdf_file:
            printed(page, pdf_file)
            click.echo(f"The PDF is in {pdf_file}", err=True)
    if told["media"] is None:
        raise Exit(1)


def printed(page: str, pdf: Path) -> None:
    """The page as PDF.  Raises BadInput where no browser is installed that can print, or where it fails."""
    browser = next((found for b in BROWSERS if (found := shutil.which(b))), None)
    if browser is None:
        raise BadInput("PDF needs an installed Chromium, Chrome or Edge; write --html FILE and print that page from any browser.")
    with tempfile.TemporaryDirectory() as folder:
        html, out = Path(folder) / "page.html", Path(folder) / "page.pdf"
        html.write_text(page, "utf-8", "backslashreplace")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", "--no-pdf-header-footer"]
        try:
            done = subprocess.run([*command, f"--print-to-pdf={out}", html.as_uri()], capture_output=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired as late:
            raise BadInput(f"{browser} took more than {LIMIT} s to print the page; write --html FILE and print it yourself.") from late
        if not out.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason was given"]
            raise BadInput(f"{browser} could not print the page: {said[-1]}.")
        shutil.move(out, pdf)
