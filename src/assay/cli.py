"""The command line. Heavy imports wait inside the commands, so that `assay list` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from assay import __version__
from assay.catalog import ROOMS, index
from assay.cli_bench import bench
from assay.cli_faces import faces
from assay.cli_train import train
from assay.cli_verify import verify
from assay.types import AssayError, BadInput

FAILED, INTERRUPTED = 1, 130

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch loads: waiting threads sleep instead of spinning


class Shell(click.Group):
    """Our errors are sentences for people, so they end as usage errors and not as tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AssayError as error:
            raise click.UsageError(str(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            raise click.UsageError(f"{error.filename or 'a file'}: {error.strerror or error}") from error
        except KeyboardInterrupt:
            click.echo("\nStopped. Rows already written are whole; go on with --resume.", err=True)
            ctx.exit(INTERRUPTED)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        from assay.catalog import nearest

        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"no command is called {args[0]!r}; {nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(cls=Shell, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="assay")
def main() -> None:
    """How good is this picture, is it real, and where did it come from?"""


def _outputs(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `inspect` and `run` share."""
    options = [
        click.option("--json", "json_file", metavar="FILE|-", help="JSON Lines, one row per file."),
        click.option("--csv", "csv_file", metavar="FILE|-", help="One row per file, one column per score."),
        click.option("--parquet", "parquet_file", metavar="FILE", help="The same table as Parquet (extra: parquet)."),
        click.option("--html", "html_file", metavar="FILE", help="A report in one self-contained HTML file."),
        click.option("--maps", default=24, show_default=True, help="How many pictures carry their maps in the HTML report."),
        click.option("--resume", is_flag=True, help="Go on where --json FILE stopped; nothing is assessed twice."),
        click.option("--quiet", "-q", is_flag=True, help="No table and no progress bar."),
        click.option("--workers", type=click.IntRange(1), help="Files at a time. [default: processors]"),
        click.option("--device", default="cpu", show_default=True, help="Where tensors go: cpu, cuda, mps."),
        click.option("--max-megapixels", default=200.0, show_default=True, help="Refuse larger pictures before decoding them."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.argument("paths", nargs=-1, required=True)
@_outputs
def inspect(paths: tuple[str, ...], **options: Any) -> None:
    """How good PATHS are and what can be known about their origin.

    PATHS are files, folders, globs, or - for a list on standard input.
    """
    from assay.tasks import offline

    raise Exit(_work(offline(), paths, None, options, verdicts=True))


@main.command()
@click.argument("names")
@click.argument("paths", nargs=-1, required=True)
@click.option("--ref", help="The reference: one file for all, or a folder paired by file name.")
@click.option(
    "--scene",
    metavar="FOLDER",
    help="Other pictures of the scene that PATHS show (puzzle_similarity) or of one camera (camera_fingerprint).",
)
@_outputs
def run(names: str, paths: tuple[str, ...], ref: str | None, scene: str | None, **options: Any) -> None:
    """Score PATHS with NAMES, separated by commas: psnr,ssim:variant=box,niqe-assay.

    Metrics with and without a reference may be mixed; `assay list` shows them. all-fr and all-nr are all of the quality room
    that take a reference, and that take none.
    """
    raise Exit(_work(tuple(n.strip() for n in names.split(",") if n.strip()), paths, ref, options, verdicts=False, scene=scene))


def _work(
    names: tuple[str, ...], paths: tuple[str, ...], ref: str | None, options: dict[str, Any], *, verdicts: bool, scene: str | None = None
) -> int:
    from assay.io.find import find, pair
    from assay.report.sinks import Sinks, failed
    from assay.runner import in_scene
    from assay.runner import run as assess_all
    from assay.tasks import tasks as tasks_of

    tasks = tasks_of(names)
    if ref is None and (needing := [t.name for t in tasks if "reference" in t.fn.card.takes]):
        raise BadInput(f"a reference is needed for {' and '.join(needing)}: add --ref FILE or --ref FOLDER.")
    if scene is not None and not Path(scene).is_dir():
        raise BadInput(f"the scene {scene} is no folder; --scene names a folder with pictures of the scene.")
    max_pixels = int(options["max_megapixels"] * 1e6)
    tasks = in_scene(tasks, None if scene is None else find([scene]), max_pixels=max_pixels)
    files: list[Any] = list(pair(paths, ref)) if ref is not None else list(find(paths))
    if len(files) > 1 and options["device"] == "cpu":
        import torch

        torch.set_num_threads(1)  # whole files in parallel fill the cores better than threads inside one
    some_failed = False
    with Sinks(tasks, len(files), verdicts=verdicts, **options) as sinks:
        done = assess_all(
            tasks,
            files,
            maps=sinks.wants_maps,
            verdicts=verdicts,
            keep_pictures=sinks.wants_pictures,
            reuse=sinks.reuse,
            device=options["device"],
            workers=options["workers"],
            threads=(os.cpu_count() or 1) if len(files) == 1 else 1,
            max_pixels=max_pixels,
        )
        for item in done:
            some_failed |= failed(sinks.add(item), verdicts=verdicts)
    return FAILED if some_failed else 0


def _in_words(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `describe` and `compare` share."""
    options = [
        click.option("--ref", help="The reference image."),
        click.option("--detailed", is_flag=True, help="A paragraph for each aspect."),
        click.option("--json", "as_json", is_flag=True, help="Every sentence with the measurements it is made from."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.argument("image")
@_in_words
def describe(image: str, ref: str | None, detailed: bool, as_json: bool) -> None:
    """Say in plain words how good IMAGE is, what is wrong and where."""
    from assay.description import describe as put

    _say({"path": image, "reference": ref}, put(image, ref=ref, detailed=detailed).statements, as_json)


@main.command()
@click.argument("a")
@click.argument("b")
@_in_words
def compare(a: str, b: str, ref: str | None, detailed: bool, as_json: bool) -> None:
    """Say which of two pictures, A and B, is better, how sure that is, and why."""
    from assay.description import compare as put

    _say({"a": a, "b": b, "reference": ref}, put(a, b, ref=ref, detailed=detailed).statements, as_json)


def _say(files: dict[str, str | None], statements: tuple[Any, ...], as_json: bool) -> None:
    import json

    from rich.console import Console

    from assay.report.rows import statement
    from assay.report.terminal import words

    told = [statement(s) for s in statements]
    if as_json:
        click.echo(json.dumps({**files, "description": told}, ensure_ascii=False, allow_nan=False))
    else:
        words(told, Console(), heads=[f"{name.upper()} is {path}" for name, path in files.items() if len(name) == 1])


@main.command("list")
@click.argument("room", required=False)
def list_(room: str | None) -> None:
    """Show every algorithm, or those of one ROOM (quality, face, authenticity, degrade)."""
    rooms: dict[str, list[tuple[str, dict[str, Any]]]] = {r: [] for r in ROOMS}
    for name, row in index().items():
        rooms[row["at"].split(".")[1]].append((name, row))
    if room is not None and room not in rooms:
        raise BadInput(f"no room is called {room!r}; there are {', '.join(rooms)}.")
    width = max(map(len, index()))
    for title, rows in rooms.items():
        if room in (None, title):
            click.secho(title, bold=True)
            for name, row in rows:
                click.echo(f"  {name:{width}}  {' + '.join(row['takes']):17}  {row['says']}")


@main.command()
@click.argument("name")
def show(name: str) -> None:
    """Show one algorithm's card, in full."""
    import inspect as signatures

    from assay.catalog import get

    fn = get(name)
    row = index()[name]
    click.secho(f"{name}  version {row['version']}", bold=True)
    click.echo(signatures.cleandoc(fn.__doc__ or "") + "\n")
    facts = {"takes": " + ".join(row["takes"]), "answers": row["answers"], "paper": row["paper"], "at": row["at"]}
    if scale := row.get("scale"):
        facts["scale"] = f"{scale['worst']} (worst) to {scale['best']} (best) {scale['unit']}".rstrip()
        if scale["usual"]:
            facts["usually"] = f"{scale['usual'][0]:g} (poor) to {scale['usual'][1]:g} (good)"
        facts["gradient"] = "yes" if row["differentiable"] else "no"
        facts["smallest"] = f"{row['min_side']}×{row['min_side']} pixels"
        facts["map"] = row["map"] or "none"
    knobs = [p for p in signatures.signature(fn).parameters.values() if p.kind is p.KEYWORD_ONLY and p.name not in ("ref", "scene")]
    if knobs:
        facts["knobs"] = ", ".join(f"{p.name}={p.default}" for p in knobs)
    if row.get("caveat"):
        facts["fooled by"] = row["caveat"]
    if row["needs"]:
        facts["needs"] = f"pip install assay[{row['needs']}]"
    for w in row["weights"]:
        facts[f"weights {w['file']}"] = f"{w['license']}; {w['recipe'] or w['url']}; sha256 {w['sha256']}"
    for key, value in facts.items():
        click.echo(f"{key:10} {value}")


@main.command()
def doctor() -> None:
    """Say what this installation can do: versions, kernels, weights, extras."""
    import platform
    from importlib.metadata import version
    from importlib.util import find_spec

    import torch

    from assay import kernels
    from assay.types import MissingWeights, Weights
    from assay.weights import find

    def line(good: bool | None, what: str, says: str) -> None:
        mark = {True: click.style("ok", fg="green"), False: click.style("no", fg="yellow"), None: "  "}[good]
        click.echo(f"{mark}  {what:22} {says}")

    line(None, "assay", f"{__version__} at {Path(__file__).parent}")
    line(None, "python", f"{platform.python_version()} on {platform.platform()}")
    for name in ("torch", "numpy", "scipy", "pillow", "safetensors"):
        line(None, name, version(name))
    line(None, "threads", str(torch.get_num_threads()))
    cuda = torch.cuda.is_available()
    line(cuda, "cuda", torch.cuda.get_device_name() if cuda else "not found; the processor is used")
    built = kernels.library() is not None
    line(built, "kernels", "built" if built else "not built: results are the same, only slower; reinstall with a C compiler")
    for extra, module in {
        "heif": "pillow_heif",
        "parquet": "pyarrow",
        "c2pa": "c2pa",
        "demo": "skimage",
        "plot": "matplotlib",
        "onnx": "onnxruntime",
    }.items():
        found = find_spec(module) is not None
        line(found, f"extra {extra}", f"{module} is installed" if found else f"pip install assay[{extra}]")
    for name, row in index().items():
        for w in row["weights"]:
            try:
                line(True, f"weights of {name}", str(find(Weights(**w))))
            except MissingWeights:
                line(
                    False,
                    f"weights of {name}",
                    f"{w['file']} is not here: " + (f"assay fetch {name}" if len(w["sha256"]) == 64 else w["url"]),
                )


@main.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Download the official parameters of one algorithm; nothing else here ever does."""
    from assay.catalog import get
    from assay.weights import fetch as download

    card = get(name).card
    if not card.weights:
        raise BadInput(f"{name} has no parameters; it runs as it is.")
    for w in card.weights:
        click.echo(f"{w.file}: {download(w)} ({w.license})")


@main.command()
@click.argument("folder", default="assay-demo")
def demo(folder: str) -> None:
    """Judge real photographs, fresh and damaged, into FOLDER (extra: demo)."""
    from assay.demo import write_photos
    from assay.tasks import offline

    photos, report = Path(folder) / "photos", Path(folder) / "report.html"
    write_photos(photos)
    files = {"html_file": str(report), "json_file": str(Path(folder) / "report.jsonl")}
    _work(offline(), (str(photos),), None, {"device": "cpu", "workers": None, "max_megapixels": 200.0, **files}, verdicts=True)
    click.echo(f"\nThe report: {report.resolve()}")


@main.command()
@click.argument("photos", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", "-o", default="gallery.html", show_default=True, type=click.Path(path_type=Path), help="The page to write.")
@click.option("--side", default=288, show_default=True, help="Longer side of the pictures, in pixels.")
def gallery(photos: tuple[Path, ...], output: Path, side: int) -> None:
    """Damage PHOTOS in every way the bank knows, and show what every metric says of it (without PHOTOS, extra: demo)."""
    import torch
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    from assay.gallery.page import write

    torch.set_num_threads(1)  # pictures in parallel fill the cores better than threads inside one
    with Progress(BarColumn(None), TaskProgressColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=None)
        write(output, photos, side=side, begin=lambda n: progress.update(bar, total=n), tick=lambda: progress.advance(bar))
    click.echo(f"The gallery: {output.resolve()}")


for command in (bench, faces, train, verify):
    main.add_command(command)

if __name__ == "__main__":
    sys.exit(main())
